import json

import av
import numpy as np
import pytest

from sfcl_tf.catalog import demo
from sfcl_tf.catalog.demo import METHODS, DemoSettings, make_demo
from sfcl_tf.system import resources
from sfcl_tf.system.errors import DataError, UsageError

pytest.importorskip("skimage")

TINY = DemoSettings(train_pairs=1, val_pairs=0, test_pairs=0, frames=4, size=256)
PAIR = ("071", "054")  # the first of the official training split


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("demo"), TINY)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def decode(path):
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    return np.stack(frames).astype(np.float32)


def test_layout_is_that_of_faceforensics(folder):
    swaps = ["071_054", "054_071"]
    expected = {"demo.json"}
    for crf in ("c23", "c40"):
        expected |= {f"original_sequences/youtube/{crf}/videos/{i}.mp4" for i in PAIR}
        for method in METHODS:
            videos = f"manipulated_sequences/{method}/{crf}/videos"
            expected |= {f"{videos}/{swap}.mp4" for swap in swaps}
    for method in METHODS:
        masks = f"manipulated_sequences/{method}/masks/videos"
        expected |= {f"{masks}/{swap}.mp4" for swap in swaps}
    assert folder.name == "FaceForensics++"
    assert set(contents(folder)) == expected


def test_pairs_are_the_first_of_each_split_and_share_no_identity():
    settings = DemoSettings(train_pairs=6, val_pairs=2, test_pairs=3)
    pairs = demo._pairs(settings)
    names = [name for pair in pairs for name in pair]
    assert len(names) == len(set(names)) == 22
    splits = resources.path("datasets") / "splits" / "faceforensics"
    assert [list(p) for p in pairs[6:8]] == json.loads(
        (splits / "val.json").read_text()
    )[:2]


@pytest.mark.parametrize("crf", TINY.crfs)
def test_encoding_is_that_of_the_original(folder, crf):
    paths = sorted(folder.glob(f"*/*/c{crf}/videos/*.mp4"))
    assert len(paths) == 10
    for path in paths:
        assert f"crf={crf}.0".encode() in path.read_bytes()
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.pix_fmt == "yuv444p"
            assert (stream.width, stream.height) == (TINY.size, TINY.size)
            assert stream.average_rate == TINY.fps
            assert sum(1 for _ in container.decode(stream)) == TINY.frames


def test_bytes_depend_neither_on_the_run_nor_on_the_workers(folder, tmp_path):
    assert contents(make_demo(tmp_path, TINY, workers=2)) == contents(folder)


def test_seed_changes_the_people():
    rngs = [np.random.default_rng([seed, 71, 0]) for seed in (0, 0, 1)]
    a, b, c = (demo.make_person(rng) for rng in rngs)
    assert np.array_equal(a.texture, b.texture)
    assert np.array_equal(a.shape, b.shape)
    assert not np.allclose(a.shape, c.shape)


def test_interrupted_run_resumes_and_keeps_what_is_there(folder, tmp_path):
    broken = tmp_path / folder.name
    for name, data in contents(folder).items():
        path = broken / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (broken / "demo.json").rename(broken / "demo.json.part")
    kept = broken / "original_sequences/youtube/c23/videos/071.mp4"
    kept.write_bytes(b"kept")
    lost = broken / "manipulated_sequences/FaceSwap/c40/videos/054_071.mp4"
    whole = lost.read_bytes()
    lost.unlink()
    seen = []
    make_demo(tmp_path, TINY, on_progress=lambda *progress: seen.append(progress))
    assert seen == [(1, 1)]
    assert kept.read_bytes() == b"kept"
    assert lost.read_bytes() == whole
    assert not list(broken.rglob("*.part"))


def test_finished_demo_is_left_alone(folder):
    make_demo(folder.parent, TINY, on_progress=pytest.fail)


@pytest.mark.parametrize("record", ["demo.json", "demo.json.part"])
def test_other_settings_are_refused(tmp_path, record):
    path = tmp_path / demo.FOLDER / record
    path.parent.mkdir()
    path.write_text(json.dumps(demo._record(DemoSettings(seed=7))))
    with pytest.raises(DataError, match=r"Expected.*Received.*Remove"):
        make_demo(tmp_path, TINY)


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / demo.FOLDER / "original_sequences").mkdir(parents=True)
    with pytest.raises(DataError, match="other files"):
        make_demo(tmp_path, TINY)


@pytest.mark.parametrize(
    "wrong", [{"size": 100}, {"frames": 0}, {"crfs": ()}, {"val_pairs": -1}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError, match="Expected"):
        DemoSettings(**wrong)


def test_more_pairs_than_the_split_has_are_refused(tmp_path):
    with pytest.raises(UsageError, match="at most 70"):
        make_demo(tmp_path, DemoSettings(val_pairs=71))


@pytest.mark.parametrize("method", METHODS)
def test_forgery_changes_the_mask_and_nothing_else(folder, method):
    manipulated = folder / "manipulated_sequences" / method
    real = decode(folder / "original_sequences/youtube/c23/videos/071.mp4")
    fake = decode(manipulated / "c23/videos/071_054.mp4")
    mask = decode(manipulated / "masks/videos/071_054.mp4")[..., 0]
    assert ((mask < 40) | (mask > 215)).mean() > 0.98
    inside = mask > 215
    assert 0.01 < inside.mean() < 0.25
    change = np.abs(fake - real).mean(-1)
    # Outside, only the encoder's choices differ.
    assert change[mask < 40].mean() < 2.5
    assert change[inside].mean() > 2 * change[mask < 40].mean()


def test_forgery_leaves_the_frames_outside_the_mask_exactly():
    film, person = demo.film, demo.make_person
    target, source = (
        film(person(np.random.default_rng(i)), np.random.default_rng(i), 2, 128, 25)
        for i in range(2)
    )
    for method in METHODS:
        frames, masks = demo.forge(method, target, source, np.random.default_rng(0))
        assert set(np.unique(masks)) == {0, 255}
        assert np.array_equal(frames[masks == 0], target.frames[masks == 0])


def test_faces_are_found(folder):
    dlib = pytest.importorskip("dlib")
    detector = dlib.get_frontal_face_detector()
    for path in sorted(folder.glob("*/*/c23/videos/*.mp4")):
        for frame in decode(path).astype(np.uint8):
            assert len(detector(frame, 0)) == 1, path
