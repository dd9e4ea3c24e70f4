"""Files of every damaged, partial and strange kind go through preparation."""

import os
import struct
import subprocess
import sys
import zlib

import av
import cv2
import numpy as np
import pytest
from bad_files import damaged_videos, images
from hostile import Hostile
from PIL import Image

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.catalog.listing import Video
from sfcl_tf.media.images import read_image
from sfcl_tf.media.video import decode, scan
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.prepare import prepare
from sfcl_tf.records.record import decode_region, parse_record
from sfcl_tf.records.workers import process_pool, run_inline
from sfcl_tf.system.errors import DataError


@pytest.fixture
def prepare_folder(tmp_path):
    """A function that prepares the folder `files` and gives reports by file name."""
    (tmp_path / "files/fake").mkdir(parents=True)

    def run(faces="largest", frames=3, engine=run_inline):
        card = load_card(tmp_path / "files")
        manifest = prepare(
            card,
            list_videos(card, tmp_path / "files"),
            Settings(frames, faces),
            records=tmp_path / "records",
            engine=engine,
        )
        return manifest, {v["video_id"].split("/")[-1]: v for v in manifest.videos}

    run.folder = tmp_path / "files/fake"
    return run


def status(reports):
    return {name: report["status"] for name, report in reports.items()}


def first_record(manifest, report):
    import tensorflow as tf

    shard = str(manifest.folder / report["shard"])
    return parse_record(next(iter(tf.data.TFRecordDataset(shard))))


def test_damaged_and_strange_videos_are_counted_with_their_reason(
    prepare_folder, write_clip, noise, astronaut
):
    expected = damaged_videos(prepare_folder.folder, write_clip, noise, astronaut)
    manifest, reports = prepare_folder()
    assert status(reports) == expected
    assert reports["one frame.mp4"]["records"] == 1
    for report in reports.values():
        assert bool(report["reason"]) == (report["status"] != "ok")
        assert (manifest.folder / report["shard"]).is_file() == bool(report["records"])
    assert "video stream" in reports["sound.mp4"]["reason"]


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 33), (17, 9), (33, 17)])
def test_tiny_and_odd_frames_harm_nothing(prepare_folder, write_clip, size):
    height, width = size
    frames = np.random.default_rng(0).integers(
        0, 256, (4, height, width, 3), dtype=np.uint8
    )
    write_clip(prepare_folder.folder / "a.mp4", frames)
    Image.fromarray(frames[0]).save(prepare_folder.folder / "b.png")
    for faces, expected in (("largest", "no_face"), ("full", "too_small")):
        _, reports = prepare_folder(faces)
        assert status(reports) == {"a.mp4": expected, "b.png": expected}


@pytest.mark.parametrize("size", [(255, 301), (301, 254)])
def test_faces_of_odd_frames_are_the_bytes_of_the_frame(
    prepare_folder, write_clip, astronaut, size
):
    frame = astronaut[: size[0], : size[1]]
    frame = cv2.resize(frame, size[::-1])
    for pixel_format in ("yuv444p", "yuv420p"):
        path = prepare_folder.folder / f"{pixel_format}.mp4"
        if pixel_format == "yuv420p" and any(n % 2 for n in size):
            continue  # x264 wants even sides there
        write_clip(path, np.repeat(frame[None], 2, 0), pixel_format=pixel_format)
    manifest, reports = prepare_folder(frames=1)
    assert reports
    for name, report in reports.items():
        record = first_record(manifest, report)
        picture = list(decode(prepare_folder.folder / name))[record["frame_index"]]
        left, top, right, bottom = record["region"].numpy()
        expected = picture.rgb()[top:bottom, left:right]
        np.testing.assert_array_equal(decode_region(record["png"]), expected)


def test_4k_with_many_faces_gives_each_its_track(prepare_folder, write_clip, astronaut):
    face = cv2.resize(astronaut[40:240, 50:250], (320, 320))
    wall = np.full((2160, 3840, 3), 90, np.uint8)
    for row in range(6):
        for column in range(10):
            y, x = 20 + 350 * row, 40 + 375 * column
            wall[y : y + 320, x : x + 320] = face
    write_clip(prepare_folder.folder / "wall.mp4", wall[None])
    _, reports = prepare_folder("all", frames=1)
    report = reports["wall.mp4"]
    assert report["status"] == "ok"
    assert report["records"] == report["tracks"] >= 57  # of 60
    assert report["frames_with_face"] == report["frames_wanted"] == 1
    _, reports = prepare_folder("largest", frames=1)
    assert reports["wall.mp4"]["records"] == 1


