"""Tables 3 and 4: what each part of the model is worth."""

import csv
import dataclasses
import io
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sfcl_tf.runs import files
from sfcl_tf.system.errors import SfclError
from sfcl_tf.system.output import write_text

# Table 3's HCMF is both of Table 4's parts.
_SWITCHES = {
    "SBCM": ("model.sbcm",),
    "HCMF": ("model.faae", "model.hcma"),
    "SIDA": ("model.sida",),
    "FAAE": ("model.faae",),
    "HCMA": ("model.hcma",),
}

_NAMES = {
    "model.sbcm": "sbcm",
    "model.sida": "sida",
    "model.faae": "faae",
    "model.hcma": "hcma",
}


@dataclasses.dataclass(frozen=True)
class Table:
    """One of the paper's ablations.

    Attributes:
        title: What it shows.
        parts: The parts that are switched, in the paper's columns.
        rows: Of each row, which parts are on, and the paper's AUC in %.
        note: What to know of the paper's figures.
    """

    title: str
    parts: tuple[str, ...]
    rows: tuple[tuple[tuple[bool, ...], float], ...]
    note: str = ""


TABLES = {
    "table3": Table(
        "Table 3: SBCM, HCMF and SIDA",
        ("SBCM", "HCMF", "SIDA"),
        (
            ((False, False, False), 97.70),
            ((False, True, True), 99.03),
            ((True, False, True), 98.95),
            ((True, True, False), 97.99),
            ((True, True, True), 99.58),
        ),
    ),
    "table4": Table(
        "Table 4: FAAE and HCMA",
        ("FAAE", "HCMA"),
        (
            ((False, False), 97.70),
            ((True, False), 98.30),
            ((False, True), 99.27),
            ((True, True), 99.58),
        ),
        "The paper's first row is 98.95 in Table 3, where it is the same model, and "
        "97.70 here.",
    ),
}


@dataclasses.dataclass(frozen=True)
class Training:
    """One training of a table: a row with a seed.

    Attributes:
        row: Its place in the table, from 0.
        seed: Of the training.
        name: Of its run directory.
        settings: `section.key=value` of the row.
    """

    row: int
    seed: int
    name: str
    settings: tuple[str, ...]


def plan(table: Table, seeds: Iterable[int]) -> list[Training]:
    """Returns a table's trainings, all rows with the first seed first."""
    trainings = []
    for seed in seeds:
        for row, (states, _) in enumerate(table.rows):
            switches = dict.fromkeys(_NAMES, True)
            for part, on in zip(table.parts, states, strict=True):
                switches |= dict.fromkeys(_SWITCHES[part], on)
            settings = [f"{key}={str(on).lower()}" for key, on in switches.items()]
            # After what is on: both tables share the models that they both have.
            word = "+".join(_NAMES[key] for key, on in switches.items() if on) or "none"
            trainings.append(
                Training(
                    row, seed, f"{word}-seed{seed}", (*settings, f"train.seed={seed}")
                )
            )
    return trainings


def train_in_process(training: Training, folder: Path, options: Sequence[str]) -> dict:
    """Trains and evaluates in a process of its own, whose memory ends with it.

    What was begun goes on, what is finished is only read. Its output goes to
    `<name>.log` in the folder.

    Args:
        training: See `plan`.
        folder: Where its run directory lies.
        options: More of `sfcl train`: data, preset, settings.

    Returns:
        The run's `results.json`.

    Raises:
        SfclError: If it fails; the end of its output is told.
    """
    run_dir = folder / training.name
    results = run_dir / files.RESULTS
    if not results.is_file():
        begun = (run_dir / files.CONFIG).is_file()
        command = [sys.executable, "-m", "sfcl_tf.cli", "train", "--no-export"]
        if begun:
            command += ["--resume", str(run_dir), *_of_data(options)]
        else:
            if run_dir.is_dir() and not any(run_dir.iterdir()):
                run_dir.rmdir()  # of one that was killed before it began
            command += ["--runs", str(folder), "--name", training.name, *options]
            for setting in training.settings:
                command += ["--set", setting]
        log = folder / f"{training.name}.log"
        with log.open("a", encoding="utf-8") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file)  # noqa: S603
            try:
                code = process.wait()
            except KeyboardInterrupt:
                process.wait()  # it was interrupted too, and saves
                raise
        if code:
            last = [x for x in log.read_text("utf-8").splitlines() if x.strip()][-3:]
            raise SfclError(
                f"Expected {training.name} to be trained. Received: exit code {code}; "
                f"{' '.join(last)[-400:]} See {log}."
            )
    return json.loads(results.read_text("utf-8"))


