"""Random people in front of random cameras, and the landmarks a detector would report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES, IRIS_FIRST
from lifemask.tracking import LANDMARK_COUNT, blink_scales
from lifemask.tracking._regions import LID_PAIRS_LEFT, LID_PAIRS_RIGHT, LIP_PAIRS
from regression.expressions import draw_expressions
from regression.response import features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import LandmarkModel
    from lifemask.rigging import LandmarkNormalizer
    from regression.response import DetectorResponse

_IRISES: Final = (slice(IRIS_FIRST + 5, IRIS_FIRST + 10), slice(IRIS_FIRST, IRIS_FIRST + 5))
"""Left and right, the order of gaze and eye centres."""

_LIDS: Final = np.concatenate([LID_PAIRS_LEFT, LID_PAIRS_RIGHT])
_BLINKS: Final = [COEFFICIENT_INDEX[f"eyeBlink{side}"] for side in ("Left", "Right")]
_WIDE, _NARROW = 0.025, 0.010
"""Length scales of smooth fields, metres."""

_NARROW_SHARE: Final = 0.2
"""Share of a smooth field's variance that has the narrow scale."""


@dataclass(frozen=True)
class Variation:
    """How far samples stray from the head model. Lengths in metres.

    Attributes:
        identity: Standard deviation of the identity coefficients, which have unit variance.
        person: Smooth differences of a person from the identity modes.
        strength: Logarithmic spread of how far each of a person's shapes goes.
        shape: Smooth relative differences of a person's shapes from the generic ones.
        smooth_noise: Errors that neighbouring landmarks share, beside those of the detector.
        white_noise: Errors that they do not share.
        iris_noise: Errors of a whole iris; closed lids double them.
        constant: Share of people on whom the detector's constant error acts in part. It was
            measured on drawn heads and need not be there in photographs.
        expression: Share of people on whom it follows expressions only part of the way.
        person_error: Factor on what the detector gets wrong about a person.
        calibrated: Share of samples from which the person's own neutral face is taken out.
    """

    identity: float = 1.15
    person: float = 0.0010
    strength: float = 0.15
    shape: float = 0.15
    smooth_noise: float = 0.0005
    white_noise: float = 0.00015
    iris_noise: float = 0.0005
    constant: float = 0.6
    expression: float = 0.7
    person_error: float = 1.0
    calibrated: float = 0.5


class Samples(NamedTuple):
    """Training data.

    Attributes:
        landmarks: `(n, 478, 2)` float32, normalised.
        coefficients: `(n, 52)` float32.
        gaze: `(n, 4)` float32 rad.
    """

    landmarks: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    gaze: NDArray[np.float32]


class _People(NamedTuple):
    """Rows are people; what does not change from picture to picture."""

    neutral: NDArray[np.float32]
    eye_centres: NDArray[np.float32]
    gains: NDArray[np.float32]
    fields: NDArray[np.float32]
    detector_strengths: NDArray[np.float32]
    detector_errors: NDArray[np.float32]
    distance: NDArray[np.float64]

    def rows(self, chosen: NDArray[np.integer]) -> _People:
        return _People(*(part[chosen] for part in self))


