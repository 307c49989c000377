"""The expressions of Clip B, one after the other, region by region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


def _both(**values: float) -> dict[str, float]:
    return {f"{name}{side}": value for name, value in values.items() for side in ("Left", "Right")}


_NO_LOOK: Final = (0.0, 0.0)

ACTS: Final[tuple[tuple[Mapping[str, float], tuple[float, float]], ...]] = (
    # brows
    ({"browInnerUp": 1.0}, _NO_LOOK),
    (_both(browOuterUp=1.0) | {"browInnerUp": 0.5}, _NO_LOOK),
    (_both(browDown=1.0), _NO_LOOK),
    ({"browOuterUpLeft": 1.0, "browDownRight": 0.5}, _NO_LOOK),
    ({"browOuterUpRight": 1.0, "browDownLeft": 0.5}, _NO_LOOK),
    # eyes
    (_both(eyeWide=1.0), _NO_LOOK),
    (_both(eyeSquint=1.0), _NO_LOOK),
    (_both(eyeBlink=1.0), _NO_LOOK),
    ({"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.5}, _NO_LOOK),
    ({"eyeBlinkRight": 1.0, "cheekSquintRight": 0.5}, _NO_LOOK),
    ({}, (0.50, 0.0)),
    ({}, (-0.50, 0.0)),
    ({}, (0.0, 0.30)),
    ({}, (0.0, -0.38)),
    # cheeks and nose
    ({"cheekPuff": 1.0}, _NO_LOOK),
    (_both(cheekSquint=1.0), _NO_LOOK),
    (_both(noseSneer=1.0), _NO_LOOK),
    ({"noseSneerLeft": 0.9, "mouthUpperUpLeft": 0.5}, _NO_LOOK),
    ({"noseSneerRight": 0.9, "mouthUpperUpRight": 0.5}, _NO_LOOK),
    # jaw
    ({"jawOpen": 0.5}, _NO_LOOK),
    ({"jawOpen": 0.95}, _NO_LOOK),
    ({"jawForward": 1.0}, _NO_LOOK),
    ({"jawLeft": 1.0}, _NO_LOOK),
    ({"jawRight": 1.0}, _NO_LOOK),
    # mouth
    (_both(mouthSmile=1.0), _NO_LOOK),
    ({"mouthSmileLeft": 1.0, "mouthDimpleLeft": 0.4}, _NO_LOOK),
    ({"mouthSmileRight": 1.0, "mouthDimpleRight": 0.4}, _NO_LOOK),
    (_both(mouthFrown=1.0), _NO_LOOK),
    (_both(mouthDimple=1.0), _NO_LOOK),
    (_both(mouthStretch=1.0), _NO_LOOK),
    (_both(mouthPress=1.0), _NO_LOOK),
    ({"mouthPucker": 1.0}, _NO_LOOK),
    ({"mouthFunnel": 1.0}, _NO_LOOK),
    ({"mouthLeft": 1.0}, _NO_LOOK),
    ({"mouthRight": 1.0}, _NO_LOOK),
    ({"mouthRollLower": 1.0, "mouthRollUpper": 0.5}, _NO_LOOK),
    ({"mouthRollUpper": 1.0}, _NO_LOOK),
    ({"mouthShrugLower": 1.0}, _NO_LOOK),
    ({"mouthShrugUpper": 1.0}, _NO_LOOK),
    (_both(mouthUpperUp=1.0), _NO_LOOK),
    (_both(mouthLowerDown=1.0), _NO_LOOK),
    ({"jawOpen": 0.45, "mouthClose": 0.45}, _NO_LOOK),
    ({"jawOpen": 0.35, "tongueOut": 1.0}, _NO_LOOK),
)
"""Weights by name, and where the eyes look: yaw and pitch, radians."""
