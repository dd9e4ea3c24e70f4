import math

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcl_tf.media.video import decode, evenly_spaced, probe
from sfcl_tf.system.errors import DataError

REALS = "ff/original_sequences/youtube/c23/videos"


def decoded(path):
    return list(decode(path))


@given(st.integers(1, 5000), st.integers(1, 600))
def test_samples_are_evenly_spread_over_the_whole_video(total, count):
    indices = evenly_spaced(np.arange(total), count)
    assert len(indices) == min(total, count)
    assert indices[0] >= 0
    assert indices[-1] < total
    gaps = np.diff(indices)
    assert np.all(gaps > 0)
    assert np.ptp(gaps) <= 1 if len(gaps) else True
    # Not the first N: the ends are left out alike, by half a share.
    before, after = indices[0], total - 1 - indices[-1]
    assert abs(before - after) <= 1
    assert max(before, after) <= total / len(indices) / 2


def test_more_samples_than_frames_are_all_frames():
    np.testing.assert_array_equal(evenly_spaced(np.arange(7), 100), np.arange(7))
    assert len(evenly_spaced(np.arange(0), 5)) == 0


@pytest.mark.parametrize(
    ("crf", "pixel_format"), [(23, "yuv444p"), (40, "yuv420p"), (17.5, "yuv420p")]
)
def test_probe_tells_what_was_encoded(write_clip, noise, tmp_path, crf, pixel_format):
    path = write_clip(tmp_path / "a.mp4", noise, crf=crf, pixel_format=pixel_format)
    facts = probe(path)
    assert (facts.width, facts.height) == (96, 64)
    assert (facts.frames, facts.pixel_format, facts.crf) == (30, pixel_format, crf)


def test_crf_is_unknown_where_the_stream_does_not_tell(noise, tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuvj420p"
        for image in noise[:3]:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    facts = probe(path)
    assert math.isnan(facts.crf)
    assert facts.frames == 3


def test_frames_come_in_presentation_order_with_their_time(write_clip, tmp_path):
    # Brightness counts the frames; x264 reorders them, for it uses B-frames.
    ramp = (
        np.zeros((20, 64, 64, 3), np.uint8) + np.arange(0, 200, 10)[:, None, None, None]
    )
    path = write_clip(tmp_path / "a.mp4", ramp.astype(np.uint8), bf="2")
    frames = decoded(path)
    assert [frame.index for frame in frames] == list(range(20))
    np.testing.assert_allclose([f.time for f in frames], np.arange(20) / 25, atol=1e-6)
    means = [frame.rgb().mean() for frame in frames]
    np.testing.assert_allclose(means, np.arange(0, 200, 10), atol=3)
    assert frames[0].rgb().dtype == np.uint8
    assert frames[0].rgb().shape == (64, 64, 3)


def test_mislabelled_copy_is_seen_in_the_stream(media):
    assert probe(media / REALS / "004.mp4").crf == 40  # in the folder c23
    assert probe(media / REALS / "519.mp4").crf == 23


def test_real_videos_decode_as_many_frames_as_probed(media):
    for path in (media / REALS / "634.mp4", *media.glob("dfdc/*/*.mp4")):
        assert sum(1 for _ in decode(path)) == probe(path).frames


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_cut_off_video_decodes_up_to_the_cut(write_clip, noise, tmp_path, share):
    path = write_clip(tmp_path / "a.mp4", noise, movflags="faststart")
    whole = [frame.rgb() for frame in decoded(path)]
    assert probe(path).frames == len(whole) == 30
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    rest = decoded(path)
    assert 0 < len(rest) <= probe(path).frames
    assert abs(len(rest) - 30 * share) <= 3
    for frame, image in zip(rest[:-1], whole, strict=False):
        np.testing.assert_array_equal(frame.rgb(), image)


def test_video_without_its_index_is_an_error(write_clip, noise, tmp_path):
    path = write_clip(tmp_path / "a.mp4", noise)  # the index comes last
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    for read in (probe, decoded):
        with pytest.raises(DataError, match=r"readable video.*a\.mp4"):
            read(path)


@pytest.mark.parametrize("content", [b"", b"no video" * 1000, None])
def test_garbage_empty_and_absent_files_are_errors(tmp_path, content):
    path = tmp_path / "a.mp4"
    if content is not None:
        path.write_bytes(content)
    for read in (probe, decoded):
        with pytest.raises(DataError, match=r"a\.mp4"):
            read(path)


def test_sound_without_pictures_is_an_error(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(DataError, match="Expected a video stream"):
        probe(path)


@pytest.mark.parametrize("name", ["a.txt", "a.mp4", "a.m3u8"])
def test_text_and_playlists_are_no_videos(tmp_path, write_clip, name):
    write_clip(tmp_path / "b.ts", np.zeros((8, 64, 64, 3), np.uint8))
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nb.ts\n#EXT-X-ENDLIST\n"
    (tmp_path / name).write_text(text if name != "a.txt" else "no video " * 1000)
    with pytest.raises(DataError, match="readable video"):
        probe(tmp_path / name)
    assert probe(tmp_path / "b.ts").frames == 8
