"""The report: its order, and its way to JSON and back."""

import json
from pathlib import Path

import pytest

from sfcl_tf.check.findings import Finding, Report

FINDINGS = (
    Finding("summary", "info", "Read."),
    Finding("few_frames", "warning", "Few.", "More.", ("a", "b"), {"short": 2}),
    Finding("crf_differs", "error", "Other.", details=("é",)),
    Finding("left_out", "info", "Out."),
)


def report(*findings):
    return Report("mine", "Mine", Path("/data"), None, 3, True, findings)


def test_worst_comes_first_and_the_rest_keeps_its_order():
    codes = [finding.code for finding in report(*FINDINGS).findings]
    assert codes == ["crf_differs", "few_frames", "summary", "left_out"]


def test_one_error_makes_a_collection_unsound():
    assert not report(*FINDINGS).sound
    assert report(*FINDINGS[:2]).sound
    assert report(*FINDINGS).counts == {"error": 1, "warning": 1, "info": 2}


def test_report_survives_json():
    before = report(*FINDINGS)
    values = json.loads(json.dumps(before.to_dict()))
    assert values["schema"] == 1
    assert values["findings"][1]["details"] == ["a", "b"]
    assert Report.from_dict(values) == before
    with pytest.raises(ValueError, match="schema 1"):
        Report.from_dict({**values, "schema": 2})
