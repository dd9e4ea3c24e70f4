"""Whatever stands in a run's files: its readers take it, or say what is wrong."""

import contextlib
import json
import math
import shutil

import pytest

from sfcl_tf.detect.engines import _is_of
from sfcl_tf.detect.load import load_model
from sfcl_tf.engines.load import _read_record
from sfcl_tf.evaluation import Calibration
from sfcl_tf.evaluation.baseline import _records
from sfcl_tf.evaluation.reference import Reference
from sfcl_tf.evaluation.report import write_report
from sfcl_tf.evaluation.scoring import _facts
from sfcl_tf.runs import Run
from sfcl_tf.runs.format import require_format
from sfcl_tf.runs.selection import logged_digest
from sfcl_tf.serving.model_card import model_card
from sfcl_tf.system.errors import ModelError, SfclError
from sfcl_tf.training.callbacks import read_rows
from sfcl_tf.training.checkpoint import read_progress, require_settings

FIGURES = {
    "auc": 0.9,
    "acc": 0.8,
    "n": 16,
    "n_real": 8,
    "n_fake": 8,
    "videos_real": 8,
    "videos_fake": 8,
    "intervals": {"auc": [0.8, 1.0]},
}
LEVELS = {"frame": FIGURES, "video": FIGURES}
DIFFERENCE = {"one": 0.9, "two": 0.8, "difference": 0.1, "interval": [-0.1, 0.3]}
SHARES = {"uncertain": 0.1, "error": 0.1, "ece": 0.01, "balanced_ece": None}
SHARES |= {"reals_called_fake": 0.0, "fakes_called_real": 0.2}
CONTENTS = {
    "results.json": {
        "dataset": "ff_c23",
        "split": "test",
        "selected_epoch": 2,
        "selection": "highest frame AUC",
        "trained_epochs": 3,
        "summary": LEVELS | {"methods": {"swap": LEVELS}, "face_sizes": {"64": LEVELS}},
        "coverage": {"videos": 3, "frames_wanted": 9, "without_records": ["a"]},
        "export": {"path": "p", "max_abs_difference": 0.1, "frames": 2},
        "calibration": json.loads(Calibration(0.5).to_json()),
        "verdicts": {"frame": SHARES, "video": SHARES},
        "baseline": {
            "run": "other",
            "model": "xception_f",
            "n": 16,
            "frame": DIFFERENCE,
            "video": DIFFERENCE,
        },
        "data": {"title": "ff_c23, test"},
    },
    "env.json": {
        "run_format": 1,
        "sfcl_tf": "0.1.0",
        "dataset": "ff_c23",
        "fingerprint": "12",
        "records": {"train": "a", "val": "b"},
        "data_errors": ["labels"],
        "seed": 0,
        "resumed": [{"step": 3}],
        "packages": {"keras": "3"},
    },
    "metrics.jsonl": {"epoch": 1, "loss": 0.5, "val_auc": 0.8, "learning_rate": 0.1},
    "evaluations.jsonl": {
        "name": "test",
        "dataset": "ff_c23",
        "split": "test",
        "frames": 8,
        "records": "a",
        "fingerprint": "b",
    },
    "checkpoints/state.json": {
        "name": "step-00000003",
        "progress": {
            "step": 3,
            "epoch": 1,
            "best_epoch": 1,
            "best_auc": 0.5,
            "best_loss": 0.6,
        },
        "config": {"train.epochs": 20, "data.dataset": "ff_c23"},
    },
    "engine.json": {"precision": "float32", "model_sha256": "0" * 64},
}
ODD = (None, True, "x", -1, 1.5, 10**400, math.nan, [], {}, [[1]], {"a": {"b": None}})


def changes(value):
    """Yields the value with each of its parts exchanged, and each left out."""
    yield from ODD
    if isinstance(value, dict):
        for key, part in value.items():
            yield {name: each for name, each in value.items() if name != key}
            for other in changes(part):
                yield value | {key: other}
    elif isinstance(value, list):
        for number, part in enumerate(value):
            for other in changes(part):
                yield [*value[:number], other, *value[number + 1 :]]


@pytest.fixture
def copy(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "copy")
    (folder / "checkpoints").mkdir()
    return folder


