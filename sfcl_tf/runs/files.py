"""What the files of a run directory are called, each name once.

```
config.toml, env.json       what was trained, and with what
metrics.jsonl, tb/          how it went, a row an epoch
checkpoints/                from which it goes on
model.keras                 the selected weights
predictions_<name>.csv      scores; `Selection.name` gives the name
results.json, plots/        of the run's own test split; else with _<name>
calibration.json            what a logit is worth
reference.json              what its training faces look like
evaluations.jsonl           what was looked at, and when
report.html                 all of it for a reader
savedmodel/, engines/       for servers, and for other engines
```
"""

CONFIG = "config.toml"
ENVIRONMENT = "env.json"
METRICS = "metrics.jsonl"
TENSORBOARD = "tb"
CHECKPOINTS = "checkpoints"
STATE = "state.json"
"""In `checkpoints/`: which of them is whole."""
LOCK = ".lock"
"""Held by the one process that trains it."""
MODEL = "model.keras"
RESULTS = "results.json"
CALIBRATION = "calibration.json"
REFERENCE = "reference.json"
EVALUATIONS = "evaluations.jsonl"
PLOTS = "plots"
REPORT = "report.html"
SAVED_MODELS = "savedmodel"
ENGINES = "engines"
OWN_TEST = "test"
"""Name of the scores of the whole of a run's own test split."""


def predictions(name: str) -> str:
    """Returns the file of a selection's scores."""
    return f"predictions_{name}.csv"


def results(name: str) -> str:
    """Returns the file of a selection's figures."""
    return RESULTS if name == OWN_TEST else f"results_{name}.json"


def plots(name: str) -> str:
    """Returns the folder of a selection's plots."""
    return PLOTS if name == OWN_TEST else f"{PLOTS}_{name}"
