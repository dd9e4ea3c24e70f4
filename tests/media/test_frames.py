import cv2
import numpy as np
import pytest

from sfcl_tf.catalog.listing import Video
from sfcl_tf.check.survey import inspect_file, survey
from sfcl_tf.media.frames import frame_files, open_collected
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.prepare_video import earlier_report, prepare_video
from sfcl_tf.system.errors import DataError


def write(folder, count, side=64, suffix=".png"):
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        grey = np.full((side, side, 3), 10 * number, np.uint8)
        cv2.imwrite(str(folder / f"frame_{number}{suffix}"), grey)
    return folder


@pytest.fixture
def film(tmp_path):
    """Twelve frames over which a face moves, as images."""
    data = pytest.importorskip("skimage.data")
    image, folder = data.astronaut()[..., ::-1], tmp_path / "data" / "071"
    folder.mkdir(parents=True)
    for number in range(12):
        shown = image[:300, 60 + 3 * number :][:, :300]
        cv2.imwrite(str(folder / f"{number}.png"), shown)
    return Video("ff_c23/real/071", folder, "train", 0, "real", ("071",))


def test_frames_come_in_the_order_of_their_numbers(tmp_path):
    folder = write(tmp_path / "071", 12)
    (folder / "notes.txt").touch()
    (folder / ".hidden.png").touch()
    assert [path.stem for path in frame_files(folder)][8:] == [
        "frame_9",
        "frame_10",
        "frame_11",
        "frame_12",
    ]
    footage = open_collected(folder)
    assert (footage.facts.frames, footage.facts.width) == (12, 64)
    pictures = list(footage.pictures())
    assert [picture.rgb()[0, 0, 0] for picture in pictures] == list(range(10, 130, 10))
    assert all(footage.announces(picture) for picture in pictures)
    assert all(np.isnan(picture.time) for picture in pictures)


def test_frames_are_read_when_they_are_looked_at(tmp_path):
    folder = write(tmp_path / "071", 4)
    (folder / "frame_3.png").write_bytes(b"damaged")
    first, _, third, _ = open_collected(folder).pictures()
    assert first.size == (64, 64)
    with pytest.raises(DataError, match=r"frame_3\.png"):
        third.rgb()


@pytest.mark.parametrize("files", [[], ["notes.txt"]])
def test_a_folder_without_images_is_an_error(tmp_path, files):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="no image in"):
        open_collected(tmp_path)
    video = Video("a/real/b", tmp_path, "train", 0, "real", ())
    assert "no image in" in inspect_file(video).problem


def test_frames_are_prepared_like_a_video_and_not_again(film, tmp_path):
    records = tmp_path / "records"
    (records / "train").mkdir(parents=True)
    report = prepare_video(film, records, Settings(frames=4))
    assert (report["status"], report["records"], report["tracks"]) == ("ok", 4, 1)
    assert report["tracked"] == 0
    assert (report["frames"], report["frames_wanted"]) == (12, 4)
    assert (records / report["shard"]).is_file()
    assert earlier_report(film, records)["records"] == 4
    (film.path / "5.png").unlink()
    assert earlier_report(film, records) is None


@pytest.mark.parametrize("damaged", [0, 4])
def test_a_damaged_frame_costs_itself_alone_and_is_counted(film, tmp_path, damaged):
    (film.path / f"{damaged}.png").write_bytes(b"damaged")
    (tmp_path / "train").mkdir()
    report = prepare_video(film, tmp_path, Settings(frames=12))
    assert (report["status"], report["records"]) == ("ok", 11)
    assert "1 of the 12 frames" in report["reason"]


def test_a_film_of_damaged_frames_is_unreadable(film, tmp_path):
    for path in film.path.iterdir():
        path.write_bytes(b"damaged")
    (tmp_path / "train").mkdir()
    report = prepare_video(film, tmp_path, Settings(frames=12))
    assert report["status"] == "unreadable"
    assert "0.png" in report["reason"]


def test_frames_are_surveyed_like_a_video(film, tmp_path):
    twin = tmp_path / "data" / "054"
    twin.mkdir()
    for path in frame_files(film.path):
        (twin / path.name).write_bytes(path.read_bytes())
    other = Video("ff_c23/real/054", twin, "train", 0, "real", ("054",))
    one, two = survey([film, other])
    assert (one.frames, one.width, one.height, one.problem) == (12, 300, 300, "")
    assert one.size == sum(path.stat().st_size for path in frame_files(film.path))
    assert one.digest == two.digest
    assert one.fully_hashed
    (twin / "5.png").write_bytes((twin / "6.png").read_bytes())
    assert survey([film, other])[1].digest != one.digest
