"""What is said of records that cannot be read."""

import contextlib
from collections.abc import Iterable, Iterator

import tensorflow as tf

from sfcl_tf.system.errors import DataError

_UNREADABLE = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
)


@contextlib.contextmanager
def explain_read_errors(what: str) -> Iterator[None]:
    """Turns what TensorFlow says of records that it cannot read into a `DataError`.

    Args:
        what: Which records, such as "the split val".

    Raises:
        DataError: It says what to do about it.
    """
    try:
        yield
    except _UNREADABLE as error:
        reason = error.message.strip().splitlines()[0]
        raise DataError(
            f"Expected whole records in {what}. Received: {reason} Run `sfcl check` on "
            "the data set: it names the damaged shard. Remove that file, and `sfcl "
            "prepare` makes it anew."
        ) from error


def readable(dataset: Iterable, what: str) -> Iterator:
    """Yields a dataset's batches; see `explain_read_errors`."""
    batches = iter(dataset)
    while True:
        with explain_read_errors(what):
            try:
                batch = next(batches)
            except StopIteration:
                return
        yield batch
