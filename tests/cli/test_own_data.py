"""Data sets of one's own, given by path, on the command line."""

import cv2
import numpy as np
import pytest

from sfcl_tf.catalog.cards import card_name, dataset_path, load_card
from sfcl_tf.cli import main
from sfcl_tf.config import load_config
from sfcl_tf.evaluation.scoring import result_name
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.records.manifest import Manifest, Settings, fingerprint, records_folder


@pytest.fixture
def clips(tmp_path):
    """A folder of small pictures, as face crops."""
    rng = np.random.default_rng(0)
    for name in ("real/[x] (1).png", "real/[/x].png", "fake/Swap/-a.png", "df/b.png"):
        path = tmp_path / "my clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    return tmp_path / "my clips"


def prepare(clips, *more):
    argv = ["prepare", clips, "--faces", "full", "--workers", 1, *more]
    return main([str(arg) for arg in argv])


def test_names_with_brackets_are_shown_as_they_are(clips, capsys):
    assert prepare(clips) == 0
    out = capsys.readouterr().out
    assert "my_clips/real/[x] (1).png" in out
    assert "my_clips/real/[/x].png" in out
    assert "beside them and not used: df" in out


@pytest.mark.parametrize("where", [".", "records"])
def test_nothing_is_written_below_the_collection(clips, capsys, where, monkeypatch):
    before = sorted(clips.rglob("*"))
    assert prepare(clips, "--records", clips / where) == 2
    assert "Give another place by --records" in capsys.readouterr().err
    monkeypatch.chdir(clips)
    assert main(["prepare", "."]) == 2
    assert main(["check", ".", "--quick", "--json", "report.json"]) == 2
    assert sorted(clips.rglob("*")) == before


def test_preparation_that_gives_nothing_at_all_says_so_by_its_exit_code(clips, capsys):
    for path in clips.rglob("*.png"):
        path.write_bytes(b"junk")
    assert prepare(clips) == 3
    out, err = capsys.readouterr()
    assert "cannot be read" in out
    assert "Expected faces in at least one of 3 files" in err


def test_method_that_is_not_there_is_refused(clips, capsys):
    assert prepare(clips, "--methods", "Swip", "--dry-run") == 2
    assert "Swap. Received: Swip" in capsys.readouterr().err
    assert prepare(clips, "--methods", "", "--dry-run") == 0


def test_path_that_is_not_there_is_told_as_such(place, capsys):
    for name in ("./nothing", "nothing.csv"):
        assert main(["prepare", name]) == 3
        assert "is not there" in capsys.readouterr().err
    assert main(["prepare", "ff_c23", "--data-root", "nowhere"]) == 3
    assert "nowhere (which is not there)" in capsys.readouterr().err


def test_picture_and_report_need_a_folder_and_an_ending(clips, capsys):
    for option, path in (("--show", "no/a.png"), ("--json", "no/a.json")):
        assert main(["check", str(clips), option, path]) == 2
        assert "Make no first" in capsys.readouterr().err
    assert main(["check", str(clips), "--show", "a"]) == 2
    assert "to end in .png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('crf = "x"', "crf = 'x'"),
        ("real_repeat = -3", "real_repeat = -3"),
        ("published = 3", "published = 3"),
        ('[options]\nsplits = "none"', "splits of faceforensics"),
    ],
)
def test_wrong_value_in_a_card_is_named(place, capsys, line, told):
    (place / "mine.toml").write_text(
        'title = "M"\nlayout = "faceforensics"\nfolder = "m"\nsource = "s"\n'
        f'licence = "l"\n{line}\n'
        + ("" if "[options]" in line else "[options]\n")
        + 'compression = ["c23"]\nmethods = ["Deepfakes"]\n'
    )
    (place / "m/original_sequences").mkdir(parents=True)
    assert main(["prepare", "./mine.toml", "--data-root", ".", "--dry-run"]) == 3
    assert told in capsys.readouterr().err


def test_run_knows_its_own_data_by_path(clips, monkeypatch):
    card = load_card(clips)
    assert card_name(clips) == card.name == "my_clips"
    monkeypatch.chdir(clips.parent)
    assert dataset_path("./my clips") == str(clips)
    assert dataset_path("ff_c23") == "ff_c23"
    config = load_config(overrides=[("data.dataset", str(clips)), "data.frames=4"])

    def name(data_set, frames):
        card, settings = load_card(data_set), Settings(frames)
        folder = records_folder(card, settings, clips.parent)
        manifest = Manifest(folder, card.name, settings, (), ())
        return result_name(InputPipeline(manifest, config), "test")

    assert name(clips, 4) == "test"
    mark = fingerprint(card, Settings(5))
    assert name(clips, 5) == f"my_clips-{mark}_test_5"
    assert name("celebdf_v2", 4) == "celebdf_v2_test_4"
    # Another folder of that name holds other faces.
    other = clips.parent / "elsewhere" / clips.name
    other.mkdir(parents=True)
    mark = fingerprint(load_card(other), Settings(4))
    assert name(other, 4) == f"my_clips-{mark}_test_4"
