"""The 52 ARKit expression coefficients in the order of `EARFaceBlendShape`, and the joints."""

from __future__ import annotations

from typing import Final

COEFFICIENT_NAMES: Final[tuple[str, ...]] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft",
    "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "noseSneerLeft", "noseSneerRight",
    "tongueOut",
)  # fmt: skip
"""Camel-case names, index 0 to 51."""

COEFFICIENT_COUNT: Final = len(COEFFICIENT_NAMES)
COEFFICIENT_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(COEFFICIENT_NAMES)}

JOINT_NAMES: Final[tuple[str, ...]] = ("Root", "Neck", "Head", "Jaw", "EyeLeft", "EyeRight")
"""Order of `Head.joints`; the subject's left is +X."""

JOINT_PARENTS: Final[tuple[int, ...]] = (-1, 0, 1, 2, 2, 2)


def mirrored_name(name: str) -> str:
    """Return the coefficient that the subject's other side uses (itself if it has no side)."""
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side):
            return name.removesuffix(side) + other
    return name
