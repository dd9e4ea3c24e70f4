import dataclasses
import json
from html.parser import HTMLParser

import pytest
from hostile_text import check_shown, hostile

from sfcl_tf.evaluation import plots
from sfcl_tf.evaluation.calibrate import Calibration
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.report import write_report
from sfcl_tf.evaluation.summary import summarize
from sfcl_tf.evaluation.thresholds import Thresholds
from sfcl_tf.system.errors import DataError

HOSTILE = '<script>alert("1")</script>&"\''


class Checker(HTMLParser):
    """Fails on tags left open; collects tags and addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.addresses = [], set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(path):
    html = path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(html)
    assert not checker.open
    assert not checker.tags & {"script", "link", "iframe"}
    assert all(a.startswith("data:image/png;base64,") for a in checker.addresses)
    assert "url(" not in html
    assert "http://" not in html
    assert "https://" not in html
    return html


def fill(run_dir, dataset="demo", method="swap"):
    predictions = Predictions(
        dataset=[dataset] * 3,
        split=["test"] * 3,
        method=["real", method, method],
        video_id=["d/real/0", f"d/{method}/0", f"d/{method}/0"],
        frame_index=[0, 0, 1],
        time_s=[0, 0, 0.04],
        track_id=[0, 0, 0],
        label=[0, 1, 1],
        logit=[-1.0, 2.0, -2.0],
    )
    results = {
        "selected_epoch": 2,
        "selection": "highest val_auc",
        "dataset": dataset,
        "split": "test",
        "summary": summarize(predictions),
        "coverage": {
            "videos": 3,
            "frames_wanted": 4,
            "frames_with_face": 3,
            "without_records": {f"d/{method}/9": "no_face"},
        },
        "export": {"path": "export/1", "max_abs_difference": 3e-7},
    }
    history = [{"epoch": e, "loss": 0.5 / e, "val_auc": 0.5} for e in (1, 2)]
    (run_dir / "results.json").write_text(json.dumps(results))
    (run_dir / "metrics.jsonl").write_text("\n".join(map(json.dumps, history)) + "\n")
    (run_dir / "config.toml").write_text(
        f"seed = 1\n[data]\nname = {json.dumps(dataset)}\n"
    )
    (run_dir / "env.json").write_text(json.dumps({"python": "3.11", "gpus": []}))
    predictions.write_csv(run_dir / "predictions_test.csv")
    (run_dir / "plots").mkdir()
    plots.save(plots.plot_roc(predictions), run_dir / "plots" / "roc")
    plots.save(plots.plot_training(history), run_dir / "plots" / "overview")


def test_a_whole_run_is_told_in_one_self_contained_page(tmp_path):
    fill(tmp_path)
    path = write_report(tmp_path)
    assert path == tmp_path / "report.html"
    html = check(path)
    assert "above a real one in 50.0% of all pairs (frame AUC 0.5000" in html
    assert "Epoch 2 was selected: highest val_auc." in html
    assert "3 of 4 frames" in html
    assert "d/swap/9" in html
    assert "at most 3e-07" in html
    assert "data.name" in html
    assert html.count("<img") == 1
    assert "Missing" not in html
    assert "never proof" in html


def test_the_demo_is_told_to_prove_no_detector(tmp_path):
    fill(tmp_path)
    claim = "AUC on the demo proves the plumbing, not the detector"
    assert claim in write_report(tmp_path).read_text()
    results = json.loads((tmp_path / "results.json").read_text())
    (tmp_path / "results.json").write_text(json.dumps(results | {"dataset": "ff++"}))
    assert claim not in write_report(tmp_path).read_text()


def test_hostile_names_are_escaped(tmp_path):
    fill(tmp_path, dataset=HOSTILE, method=HOSTILE)
    html = check(write_report(tmp_path))
    assert html.count("&lt;script&gt;alert(&quot;1&quot;)") >= 5


def test_all_that_comes_from_outside_is_shown_as_it_is(tmp_path):
    told = hostile("split", "selection", "group", "model", "run", "why", "title", "key")
    told |= hostile("dataset", "method", "error", "export", "video", "plot", "folder")
    run = tmp_path / told["folder"]
    run.mkdir()
    fill(run, dataset=told["dataset"], method=told["method"])
    results = json.loads((run / "results.json").read_text())
    results |= {key: told[key] for key in ("split", "selection")}
    results["coverage"]["without_records"] = {told["video"]: "no_face"}
    results["export"]["path"] = told["export"]
    summary = results["summary"]
    summary["compressions"] = {told["group"]: {}}
    results["calibration"] = dataclasses.asdict(Calibration(reason=told["why"]))
    results["verdicts"] = {"frame": {}, "video": {}}
    results["baseline"] = {"model": told["model"], "run": told["run"]}
    results["baseline"]["differences"] = ["a"]
    other = {"summary": summary, "data": {"title": told["title"]}}
    told["python"], told["setting"] = hostile("python", "setting").values()
    environment = {"python": told["python"], "data_errors": [told["error"]]}
    (run / "results.json").write_text(json.dumps(results))
    (run / "results_1.json").write_text(json.dumps(other))
    (run / "env.json").write_text(json.dumps(environment))
    (run / "metrics.jsonl").write_text(json.dumps({"epoch": 1, told["key"]: 1.0}))
    (run / "config.toml").write_text(f"name = {json.dumps(told['setting'])}\n")
    (run / "plots/roc.png").rename(run / f"plots/{told['plot']}.png")
    check_shown(write_report(run).read_text("utf-8"), told.values())


def test_an_empty_run_says_what_is_missing(tmp_path):
    html = check(write_report(tmp_path))
    for name in ("results.json", "plots", "predictions_test.csv", "metrics.jsonl"):
        assert f"Missing: {name}" in html
    for name in ("config.toml", "env.json"):
        assert f"Missing: {name}" in html


def test_undefined_figures_are_na(tmp_path):
    fill(tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    results["summary"]["frame"] |= {"auc": None, "ap": None}
    del results["export"]
    (tmp_path / "results.json").write_text(json.dumps(results))
    html = check(write_report(tmp_path))
    assert "cannot be ranked" in html
    assert "n/a" in html
    assert "The export" not in html


def test_predictions_of_another_evaluation_are_noticed(tmp_path):
    fill(tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    results["summary"]["frame"]["n"] = 99
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert "3 rows, but results.json counts 99" in write_report(tmp_path).read_text()


@pytest.mark.parametrize("name", ["results.json", "config.toml", "metrics.jsonl"])
def test_an_unreadable_file_is_told(tmp_path, name):
    (tmp_path / name).write_text("{")
    with pytest.raises(DataError, match=name):
        write_report(tmp_path)


CALIBRATION = Calibration(
    slope=0.5,
    bias=0.25,
    levels=(Thresholds(0.2, 0.8), Thresholds(0.35, 0.65, 8)),
    calibrated=True,
    prior=0.5,
)
EARLIER = {"temperature": 2.0, "real_to": 0.3, "fake_from": 0.7, "calibrated": True}


@pytest.mark.parametrize(
    ("calibration", "told"),
    [
        (
            dataclasses.asdict(CALIBRATION),
            [
                "of the frames <b>real</b> up to 0.200 and <b>fake</b> from 0.800",
                "of the videos <b>real</b> up to 0.350 and <b>fake</b> from 0.650",
                "sigmoid(0.5 * logit +0.25), for a prior of 0.5",
                "is 0.1000 with as many fakes as here, and 0.0200 with as many fakes",
                "(10.0% of the reals, 2.0% of the fakes)",
            ],
        ),
        (EARLIER, ["<b>fake</b> from 0.700", "the prior is not known"]),
        (
            dataclasses.asdict(Calibration(reason="it was one video")),
            ["Not calibrated: it was one video.", "every verdict is <b>uncertain</b>"],
        ),
    ],
)
def test_verdicts_are_told_by_level_with_their_prior(tmp_path, calibration, told):
    fill(tmp_path)
    found = {"uncertain": 0.25, "error": 0.05, "ece": 0.1, "log_loss": 0.3}
    if calibration is not EARLIER:
        found |= {"reals_called_fake": 0.1, "fakes_called_real": 0.02}
        found |= {"balanced_ece": 0.02}
    results = json.loads((tmp_path / "results.json").read_text())
    results |= {"verdicts": {"frame": found, "video": found}}
    text = json.dumps(results | {"calibration": calibration})
    (tmp_path / "results.json").write_text(text)
    html = check(write_report(tmp_path))
    for each in told:
        assert each in html


def test_a_missing_run_is_told(tmp_path):
    with pytest.raises(DataError, match="Expected a run directory"):
        write_report(tmp_path / "none")
