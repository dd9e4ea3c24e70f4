"""A search with small models in a process of its own: `python small_search.py`.

`--role`, `--chief`, `--worker-id` and `--worker-timeout` are those of `sfcl tune`.
Prints `EPOCH trial` after each epoch; the chief prints `TRIALS [...]` and `LOST {...}`.
"""

import argparse
import contextlib
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
    """Plays a part in a search, or searches alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--role", choices=("chief", "worker"))
    parser.add_argument("--chief", default="127.0.0.1:0")
    parser.add_argument("--worker-id", default="")
    parser.add_argument("--worker-timeout", type=float, default=60)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--slow", type=float, default=0, metavar="SECONDS")
    args = parser.parse_args()

    from helpers import small_model
    from small_data import small_config, small_manifest

    from sfcl_tf.tuning.chief import Chief, as_role, await_chief
    from sfcl_tf.tuning.results import read_trials
    from sfcl_tf.tuning.space import Space
    from sfcl_tf.tuning.tuner import Tuner, make_oracle

    def on_epoch(trial, row):
        print("EPOCH", trial, flush=True)
        time.sleep(args.slow)

    config = small_config()
    space = Space({"train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}})
    role = contextlib.nullcontext()
    if args.role:
        role = as_role(args.role, args.chief, args.worker_id)
    with role:
        oracle = make_oracle("random", space, config, args.trials)
        tuner = Tuner(
            oracle,
            space,
            config,
            small_manifest(args.records),
            args.folder,
            build=small_model,
            on_epoch=on_epoch,
        )
        lost = {}
        if args.role == "worker":
            await_chief(args.chief, args.worker_timeout)
        if args.role == "chief":
            chief = Chief(oracle, args.chief, args.worker_timeout)
            chief.serve()
            lost = chief.lost
        else:
            tuner.search()
    if args.role != "worker":
        found = [[t.name, t.status] for t in read_trials(oracle, space)]
        print("TRIALS", json.dumps(found), flush=True)
        print("LOST", json.dumps(lost), flush=True)


if __name__ == "__main__":
    main()
