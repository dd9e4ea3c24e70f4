"""What the files tell of themselves, against the card and against each other."""

import pytest

from sfcl_tf.check import FILE_RULES, file_rules
from sfcl_tf.check.shortcuts import shortcuts


@pytest.fixture
def told(listed):
    """A function that applies one rule to facts."""

    def apply(rule, *facts, **changes):
        videos = [found.video for found in facts]
        return list(rule(listed(*videos, **changes), facts))

    return apply


def test_sound_files_give_information_only(told, facts):
    card = {"crf": 23, "pixel_format": "yuv420p"}
    sound = [facts("real/a.mp4"), facts("fake/b.mp4", frames=400)]
    found = [f for rule in FILE_RULES for f in told(rule, *sound, card=card)]
    assert [finding.code for finding in found] == ["summary"]
    assert "frames: 300 to 400, median 350" in found[0].details
    assert "width: 640" in found[0].details


def test_unreadable_file_is_an_error_with_its_reason(told, facts):
    problem = "Expected x. Received: /collection/real/b.mp4 ([Errno 9] Bad data: '/c')."
    (found,) = told(
        file_rules.unreadable_files,
        facts("real/a.mp4"),
        facts("real/b.mp4", problem=problem),
        facts("real/c.mp4", problem="not read after 3 s"),
    )
    assert found.severity == "error"
    assert "2 of 3 files" in found.message
    assert found.details == ("real/b.mp4: Bad data", "real/c.mp4: not read after 3 s")


def test_one_file_under_both_labels_is_an_error(told, facts):
    same = facts("real/a.mp4", digest="x"), facts("fake/a.mp4", digest="x")
    (found,) = told(file_rules.duplicates, *same, facts("real/b.mp4"))
    assert (found.code, found.severity) == ("duplicates_of_both_labels", "error")
    assert found.details == ("real/a.mp4 (train) = fake/a.mp4 (train)",)


def test_one_file_in_two_splits_is_an_error_and_twice_in_one_a_warning(
    told, facts, video
):
    copy = facts("real/c.mp4", video=video("real/c.mp4", "test"), digest="x")
    same = facts("real/a.mp4", digest="x"), copy
    (found,) = told(file_rules.duplicates, *same)
    assert (found.code, found.severity) == ("duplicates_across_splits", "error")
    same = facts("real/a.mp4", digest="x"), facts("real/b.mp4", digest="x")
    (found,) = told(file_rules.duplicates, *same)
    assert (found.code, found.severity) == ("duplicates", "warning")


def test_unread_files_are_no_duplicates_of_each_other(told, facts):
    same = facts("real/a.mp4", digest=""), facts("fake/b.mp4", digest="")
    assert not told(file_rules.duplicates, *same)


def test_compression_that_the_card_denies_is_an_error(told, facts):
    wrong, unknown = told(
        file_rules.compression,
        facts("real/a.mp4"),
        facts("real/b.mp4", crf=40.0),
        facts("real/c.mp4", crf=None),
        card={"crf": 23},
    )
    assert wrong.severity == "error"
    assert wrong.details == ("real/b.mp4: crf 40 instead of 23",)
    assert (unknown.severity, unknown.details) == ("info", ("real/c.mp4",))


def test_frames_in_png_pass_for_the_video_and_those_in_jpeg_do_not(told, facts):
    kinds = {"real/a": "png", "real/b": "jpeg"}
    (found,) = told(
        file_rules.pixel_formats,
        *(facts(place, pixel_format=f"{kind}-rgb") for place, kind in kinds.items()),
        card={"pixel_format": "yuv444p"},
    )
    assert found.details == ("real/b: jpeg-rgb",)


def test_pixel_format_that_the_card_denies_is_an_error(told, facts):
    (found,) = told(
        file_rules.pixel_formats,
        facts("real/a.mp4"),
        facts("real/b.mp4", pixel_format="yuv444p"),
        card={"pixel_format": "yuv444p"},
    )
    assert (found.severity, found.details) == ("error", ("real/a.mp4: yuv420p",))


def test_short_videos_are_told_shortest_first_and_images_never(told, facts):
    (found,) = told(
        file_rules.few_frames,
        facts("real/a.mp4", frames=31),
        facts("real/b.mp4", frames=1),
        facts("real/c.mp4", frames=32),
        facts("real/d.png", frames=1),
        frames=32,
    )
    assert found.details == ("real/b.mp4: 1 frame", "real/a.mp4: 31 frames")


def test_small_pictures_are_told_and_face_crops_may_be_smaller(told, facts):
    small = facts("real/a.png", width=80, height=300), facts("real/b.png")
    (found,) = told(file_rules.small_pictures, *small)
    assert found.details == ("real/a.png: 80x300",)
    assert not told(file_rules.small_pictures, *small, faces="full")


def many(facts, count, **by_label):
    """Half reals, half fakes; `by_label` is a pair of values a fact."""
    return [
        facts(
            f"{('real', 'fake')[label]}/{n}.mp4",
            **{name: values[label] for name, values in by_label.items()},
        )
        for label in (0, 1)
        for n in range(count)
    ]


def test_chroma_that_gives_the_label_away_is_an_error(told, facts):
    files = many(facts, 20, pixel_format=("yuv444p", "yuv420p"))
    (found,) = told(shortcuts, *files)
    assert (found.code, found.severity) == ("shortcuts", "error")
    assert (
        "the pixel format tells real from fake with a balanced accuracy of 100 %"
        in (found.message)
    )
    assert found.figures["pixel format"]["real_and_fake"] == {
        "yuv444p": [20, 0],
        "yuv420p": [0, 20],
    }


def test_small_collection_does_not_cry_wolf(told, facts):
    files = many(facts, 4, pixel_format=("yuv444p", "yuv420p"))
    assert not told(shortcuts, *files)


def test_fact_shared_alike_is_no_shortcut(told, facts):
    files = [facts(f"real/{n}.mp4", crf=20.0 + n % 3) for n in range(60)]
    files += [facts(f"fake/{n}.mp4", crf=20.0 + n % 3) for n in range(60)]
    assert not told(shortcuts, *files)


def test_sizes_are_compared_by_threshold(told, facts):
    files = [facts(f"real/{n}.mp4", width=640 + 2 * n) for n in range(100)]
    files += [facts(f"fake/{n}.mp4", width=740 + 2 * n) for n in range(100)]
    (found,) = told(shortcuts, *files)
    assert found.severity == "warning"
    assert found.figures["number of pixels"]["balanced_accuracy"] == pytest.approx(0.75)


def test_one_method_of_many_is_found_out(told, facts):
    files = [facts(f"real/{n}.mp4") for n in range(40)]
    for name in ("a", "b", "c", "d"):
        for n in range(40):
            found = facts(f"fake/{name}{n}.mp4", crf=40.0 if name == "c" else 23.0)
            object.__setattr__(found.video, "method", name)
            files.append(found)
    (found,) = told(shortcuts, *files)
    assert found.figures["crf"]["against"] == "c"
    assert found.figures["crf"]["balanced_accuracy"] == 1.0


def test_what_no_picture_shows_is_a_warning_only(told, facts):
    (found,) = told(shortcuts, *many(facts, 20, writer=("Lavf56", "Lavf60")))
    assert (found.code, found.severity) == ("made_differently", "warning")
    assert found.figures["writing software"]["balanced_accuracy"] == 1.0
