"""Which version is served: whole ones alone, always warmed up."""

import shutil
import threading
import time

import pytest

pytest.importorskip("tensorflow_serving")

import requests

from sfcl_tf.serving.dev_server import store as versions
from sfcl_tf.serving.dev_server.batching import Batching
from sfcl_tf.serving.dev_server.store import ModelStore
from sfcl_tf.serving.names import EXTRA
from sfcl_tf.serving.whole import MARKER, write_marker

from .servers import Client, dev_server


@pytest.fixture
def store(served, tmp_path):
    """A store that serves version 1; its `told` has the lines that it told."""
    told = []
    shutil.copytree(served.path, tmp_path / "models" / "1")
    store = ModelStore(tmp_path / "models", "sfcl", Batching(most=1), told.append)
    store.told = told
    store.load()
    return store


def copy_but(source, target, left_out):
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(left_out))


def test_a_version_is_not_taken_up_while_it_is_being_copied(served, store, tmp_path):
    exported = tmp_path / "exported"
    shutil.copytree(served.path, exported)
    (exported / EXTRA / "model_card.md").write_text("a card")
    write_marker(exported)
    copy_but(exported, store.base / "2", "model_card.md")
    for _ in range(3):
        store._look()
    assert store.get("sfcl").number == 1
    assert store.states()[2].state == "START"
    assert store.told.count("Version 2 is being copied, and waited for.") == 1
    (store.base / "2" / EXTRA / "model_card.md").write_text("a ca")
    store._look()
    assert store.get("sfcl").number == 1
    (store.base / "2" / EXTRA / "model_card.md").write_text("a card")
    store._look()
    assert store.get("sfcl").number == 2
    # Always warmed up, with requests of its own or not.
    assert store.told[-1] == "Version 2 of sfcl answers, after 7 warm-up requests."


def test_a_version_without_a_list_is_taken_up_when_it_has_settled(
    served, store, monkeypatch
):
    monkeypatch.setattr(versions, "_SETTLED", 1.0)
    copy_but(served.path, store.base / "2", MARKER)
    store._look()
    assert store.get("sfcl").number == 1
    time.sleep(0.6)
    (store.base / "2" / "more").write_text("a file that came late")
    store._look()
    time.sleep(0.6)
    store._look()
    assert store.get("sfcl").number == 1  # a second since the last change, not since
    time.sleep(0.5)
    store._look()
    assert store.get("sfcl").number == 2
    assert store.told[-1].endswith("after 7 warm-up requests.")


def test_files_that_never_come_are_told_and_not_waited_for_for_ever(
    served, store, monkeypatch
):
    monkeypatch.setattr(versions, "_PATIENCE", 0.3)
    copied = shutil.copytree(served.path, store.base / "2")
    (copied / EXTRA / "lost").write_text("lost")
    write_marker(copied)
    (copied / EXTRA / "lost").unlink()
    store._look()
    assert store.get("sfcl").number == 1
    time.sleep(0.4)
    store._look()
    assert store.get("sfcl").number == 2
    assert "Version 2 lacks what was exported: assets.extra/lost." in store.told


def test_the_start_waits_for_the_only_version(served, tmp_path):
    base = tmp_path / "models"
    copied = shutil.copytree(served.path, base / "1")
    (copied / "late").write_text("late")
    write_marker(copied)
    (copied / "late").unlink()
    told = []
    store = ModelStore(base, "sfcl", Batching(most=1), told.append)
    loading = threading.Thread(target=store.load)
    loading.start()
    time.sleep(0.7)
    assert loading.is_alive()
    assert told == ["Version 1 is being copied, and waited for."]
    (copied / "late").write_text("late")
    loading.join(60)
    assert store.get("sfcl").number == 1


def test_a_broken_newest_version_is_passed_over_at_the_start(served, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(served.path, base / "6")
    (base / "7").mkdir()
    (base / "7" / "saved_model.pb").write_bytes(b"broken")
    with dev_server(base) as server, Client(server.address) as client:
        told = "\n".join(server.lines)
        assert "Version 7 is passed over" in told
        assert "Version 6 of sfcl answers" in told
        assert len(client.predict(image_bytes=[b"x"])["status"]) == 1
        found = requests.get(f"{server.url}/v1/models/sfcl", timeout=20).json()
        states = {s["version"]: s["state"] for s in found["model_version_status"]}
        assert states == {"7": "END", "6": "AVAILABLE"}
    (base / "6" / "saved_model.pb").write_bytes(b"broken")
    with dev_server(base, ready=False) as server:
        assert server.ends(60) == 4
