"""Both regression models as one: landmarks, a picture of the face, or both."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.heads import COEFFICIENT_COUNT
from lifemask.rigging._image_regressor import IMAGE_VALIDITY, ImageRegression, face_crop
from lifemask.rigging._regressor import REGRESSION_VALIDITY, BlendshapeRegressor

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from lifemask.tracking import FaceLandmarks

_TRUST: Final = 0.5
"""How far the weights that were fitted on drawings replace one half: on photographs either model
may be the worse one."""

_PAUSE: Final = 0.5
"""Seconds without an answer after which smoothing starts anew."""

_LIVE_SHARES: Final[NDArray[np.float32]] = np.where(
    REGRESSION_VALIDITY | IMAGE_VALIDITY, np.float32(0.5), np.float32(0.0)
)
_LIVE_SHARES.flags.writeable = False


class FaceAnswer(NamedTuple):
    """What the models say about one picture.

    Attributes:
        coefficients: `(52,)` float32 in [0, 1], order `COEFFICIENT_NAMES`.
        gaze: `(4,)` float32 rad: left yaw, left pitch, right yaw, right pitch, head frame.
        validity: `(52,)` bool, whether what was given can show a coefficient at all.
    """

    coefficients: NDArray[np.float32]
    gaze: NDArray[np.float32]
    validity: NDArray[np.bool_]


class FaceRegressor:
    """Estimates coefficients and gaze from landmarks, from a picture of the face, or from both.

    Where both are given, each channel is a weighted mean; the weights were fitted on synthetic
    people that neither model was trained on.

    Args:
        landmark_model: A landmark model, as from `adapt_regressor`; the shipped one when left out.
        image_model: An image model; the shipped one when left out.
        smoothing_ms: Time constant of a causal exponential filter over the answers, which then
            come about as much late; 0 for none. Needs `time_seconds` in `estimate`.

    Raises:
        ModelFileError: A file is no such network.
        MissingExtraError: The package onnxruntime is missing.
        ValueError: A negative time constant.
    """

    def __init__(
        self,
        landmark_model: bytes | str | Path | None = None,
        image_model: bytes | str | Path | None = None,
        *,
        smoothing_ms: float = 0.0,
    ) -> None:
        if not 0.0 <= smoothing_ms < np.inf:
            raise ValueError(f"smoothing_ms is {smoothing_ms}, expected 0 or more")
        self._landmarks = BlendshapeRegressor(landmark_model)
        self._image = ImageRegression(image_model)
        self._shares = image_shares(self._image)
        self._seconds = smoothing_ms / 1000.0
        self._last: tuple[float, FaceAnswer] | None = None

    def calibrate(self, points: ArrayLike | None, crops: NDArray[np.uint8] | None = None) -> None:
        """Remember what this person looks like at rest.

        Args:
            points: `(478, 2)` or `(n, 478, 2)`, or more columns: landmarks of the face without
                expression that looks at the camera; None forgets the person.
            crops: `(n, 128, 128)` uint8 of `face_crop` at the same time; None forgets them.

        Raises:
            ValueError: As for `BlendshapeRegressor.calibrate`.
        """
        self._landmarks.calibrate(points)
        self._image.calibrate(crops)
        self._last = None

    def estimate(
        self,
        points: ArrayLike | None = None,
        crop: NDArray[np.uint8] | None = None,
        *,
        time_seconds: float | None = None,
    ) -> FaceAnswer:
        """Estimate the expression.

        Args:
            points: `(478, 2)` or more columns, landmarks in pixels.
            crop: `(128, 128)` uint8 of `face_crop`.
            time_seconds: When the picture was taken, for smoothing.

        Raises:
            ValueError: Neither landmarks nor a crop, or of a wrong shape; smoothing without time.
        """
        if points is None and crop is None:
            raise ValueError("give landmarks, a crop of the face, or both")
        if self._seconds > 0.0 and time_seconds is None:
            raise ValueError("smoothing needs time_seconds")
        answer = self._answer(points, crop)
        return answer if time_seconds is None else self._smoothed(answer, time_seconds)

    def _answer(self, points: ArrayLike | None, crop: NDArray[np.uint8] | None) -> FaceAnswer:
        if points is None:
            assert crop is not None
            seen = self._image.run(crop)
            return FaceAnswer(seen.coefficients, seen.gaze, IMAGE_VALIDITY)
        told = self._landmarks.estimate(points)
        if crop is None:
            return FaceAnswer(told.coefficients, told.gaze, REGRESSION_VALIDITY)
        seen = self._image.run(crop)
        first = np.concatenate([told.coefficients, told.gaze])
        second = np.concatenate([seen.coefficients, seen.gaze])
        mixed = (first + self._shares * (second - first)).astype(np.float32)
        both = np.asarray(REGRESSION_VALIDITY | IMAGE_VALIDITY)
        return FaceAnswer(mixed[:COEFFICIENT_COUNT], mixed[COEFFICIENT_COUNT:], both)

    def _smoothed(self, answer: FaceAnswer, now: float) -> FaceAnswer:
        if self._seconds > 0.0 and self._last is not None:
            before, last = self._last
            if 0.0 < now - before < _PAUSE:
                share = 1.0 - float(np.exp(-(now - before) / self._seconds))
                coefficients = last.coefficients + share * (answer.coefficients - last.coefficients)
                gaze = last.gaze + share * (answer.gaze - last.gaze)
                answer = FaceAnswer(
                    coefficients.astype(np.float32), gaze.astype(np.float32), answer.validity
                )
        self._last = now, answer
        return answer


def image_shares(model: ImageRegression) -> NDArray[np.float32]:
    """Return the image model's weight `(56,)` in [0, 1] beside landmarks, from its metadata.

    Coefficients first, then gaze. A file without them counts half; what only one of the models
    shows is taken from it alone.
    """
    text = model.metadata.get("landmark_mix")
    shares = np.full(COEFFICIENT_COUNT + 4, 0.5, np.float32)
    if text is not None:
        fitted = np.array(json.loads(text), np.float32).clip(0.0, 1.0)
        shares += np.float32(_TRUST) * (fitted - shares)
    shares[:COEFFICIENT_COUNT][~REGRESSION_VALIDITY] = 1.0
    shares[:COEFFICIENT_COUNT][~IMAGE_VALIDITY] = 0.0
    return shares


class LiveRegression:
    """Mixes the models into what the solver says of live frames.

    For `TrackedPerformance(..., second=LiveRegression())`. Solver and models err in different
    ways, so that their mean is nearer to the truth than either and half as restless;
    `tools/regression/compare.py` prints it as "solver, live, with both".

    Args:
        regressor: The models, calibrated or not; the shipped ones when left out.
    """

    def __init__(self, regressor: FaceRegressor | None = None) -> None:
        self._regressor = regressor or FaceRegressor()

    @property
    def shares(self) -> NDArray[np.float32]:
        """`(52,)` weight of the models in each coefficient."""
        return _LIVE_SHARES

    def __call__(self, image: NDArray[np.uint8], face: FaceLandmarks) -> NDArray[np.float32]:
        """Return coefficients `(52,)` of a face in a picture `(h, w, 3)` uint8 sRGB."""
        crop = face_crop(image, face.points)
        return self._regressor.estimate(face.points, crop).coefficients