class Sampler:
    """Draws samples of a head model.

    Args:
        model: The head at its landmarks.
        normalizer: Applied to every sample.
        response: Errors of the detector; none when left out.
        variation: How far samples stray.
    """

    def __init__(
        self,
        model: LandmarkModel,
        normalizer: LandmarkNormalizer,
        response: DetectorResponse | None = None,
        variation: Variation | None = None,
    ) -> None:
        self._variation = variation or Variation()
        self._normalizer = normalizer
        self._response = response
        self._neutral = model.neutral.astype(np.float32)
        self._identity = _flat(model.identity)
        self._shapes = model.expressions
        self._expressions = _flat(model.expressions)
        self._eyes = model.eye_centres.astype(np.float32)
        self._eye_identity = _flat(model.eye_identity)
        self._fields = [
            smooth_fields(model.neutral, reach) * np.float32(np.sqrt(share))
            for reach, share in ((_WIDE, 1.0 - _NARROW_SHARE), (_NARROW, _NARROW_SHARE))
        ]

    def draw(self, count: int, rng: np.random.Generator) -> Samples:
        """Draw samples.

        Args:
            count: How many.
            rng: Source of chance.
        """
        people = self._people(count, rng)
        coefficients, gaze = draw_expressions(count, rng)
        landmarks = self._see(people, coefficients, gaze, draw_rotations(count, rng), rng)
        known = np.flatnonzero(rng.random(count) < self._variation.calibrated)
        offsets = self._neutral_offsets(people.rows(known), rng)
        landmarks[known] = self._normalizer(_as_pixels(landmarks[known]), offsets)
        return Samples(landmarks, coefficients, gaze)

    def _neutral_offsets(self, people: _People, rng: np.random.Generator) -> NDArray[np.float64]:
        """See each person once more, without expression, nearly from the front."""
        count = len(people.neutral)
        neutral = np.zeros((count, len(self._expressions)), np.float32)
        gaze = np.float32(0.03) * rng.standard_normal((count, 4), np.float32)
        turned = _turns(0.07 * rng.standard_normal((count, 3)))
        distance = people.distance * np.exp(0.1 * rng.standard_normal(count))
        seen = self._see(people._replace(distance=distance), neutral, gaze, turned, rng)
        return self._normalizer.neutral_offset(_as_pixels(seen))

    def _people(self, count: int, rng: np.random.Generator) -> _People:
        v = self._variation
        modes = v.identity * rng.standard_normal((count, len(self._identity)), np.float32)
        own = self._field(rng, count, 3) * v.person * rng.uniform(0.3, 1.7, (count, 1, 1))
        errors = np.zeros((count, 1, 1), np.float32)
        if self._response is not None:
            errors = np.float32(v.person_error) * self._response.person_errors(count, rng)
        neutral = self._neutral + (modes @ self._identity).reshape(-1, LANDMARK_COUNT, 3)
        neutral = (neutral + own).astype(np.float32)
        return _People(
            neutral,
            self._eyes + (modes @ self._eye_identity).reshape(-1, 2, 3),
            self._gains(neutral, rng),
            (1.0 + v.shape * self._field(rng, count, 1)).astype(np.float32),
            self._detector_strengths(count, rng),
            errors,
            np.exp(rng.uniform(np.log(0.28), np.log(2.0), count)),
        )

    def _gains(self, neutral: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """How far each shape goes on each person `(n, 52)`; blinks close the person's eyes."""
        gains = rng.standard_normal((len(neutral), len(self._expressions)))
        gains = np.exp(self._variation.strength * gains).astype(np.float32)
        for row, points in zip(gains, neutral, strict=True):
            scales = blink_scales(points, self._shapes)
            # A closed eye is a closed eye: blinks vary less than other shapes.
            row[_BLINKS] = np.sqrt(row[_BLINKS]) * [scales[COEFFICIENT_NAMES[i]] for i in _BLINKS]
        return gains

    def _detector_strengths(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Factors on the constant, the pose's and the expression's share of the errors."""
        v = self._variation
        strengths = rng.uniform((0.0, 0.2, 0.0), (1.0, 1.1, 1.1), (count, 3))
        strengths *= rng.random((count, 3)) < (v.constant, 1.0, v.expression)
        return strengths.astype(np.float32)

    def _field(self, rng: np.random.Generator, count: int, axes: int) -> NDArray[np.float32]:
        """Smooth noise `(count, 478, axes)` of unit variance."""
        total = np.zeros((count, LANDMARK_COUNT, axes), np.float32)
        for fields in self._fields:
            weights = rng.standard_normal((count, axes, len(fields)), np.float32)
            total += np.swapaxes(weights @ fields, 1, 2)
        return total

    def _see(
        self,
        people: _People,
        coefficients: NDArray[np.float32],
        gaze: NDArray[np.float32],
        rotations: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> NDArray[np.float32]:
        """Return normalised landmarks `(n, 478, 2)` of one picture of each person."""
        moved = ((coefficients * people.gains) @ self._expressions).reshape(-1, LANDMARK_COUNT, 3)
        points = people.neutral + moved * people.fields
        _turn_irises(points, people.eye_centres, gaze)
        at = points @ np.swapaxes(rotations, 1, 2).astype(np.float32)
        at[..., :2] += self._noise(coefficients, rng)
        landmarks = self._normalizer(_project(at, people.distance, rng))
        keep_apart(landmarks)
        if self._response is not None:
            explained = features(rotations, coefficients, gaze)
            strengths = people.detector_strengths
            landmarks += self._response.systematic_errors(explained, strengths)
            landmarks += people.detector_errors
            drawn = self._response.picture_errors(len(landmarks), rng)
            landmarks += strengths[:, 1, None, None] * drawn
        return landmarks

    def _noise(
        self, coefficients: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return errors `(n, 478, 2)` m; some pictures are worse than others."""
        v, count = self._variation, len(coefficients)
        noise = v.smooth_noise * self._field(rng, count, 2)
        noise += v.white_noise * rng.standard_normal(noise.shape, np.float32)
        noise *= np.exp(0.4 * rng.standard_normal((count, 1, 1))).astype(np.float32)
        for iris, blink in zip(_IRISES, _BLINKS, strict=True):
            level = v.iris_noise * (1.0 + coefficients[:, blink])
            noise[:, iris] += (level[:, None] * rng.standard_normal((count, 2)))[:, None]
        return noise


def smooth_fields(points: NDArray[np.floating], reach: float) -> NDArray[np.float32]:
    """Return `(k, n)` fields whose random sums are smooth over `reach` metres, unit variance."""
    squared = np.sum((points[:, None] - points[None]) ** 2, axis=2)
    values, vectors = np.linalg.eigh(np.exp(-0.5 * squared / reach**2))
    kept = values > 1e-2 * values[-1]
    fields = (vectors[:, kept] * np.sqrt(values[kept])).T
    return (fields / np.sqrt(np.sum(fields**2, axis=0))).astype(np.float32)


def draw_rotations(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw head rotations `(count, 3, 3)`.

    Half of the heads turn by anything within 35° to the side, 25° up and down, 20° in the
    picture, half of them a little.
    """
    wide = rng.uniform(-1.0, 1.0, (count, 3)) * np.radians((25.0, 35.0, 20.0))
    small = rng.standard_normal((count, 3)) * np.radians((8.0, 9.0, 5.0))
    return _turns(np.where(rng.random((count, 1)) < 0.5, wide, small))


def keep_apart(points: NDArray[np.float32]) -> None:
    """Stop lids and lips where they meet, in place: a detector never reports them crossed.

    Args:
        points: `(n, 478, 2)` or three columns, the second of which points up.
    """
    for pairs, share in ((_LIDS, 1.0), (LIP_PAIRS, 0.5)):
        upper, lower = points[:, pairs[:, 0], 1], points[:, pairs[:, 1], 1]
        overlap = np.maximum(lower - upper, 0.0)
        points[:, pairs[:, 0], 1] = upper + np.float32(share) * overlap
        points[:, pairs[:, 1], 1] = lower - np.float32(1.0 - share) * overlap


def _as_pixels(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    return landmarks * np.float32([1, -1])


def _flat(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.reshape(len(values), -1).astype(np.float32)


def _project(
    at: NDArray[np.float32], distance: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Project points, about the head joint, from a camera that need not look at the head.

    Args:
        at: `(n, 478, 3)` m, axes of the camera frame.
        distance: `(n,)` m.
        rng: Source of chance.

    Returns:
        `(n, 478, 2)`, x right and y down, in units of the focal length.
    """
    aside = np.tan(0.2 * rng.standard_normal((len(at), 2)).clip(-2, 2)) * distance[:, None]
    depth = distance[:, None].astype(np.float32) - at[..., 2]
    offset = at[..., :2] + aside[:, None].astype(np.float32)
    return offset * np.float32([1, -1]) / depth[..., None]


def _turns(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(n, 3, 3)` of pitch, yaw, roll `(n, 3)` rad, applied in this order."""
    out = np.tile(np.eye(3), (len(angles), 1, 1))
    for axis in range(3):
        cosine, sine = np.cos(angles[:, axis]), np.sin(angles[:, axis])
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.tile(np.eye(3), (len(angles), 1, 1))
        turn[:, i, i] = turn[:, j, j] = cosine
        turn[:, j, i], turn[:, i, j] = sine, -sine
        out = turn @ out
    return out


def _turn_irises(
    points: NDArray[np.float32], centres: NDArray[np.float32], gaze: NDArray[np.floating]
) -> None:
    """Turn the irises about the eye centres, in place."""
    for eye, iris in enumerate(_IRISES):
        yaw, pitch = gaze[:, 2 * eye], gaze[:, 2 * eye + 1]
        turn = _turns(np.stack([-pitch, yaw, np.zeros_like(yaw)], axis=1)).astype(np.float32)
        centre = centres[:, eye, None]
        points[:, iris] = centre + (points[:, iris] - centre) @ np.swapaxes(turn, 1, 2)
