"""Three short animation clips that show that a head moves where it was imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask_exporters._glb_builder import GlbBuilder

Pose = dict[str, float]

_REST: Final[Pose] = {}
_BLINK: Final[Pose] = {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}
_SMILE: Final[Pose] = {
    "mouthSmileLeft": 0.9,
    "mouthSmileRight": 0.9,
    "cheekSquintLeft": 0.5,
    "cheekSquintRight": 0.5,
}
_VISEMES: Final[tuple[Pose, ...]] = (
    {"jawOpen": 0.6, "mouthLowerDownLeft": 0.2, "mouthLowerDownRight": 0.2},  # a
    {"jawOpen": 0.3, "mouthStretchLeft": 0.4, "mouthStretchRight": 0.4},  # e
    {"jawOpen": 0.1, "mouthSmileLeft": 0.4, "mouthSmileRight": 0.4},  # i
    {"jawOpen": 0.35, "mouthFunnel": 0.6},  # o
    {"jawOpen": 0.15, "mouthPucker": 0.8},  # u
    {"mouthClose": 0.1, "mouthPressLeft": 0.6, "mouthPressRight": 0.6},  # m
    {
        "jawOpen": 0.08,
        "mouthRollLower": 0.6,
        "mouthUpperUpLeft": 0.2,
        "mouthUpperUpRight": 0.2,
    },  # f
)

CLIPS: Final[dict[str, tuple[tuple[float, Pose], ...]]] = {
    "blink": ((0.0, _REST), (0.08, _BLINK), (0.13, _BLINK), (0.3, _REST)),
    "smile": ((0.0, _REST), (0.5, _SMILE), (1.5, _SMILE), (2.0, _REST)),
    "visemes": (
        (0.0, _REST),
        *((0.25 * (i + 1), pose) for i, pose in enumerate(_VISEMES)),
        (0.25 * (len(_VISEMES) + 1), _REST),
    ),
}
"""Key frames of each clip: seconds and coefficients."""


def add_clips(builder: GlbBuilder, targets_by_node: Mapping[int, Sequence[str]]) -> None:
    """Add every clip; a mesh takes part if it has one of the clip's shapes."""
    for name, keys in CLIPS.items():
        times = np.array([time for time, _ in keys], np.float32)
        tracks = {}
        for node, targets in targets_by_node.items():
            weights = _weights([pose for _, pose in keys], targets)
            if weights.any():
                tracks[node] = builder.add_accessor(weights)
        if tracks:
            builder.add_weight_animation(name, builder.add_accessor(times, bounds=True), tracks)


def _weights(poses: Sequence[Pose], targets: Sequence[str]) -> NDArray[np.float32]:
    """Return the weights of all targets, key after key, as glTF wants them."""
    rows = [[pose.get(target, 0.0) for target in targets] for pose in poses]
    return np.array(rows, np.float32).ravel()
