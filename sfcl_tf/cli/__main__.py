"""`python -m sfcl_tf.cli` is `sfcl`."""

import sys

from sfcl_tf.cli import main

if __name__ == "__main__":
    sys.exit(main())
