"""What travels along with a SavedModel in `assets.extra/`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfcl_tf.config import Config, to_toml
from sfcl_tf.evaluation import Calibration
from sfcl_tf.runs import files
from sfcl_tf.runs.format import read_environment
from sfcl_tf.serving.model_card import model_card
from sfcl_tf.serving.names import MODEL_NAME, WARMUP
from sfcl_tf.serving.warmup import warmup_file


def extra_files(
    run_dir: Path,
    config: Config,
    results: Mapping[str, Any],
    model_name: str = MODEL_NAME,
) -> dict[str, bytes]:
    """Returns the files for `assets.extra/`, by name.

    Args:
        run_dir: The run's directory.
        config: Its configuration.
        results: Figures of its test split, or nothing.
        model_name: The name under which the model will be served.

    Returns:
        `config.toml`; `calibration.json` and `reference.json` if the run has them;
        `model_card.md`; the warm-up requests, where tensorflow-serving-api is
        installed.
    """
    known = read_environment(run_dir)
    card = model_card(config, Calibration.read(run_dir), known, results)
    contents = {files.CONFIG: to_toml(config).encode(), "model_card.md": card.encode()}
    for name in (files.CALIBRATION, files.REFERENCE):
        if (run_dir / name).is_file():
            contents[name] = (run_dir / name).read_bytes()
    if requests := warmup_file(model_name):
        contents[WARMUP] = requests
    return contents
