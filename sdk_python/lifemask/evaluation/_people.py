"""Whether renders are taken for the right person, among all people at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask.evaluation._identity import NAME, SAME_PERSON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation._session import Evaluated


def rank_one(people: Mapping[str, Evaluated]) -> dict[str, Any] | None:
    """Ask of each render at ±30° under two new lights whose picture lies nearest.

    A person's distance is that of their nearest reference picture: held-out frames of a clip, or
    the photo itself where there is but one. A render in which no face is found counts as wrong.

    Args:
        people: What was found of each input, by its name.

    Returns:
        Numbers for the report; None where fewer than two people have references or nothing was
        embedded.
    """
    known = {name: one.references for name, one in people.items() if one.references}
    asked = {name: one.renders for name, one in people.items() if one.renders and name in known}
    if len(known) < 2 or not asked:
        return None
    rows = [_person(name, renders, known) for name, renders in asked.items()]
    renders = sum(row["renders"] for row in rows)
    return {
        "network": NAME,
        "same_person": SAME_PERSON,
        "people": len(known),
        "renders": renders,
        "rank_one_percent": round(100.0 * sum(row["right"] for row in rows) / renders, 2),
        "rows": rows,
    }


def _person(
    name: str,
    renders: Sequence[NDArray[np.float64] | None],
    known: Mapping[str, Sequence[NDArray[np.float64]]],
) -> dict[str, Any]:
    right, own, others, taken_for = 0, [], [], []
    for render in renders:
        if render is None:
            continue
        far = {other: _nearest(render, pictures) for other, pictures in known.items()}
        nearest = min(far, key=far.__getitem__)
        right += nearest == name
        own.append(far.pop(name))
        others.append(min(far.values()))
        if nearest != name:
            taken_for.append(nearest)
    return {
        "name": name,
        "renders": len(renders),
        "undetected": sum(render is None for render in renders),
        "right": right,
        "distance": round(float(np.mean(own)), 4) if own else None,
        "nearest_other": round(float(np.mean(others)), 4) if others else None,
        "taken_for": sorted(set(taken_for)),
    }


def _nearest(one: NDArray[np.float64], pictures: Sequence[NDArray[np.float64]]) -> float:
    return float(min(np.linalg.norm(one - other) for other in pictures))
