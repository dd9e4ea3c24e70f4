"""Preparation on a Ray cluster of two nodes here, in a process of its own.

Told the collection and a folder to work in, it prints what came of it as JSON.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import ray
from hostile import Hostile
from ray.cluster_utils import Cluster

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.layouts import list_videos
from sfcl_tf.catalog.listing import Video
from sfcl_tf.records.manifest import Settings
from sfcl_tf.records.prepare import prepare
from sfcl_tf.records.ray_workers import ray_cluster
from sfcl_tf.system.errors import DataError

warnings.simplefilter("error")
NODE = {"num_cpus": 1, "object_store_memory": 100 << 20}
# A node is given up for lost in a second, not in Ray's twenty.
SOON = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 2,
}


def start():
    """Returns the cluster, and the node that is to be lost."""
    cluster = Cluster(
        initialize_head=True,
        head_node_args={**NODE, "include_dashboard": False, "_system_config": SOON},
    )
    return cluster, cluster.add_node(**NODE)


def losing(cluster, node, events):
    """Returns what kills the node at work, once one of its videos may be done."""

    def on_video(now):
        busy = ray._private.state.available_resources_per_node()
        at_work = busy[node.node_id].get("CPU", 0) == 0 if node.node_id in busy else 0
        if now.done > 3 and at_work and "lost" not in events:
            events["lost"] = now.done
            cluster.remove_node(node, allow_graceful=False)

    return on_video


def hostile(address, folder):
    """Returns what became of videos that kill or stop the process beside a worker."""
    tasks = []
    for name in ("a", "deadly", "slow", "b"):
        (folder / name).touch()
        video = Video(name, folder / name, "train", 1, "m", ())
        tasks.append(Hostile(video, folder, Settings(5)))
    return {
        report["video_id"]: [report.get("status"), report.get("reason")]
        for report, _ in ray_cluster(address, timeout=3)(tasks)
    }


def not_shared(address, folder, path):
    """Returns what is said where workers see another folder, or no collection."""
    video = Video("a", path, "train", 1, "m", ())
    try:
        return [*ray_cluster(address)([Hostile(video, folder, Settings(5))])]
    except DataError as error:
        return str(error)


def main(collection, work):
    """Runs all of it, on one cluster, to start it once."""
    cluster, node = start()
    told = {"lost": None}
    events = {}
    try:
        card = load_card("demo")
        prepare(
            card,
            list_videos(card, collection),
            Settings(3),
            records=work / "records",
            engine=ray_cluster(cluster.address),
            on_video=losing(cluster, node, events),
        )
        told |= events
        mine = work / "mine"
        mine.mkdir()
        told["hostile"] = hostile(cluster.address, mine)
        # The workers' directory is that in which the cluster was started.
        os.chdir(mine)
        here = Path("/proc/self/cwd")
        told["records not shared"] = not_shared(cluster.address, here, mine / "a")
        told["collection not shared"] = not_shared(cluster.address, mine, here / "a")
        told["gone"] = [
            report["status"]
            for report, _ in not_shared(cluster.address, mine, mine / "gone")
        ]
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
