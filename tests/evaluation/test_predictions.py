import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfcl_tf.evaluation.predictions import COLUMNS, Predictions
from sfcl_tf.system.errors import DataError
from sfcl_tf.system.output import NotWrittenError

IDS = ['d/swap/a,b "c".mp4', "d/swap/ünï 视频\n2.mp4", "d/swap/a,b "]


@pytest.fixture
def predictions():
    return Predictions(
        dataset=["d", "d", "d", "d"],
        split=["test"] * 4,
        method=["real", "swap", "swap", "swap"],
        video_id=["d/real/x", IDS[0], IDS[1], IDS[0]],
        frame_index=[0, 7, 2**40, 8],
        time_s=[0.0, 0.1, np.nan, 1 / 3],
        track_id=[0, 0, 1, 0],
        label=[0, 1, 1, 1],
        logit=[-1e-300, 0.1 + 0.2, 700.0, -np.pi],
    )


def test_csv_round_trip_is_exact(predictions, tmp_path):
    path = tmp_path / "p.csv"
    predictions.write_csv(path)
    again = Predictions.read_csv(path)
    for name in COLUMNS:
        ours, theirs = getattr(again, name), getattr(predictions, name)
        assert ours.dtype.kind == theirs.dtype.kind
        np.testing.assert_array_equal(ours, theirs)
    again.write_csv(tmp_path / "q.csv")
    assert (tmp_path / "q.csv").read_bytes() == path.read_bytes()


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=9)


@settings(deadline=None)  # the machine may be busy
@given(names, st.floats(allow_nan=False))
def test_any_name_and_logit_survive(tmp_path_factory, name, logit):
    path = tmp_path_factory.mktemp("p") / "p.csv"
    row = (["d"], ["val"], ["m"], [name], [0], [0], [0], [1], [logit])
    Predictions(*row).write_csv(path)
    again = Predictions.read_csv(path)
    assert (again.video_id[0], again.logit[0]) == (name, logit)


def test_columns_come_in_order_and_score_last(predictions, tmp_path):
    predictions.write_csv(tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        head = ",".join(next(csv.reader(file)))
    assert head == (
        "dataset,split,method,video_id,frame_index,time_s,track_id,label,logit,"
        "crf,pixel_format,frame_height,face_size,score"
    )


def test_no_rows_survive_too(predictions, tmp_path):
    predictions.select(np.zeros(4, bool)).write_csv(tmp_path / "p.csv")
    again = Predictions.read_csv(tmp_path / "p.csv")
    assert len(again) == len(again.per_video()) == 0


def test_a_failed_write_keeps_the_old_file(predictions, tmp_path, monkeypatch):
    path = tmp_path / "p.csv"
    path.write_text("old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(NotWrittenError, match="disk full"):
        predictions.write_csv(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_score_is_the_sigmoid(predictions):
    assert predictions.score[0] == 0.5
    assert predictions.score[1] == pytest.approx(1 / (1 + np.exp(-0.3)))
    assert predictions.score[2] == 1


def test_select_takes_rows(predictions):
    chosen = predictions.select(predictions.method == "swap")
    assert len(chosen) == 3
    assert chosen.frame_index.tolist() == [7, 2**40, 8]


def test_a_video_scores_the_mean_of_its_frames(predictions):
    videos = predictions.per_video()
    assert len(videos) == 3
    at = videos.video_id.tolist().index(IDS[0])
    assert videos.score[at] == pytest.approx(predictions.score[[1, 3]].mean())
    assert (videos.method[at], videos.label[at]) == ("swap", 1)


def test_a_video_id_shared_by_two_methods_is_refused(predictions):
    clash = Predictions(
        **{n: getattr(predictions, n) for n in COLUMNS if n != "video_id"},
        video_id=["x"] * 4,
    )
    with pytest.raises(ValueError, match="one method a video"):
        clash.per_video()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logit": [0.0]}, "one length"),
        ({"label": [0, 1, 1, 2]}, "Expected labels"),
        ({"label": [1, 1, 1, 1]}, "method='real', label=1 in row 0"),
        ({"method": ["swap"] * 4}, "method='swap', label=0 in row 0"),
    ],
)
def test_inconsistent_rows_are_refused(predictions, change, message):
    values = {name: getattr(predictions, name) for name in COLUMNS}
    with pytest.raises(ValueError, match=message):
        Predictions(**values | change)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match=r"p\.csv.*Received: none.*sfcl evaluate"):
        Predictions.read_csv(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"Received: \[\]"),
        ("dataset,split\nd,test\n", "without .*'logit'"),
        (",".join(COLUMNS) + "\nd,test,m,v,0,0.0,0,1\n", "Cannot use"),
        (",".join(COLUMNS) + "\nd,test,m,v,zero,0.0,0,1,0.5\n", "'zero'"),
        (",".join(COLUMNS) + "\nd,test,real,v,0,0.0,0,1,0.5\n", "label=1 in row 0"),
        (",".join(COLUMNS) + '\nd,test,"m"x,v,0,0.0,0,1,0.5\n', "as CSV"),
    ],
)
def test_a_broken_file_is_told(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        Predictions.read_csv(tmp_path / "p.csv")