def test_images_of_every_mode_show_the_same_face(prepare_folder, astronaut):
    names = images(prepare_folder.folder, astronaut)
    assert len(names) == 9
    for name in names:
        facts, picture = read_image(prepare_folder.folder / name)
        assert picture.rgb().shape == astronaut.shape == (300, 300, 3)
        assert picture.rgb().dtype == np.uint8
        assert facts.frames == 1
        expected = astronaut.astype(int)
        if name.startswith("grey"):
            expected = expected @ [0.299, 0.587, 0.114]
            expected = np.repeat(expected[..., None], 3, -1)
        assert abs(picture.rgb() - expected).mean() < 4, name
    _, reports = prepare_folder()
    assert status(reports) == dict.fromkeys(names, "ok")
    assert {report["records"] for report in reports.values()} == {1}


def test_what_is_run_rather_than_read_is_no_image(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n")
    with pytest.raises(DataError, match="cannot identify"):
        read_image(path)


def test_animated_gif_is_a_video(prepare_folder, astronaut):
    shades = [Image.fromarray((astronaut * k).astype(np.uint8)) for k in (1, 0.9, 0.8)]
    path = prepare_folder.folder / "a.gif"
    shades[0].save(path, save_all=True, append_images=shades[1:], duration=100)
    _, reports = prepare_folder()
    assert (reports["a.gif"]["status"], reports["a.gif"]["records"]) == ("ok", 3)


def test_content_tells_images_from_videos_whatever_their_names(
    prepare_folder, write_clip, astronaut
):
    folder = prepare_folder.folder
    write_clip(folder / "a.mp4", np.repeat(astronaut[None], 4, axis=0))
    (folder / "a.mp4").rename(folder / "video.png")
    Image.fromarray(astronaut).save(folder / "a.png")
    (folder / "a.png").rename(folder / "image.mp4")
    _, reports = prepare_folder()
    assert {name: r["records"] for name, r in reports.items()} == {
        "video.png": 3,
        "image.mp4": 1,
    }
    assert reports["image.mp4"]["pixel_format"] == "png-rgb"


def test_a_file_that_was_emptied_since_costs_itself_alone(
    prepare_folder, write_clip, astronaut
):
    for name in ("a.mp4", "b.mp4"):
        write_clip(prepare_folder.folder / name, np.repeat(astronaut[None], 4, axis=0))
    prepare_folder()
    (prepare_folder.folder / "a.mp4").write_bytes(b"")
    _, reports = prepare_folder()
    assert status(reports) == {"a.mp4": "unreadable", "b.mp4": "ok"}
    assert "empty" in reports["a.mp4"]["reason"]


def png_of(width, height):
    """A PNG whose header claims a size and whose data are a few bytes."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def test_damaged_and_exploding_images_are_unreadable(prepare_folder, astronaut):
    folder = prepare_folder.folder
    (folder / "bomb.png").write_bytes(png_of(100_000, 100_000))
    (folder / "short.png").write_bytes(png_of(300, 300))
    Image.fromarray(astronaut).save(folder / "whole.jpg")
    data = (folder / "whole.jpg").read_bytes()
    (folder / "half.jpg").write_bytes(data[: len(data) // 2])
    (folder / "zero.png").touch()
    (folder / "text.webp").write_text("no image")
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(DataError, match=r"bomb.*pixels"):
        read_image(folder / "bomb.png")
    _, reports = prepare_folder()
    assert status(reports) == {
        "bomb.png": "unreadable",
        "short.png": "unreadable",
        "whole.jpg": "ok",
        "half.jpg": "unreadable",
        "zero.png": "unreadable",
        "text.webp": "unreadable",
        "pipe.png": "unreadable",
    }


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_video_is_upright_and_on_the_codecs_grid(
    prepare_folder, astronaut, degrees
):
    path = prepare_folder.folder / "a.mp4"
    frame = np.rot90(astronaut[:296, :240], -degrees // 90).copy()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = "yuv444p"
        stream.set_display_rotation(degrees)
        for _ in range(3):
            image = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    picture = next(decode(path))
    assert picture.size == picture.luma.shape == (296, 240)
    assert abs(picture.rgb().astype(int) - astronaut[:296, :240]).mean() < 8
    manifest, reports = prepare_folder(frames=1)
    assert reports["a.mp4"]["records"] == 1
    record = first_record(manifest, reports["a.mp4"])
    assert record["frame_size"].numpy().tolist() == [240, 296]


def test_frames_lost_in_the_middle_are_made_up_for(prepare_folder, write_clip, noise):
    frames = np.tile(noise, (1, 2, 2, 1))  # no faces: the whole frame is the face
    path = write_clip(prepare_folder.folder / "a.mp4", frames, g="1", crf=30)
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : third + third // 2] = bytes(third // 2)
    path.write_bytes(data)
    decoded = [picture.stamp for picture in decode(path)]
    announced = scan(path)[1]
    assert 5 < len(decoded) < len(announced) == 30
    _, reports = prepare_folder("full", frames=30)
    report = reports["a.mp4"]
    assert report["records"] == report["frames_wanted"] == len(decoded)
    assert f"{len(decoded)} of 30 frames decode" in report["reason"]


def test_shard_cut_in_half_is_made_again(prepare_folder, write_clip, astronaut):
    write_clip(prepare_folder.folder / "a.mp4", np.repeat(astronaut[None], 4, axis=0))
    manifest, reports = prepare_folder()
    shard = manifest.folder / reports["a.mp4"]["shard"]
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    prepare_folder()
    assert shard.read_bytes() == whole


LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.prepare import prepare

folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
card = load_card(folder / "files")
videos = list_videos(card, folder / "files")
for video in prepare(card, videos, Settings(3), records=folder / "records").videos:
    print(video["status"], video["video_id"].split("/")[-1], video["reason"])
"""


def test_shard_that_cannot_be_written_costs_that_video_alone(
    prepare_folder, write_clip, astronaut, tmp_path
):
    large = np.repeat(astronaut[None], 3, axis=0)
    write_clip(prepare_folder.folder / "large.mp4", large, crf=1)
    small = cv2.GaussianBlur(astronaut, None, 2)
    write_clip(prepare_folder.folder / "small.mp4", small[None], crf=40)
    found = subprocess.run(
        [sys.executable, "-c", LITTLE_ROOM, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    lines = sorted(found.stdout.splitlines())
    assert lines[0].startswith("not_written large.mp4 Expected to write")
    assert lines[1].startswith("ok small.mp4")
    assert not [*(tmp_path / "records").rglob("*.tmp")]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 400 KB at `records`, and a function that mounts it otherwise."""
    room = tmp_path / "records"
    room.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(room)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs is not allowed here")

    def remount(options):
        command = ["mount", "-o", f"remount,{options}", str(room)]
        subprocess.run(command, check=True)

    remount.room = room
    yield remount
    subprocess.run(["umount", str(room)], check=True)


def test_read_only_records_folder_is_told_and_left_as_it_was(
    prepare_folder, write_clip, astronaut, small_disk
):
    write_clip(prepare_folder.folder / "a.mp4", astronaut[None], crf=30)
    prepare_folder()
    before = {path: path.read_bytes() for path in small_disk.room.rglob("*.*")}
    small_disk("ro")
    with pytest.raises(DataError, match=r"writable folder.*Read-only.*--records"):
        prepare_folder()
    assert {path: path.read_bytes() for path in before} == before


def test_disk_that_is_full_stops_with_a_word_and_loses_nothing(
    prepare_folder, write_clip, astronaut, small_disk
):
    room = small_disk.room
    for n in range(6):
        clip = np.repeat(astronaut[None], 3, axis=0)
        write_clip(prepare_folder.folder / f"{n}.mp4", clip, crf=10)
    with pytest.raises(DataError, match=r"No space left on device.*goes on where"):
        prepare_folder()
    whole = {path: path.read_bytes() for path in room.rglob("*.tfrecord")}
    assert 0 < len(whole) < 6
    assert not [*room.rglob("*.tmp")]
    small_disk("size=9m")
    _, reports = prepare_folder()
    assert set(status(reports).values()) == {"ok"}
    assert {path: path.read_bytes() for path in whole} == whole


@pytest.mark.slow  # starts processes, each of which imports TensorFlow
def test_process_that_dies_or_hangs_costs_its_video_alone(tmp_path):
    names = ["a", "deadly", "b", "slow", "c"]
    videos = [Video(n, tmp_path / n, "train", 1, "m", ()) for n in names]
    tasks = [Hostile(video, tmp_path, Settings(5)) for video in videos]
    results = [report for report, _ in process_pool(2, timeout=20)(tasks)]
    assert {r["video_id"]: r.get("status", "done") for r in results} == {
        "a": "done",
        "deadly": "crashed",
        "b": "done",
        "slow": "timed_out",
        "c": "done",
    }
