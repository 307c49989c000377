"""Twenty textures of the eyes, the one with the nearest gaze is shown (paper 004, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.dynamics import GAZE, decode_residual
from lifemask.dynamics._key_fit import weighted_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics import DynamicTexture, TextureSamples

EYES: Final = ("eye_left", "eye_right", "eyeball_left", "eyeball_right")

_COUNT: Final = 20


class GazeTextures:
    """What the frames with similar gaze show beyond what another back-end gives.

    Args:
        samples: Training frames.
        base: Back-end whose output is corrected.
    """

    def __init__(self, samples: TextureSamples, base: DynamicTexture) -> None:
        layout = samples.layout
        inside = np.zeros((layout.size, layout.size), bool)
        for region in layout.regions:
            if region.name in EYES:
                inside[region.window] = region.mask > 0
        self._base, self._index = base, np.flatnonzero(inside.ravel())
        self._unit = (2 * layout.scales()).reshape(-1, 1)[self._index]
        gaze = samples.inputs[:, GAZE]
        self._gaze = gaze[_spread(gaze)]
        beyond = samples.targets.reshape(len(samples), -1, 3)[:, self._index].astype(np.float32)
        for row, inputs in zip(beyond, samples.inputs, strict=True):
            row -= decode_residual(base.evaluate(inputs), layout).reshape(-1, 3)[self._index]
        weights = samples.weights.reshape(len(samples), -1)[:, self._index].astype(np.float32)
        nearest = np.argmin(np.linalg.norm(gaze[:, None] - self._gaze, axis=2), axis=1)
        groups = [np.flatnonzero(nearest == k) for k in range(len(self._gaze))]
        self._textures = [weighted_median(beyond[g], weights[g]) for g in groups]

    def evaluate(self, inputs: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the packed atlas `(size, size, 3)` for an input `(59,)`."""
        result = np.array(self._base.evaluate(inputs))
        nearest = int(np.argmin(np.linalg.norm(self._gaze - inputs[GAZE], axis=1)))
        result.reshape(-1, 3)[self._index] += self._textures[nearest] / self._unit
        return np.clip(result, 0, 1)


def _spread(gaze: NDArray[np.floating]) -> list[int]:
    """Return up to twenty frames whose gaze differs most."""
    chosen = [int(np.argmin(np.linalg.norm(gaze - gaze.mean(axis=0), axis=1)))]
    distance = np.linalg.norm(gaze - gaze[chosen[0]], axis=1)
    while len(chosen) < _COUNT and distance.max() > 0:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(gaze - gaze[chosen[-1]], axis=1))
    return chosen
