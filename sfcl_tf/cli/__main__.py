"""`python -m sfcl_tf.cli` is `sfcl`."""

from sfcl_tf.cli import run_and_exit

if __name__ == "__main__":
    run_and_exit()
