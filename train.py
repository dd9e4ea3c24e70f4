"""`python train.py --dataset ff_c40` is `sfcl train --dataset ff_c40`."""

import sys

from sfcl_tf.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
