"""Reading files apart: their facts, and those that crash, hang or are damaged."""

import functools
import os
import time

import av
import numpy as np
import pytest
from PIL import Image

from sfcl_tf.catalog.listing import Video
from sfcl_tf.check.survey import inspect_file, survey
from sfcl_tf.system.processes import Outcome, run_in_processes


@pytest.fixture
def at(tmp_path):
    """A function that makes a video of a file's name."""
    return lambda name: Video(f"x/{name}", tmp_path / name, "train", 0, "real", ())


def test_facts_of_a_video(at, write_clip, noise):
    video = at("a.mp4")
    write_clip(video.path, noise, crf=31, pixel_format="yuv420p")
    found = inspect_file(video)
    assert found.problem == ""
    assert (found.frames, found.width, found.height) == (30, 96, 64)
    assert (found.pixel_format, found.codec, found.crf) == ("yuv420p", "h264", 31)
    assert (found.rate, found.seconds, found.audio) == (25, 1.2, False)
    assert "mp4" in found.container
    assert found.writer.startswith("Lavf")
    assert found.size == video.path.stat().st_size


def test_content_tells_an_image_from_a_video(at, write_clip, noise):
    write_clip(at("a.mp4").path, noise)
    at("a.mp4").path.rename(at("video.png").path)
    Image.fromarray(noise[0]).save(at("a.png").path)
    at("a.png").path.rename(at("image.mp4").path)
    assert (
        inspect_file(at("video.png")).codec,
        inspect_file(at("video.png")).frames,
    ) == (
        "h264",
        30,
    )
    assert inspect_file(at("image.mp4")).codec == "image"


def test_rate_factor_is_unknown_of_another_encoder(at, blank):
    video = at("a.avi")
    with av.open(str(video.path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 256
        for image in blank:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())
    found = inspect_file(video)
    assert (found.crf, found.codec) == (None, "mpeg4")


def test_facts_of_images_tell_their_chroma_and_quantisation(at):
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    steps = []
    for quality, subsampling in ((95, 0), (40, 2)):
        video = at(f"{quality}.jpg")
        image = Image.fromarray(picture)
        image.save(video.path, quality=quality, subsampling=subsampling)
        found = inspect_file(video)
        assert (found.width, found.height, found.frames) == (60, 40, 1)
        assert found.pixel_format == f"jpeg-rgb {('4:4:4', 0, '4:2:0')[subsampling]}"
        steps.append(found.quantisation)
    assert 0 < steps[0] < steps[1]
    Image.fromarray(picture).save(at("a.png").path)
    found = inspect_file(at("a.png"))
    assert (found.pixel_format, found.quantisation) == ("png-rgb", 0)


def test_damaged_files_have_a_problem_and_no_facts(at, write_clip, noise):
    write_clip(at("cut.mp4").path, noise)
    whole = at("cut.mp4").path.read_bytes()
    at("cut.mp4").path.write_bytes(whole[: len(whole) // 2])
    at("empty.mp4").path.touch()
    at("garbage.png").path.write_bytes(b"garbage")
    for name in ("cut.mp4", "empty.mp4", "garbage.png", "gone.mp4"):
        found = inspect_file(at(name))
        assert found.problem
        assert found.frames == 0


def test_video_whose_frames_do_not_decode_is_told(at, write_clip, noise):
    path = write_clip(at("a.mp4").path, noise[:3], movflags="faststart")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    assert "none that decodes" in inspect_file(at("a.mp4")).problem


def test_survey_goes_on_past_a_file_that_hangs(at, write_clip, blank):
    write_clip(at("a.mp4").path, blank)
    os.mkfifo(at("b.mp4").path)  # opening it waits for ever
    write_clip(at("c.mp4").path, blank, crf=30)
    seen = []
    found = survey(
        [at("a.mp4"), at("b.mp4"), at("c.mp4")],
        workers=2,
        timeout=3,
        on_file=lambda *counts: seen.append(counts),
    )
    assert [facts.problem for facts in found] == ["", "not done after 3 s", ""]
    assert [facts.crf for facts in found] == [23, None, 30]
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_process_that_dies_costs_its_own_file_alone():
    jobs = [functools.partial(os._exit, 7), time.time, functools.partial(int, "5")]
    ended = {
        o.index: o for o in run_in_processes(jobs, 1, 30, functools.partial(int, "0"))
    }
    assert ended[0] == Outcome(0, None, "crashed", "its process died, exit code 7")
    assert ended[2] == Outcome(2, 5)
    assert len(ended) == 3


def test_large_files_alike_at_both_ends_are_told_apart_by_the_middle(at, tmp_path):
    ends = os.urandom(1 << 20)
    for name, middle in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / f"{name}.mp4").write_bytes(ends + middle * 999 + ends)
    a, b, c = survey([at("a.mp4"), at("b.mp4"), at("c.mp4")], workers=1)
    assert a.fully_hashed
    assert a.digest == c.digest
    assert a.digest != b.digest
