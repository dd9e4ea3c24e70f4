import csv
import io
import math

import pytest

from sfcl_tf.config import load_config
from sfcl_tf.evaluation.ablation import (
    TABLES,
    spread,
    to_csv,
    to_latex,
    to_markdown,
)

FOUND = {"table3": [[], [0.5], [0.8, 0.9], [0.7, 0.7], [0.99, 0.97]]}
FOUND["table4"] = FOUND["table3"][:4]


def switches(table, label):
    config = load_config(preset="tiny", overrides=["data.dataset=demo"])
    (row,) = [r for r in TABLES[table].rows if TABLES[table].label(r) == label]
    changed = row.config(config, seed=7)
    assert changed.train.seed == 7
    return tuple(getattr(changed.model, n) for n in ("sbcm", "sida", "faae", "hcma"))


@pytest.mark.parametrize(
    ("table", "label", "sbcm_sida_faae_hcma"),
    [
        ("table3", "none", (False, False, False, False)),
        ("table3", "hcmf+sida", (False, True, True, True)),
        ("table3", "sbcm+sida", (True, True, False, False)),
        ("table3", "sbcm+hcmf", (True, False, True, True)),
        ("table3", "sbcm+hcmf+sida", (True, True, True, True)),
        ("table4", "none", (True, True, False, False)),
        ("table4", "faae", (True, True, True, False)),
        ("table4", "hcma", (True, True, False, True)),
        ("table4", "faae+hcma", (True, True, True, True)),
    ],
)
def test_a_row_is_built_as_its_marks_say(table, label, sbcm_sida_faae_hcma):
    assert switches(table, label) == sbcm_sida_faae_hcma


def test_spread_is_that_of_a_sample():
    mean, std = spread([0.8, 0.9])
    assert mean == pytest.approx(0.85)
    assert std == pytest.approx(0.1 / math.sqrt(2))
    assert math.isnan(spread([0.8])[1])
    assert math.isnan(spread([])[0])


@pytest.mark.parametrize("name", TABLES)
def test_all_formats_say_the_same(name):
    table, found = TABLES[name], FOUND[name]
    markdown = to_markdown(table, found, "On noise.")
    rows = [line for line in markdown.splitlines() if line.startswith("| ")][2:]
    latex = [x for x in to_latex(table, found, "On noise.").splitlines() if "&" in x][
        1:
    ]
    records = list(csv.DictReader(io.StringIO(to_csv(table, found))))
    assert len(rows) == len(latex) == len(records) == len(table.rows)
    for row, told, tex, record in zip(table.rows, rows, latex, records, strict=True):
        cells = [cell.strip() for cell in told.strip("|").split("|")]
        assert [c == "✓" for c in cells[: len(row.marks)]] == list(row.marks)
        assert [c.strip(" \\") for c in tex.split("&")][-4:] == cells[-4:]
        assert float(cells[-1]) == row.paper
        assert int(cells[-2]) == int(record["n"])
        assert float(record["auc_paper"]) == pytest.approx(row.paper / 100)
        if record["n"] != "0":
            assert f"{100 * float(record['auc_mean']):.2f}" == cells[-4]
    assert rows[2].split("|")[-5:-1] == [
        " 85.00 ",
        " 7.07 ",
        " 2 ",
        rows[2].split("|")[-2],
    ]
    assert "n/a" in rows[0]
    assert "On noise." in markdown
