"""What every benchmark shares: repeating, medians with their spread, and the committed table.

A benchmark is a file `bench_NAME.py` with a function `main()` that measures and calls `publish`.
`python benchmarks/run.py` runs all of them. Numbers are medians; the spread is the 10th to the
90th percentile of the single values, so that one disturbed run shows but does not count.
"""

from __future__ import annotations

import datetime
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
HEADER = """# Measured speed

Written by `python benchmarks/run.py`; each section names the machine it was measured on. Compare
ratios, or numbers from the same machine. Spread: 10th to 90th percentile of single values.
"""


@dataclass(frozen=True)
class Measurement:
    """Several values of the same thing.

    Attributes:
        name: What was measured, such as "photo to avatar".
        values: Single values, at least one, in `unit`.
        unit: Such as "ms".
        budget: Largest median that is acceptable, in `unit`; None where there is no such limit.
    """

    name: str
    values: Sequence[float]
    unit: str
    budget: float | None = None

    @property
    def median(self) -> float:
        """Median of the values."""
        return statistics.median(self.values)

    @property
    def within_budget(self) -> bool:
        """Whether the median keeps the budget; True without one."""
        return self.budget is None or self.median <= self.budget

    @property
    def spread(self) -> tuple[float, float]:
        """10th and 90th percentile of the values."""
        return percentile(self.values, 10), percentile(self.values, 90)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile by linear interpolation between the ordered values.

    Args:
        values: At least one.
        percent: 0 to 100.
    """
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def repeat(
    work: Callable[[], object], *, times: int, warm_up: int = 1, scale: float = 1000.0
) -> list[float]:
    """Time a function several times.

    Args:
        work: Called without arguments.
        times: Timed calls.
        warm_up: Calls before the first timed one, for caches and just-in-time compilers.
        scale: Factor from seconds to the wanted unit; milliseconds when left out.

    Returns:
        One duration for each timed call.
    """
    for _ in range(warm_up):
        work()
    durations = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        durations.append((time.perf_counter() - start) * scale)
    return durations


def publish(section: str, measurements: Sequence[Measurement], *, remarks: str = "") -> None:
    """Print a table and put it into `RESULTS.md`, replacing the section of that name.

    Args:
        section: Heading of the section.
        measurements: Rows of the table.
        remarks: A paragraph below it: how it was measured, what the rows mean.
    """
    text = _render(section, measurements, remarks)
    print(text)
    RESULTS.write_text(_replace_section(_results(), section, text), encoding="utf-8", newline="\n")


def _results() -> str:
    return RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else HEADER


def _render(section: str, measurements: Sequence[Measurement], remarks: str) -> str:
    lines = [f"## {section}", "", machine(), ""]
    lines += ["| what | median | spread | runs | budget |", "| --- | --- | --- | --- | --- |"]
    for row in measurements:
        low, high = row.spread
        budget = "" if row.budget is None else f"{'≤' if row.within_budget else '**over**'} "
        budget += "" if row.budget is None else f"{_number(row.budget)} {row.unit}"
        spread = f"{_number(low)} – {_number(high)}"
        median = f"{_number(row.median)} {row.unit}"
        lines.append(f"| {row.name} | {median} | {spread} | {len(row.values)} | {budget} |")
    return "\n".join([*lines, *(["", remarks] if remarks else [])]) + "\n"


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def _replace_section(results: str, section: str, text: str) -> str:
    parts = re.split(r"^(?=## )", results, flags=re.MULTILINE)
    head, sections = parts[0], {part.splitlines()[0]: part.rstrip() for part in parts[1:]}
    sections[f"## {section}"] = text.rstrip()
    return "\n\n".join([head.rstrip(), *(sections[name] for name in sorted(sections))]) + "\n"


def machine() -> str:
    """Describe this machine, its Python and the day in one line."""
    system = f"{platform.system()} {platform.machine()}"
    python = f"Python {platform.python_version()}"
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"{_processor()}, {os.cpu_count()} cores, {system}, {python}, {day}"


def _processor() -> str:
    if sys.platform == "linux":
        path = Path("/proc/cpuinfo")  # portability: Linux only
        names = re.findall(r"^model name\s*: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return names[0] if names else platform.machine()
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return platform.processor()
