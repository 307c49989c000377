"""The rows of the target table that footage can answer, judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from lifemask.evaluation._closure import pooled

Verdict = Literal["aim", "must", "missed"]

Found = list[tuple[str, float]]
"""Where a number was measured, and the number."""


@dataclass(frozen=True)
class Target:
    """One row.

    Attributes:
        name: What is measured.
        unit: Of the numbers.
        must: Lowest and highest number that must be kept.
        aim: Lowest and highest number that is aimed at.
        find: Where the numbers lie in the document.
        whole: How several inputs are judged: by the one that keeps the least, or by their mean.
    """

    name: str
    unit: str
    must: tuple[float, float]
    aim: tuple[float, float]
    find: Callable[[dict[str, Any]], Found]
    whole: Literal["worst", "mean"] = "worst"


def judge(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each target that something was measured for.

    Args:
        document: Content of `report.json`; its inputs and people are read.
    """
    rows = []
    for target in TARGETS:
        found = target.find(document)
        if not found:
            continue
        value = _whole(target, [number for _, number in found])
        rows.append(
            {
                "name": target.name,
                "unit": target.unit,
                "value": round(value, 4),
                "judged_by": target.whole,
                "must": _limits(target.must),
                "aim": _limits(target.aim),
                "verdict": _verdict(target, value),
                "found": [[place, round(number, 4)] for place, number in found],
            }
        )
    return rows


def _whole(target: Target, numbers: list[float]) -> float:
    if target.whole == "mean":
        return sum(numbers) / len(numbers)
    low, high = target.aim
    # How far a number is outside of what is aimed at, on either side.
    return max(numbers, key=lambda number: max(low - number, number - high))


def _verdict(target: Target, value: float) -> Verdict:
    if target.aim[0] <= value <= target.aim[1]:
        return "aim"
    return "must" if target.must[0] <= value <= target.must[1] else "missed"


def _limits(pair: tuple[float, float]) -> list[float | None]:
    return [None if abs(limit) == _ANY else limit for limit in pair]


_ANY: Final = 1e9


def _clips(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in document["inputs"]:
        if one["status"] == "evaluated" and one["kind"] == "video":
            yield one


def _fit(document: dict[str, Any]) -> Found:
    return [(one["name"], one["fit"]["error"]["median"]) for one in _clips(document)]


def _rows(document: dict[str, Any], mode: str, key: str) -> Found:
    found: Found = []
    for one in _clips(document):
        for name, split in one["splits"].items():
            for row in split["rows"]:
                wanted = row["method"] == "static texture" and row["mode"] == mode
                if wanted and not row["exposure_gain"] and key in row:
                    found.append((f"{one['name']}, {name}", row[key]))
    return found


def _detected(key: str) -> Callable[[dict[str, Any]], Found]:
    return lambda document: _rows(document, "driven", key)


def _closure(name: str, key: str) -> Callable[[dict[str, Any]], Found]:
    """Return how marks of closed eyes or lips are met in percent, all clips together."""

    def find(document: dict[str, Any]) -> Found:
        found = pooled(document, "tracked", name)
        marked = found.marked if found else 0
        return [(f"{marked} marked", 100.0 * getattr(found, key))] if marked else []

    return find


def _rank(document: dict[str, Any]) -> Found:
    people = document["people"]
    return [(f"{people['people']} people", people["rank_one_percent"])] if people else []


TARGETS: Final[tuple[Target, ...]] = (
    Target("solve on clips, landmarks, in sample", "%", (0, 1.3), (0, 0.9), _fit),
    Target(
        "landmarks detected again on held-out renders, all (driven)",
        "%", (0, 2.5), (0, 1.5), _detected("landmarks_all"),
    ),
    Target(
        "landmarks detected again on held-out renders, lips (driven)",
        "%", (0, 2.5), (0, 2.0), _detected("landmarks_lips"),
    ),
    Target(
        "landmarks detected again on held-out renders, lids (driven)",
        "%", (0, 2.5), (0, 2.0), _detected("landmarks_lids"),
    ),
    Target(
        "sharpness of the static texture over the input (tracked)",
        "", (0.7, 1.2), (0.9, 1.05), lambda document: _rows(document, "tracked", "sharpness"),
    ),
    Target(
        "blinks marked by hand, found (tracked)",
        "%", (90, _ANY), (98, _ANY), _closure("lid gap", "recalled"),
    ),
    Target(
        "blinks that are none (tracked)",
        "%", (0, 10), (0, 2), _closure("lid gap", "false"),
    ),
    Target(
        "lip closure marked by hand, found (tracked)",
        "%", (90, _ANY), (98, _ANY), _closure("lip gap", "recalled"),
    ),
    Target(
        "lip closure that is none (tracked)",
        "%", (0, 10), (0, 2), _closure("lip gap", "false"),
    ),
    Target(
        "identity, rank 1 at ±30° under two new lights", "%", (95, _ANY), (100, _ANY), _rank
    ),
)  # fmt: skip
"""See the target table of the evaluation protocol; limits of methods that do not exist yet stand
there, not here."""
