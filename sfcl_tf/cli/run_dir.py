"""Reading a finished run."""

import contextlib
import json

from sfcl_tf.config import read_config
from sfcl_tf.errors import ModelError
from sfcl_tf.quiet import import_tensorflow
from sfcl_tf.run_format import require_format
from sfcl_tf.storage import at_hand, location, reached


@contextlib.contextmanager
def open_run(text: str):
    """Gives a run's place, a local folder that holds it, and a function that saves.

    What changes in the folder is kept at the end, too.

    Raises:
        ModelError: If the place is not a run's, or of another version.
    """
    place = location(text)
    with reached(place):
        found = (place / "config.toml").is_file()
    if not found:
        raise ModelError(
            f"Expected a run's directory. Received: {place}, which has no "
            "config.toml. Runs are made by `sfcl train` below ./runs."
        )
    with at_hand(place, fetch=True) as (run_dir, save):
        require_format(run_dir)
        yield place, run_dir, save


def load_run(run_dir):
    """Returns a run's configuration and its model.

    Raises:
        ModelError: If the folder is not a finished run.
    """
    config = read_config(run_dir / "config.toml")
    import_tensorflow()
    from sfcl_tf.models import load_model

    return config, load_model(run_dir)


def read_history(run_dir) -> list[dict]:
    """Returns the rows of `metrics.jsonl`; none where it is absent."""
    path = run_dir / "metrics.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def read_results(run_dir) -> dict:
    """Returns `results.json`; empty where it is absent."""
    path = run_dir / "results.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def stored_scores(args, run_dir, split):
    """Returns the scores of the whole of a split of the run's own data.

    Args:
        args: The command's, which say where records lie.
        run_dir: The run's directory.
        split: `train`, `val` or `test`.

    Returns:
        The `Predictions`, if they are of the records that are at hand; where none
        are, of those that the run was trained with. Else `None`.
    """
    from sfcl_tf.cli.steps import own_records
    from sfcl_tf.evaluation import Predictions
    from sfcl_tf.evaluation.selection import noted_records, stored

    config = read_config(run_dir / "config.toml")
    if own := own_records(config, args, split):
        return stored(run_dir, split, own.manifest, split, data=config.data)
    path = run_dir / f"predictions_{split}.csv"
    trained = read_environment(run_dir).get("records", {}).get(split)
    if not path.is_file() or trained not in (
        None,
        noted_records(run_dir, split, config.data),
    ):
        return None
    return Predictions.read_csv(path)


def read_environment(run_dir) -> dict:
    """Returns `env.json`; empty where it is absent or damaged."""
    try:
        return json.loads((run_dir / "env.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
