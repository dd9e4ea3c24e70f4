"""Face boxes from a JSON, instead of a detector."""

import json

import numpy as np
import pytest
import tensorflow as tf

from sfcl_tf.cli import main
from sfcl_tf.faces.boxes import GivenFaces, read_boxes
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.record import parse_record
from sfcl_tf.system.errors import DataError

VIDEO = "demo/real/071"


def records(manifest):
    video = next(v for v in manifest.videos if v["video_id"] == VIDEO)
    shard = str(manifest.folder / video["shard"])
    return video, [parse_record(r) for r in tf.data.TFRecordDataset(shard)]


def test_given_boxes_are_stored_and_frames_taken_among_theirs(again):
    boxes = {
        VIDEO: {1: [(40, 50, 140, 150), (150, 150, 210, 210)], 4: [(48, 50, 148, 150)]}
    }
    manifest = again(Settings(6, "all", boxes="any"), boxes=boxes)
    video, stored = records(manifest)
    assert (video["frames_wanted"], video["frames_with_face"]) == (2, 2)
    found = [
        (
            int(r["frame_index"]),
            int(r["track"]),
            (r["box"] + tf.tile(r["region"][:2], [2])).numpy().tolist(),
        )
        for r in stored
    ]
    assert found == [
        (1, 0, [40, 50, 140, 150]),
        (1, 1, [150, 150, 210, 210]),
        (4, 0, [48, 50, 148, 150]),
    ]
    others = {v["status"] for v in manifest.videos if v["video_id"] != VIDEO}
    assert others == {"no_face"}
    assert manifest.videos[1]["reason"] == "the file of boxes has none for it"


def test_largest_takes_the_largest_box(again):
    boxes = {VIDEO: {0: [(0, 0, 60, 60), (100, 100, 200, 200)]}}
    _, stored = records(again(Settings(6, boxes="any"), boxes=boxes))
    assert [int(r["track"]) for r in stored] == [0]
    assert int(stored[0]["box"][2] - stored[0]["box"][0]) == 100


def test_tracks_go_on_by_overlap():
    give = GivenFaces(
        {
            0: [(0, 0, 100, 100), (200, 0, 280, 80)],
            1: [(205, 5, 315, 115), (5, 5, 95, 95)],
            2: [(500, 500, 999, 999)],
            3: [(-50, -50, 90, 90)],
        },
        most=5,
    )
    tracks = [{f.box[0]: f.track for f in give(i, 600, 600)} for i in range(5)]
    assert tracks == [{0: 0, 200: 1}, {205: 1, 5: 0}, {500: 2}, {0: 0}, {}]


def test_file_of_boxes_makes_records_of_its_own(
    collection, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    argv = ["prepare", "demo", "--data-root", str(collection), "--split", "val"]
    argv += ["--limit", "1", "--workers", "1", "--boxes", "boxes.json"]
    folders = set()
    for x in (40.4, 56):
        frames = {str(n): [[x, 50, 140, 150]] for n in range(6)}
        (tmp_path / "boxes.json").write_text(json.dumps({"demo/real/720": frames}))
        assert main(argv) == 0
        capsys.readouterr()
        folders = {path.name for path in (tmp_path / "records").iterdir()}
    assert len(folders) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"a": [[1, 2, 3, 4]]}',
        '{"a": {"0": [[1, 2, 3]]}}',
        '{"a": {"0": [[3, 2, 1, 4]]}}',
        '{"a": {"x": []}}',
        '{"a": {"0": [["", 1, 2, 3]]}}',
    ],
)
def test_wrong_boxes_are_an_error_that_shows_the_form(tmp_path, text, capsys):
    path = tmp_path / "boxes.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r'\{"VIDEO ID": \{"FRAME": \[\[x0'):
        read_boxes(path)
    assert main(["prepare", "demo", "--boxes", str(tmp_path / "none.json")]) == 3
    assert "--boxes" in capsys.readouterr().err


def test_variable_rate_is_sampled_evenly_in_time(tmp_path):
    import av

    from sfcl_tf.media.video import decode, evenly_spaced, scan

    path = tmp_path / "a.mp4"
    times = [*range(0, 400, 10), *range(1000, 4000, 500)]  # ms: fast, then slow
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv444p"
        for time in times:
            frame = av.VideoFrame.from_ndarray(
                np.full((64, 64, 3), time % 251, np.uint8), format="rgb24"
            )
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    facts, stamps = scan(path)
    assert facts.frames == len(times) == 46
    pictures = list(decode(path))
    np.testing.assert_allclose([p.time * 1000 for p in pictures], times, atol=1)
    chosen = [round(pictures[i].time * 1000) for i in evenly_spaced(stamps, 4)]
    assert chosen == [390, 1000, 2000, 3000]
