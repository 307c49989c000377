"""How a landmark detector errs: fitted to measurements, then drawn from.

A detector reports a face as it believes faces to be: it follows an expression only part of the
way, slides over the skin as the head turns, and is off by something of its own on every person
and in every picture. A network that is trained on exact landmarks learns patterns finer than
these errors and fails on what a detector really reports.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, COEFFICIENT_NAMES, mirrored_name
from lifemask.tracking import LANDMARK_COUNT, MIRRORED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CONSTANT: Final = slice(0, 1)
POSE: Final = slice(1, 6)
EXPRESSION: Final = slice(6, 6 + COEFFICIENT_COUNT + 4)
"""Columns of `features`."""

MIRRORED_COEFFICIENTS: Final = np.array(
    [COEFFICIENT_INDEX[mirrored_name(name)] for name in COEFFICIENT_NAMES]
)

_RIDGE: Final = 2.0
_PICTURE_MODES: Final = 80
_PERSON_MODES: Final = 24


class Measured(NamedTuple):
    """Errors of a detector on pictures whose landmarks are known.

    Attributes:
        errors: `(n, 478, 2)`, normalised landmarks minus the true ones.
        features: `(n, 62)` of `features`.
        person: `(n,)` number of the person in each picture.
    """

    errors: NDArray[np.floating]
    features: NDArray[np.floating]
    person: NDArray[np.integer]

    def with_mirror_images(self) -> Measured:
        """Return twice as many: each picture also as seen in a mirror."""
        errors = self.errors[:, MIRRORED] * (-1.0, 1.0)
        return Measured(
            np.concatenate([self.errors, errors]),
            np.concatenate([self.features, _mirror_features(self.features)]),
            np.concatenate([self.person, self.person + self.person.max() + 1]),
        )


@dataclass(frozen=True)
class DetectorResponse:
    """Errors in normalised landmarks: what they depend on, and what they scatter by.

    Attributes:
        systematic: `(62, 478, 2)` float32 per unit of each of `features`.
        person_modes: `(k, 478, 2)` float32, times unit normal numbers drawn per person.
        picture_modes: `(k, 478, 2)` float32, the same per picture.
        white: `()` float32, standard deviation of what the picture's modes leave over.
    """

    systematic: NDArray[np.float32]
    person_modes: NDArray[np.float32]
    picture_modes: NDArray[np.float32]
    white: NDArray[np.float32]

    @classmethod
    def fit(cls, measured: Measured) -> DetectorResponse:
        """Ridge regression on the features, then principal components of what is left."""
        a = measured.features.astype(np.float64)
        e = measured.errors.reshape(len(a), -1).astype(np.float64)
        weights = np.linalg.solve(a.T @ a + _RIDGE * np.eye(a.shape[1]), a.T @ e)
        left = e - a @ weights
        people, row = np.unique(measured.person, return_inverse=True)
        means = np.stack([left[row == k].mean(axis=0) for k in range(len(people))])
        left -= means[row]
        modes = _modes(left, _PICTURE_MODES)
        # Principal components of what the modes leave over are nearly alike: white noise.
        rest = np.mean(left**2) - np.mean(np.sum(modes**2, axis=0))
        return cls(
            _fields(weights),
            _fields(_modes(means - means.mean(axis=0), _PERSON_MODES)),
            _fields(modes),
            np.float32(np.sqrt(max(rest, 0.0))),
        )

    @classmethod
    def load(cls, path: Path) -> DetectorResponse:
        """Read a file that `save` wrote."""
        with np.load(path) as archive:
            return cls(**{name: archive[name].astype(np.float32) for name in archive.files})

    def save(self, path: Path) -> None:
        """Write all arrays in half precision."""
        halves = {name: array.astype(np.float16) for name, array in asdict(self).items()}
        np.savez_compressed(path, **halves)

    def systematic_errors(
        self, explained: NDArray[np.floating], strengths: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Return errors `(n, 478, 2)` that go with pose and expression.

        Args:
            explained: `(n, 62)` of `features`.
            strengths: `(n, 3)` factors on the constant, the pose's and the expression's share.
        """
        scaled = np.array(explained, np.float32)
        for column, part in enumerate((CONSTANT, POSE, EXPRESSION)):
            scaled[:, part] *= strengths[:, column, None]
        return (scaled @ self.systematic.reshape(len(self.systematic), -1)).reshape(
            -1, LANDMARK_COUNT, 2
        )

    def person_errors(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw `(count, 478, 2)` that stay the same in all pictures of a person."""
        return _draw(self.person_modes, count, rng)

    def picture_errors(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw `(count, 478, 2)` that differ from picture to picture."""
        errors = _draw(self.picture_modes, count, rng)
        return errors + self.white * rng.standard_normal(errors.shape, np.float32)


def features(
    rotations: NDArray[np.floating],
    coefficients: NDArray[np.floating],
    gaze: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Return what errors depend on, `(n, 62)`.

    One, the view direction in the head frame up to its squares, coefficients and gaze.

    Args:
        rotations: `(n, 3, 3)` from the head to the camera frame.
        coefficients: `(n, 52)`.
        gaze: `(n, 4)` rad.
    """
    x, y = rotations[:, 2, 0], rotations[:, 2, 1]
    view = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    return np.concatenate([view, coefficients, gaze], axis=1).astype(np.float32)


def _mirror_features(values: NDArray[np.floating]) -> NDArray[np.floating]:
    view = values[:, : EXPRESSION.start] * (1, -1, 1, 1, 1, -1)
    coefficients = values[:, EXPRESSION][:, MIRRORED_COEFFICIENTS]
    gaze = values[:, -4:][:, [2, 3, 0, 1]] * (-1, 1, -1, 1)
    return np.concatenate([view, coefficients, gaze], axis=1)


def _modes(rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return principal components `(count, m)`, each as long as its standard deviation."""
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    return directions[:count] * (sizes[:count, None] / np.sqrt(len(rows)))


def _fields(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return rows.reshape(-1, LANDMARK_COUNT, 2).astype(np.float32)


def _draw(modes: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    weights = rng.standard_normal((count, len(modes)), np.float32)
    return (weights @ modes.reshape(len(modes), -1)).reshape(-1, LANDMARK_COUNT, 2)
