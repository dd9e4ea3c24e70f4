"""Preparation on a Ray cluster: two nodes, one of which is lost at work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sfcl_tf.catalog.listing import Video
from sfcl_tf.cli import main
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.ray_workers import ray_cluster
from sfcl_tf.records.workers import Task
from sfcl_tf.system.errors import UsageError

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cluster(collection, tmp_path_factory):
    """What `two_nodes` told, and the folder of records that it left."""
    pytest.importorskip("ray")
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc, for a path that differs between processes")
    work = tmp_path_factory.mktemp("cluster")
    importable = os.pathsep.join(map(str, (TESTS, TESTS.parent)))
    done = subprocess.run(
        [sys.executable, TESTS / "two_nodes.py", collection, work],
        env=os.environ
        | {
            "PYTHONPATH": importable,
            "RAY_AUTH_MODE": "disabled",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback alone
        },
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    return json.loads(done.stdout.splitlines()[-1]), work / "records"


def files(folder):
    """Bytes of all that a preparation leaves, but for its report of itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("prepare_report.json", ".lock")
    }


@pytest.mark.slow  # starts a cluster, whose processes import TensorFlow
def test_node_lost_at_work_changes_nothing(cluster, manifest):
    told, records = cluster
    assert 3 < told["lost"] < len(manifest.videos)
    assert files(records / manifest.folder.name) == files(manifest.folder)


@pytest.mark.slow
def test_process_that_dies_or_hangs_costs_its_video_alone(cluster):
    assert cluster[0]["hostile"] == {
        "a": [None, None],
        "deadly": ["crashed", "its process died, exit code 139"],
        "slow": ["timed_out", "not done after 3 s"],
        "b": [None, None],
    }


@pytest.mark.slow
def test_records_that_workers_do_not_see_are_told(cluster):
    told = cluster[0]["records not shared"]
    assert "to be one folder on every machine of the cluster" in told
    assert "--records" in told


@pytest.mark.slow
def test_collection_that_workers_do_not_see_is_told(cluster):
    told = cluster[0]["collection not shared"]
    assert "the collection under the same path on every machine" in told


@pytest.mark.slow
def test_video_that_is_gone_is_one_that_cannot_be_read(cluster):
    assert cluster[0]["gone"] == ["unreadable"]


def test_ray_that_is_missing_is_told_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'pip install "sfcl_tf\[cluster\]"'):
        ray_cluster()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1"])
def test_address_where_nothing_answers_is_told_at_once(copy, tmp_path, capsys, address):
    pytest.importorskip("ray")
    argv = ["prepare", "demo", "--data-root", str(copy.root)]
    argv += ["--records", str(tmp_path / "records")]
    assert main([*argv, "--engine", "ray", "--address", address]) == 2
    assert f"Expected a Ray cluster at `{address}`" in capsys.readouterr().err
    assert not [*tmp_path.rglob("*.tmp")]


def test_address_without_its_engine_is_a_usage_error(capsys):
    assert main(["prepare", "demo", "--address", "local"]) == 2
    assert "Expected --engine ray with --address" in capsys.readouterr().err


def test_records_at_a_url_are_refused(copy):
    pytest.importorskip("ray")
    video = Video("a", copy.clip("train"), "train", 0, "real", ("071",))
    task = Task(video, "s3://bucket/records", Settings(2))
    with pytest.raises(UsageError, match="Mount the bucket on every machine"):
        next(ray_cluster("local")([task]))
