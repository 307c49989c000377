"""The rows of the target table that footage can answer, judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from lifemask.evaluation._closure import pooled
from lifemask.evaluation._methods import ONE_PHOTO, texture_title
from lifemask.evaluation._splits import SPLIT_NAMES

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


def _row(split: dict[str, Any], method: str, mode: str | None) -> dict[str, Any] | None:
    """Return the row of a method without gain; None where it is not in the report."""
    for row in split["rows"]:
        if (row["method"], row["mode"], row["exposure_gain"]) == (method, mode, False):
            return row
    return None


def _best_kind(split: dict[str, Any]) -> str:
    """Return the dynamic texture that a user gets, or static where there is none."""
    kinds = ("network", "linear", "key")
    known = (kind for kind in kinds if _row(split, texture_title(kind), "driven"))
    return next(known, "static")


def _rows(
    document: dict[str, Any], mode: str, key: str, kind: str = "best", only: str | None = None
) -> Found:
    """Return a number of one texture for each clip and split."""
    found: Found = []
    for one in _clips(document):
        for name, split in one["splits"].items():
            wanted = _best_kind(split) if kind == "best" else kind
            row = _row(split, texture_title(wanted), mode)
            if row and key in row and only in (None, name):
                found.append((f"{one['name']}, {name}", row[key]))
    return found


def _detected(key: str) -> Callable[[dict[str, Any]], Found]:
    return lambda document: _rows(document, "driven", key)


def _network(key: str) -> Callable[[dict[str, Any]], Found]:
    return lambda document: _rows(document, "tracked", key, "network", "blocks")


def _over(
    one_row: tuple[str, str | None],
    other_row: tuple[str, str | None],
    keys: tuple[str, ...] = ("psnr",),
    splits: tuple[str, ...] = SPLIT_NAMES,
) -> Callable[[dict[str, Any]], Found]:
    """Return how many dB one row (method, mode) scores over another one, by clip and split."""

    def find(document: dict[str, Any]) -> Found:
        found: Found = []
        for one in _clips(document):
            for name in splits:
                split = one["splits"].get(name, {"rows": ()})
                better, worse = _row(split, *one_row), _row(split, *other_row)
                for key in keys:
                    if better and worse and key in better and key in worse:
                        place = f"{one['name']}, {name}"
                        place += f", {key.removeprefix('psnr_')}" if len(keys) > 1 else ""
                        found.append((place, better[key] - worse[key]))
        return found

    return find


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


_STATIC: Final = texture_title(None)
_NETWORK: Final = texture_title("network")
_BOXES: Final = ("psnr_eyes", "psnr_mouth")

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
        "", (0.7, 1.2), (0.9, 1.05),
        lambda document: _rows(document, "tracked", "sharpness", "static"),
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
    Target(
        "network, blocks (tracked), PSNR", "dB", (33.5, _ANY), (35.4, _ANY),
        _network("psnr"), "mean",
    ),
    Target(
        "network, blocks (tracked), SSIM", "", (0.967, 1), (0.968, 1), _network("ssim"), "mean"
    ),
    Target(
        "network, blocks (tracked), LPIPS", "", (0, 0.034), (0, 0.013), _network("lpips"), "mean"
    ),
    Target(
        "network over static, blocks (tracked)", "dB", (2, _ANY), (2, _ANY),
        _over((_NETWORK, "tracked"), (_STATIC, "tracked"), splits=("blocks",)),
    ),
    Target(
        "network over copy, blocks (tracked)", "dB", (-_ANY, _ANY), (0, _ANY),
        _over((_NETWORK, "tracked"), ("copy", None), splits=("blocks",)),
    ),
    Target(
        "network over static, last 20 % (driven)", "dB", (1.5, _ANY), (1.5, _ANY),
        _over((_NETWORK, "driven"), (_STATIC, "driven"), splits=("last",)),
    ),
    Target(
        "network over copy, last 20 % (driven)", "dB", (-_ANY, _ANY), (0, _ANY),
        _over((_NETWORK, "driven"), ("copy", None), splits=("last",)),
    ),
    Target(
        "network, last 20 %, driven below tracked", "dB", (-_ANY, 1), (-_ANY, 1),
        _over((_NETWORK, "tracked"), (_NETWORK, "driven"), splits=("last",)),
    ),
    Target(
        "eye and mouth boxes, network over static (tracked)", "dB", (3, _ANY), (5, _ANY),
        _over((_NETWORK, "tracked"), (_STATIC, "tracked"), _BOXES),
    ),
    Target(
        "sharpness of the network texture over the input (tracked)", "", (0.7, 1.2), (0.9, 1.05),
        lambda document: _rows(document, "tracked", "sharpness", "network"),
    ),
    Target(
        "linear texture below the network (tracked)", "dB", (-_ANY, 1.5), (-_ANY, 1),
        _over((_NETWORK, "tracked"), (texture_title("linear"), "tracked")),
    ),
    Target(
        "one photo, eye and mouth boxes over deformed neutral (tracked)", "dB",
        (1.5, _ANY), (3.4, _ANY),
        _over(
            (texture_title("key", ONE_PHOTO), "tracked"),
            (texture_title(None, ONE_PHOTO), "tracked"), _BOXES,
        ),
    ),
)  # fmt: skip
"""See the target table of the evaluation protocol."""
