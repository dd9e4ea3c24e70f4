"""What was scored: when two selections are one, and what their files are called."""

import itertools

import pytest

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.config import DataConfig
from sfcl_tf.evaluation.stored import stored
from sfcl_tf.records.manifest import Manifest, Settings, records_folder
from sfcl_tf.runs.selection import (
    Selection,
    log_evaluation,
    logged_digest,
)

FF = Selection("ff_c23", "", "test", 4)


def manifest(tmp_path, card="ff_c23", settings=None, methods=()):
    settings = settings or Settings(4)
    folder = records_folder(load_card(card), settings, tmp_path)
    videos = [{"label": 1, "method": "Deepfakes", "split": "test", "records": 0}]
    made = Manifest(folder, load_card(card).name, settings, tuple(videos), ())
    return made.of_methods(methods)


@pytest.mark.parametrize(
    ("selection", "name"),
    [
        (FF, "test"),
        (Selection("ff_c23", "", "val", 4), "ff_c23_val_4"),
        (Selection("ff_c23", "", "test", 5), "ff_c23_test_5"),
        (Selection("ff_c23", "", "test", 4, "all"), "ff_c23_test_4_faces-all"),
        (Selection("ff_c23", "", "test", 4, boxes="0" * 16), "ff_c23-00000000_test_4"),
        (
            Selection("ff_c23", "", "test", 4, "full", "", ("Deepfakes", "FaceSwap")),
            "ff_c23_test_4_faces-full_Deepfakes+FaceSwap",
        ),
        (Selection("celebdf_v2", "", "test", 50), "celebdf_v2_test_50"),
        (Selection("mine", "0a1b2c3d", "test", 4), "mine-0a1b2c3d_test_4"),
        (
            Selection("ff_c23", "", "test", 4, detector="yunet"),
            "ff_c23_test_4_faces-by-yunet",
        ),
    ],
)
def test_files_are_named_by_what_is_scored(selection, name):
    assert selection.name(FF) == name


def test_no_two_selections_share_a_name():
    methods = [(), ("a",), ("b",), ("a", "b"), ("a+b",), ("faces-all",), ("a/b",)]
    methods += [
        ("yunet",),
        ("a b",),
        ("é",),
        ("ë",),
        tuple(f"{n:040}" for n in range(9)),
    ]
    faces = ("largest", "all", "full")
    boxes = ("", "0123456789abcdef")
    grid = itertools.product(("ff_c23", "dfdc"), ("val", "test"), (4, 5))
    found = [
        Selection(card, "", split, frames, face, box, chosen, detector=detector)
        for (card, split, frames), face, box, chosen, detector in itertools.product(
            grid, faces, boxes, methods, ("hog", "yunet")
        )
    ]
    names = [selection.name(FF) for selection in found]
    assert len({*names}) == len(names)
    assert all(name.isascii() and len(name) < 150 and "/" not in name for name in names)
    assert len({selection.title for selection in found}) == len(found)


def test_a_runs_own_data_is_known_by_all_that_decides_its_faces(tmp_path):
    data = DataConfig("ff_c23", frames=4)
    scored = Selection.of(manifest(tmp_path), "test")
    assert scored == Selection.own(data, manifest(tmp_path), "test") == FF
    others = [
        manifest(tmp_path, "ff_c40"),
        manifest(tmp_path, settings=Settings(5)),
        manifest(tmp_path, settings=Settings(4, "all")),
        manifest(tmp_path, settings=Settings(4, boxes="01")),
        manifest(tmp_path, settings=Settings(4, detector="yunet")),
        manifest(tmp_path, methods=("Deepfakes",)),
    ]
    for other in others:
        own = Selection.own(data, other, "test")
        assert Selection.of(other, "test") != own
    every = load_card("ff_c23").methods[::-1]
    named = DataConfig("ff_c23", methods=every, frames=4)
    assert Selection.own(named, manifest(tmp_path), "test") == FF


def test_data_of_ones_own_is_not_the_cards_of_that_name(tmp_path):
    folder = tmp_path / "dfdc"
    (folder / "real").mkdir(parents=True)
    mine, cards = manifest(tmp_path, folder), manifest(tmp_path, "dfdc")
    assert mine.card == cards.card
    data = DataConfig(str(folder), frames=4)
    assert Selection.of(mine, "test") == Selection.own(data, mine, "test")
    assert Selection.of(cards, "test") != Selection.own(data, cards, "test")
    (folder / "real").rmdir()
    folder.rmdir()
    assert Selection.own(data, mine, "test") is None  # gone: nothing can be told


def test_what_is_gone_is_nobodys_own(tmp_path):
    data = DataConfig("ff_c23", frames=4, boxes=str(tmp_path / "gone.json"))
    assert Selection.own(data, manifest(tmp_path), "test") is None
    assert FF.name(None) == "ff_c23_test_4"


def test_scores_are_those_of_the_records_last_noted(tmp_path):
    made = manifest(tmp_path)
    data = DataConfig("ff_c23", frames=4)
    assert logged_digest(tmp_path, "test", data) is None
    # As lines were before names were noted.
    lines = [("ff_c23", 4, "own"), ("ff_c23", 9, "other"), ("dfdc", 4, "other")]
    text = "".join(
        f'{{"dataset": "{card}", "split": "test", "frames": {n}, "records": "{d}"}}\n'
        for card, n, d in lines
    )
    (tmp_path / "evaluations.jsonl").write_text(text)
    assert logged_digest(tmp_path, "test", data) == "own"
    assert logged_digest(tmp_path, "test") is None
    log_evaluation(tmp_path, "test", FF, made)
    log_evaluation(tmp_path, "test_b4", FF, made, run="one")
    assert logged_digest(tmp_path, "test", data) == made.digest("test")
    assert logged_digest(tmp_path, "test_b4", run="one") == made.digest("test")
    assert logged_digest(tmp_path, "test_b4", run="two") is None
    with (tmp_path / "evaluations.jsonl").open("a") as file:
        file.write('{"name": "te')  # the disk was full
    assert logged_digest(tmp_path, "test", data) == made.digest("test")
    assert stored(tmp_path, "test", made, "test", data=data) is None  # no scores
