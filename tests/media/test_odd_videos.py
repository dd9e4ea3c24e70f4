"""Videos as cameras, messengers and archives leave them."""

from fractions import Fraction

import av
import numpy as np
import pytest

from sfcl_tf.faces.sampling import SamplingOptions
from sfcl_tf.media.footage import is_media, open_footage
from sfcl_tf.media.video import DecodingLog, decode, scan
from sfcl_tf.system.errors import DataError

SECONDS, RATE = 3, 25
ONE = 1 << 16  # of a display matrix


@pytest.fixture(scope="module")
def frames():
    """75 frames, each of another grey, with a pattern that shows how it is turned."""
    pattern = np.zeros((64, 96, 3), np.uint8)
    pattern[:32, :48] = 100
    return np.stack([pattern + np.uint8(2 * i) for i in range(SECONDS * RATE)])


@pytest.fixture(scope="module")
def clip(tmp_path_factory, frames):
    """A function that encodes the clip with other properties of stream or container."""
    folder = tmp_path_factory.mktemp("odd")

    def write(name, *, images=frames, codec="libx264", rate=RATE, stream=(), **more):
        with av.open(str(folder / name), "w") as container:
            options = {"g": "250", "sc_threshold": "0", "threads": "1", **more}
            track = container.add_stream(codec, rate=rate, options=options)
            track.height, track.width = images.shape[1:3]
            track.pix_fmt = "yuv420p"
            for key, value in dict(stream).items():
                setattr(track.codec_context, key, value)
            for image in images:
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(track.encode(picture))
            container.mux(track.encode())
        return folder / name

    return write


