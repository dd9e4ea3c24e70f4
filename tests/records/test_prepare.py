import cv2
import numpy as np
import tensorflow as tf

from sfcl_tf.media.video import decode, evenly_spaced, scan
from sfcl_tf.records.manifest import Settings, read_manifest
from sfcl_tf.records.record import parse_record


def report(manifest, video_id):
    return next(v for v in manifest.videos if v["video_id"] == video_id)


def records(manifest, video_id):
    path = manifest.folder / report(manifest, video_id)["shard"]
    return [parse_record(r) for r in tf.data.TFRecordDataset(str(path))]


def test_every_clip_gives_its_evenly_spaced_frames(manifest):
    assert len(manifest.videos) == 30
    for video in manifest.videos:
        assert video["status"] == "ok"
        assert video["records"] == video["frames_wanted"] == 3
        assert (video["frames"], video["crf"]) == (6, 23.0)
        indices = [int(r["frame_index"]) for r in records(manifest, video["video_id"])]
        assert indices == evenly_spaced(np.arange(6), 3).tolist()
    assert manifest.coverage("val") == {
        "videos": 10,
        "frames_wanted": 30,
        "frames_with_face": 30,
        "records": 30,
        "without_records": {},
    }


def test_records_carry_what_the_video_is(manifest):
    for video in manifest.videos:
        for record in records(manifest, video["video_id"]):
            assert record["video_id"] == video["video_id"].encode()
            assert record["method"] == video["method"].encode()
            assert record["label"] == video["label"] == (video["method"] != "real")
            sources = record["sources"].numpy().tolist()
            assert sources == [s.encode() for s in video["sources"]]
            assert record["frame_size"].numpy().tolist() == [256, 256]


def test_bad_files_are_reported_and_stop_nothing(copy, again, write_clip, blank):
    write_clip(copy.fake("071_054"), blank)
    copy.fake("720_672").write_bytes(b"garbage" * 999)
    whole = copy.clip("test").read_bytes()
    copy.fake("953_974").write_bytes(whole[: len(whole) // 2])  # has lost its index
    copy.fake("974_953").touch()
    seen = []
    manifest = again(on_video=seen.append)
    status = {v["video_id"]: v["status"] for v in manifest.videos}
    assert status == {
        "demo/real/071": "ok",
        "demo/real/720": "ok",
        "demo/real/953": "ok",
        "demo/Deepfakes/071_054": "no_face",
        "demo/Deepfakes/720_672": "unreadable",
        "demo/Deepfakes/953_974": "unreadable",
        "demo/Deepfakes/974_953": "unreadable",
    }
    assert report(manifest, "demo/Deepfakes/071_054")["reason"] == "no face found"
    assert "720_672.mp4" in report(manifest, "demo/Deepfakes/720_672")["reason"]
    assert [now.done for now in seen] == list(range(1, 8))
    assert {now.total for now in seen} == {7}
    assert manifest.coverage("train") == {
        "videos": 2,
        "frames_wanted": 4,
        "frames_with_face": 2,
        "records": 2,
        "without_records": {"demo/Deepfakes/071_054": "no_face"},
    }
    assert len(manifest.missing) == 5000 - 7
    for split in ("train", "val", "test"):
        shards = [*(manifest.folder / split).glob("*.tfrecord")]
        assert shards == manifest.shards(split)
        assert len(shards) == 1
    read = read_manifest(manifest.folder)
    assert read.coverage() == manifest.coverage()
    assert read.missing == manifest.missing


def test_cut_off_video_is_spaced_over_what_decodes(copy, again, write_clip):
    frames = [picture.rgb() for picture in decode(copy.clip("train"))]
    path = copy.fake("071_054")
    write_clip(path, np.stack(frames * 3), crf=10, movflags="faststart", g="1")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    manifest = again(Settings(4))
    video = report(manifest, "demo/Deepfakes/071_054")
    stamps = scan(path)[1]
    assert 6 < len(stamps) < 14
    assert len(stamps) - 1 <= sum(1 for _ in decode(path)) <= len(stamps)
    assert (video["status"], video["records"], video["frames_wanted"]) == ("ok", 4, 4)
    indices = [
        int(r["frame_index"]) for r in records(manifest, "demo/Deepfakes/071_054")
    ]
    assert indices == evenly_spaced(stamps, 4).tolist()


def test_faceless_sample_takes_a_neighbour_or_is_missing(
    copy, again, write_clip, blank
):
    face = next(decode(copy.clip("train"))).rgb()
    frames = np.repeat(blank[:1], 20, axis=0)
    frames[6], frames[10:] = face, face  # wanted: 5, so 6; and 15
    write_clip(copy.fake("071_054"), frames, crf=10, g="1")
    video = report(again(), "demo/Deepfakes/071_054")
    assert (video["frames_wanted"], video["records"], video["neighbours"]) == (2, 2, 1)
    frames[6] = blank[0]
    write_clip(copy.fake("071_054"), frames, crf=10, g="1")
    video = report(again(), "demo/Deepfakes/071_054")
    assert (video["frames_wanted"], video["records"], video["neighbours"]) == (2, 1, 0)
    assert video["status"] == "ok"


def test_faces_too_small_for_sida_are_told_as_such(copy, again, write_clip):
    frames = [picture.rgb() for picture in decode(copy.clip("train"))]
    small = [cv2.resize(f, (120, 120), interpolation=cv2.INTER_AREA) for f in frames]
    write_clip(copy.fake("071_054"), np.stack(small), crf=10)
    video = report(again(), "demo/Deepfakes/071_054")
    assert (video["status"], video["reason"]) == (
        "too_small",
        "faces under 46 pixels only",
    )
    assert video["too_small"] == video["frames_wanted"] == 2
