"""`python train.py --dataset ff_c40` is `sfcl train --dataset ff_c40`."""

import sys

from sfcl_tf.cli import run_and_exit

if __name__ == "__main__":
    run_and_exit(["train", *sys.argv[1:]])