def remuxed(source, target, *, delay=0.0, matrix=None):
    """Copies packets: some seconds later, to be shown as a matrix says."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        stream = before.streams.video[0]
        track = after.add_stream_from_template(stream)
        if matrix:
            a, b, c, d = (ONE * value for value in matrix)
            track.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        shift = round(delay / stream.time_base)
        for packet in before.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = track
                after.mux(packet)
    return target


def sampled(path, **options):
    footage = open_footage(path)
    samples = list(SamplingOptions(**options).samples(footage))
    return footage, [sample.picture for sample in samples]


@pytest.mark.parametrize(
    ("ending", "codec"), [("ts", "libx264"), ("mpg", "mpeg2video")]
)
def test_joined_files_are_seen_to_their_end(clip, tmp_path, ending, codec):
    part = clip(f"part.{ending}", codec=codec).read_bytes()
    (tmp_path / f"joined.{ending}").write_bytes(part + part)
    footage, pictures = sampled(tmp_path / f"joined.{ending}")
    assert len(pictures) == 12
    assert pictures[-1].index > 2 * SECONDS * RATE - RATE
    assert np.all(np.diff([picture.time for picture in pictures]) > 0.4)
    assert footage.log.restarts == 1
    assert footage.facts.seconds == pytest.approx(2 * SECONDS, abs=0.1)


def test_an_ordinary_video_has_nothing_to_be_said_of(clip):
    footage, pictures = sampled(clip("plain.mp4"))
    assert len(pictures) == 8
    assert footage.log == DecodingLog()
    assert footage.facts.seconds == pytest.approx(SECONDS)
    assert (footage.facts.hidden, footage.facts.choice) == (0, "")


def test_what_the_decoder_patches_up_is_counted(clip, tmp_path):
    content = bytearray(clip("whole.mp4").read_bytes())
    rng = np.random.default_rng(0)
    start, end = len(content) // 3, content.index(b"moov") - 4
    for position in rng.integers(start, end, 40):
        content[position] ^= int(rng.integers(1, 256))
    (tmp_path / "flipped.mp4").write_bytes(content)
    log = DecodingLog()
    assert sum(1 for _ in decode(tmp_path / "flipped.mp4", log)) > 50
    assert log.corrupt > 0
    assert log.damaged >= log.corrupt


@pytest.mark.parametrize("shown", [2, 5, 42])
def test_what_an_edit_list_leaves_is_seen_and_the_rest_is_counted(
    clip, tmp_path, shown
):
    cut = SECONDS * RATE - shown
    path = remuxed(clip("long.mp4"), tmp_path / "cut.mp4", delay=-cut / RATE)
    footage, pictures = sampled(path)
    assert footage.facts.frames == len(list(decode(path))) == shown
    assert footage.facts.hidden == cut
    assert len(pictures) == min(shown, 8)
    assert pictures[0].time < 0.1


@pytest.mark.parametrize(
    ("matrix", "right"),
    [
        ((1, 0, 0, 1), lambda x: x),
        ((-1, 0, 0, -1), lambda x: np.rot90(x, 2)),
        ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
        ((0, -1, 1, 0), np.rot90),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda x: np.rot90(x, 2).swapaxes(0, 1)),
    ],
)
def test_a_display_matrix_turns_and_mirrors(clip, tmp_path, matrix, right):
    plain = clip("plain.mp4")
    coded = next(decode(plain))
    shown = next(decode(remuxed(plain, tmp_path / "turned.mp4", matrix=matrix)))
    np.testing.assert_array_equal(shown.rgb(), right(coded.rgb()))
    np.testing.assert_array_equal(shown.luma, right(coded.luma))
    assert shown.size == shown.rgb().shape[:2]
    np.testing.assert_array_equal(shown.region(8, 16, 40, 48), shown.rgb()[16:48, 8:40])


@pytest.mark.parametrize("marked", [None, 0])
def test_of_several_streams_the_default_and_then_the_largest_is_seen(tmp_path, marked):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        tracks = []
        for number, side in enumerate((32, 128)):
            track = container.add_stream("libx264", rate=RATE)
            track.width = track.height = side
            track.pix_fmt = "yuv420p"
            disposition = av.stream.Disposition.default
            track.disposition = disposition if number == marked else 0
            tracks.append(track)
        for _ in range(5):
            for track in tracks:
                grey = np.full((track.height, track.width, 3), 99, np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                container.mux(track.encode(frame))
        for track in tracks:
            container.mux(track.encode())
    side = 32 if marked == 0 else 128
    assert next(decode(path)).size == (side, side)
    number = 1 if marked == 0 else 2
    expected = f"of 2 video streams number {number}, of {side}x{side}, is looked at"
    assert scan(path)[0].choice == expected


def test_a_cover_is_no_video(tmp_path, astronaut):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.height, cover.width = astronaut.shape[:2]
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
        picture = av.VideoFrame.from_ndarray(astronaut, format="rgb24")
        container.mux(cover.encode(picture.reformat(format="yuvj420p")))
        container.mux(cover.encode())
    with pytest.raises(DataError, match="no video, only a cover picture"):
        open_footage(path)
    assert not is_media(path)


def test_pixels_that_are_not_square_are_made_so(clip):
    narrow = clip("narrow.mp4", stream={"sample_aspect_ratio": 2})
    picture = next(decode(narrow))
    assert picture.size == picture.rgb().shape[:2] == picture.luma.shape == (64, 192)
    assert picture.region(10, 20, 60, 50).shape == (30, 50, 3)
    flat = clip("flat.mp4", stream={"sample_aspect_ratio": Fraction(1, 2)})
    assert next(decode(flat)).size == (128, 96)
    absurd = clip("absurd.mp4", stream={"sample_aspect_ratio": 100})
    assert next(decode(absurd)).size == (64, 96)


@pytest.mark.parametrize("delay", [3600.0, -0.04])
def test_time_counts_from_the_start_of_the_file(clip, tmp_path, delay):
    path = remuxed(clip("plain.ts"), tmp_path / "late.mkv", delay=delay)
    times = [picture.time for picture in decode(path)]
    assert times[0] == pytest.approx(0, abs=0.05)
    assert times[-1] == pytest.approx(SECONDS, abs=0.1)


def test_a_short_clip_has_eight_pictures_at_any_rate(clip, frames):
    fast = clip("fast.mp4", images=np.repeat(frames[:60], 2, axis=0), rate=240)
    assert len(sampled(fast)[1]) == 8
    assert len(sampled(fast, fps=4)[1]) == 2


def test_hdr_video_is_known_by_its_transfer_function(clip):
    for number, name in ((16, "PQ"), (18, "HLG"), (1, "")):
        path = clip(f"hdr{number}.mp4", stream={"color_trc": number})
        log = DecodingLog()
        assert len(list(decode(path, log))) == SECONDS * RATE
        assert log.hdr == name


@pytest.mark.parametrize("flags", ["", "+ilme+ildct"])
def test_interlaced_frames_are_counted(clip, flags):
    path = clip(f"fields{flags}.mpg", codec="mpeg2video", flags=flags or "-ilme")
    log = DecodingLog()
    count = len(list(decode(path, log)))
    assert log.interlaced == (count if flags else 0)
