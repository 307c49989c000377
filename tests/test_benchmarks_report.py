"""The table that benchmarks share."""

from __future__ import annotations

import pytest
from benchmarks import _report
from benchmarks._report import Measurement


@pytest.fixture
def results(tmp_path, monkeypatch):
    path = tmp_path / "RESULTS.md"
    monkeypatch.setattr(_report, "RESULTS", path)
    return path


def test_median_and_spread():
    row = Measurement("work", [float(value) for value in range(11)], "ms", budget=5.0)
    assert row.median == 5.0
    assert row.spread == (1.0, 9.0)
    assert row.within_budget
    assert not Measurement("work", [5.1], "ms", budget=5.0).within_budget


def test_single_value_is_its_own_spread():
    assert Measurement("once", [3.0], "s").spread == (3.0, 3.0)


def test_repeat_counts_only_timed_calls():
    calls = []
    durations = _report.repeat(lambda: calls.append(1), times=3, warm_up=2)
    assert (len(calls), len(durations)) == (5, 3)
    assert all(duration >= 0 for duration in durations)


def test_publish_replaces_its_own_section_only(results):
    _report.publish("Second", [Measurement("b", [2.0], "ms")], remarks="Why.")
    _report.publish("First", [Measurement("a", [1.0], "ms", budget=0.5)])
    _report.publish("Second", [Measurement("b", [1234.5], "ms")])
    text = results.read_text(encoding="utf-8")
    assert text.count("## Second") == 1
    assert text.index("## First") < text.index("## Second")
    assert "| b | 1234 ms |" in text
    assert "| b | 2 ms |" not in text
    assert "**over** 0.5 ms" in text
    assert text.startswith("# Measured speed")