def readers(folder):
    """Everything that reads a file of a run, each as a function."""
    run, config = Run(folder), Run(folder).config
    return {
        "results.json": (
            lambda: run.results,
            lambda: _facts(folder / "results.json"),
            lambda: write_report(folder),
            lambda: model_card(config, Calibration(), {}, run.results),
        ),
        "env.json": (
            lambda: run.environment,
            lambda: require_format(folder),
            lambda: _records(folder),
            lambda: write_report(folder),
            lambda: model_card(config, Calibration(), run.environment, {}),
        ),
        "metrics.jsonl": (
            lambda: run.history,
            lambda: read_rows(folder / "metrics.jsonl"),
            lambda: write_report(folder),
        ),
        "evaluations.jsonl": (
            lambda: logged_digest(folder, "test"),
            lambda: logged_digest(folder, "test", config.data),
        ),
        "checkpoints/state.json": (
            lambda: read_progress(folder / "checkpoints"),
            lambda: require_settings(folder / "checkpoints", config),
        ),
        "engine.json": (lambda: _read_record(folder), lambda: _is_of(folder, folder)),
        "calibration.json": (lambda: Calibration.read(folder),),
        "reference.json": (lambda: Reference.read(folder),),
    }


@pytest.mark.parametrize("name", [*CONTENTS, "calibration.json", "reference.json"])
def test_what_is_made_up_is_taken_or_told(copy, name):
    content = CONTENTS.get(name) or json.loads((copy / name).read_text())
    if name == "reference.json":  # of 192 numbers three tell as much
        content |= {key: [content[key][0][:3]] for key in ("mean", "error")}
    told = set()
    for changed in [content, *changes(content)]:
        (copy / name).write_text(json.dumps(changed))
        for number, read in enumerate(readers(copy)[name]):
            try:
                read()
            except SfclError as error:
                told.add((number, str(copy) in str(error)))
            except Exception as error:
                pytest.fail(
                    f"reader {number} of {name}: {error!r} for {changed!r:.500}"
                )
    assert all(names_it for _, names_it in told)
    # Without these nothing is lost, so that damaged ones are left out.
    assert told or name in ("env.json", "evaluations.jsonl")


@pytest.mark.parametrize("name", [*CONTENTS, "calibration.json", "reference.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[" * 10**5, b'{"epoch"'])
def test_what_is_no_json_is_taken_or_told(copy, name, content):
    (copy / name).write_bytes(content)
    for read in readers(copy)[name]:
        with contextlib.suppress(SfclError):
            read()


@pytest.mark.parametrize(
    "name", ["results.json", "metrics.jsonl", "calibration.json", "reference.json"]
)
def test_what_is_no_file_does_not_count_as_absent(copy, name):
    (copy / name).unlink(missing_ok=True)
    (copy / name).symlink_to(copy / name)
    with pytest.raises(SfclError, match=f"{name}. Received: something else"):
        readers(copy)[name][0]()
    (copy / name).unlink()
    (copy / name).mkdir()
    with pytest.raises(SfclError, match=f"{name}. Received: something else"):
        readers(copy)[name][0]()


def test_no_share_is_above_one(copy):
    (copy / "results.json").write_text('{"summary": {"frame": {"auc": 7}}}')
    with pytest.raises(SfclError, match="auc: 7 is greater than the maximum of 1"):
        _ = Run(copy).results


def test_settings_of_another_model_are_told(copy):
    settings = copy / "config.toml"
    settings.write_text(settings.read_text().replace("_size = 32", "_size = 64"))
    for use in (lambda: Run(copy).model, lambda: load_model(copy, "tensorflow")):
        with pytest.raises(ModelError, match="of 64 pixels in the one, of 32 in the o"):
            use()
    settings.write_text("")
    with pytest.raises(ModelError, match="of 380 pixels in the one"):
        _ = Run(copy).model


def test_the_name_of_a_state_leads_nowhere_else(copy):
    for name in ("../../elsewhere", "/etc/passwd", "step-00000001/../x"):
        state = CONTENTS["checkpoints/state.json"] | {"name": name}
        (copy / "checkpoints/state.json").write_text(json.dumps(state))
        with pytest.raises(SfclError, match=r"\$\.name: .*does not match"):
            read_progress(copy / "checkpoints")


def test_what_is_wrong_is_told_by_its_place(copy):
    (copy / "results.json").write_text('{"summary": {"frame": {"auc": "much"}}}')
    with pytest.raises(SfclError, match=r"\$\.summary\.frame\.auc: 'much' is not of"):
        _ = Run(copy).results
