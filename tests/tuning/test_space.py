import csv
import tomllib

import keras_tuner
import pytest
from helpers import small_model
from small_data import small_config, small_manifest

from sfcl_tf.config import load_config
from sfcl_tf.system.errors import SfclError, UsageError
from sfcl_tf.tuning.chief import as_role
from sfcl_tf.tuning.results import read_trials, write_results
from sfcl_tf.tuning.space import Space, read_space
from sfcl_tf.tuning.tuner import Tuner, make_oracle, require_same_search


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("preset", ["paper", "recommended", "tiny"])
@pytest.mark.parametrize("model", ["sfcl_hcmf", "meso4"])
def test_without_a_section_the_space_suits_the_preset(preset, model):
    config = load_config(preset=preset, overrides=[f"model.name={model}"])
    space = read_space(None, config)
    drawn = space.hyperparameters(config)
    changed = space.apply(config, drawn.values)
    assert changed != config
    assert ("model.hcma_dim" in space.entries) == (model == "sfcl_hcmf")


def test_a_section_is_read_from_the_configuration(tmp_path):
    path = write(
        tmp_path / "c.toml",
        '[train]\nepochs = 3\n[search]\n"train.seed" = {low = 1, high = 9}\n'
        "[search.train]\nlearning_rate = {low = 1e-5, high = 1e-3, log = true}\n"
        "[search.model]\nsbcm_filters = {choices = [[8, 8, 8], [16, 32, 64]]}\n",
    )
    config = load_config(file=path)
    assert config.train.epochs == 3
    space = read_space(path, config)
    values = {
        "train.seed": 4,
        "train.learning_rate": 2e-4,
        "model.sbcm_filters": "[8, 8, 8]",
        "tuner/epochs": 2,
    }
    changed = space.apply(config, values)
    assert changed.model.sbcm_filters == (8, 8, 8)
    assert (changed.train.seed, changed.train.learning_rate) == (4, 2e-4)
    kinds = {type(p).__name__ for p in space.hyperparameters(config).space}
    assert kinds == {"Int", "Float", "Choice"}


def test_numbers_are_of_the_kind_that_the_setting_has():
    config = small_config()
    entries = {
        "augment.jpeg": {"low": 0, "high": 1},
        "train.batch_size": {"low": 2, "high": 8},
    }
    space = Space(entries).hyperparameters(config).space
    assert [type(p).__name__ for p in space] == ["Float", "Int"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "train.learning_rte = {low = 1, high = 2}",
            "Did you mean train.learning_rate",
        ),
        ("train.learning_rate = {low = 2, high = 1}", "low = 0.1, high = 0.5"),
        ("train.learning_rate = {choices = []}", "low = 0.1, high = 0.5"),
        ("train.learning_rate = 3", "low = 0.1, high = 0.5"),
        ("train.epochs = {low = 0.5, high = 2}", "an integer"),
        ("train.batch_size = {low = 0, high = 8}", "in 1.."),
        ("data.frames = {low = 1, high = 8}", "leave records as they are"),
        ("epochs = 3", "with their section"),
    ],
)
def test_what_is_wrong_with_a_space_is_told(tmp_path, text, told):
    path = write(tmp_path / "c.toml", f"[search]\n{text}\n")
    with pytest.raises(UsageError, match=told):
        read_space(path, load_config(preset="tiny"))


def test_another_search_under_the_same_name_is_told(tmp_path):
    config, space = small_config(), Space({"model.dropout": {"low": 0.0, "high": 0.5}})
    require_same_search(tmp_path / "s", config, space, "random")
    require_same_search(tmp_path / "s", config, space, "random")
    path = tmp_path / "s" / "search.json"
    known = path.read_text()
    assert r"detector = \"hog\"\n" in known
    path.write_text(known.replace(r"detector = \"hog\"\n", ""))
    require_same_search(tmp_path / "s", config, space, "random")
    with pytest.raises(UsageError, match="Received another algorithm"):
        require_same_search(tmp_path / "s", config, space, "bayesian")


@pytest.mark.parametrize(
    "algorithm",
    [
        "random",
        pytest.param("bayesian", marks=pytest.mark.slow),
        pytest.param("hyperband", marks=pytest.mark.slow),
    ],
)
def test_a_search_ends_in_a_configuration_that_can_be_trained(tmp_path, algorithm):
    config = small_config("train.epochs=2")
    space = Space({"train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}})
    oracle = make_oracle(algorithm, space, config, 2)
    tuner = Tuner(
        *(oracle, space, config, small_manifest(tmp_path / "records")),
        tmp_path / "search",
        build=small_model,
    )
    if algorithm == "hyperband":  # one bracket is enough here
        oracle.max_trials = 2
    tuner.search()
    trials = read_trials(oracle, space)
    assert [t.status for t in trials] == ["done", "done"]
    assert trials[0].val_auc >= trials[1].val_auc
    write_results(tmp_path, trials, space, config)
    best = load_config(file=tmp_path / "best.toml")
    assert best.train.learning_rate == trials[0].values["train.learning_rate"]
    assert best.train.epochs == 2
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_auc"]) for row in rows] == [t.val_auc for t in trials]
    assert (tmp_path / "search.png").is_file()


def test_values_that_do_not_fit_fail_a_trial_and_not_the_search(tmp_path):
    config = small_config("train.epochs=1")
    space = Space({"model.hcma_heads": {"choices": [3, 8]}})  # 3 does not divide 128
    oracle = keras_tuner.oracles.GridSearchOracle(
        keras_tuner.Objective("val_auc", "max"),
        max_trials=2,
        hyperparameters=space.hyperparameters(small_config("model.hcma_dim=24")),
        max_consecutive_failed_trials=9,
    )
    oracle.verbose = 0
    folder = tmp_path / "search"
    manifest = small_manifest(tmp_path / "records")
    Tuner(oracle, space, config, manifest, folder, build=small_model).search()
    done, failed = read_trials(oracle, space)
    assert (done.status, failed.status) == ("done", "failed")
    assert "model.hcma_heads to divide" in failed.reason
    with pytest.raises(SfclError, match=r"model\.hcma_heads to divide"):
        write_results(tmp_path, [failed], space, config)
    assert tomllib.loads((folder / "trial_1/config.toml").read_text())


@pytest.mark.parametrize(
    ("role", "address", "worker", "told"),
    [
        ("chief", "nowhere", "", "--chief HOST:PORT"),
        ("worker", "127.0.0.1:8600", "", "--worker-id"),
        ("worker", "127.0.0.1:8600", "chief2", "--worker-id"),
    ],
)
def test_a_role_needs_an_address_and_a_name(role, address, worker, told):
    with pytest.raises(UsageError, match=told), as_role(role, address, worker):
        pass
