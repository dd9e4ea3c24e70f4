"""Find the faces of a data set and store them as records.

Every video is decoded once. Frames are evenly spaced, the largest face is followed
through them, and each face is stored with some surroundings at native resolution.
What is prepared already is reused; an interrupted preparation goes on.

  sfcl prepare demo
  sfcl prepare ff_c23 --data-root /data --frames 50
"""

from sfcl_tf.cli import options
from sfcl_tf.quiet import import_tensorflow


def add_arguments(parser):
    """Adds the subcommand's arguments."""
    parser.add_argument("dataset", metavar="CARD", help="data set, such as ff_c23")
    options.add_data(parser)
    options.add_config(parser)


def run(args):
    """Runs the subcommand."""
    from sfcl_tf.cli.data import check_data, prepare_data

    config = options.config(args)
    check_data(args, config.data.dataset, config.data.frames)
    import_tensorflow()
    prepare_data(args, config.data.dataset, config.data.frames)