def _of_data(options):
    """Of options, those that a training that goes on takes: where data lies."""
    kept = []
    for name, value in zip(options[::2], options[1::2], strict=True):
        if name in ("--data-root", "--records", "--demo-dir"):
            kept += [name, value]
    return kept


def collect(
    table: Table,
    trainings: Sequence[Training],
    run: Callable[[Training], dict],
    on_done: Callable[[Training, float | None, Exception | None], None],
) -> list[list[float]]:
    """Runs all trainings; one that fails does not stop the others.

    Args:
        table: The table.
        trainings: See `plan`.
        run: Gives a training's `results.json`.
        on_done: Called after each with its frame AUC, or with its error.

    Returns:
        The frame AUCs of each row, of the seeds that were trained.
    """
    aucs: list[list[float]] = [[] for _ in table.rows]
    for training in trainings:
        try:
            auc = run(training)["summary"]["frame"]["auc"]
        except SfclError as error:
            on_done(training, None, error)
            continue
        if auc is not None:
            aucs[training.row].append(auc)
        on_done(training, auc, None)
    return aucs


def write_table(folder: Path, name: str, table: Table, results, setup: str) -> str:
    """Writes a table as Markdown, CSV and LaTeX.

    Args:
        folder: Where `<name>.md`, `.csv` and `.tex` go.
        name: A key of `TABLES`.
        table: The table.
        results: Frame AUCs by row, as `collect` gives them.
        setup: Data, preset and what else to know of how they were trained.

    Returns:
        The Markdown.
    """
    head = [*table.parts, "AUC (%)", "spread", "seeds", "paper (%)"]
    rows = []
    for (states, paper), aucs in zip(table.rows, results, strict=True):
        percents = [100 * auc for auc in aucs]
        mean = f"{statistics.mean(percents):.2f}" if percents else "n/a"
        spread = f"{statistics.stdev(percents):.2f}" if len(percents) > 1 else "n/a"
        rows.append((states, mean, spread, str(len(percents)), f"{paper:.2f}"))
    note = (
        f"{setup} AUC by frame on the test split: mean and standard deviation over "
        "seeds. The paper's column is its own, trained on FaceForensics++ c23. "
        f"{table.note}"
    ).strip()
    marked = [[*("✓" if on else "-" for on in s), *rest] for s, *rest in rows]
    lines = [
        f"# {table.title}",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
        *(f"| {' | '.join(row)} |" for row in marked),
        "",
        note,
        "",
    ]
    text = "\n".join(lines)
    write_text(folder / f"{name}.md", text)

    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*table.parts, "auc_mean", "auc_std", "seeds", "auc_paper", "aucs"])
    for (states, *rest), aucs in zip(rows, results, strict=True):
        writer.writerow([*map(int, states), *rest, " ".join(f"{a:.6f}" for a in aucs)])
    write_text(folder / f"{name}.csv", file.getvalue())
    write_text(folder / f"{name}.tex", _latex(table, head, rows, note))
    return text


def _latex(table, head, rows, note):
    body = []
    for states, mean, spread, seeds, paper in rows:
        marks = [r"$\checkmark$" if on else "--" for on in states]
        value = mean if spread == "n/a" else rf"{mean} $\pm$ {spread}"
        body.append(" & ".join([*marks, value, seeds, paper]) + r" \\")
    columns = "c" * len(table.parts) + "rrr"
    names = [*head[: len(table.parts)], r"AUC (\%)", "seeds", r"paper (\%)"]
    return "\n".join(
        [
            "% " + note,
            r"\begin{tabular}{" + columns + "}",
            r"\hline",
            " & ".join(names) + r" \\",
            r"\hline",
            *body,
            r"\hline",
            r"\end{tabular}",
            "",
        ]
    )
