"""Searches as real processes: alone, with workers, and with workers that die."""

import json
from pathlib import Path

import pytest
from small_data import small_manifest

PROGRAM = Path(__file__).parents[1] / "small_search.py"


@pytest.fixture
def search(start, tmp_path):
    small_manifest(tmp_path / "records")

    def begin(*arguments):
        options = (tmp_path / "search", "--records", tmp_path / "records")
        return start(*options, *arguments, program=PROGRAM)

    return begin


def end(process):
    """Waits for a good end; returns the trials and the lost ones."""
    code, out, err = process.end()
    assert code == 0, out[-1000:] + err[-3000:]
    told = dict(line.split(" ", 1) for line in out.splitlines() if " " in line)
    return json.loads(told["TRIALS"]), json.loads(told["LOST"])


@pytest.mark.slow
def test_a_search_that_was_cut_off_goes_on_with_its_trial(search, tmp_path):
    first = search("--trials", 3)
    assert first.wait_for("EPOCH 1", 1)
    first.kill()
    rows = (tmp_path / "search/trial_1/metrics.jsonl").read_text().splitlines()
    trials, _ = end(search("--trials", 3))
    assert sorted(trials) == [[str(n), "done"] for n in range(3)]
    assert rows
    kept = (tmp_path / "search/trial_1/metrics.jsonl").read_text().splitlines()
    assert [json.loads(x)["epoch"] for x in kept] == [1, 2]
    assert not list((tmp_path / "search").glob("trial_*/checkpoints"))


@pytest.mark.slow
def test_a_worker_takes_its_trial_up_again(search, free_addresses):
    common = ("--chief", free_addresses[0])
    chief = search("--role", "chief", *common)
    workers = [
        search("--role", "worker", *common, "--worker-id", name, "--slow", 0.2)
        for name in ("one", "two")
    ]
    assert workers[0].wait_for("EPOCH", 1)
    workers[0].kill()
    workers[0] = search("--role", "worker", *common, "--worker-id", "one")
    trials, lost = end(chief)
    assert sorted(trials) == [[str(n), "done"] for n in range(6)]
    assert lost == {}
    for worker in workers:
        assert worker.end()[0] == 0


@pytest.mark.slow
def test_without_its_worker_a_trial_is_given_up_and_named(search, free_addresses):
    common = ("--chief", free_addresses[0], "--trials", 2)
    chief = search("--role", "chief", *common, "--worker-timeout", 8)
    worker = search("--role", "worker", *common, "--worker-id", "one", "--slow", 1)
    assert worker.wait_for("EPOCH", 1)
    worker.kill()
    trials, lost = end(chief)
    assert trials == [["0", "failed"]]
    assert lost == {"0": "one"}


@pytest.mark.slow
def test_a_worker_without_a_chief_is_told_soon(search, free_addresses):
    options = ("--chief", free_addresses[0], "--worker-timeout", 1)
    code, _, err = search("--role", "worker", *options, "--worker-id", "one").end(60)
    assert code != 0
    assert f"Expected a chief at {free_addresses[0]} within 1 s" in err
