"""A whole small training in a process of its own: `python small_training.py FOLDER`.

Prints a line a batch, `REPLICAS n` at the start and `LOSSES [...]` at the end. More
arguments are settings; `--devices`, `--float64` and `--slow` say how it is run.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from sfcl_tf.system.quiet import import_tensorflow

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import_tensorflow()


def main():
    """Trains, or goes on with what lies in the folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--devices", default="1")
    parser.add_argument("--float64", action="store_true")
    parser.add_argument("--slow", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--frames", type=int, default=4, help="per video")
    parser.add_argument("--records", type=Path, required=True, help="there or made")
    args = parser.parse_intermixed_args()

    import keras
    import numpy as np
    from helpers import small_model
    from small_data import small_config, small_manifest

    from sfcl_tf.inputs.pipeline import InputPipeline
    from sfcl_tf.training import make_strategy, train
    from sfcl_tf.training.cluster import read_cluster

    cluster = read_cluster()
    strategy = make_strategy(args.devices, cluster=cluster, timeout=60)
    print("REPLICAS", strategy.num_replicas_in_sync, flush=True)
    if args.float64:
        keras.config.set_floatx("float64")
    losses = []

    def on_batch(epoch, batch, logs):
        losses.append(logs["loss"])
        print(f"BATCH {epoch} {batch}", flush=True)
        time.sleep(args.slow)

    args.folder.mkdir(exist_ok=True)
    config = small_config(*args.settings)
    result = train(
        config,
        InputPipeline(small_manifest(args.records, args.frames), config),
        args.folder,
        strategy=strategy,
        build=small_model,
        is_chief=cluster.is_chief,
        on_batch=on_batch,
    )
    weights = [np.asarray(w) for w in result.model.get_weights()]
    np.savez(args.folder / f"worker{cluster.index}.npz", *weights)
    print("LOSSES", json.dumps(losses), flush=True)


if __name__ == "__main__":
    main()
