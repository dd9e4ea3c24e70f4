"""What a listing alone tells."""

from pathlib import Path

import pytest

from sfcl_tf.check import list_rules
from sfcl_tf.check.list_rules import LIST_RULES


def test_sound_listing_gives_information_only(listed, video):
    videos = [
        video(f"{label}/{split}.mp4", split)
        for split in ("train", "val", "test")
        for label in ("real", "fake")
    ]
    found = [f for rule in LIST_RULES for f in rule(listed(*videos))]
    assert [(f.code, f.severity) for f in found] == [("split_counts", "info")]
    assert found[0].details[0] == "train: 1 real, 1 fake"


def test_file_of_the_collections_own_list_that_is_gone_is_an_error(listed, video):
    one = listed(video("real/a.mp4"), missing=(video("fake/b.mp4"),))
    (found,) = list_rules.missing_files(one)
    assert (found.severity, found.details) == ("error", ("fake/b.mp4",))
    assert "1 of 2 files" in found.message


def test_part_of_faceforensics_is_counted_by_method_and_split(listed, video):
    there = (video("real/a.mp4"), video("fake/a.mp4"))
    gone = (video("fake/b.mp4"), video("fake/c.mp4", "test"))
    ff = listed(*there, missing=gone, card={"layout": "faceforensics"})
    (found,) = list_rules.missing_files(ff)
    assert found.severity == "warning"
    assert found.details == ("swap: train 1 of 2, test 0 of 1",)
    assert found.figures["files"] == ["fake/b.mp4", "fake/c.mp4"]


@pytest.mark.parametrize("fakes", [0, 1, 2])
def test_counts_are_held_against_the_published_ones(listed, video, fakes):
    videos = [video("real/a.mp4"), *(video(f"fake/{n}.mp4") for n in range(fakes))]
    card = {"published": {"real": 1, "fake": 1, "train": {"videos": 2}}}
    (found,) = list_rules.published_counts(listed(*videos, card=card))
    assert found.figures["fake"] == {"published": 1, "found": fakes}
    assert found.severity == ("info" if fakes == 1 else "warning")
    if fakes != 1:
        assert found.details[0] == f"fake: {fakes} there, 1 published"
        assert found.details[1] == f"train videos: {1 + fakes} there, 2 published"


def test_counts_of_chosen_methods_are_not_compared(listed, video):
    card = {"published": {"real": 9}}
    chosen = listed(video("real/a.mp4"), card=card, methods=("swap",))
    assert not list(list_rules.published_counts(chosen))


def test_left_out_videos_count_as_published(listed, video):
    card = {"published": {"fake": 2}}
    whole = listed(video("fake/a.mp4"), left_out=(video("fake/b.mp4", ""),), card=card)
    (found,) = list_rules.published_counts(whole)
    assert found.severity == "info"


def test_split_without_one_class_is_told(listed, video):
    videos = [video(f"fake/{n}.mp4") for n in range(30)]
    warned, counts = list_rules.class_balance(listed(video("real/a.mp4"), *videos))
    assert warned.severity == "warning"
    assert warned.details == ("train: 1 real, 30 fake", "val: nothing", "test: nothing")
    assert counts.figures["train"] == {"real": 1, "fake": 30, "methods": {"swap": 30}}


@pytest.mark.parametrize("promised", [True, False])
def test_identity_in_two_splits_is_worse_where_none_may_be(listed, video, promised):
    leak = listed(
        video("real/a.mp4", "train", None, "anna", "bert"),
        missing=(video("fake/b.mp4", "test", None, "anna"),),
        card={"identity_disjoint": promised},
    )
    (found,) = list_rules.identity_leak(leak)
    assert found.severity == ("error" if promised else "warning")
    assert found.details == ("anna: train, test",)


def test_labels_against_the_folders_names_are_an_error(listed, video):
    videos = [video(f"real/{n}.mp4", "train", 1) for n in range(3)]
    videos += [video("clips/Manipulated_Sequences/x/d.mp4", "train", 1)]
    (found,) = list_rules.label_polarity(listed(*videos))
    assert found.severity == "error"
    assert "3 of 4 labels contradict" in found.message
    assert "inverted: 1 must mean fake" in found.message
    videos += [video(f"fake/{n}.mp4", "train", 1) for n in range(9)]
    (found,) = list_rules.label_polarity(listed(*videos))
    assert not found.figures["inverted"]


def test_names_that_say_nothing_of_the_label_are_passed_over(listed, video):
    videos = (
        video("a/fake.mp4", "train", 0),
        video("real/fake/b.mp4", "train", 0),
        video("/disk/fake/c.mp4", "train", 0),
        video("unreal/d.mp4", "train", 1),
    )
    assert not list(list_rules.label_polarity(listed(*videos)))


def test_files_that_cannot_be_used_are_named(listed, video):
    odd = listed(
        video("real/a.mp4"),
        unlisted=(Path("/collection/real/notes.txt"),),
        left_out=(video("fake/c.mp4", ""),),
    )
    (unlisted,) = list_rules.unlisted_files(odd)
    assert (unlisted.severity, unlisted.details) == ("warning", ("real/notes.txt",))
    (left_out,) = list_rules.left_out(odd)
    assert (left_out.severity, left_out.details) == ("info", ("fake/c.mp4",))


def test_collection_of_one_kind_is_an_error(listed, video):
    found = [
        *list_rules.class_balance(listed(video("fake/a.mp4"), video("fake/b.mp4")))
    ]
    assert (found[0].code, found[0].severity) == ("one_class", "error")
    assert found[0].message == "Every file is fake."
