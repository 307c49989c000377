"""Identity, focal length, pose and expression from one or more pictures of one person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import NoFaceError
from lifemask.heads import HeadModel, LandmarkModel
from lifemask.tracking._bundle import Bundle
from lifemask.tracking._projection import interocular_pixels, project
from lifemask.tracking._regions import FACE_POINTS
from lifemask.tracking._settings import SolveSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.geometry import Camera, Pose
    from lifemask.tracking._faces import FaceLandmarks

_ROUNDS = 20


@dataclass(frozen=True)
class PhotoFit:
    """What a picture says about a person.

    Attributes:
        identity: `(n_modes,)` float64, unit variance among adults.
        coefficients: `(52,)` float64 in [0, 1]; `tongueOut` is always 0.
        gaze: `(4,)` float64 rad: left yaw, left pitch, right yaw, right pitch.
        pose: Of the head against the camera.
        camera: Of the picture, with the focal length that was solved.
        error_interocular: Mean distance of the 468 face points from their landmarks, divided by
            the distance of the outer eye corners without yaw.
        landmarks: What was seen.
        weight: Share in [0, 1] with which the picture counted; below one half it is an outlier
            that says little about the person.
        focal_told: Whether perspective told the focal length: a picture of the same camera is
            turned by more than 15° or taken from nearer than half a metre. Otherwise the most
            likely distance decided.
    """

    identity: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    gaze: NDArray[np.float64]
    pose: Pose
    camera: Camera
    error_interocular: float
    landmarks: FaceLandmarks
    weight: float = 1.0
    focal_told: bool = True


def fit_photo(
    landmarks: FaceLandmarks,
    model: HeadModel | LandmarkModel,
    *,
    settings: SolveSettings | None = None,
) -> PhotoFit:
    """Fit identity, focal length, pose, expression and gaze to one picture.

    Args:
        landmarks: Of the face, see `select_face`.
        model: Of the head.
        settings: Weights of the terms.
    """
    return fit_photos([landmarks], model, settings=settings)[0]


def fit_photos(
    pictures: Sequence[FaceLandmarks],
    model: HeadModel | LandmarkModel,
    *,
    settings: SolveSettings | None = None,
    same_camera: bool = True,
    cameras: Sequence[int] | None = None,
) -> list[PhotoFit]:
    """Fit one identity to several pictures, each with its own pose, expression and gaze.

    Gauss-Newton on all unknowns at once: the unknowns of each picture are eliminated (Schur
    complement) with its coefficients kept in [0, 1], the shared ones are solved, and the
    pictures follow; a step that does not lower the energy is halved.

    Args:
        pictures: Landmarks of the same person.
        model: Of the head.
        settings: Weights of the terms.
        same_camera: Whether pictures of equal size share one focal length.
        cameras: Any number for each picture, equal for pictures of one camera with one focal
            length (the frames of a clip); decides instead of `same_camera`.

    Raises:
        NoFaceError: `pictures` is empty.
        ValueError: `cameras` has another length.
    """
    if not pictures:
        raise NoFaceError("there is no picture to fit", hint="give at least one with a face")
    restricted = model.landmark_model() if isinstance(model, HeadModel) else model
    groups = _camera_groups(pictures, same_camera, cameras)
    bundle = Bundle(pictures, restricted, settings or SolveSettings(), groups)
    bundle.solve(_ROUNDS)
    shape = bundle.shape
    return [
        PhotoFit(
            bundle.identity,
            state.coefficients,
            state.gaze,
            state.pose,
            state.camera,
            landmark_error(shape.points(state.coefficients), face.pixels, state.pose, state.camera),
            face,
            state.weight,
            bundle.told[camera],
        )
        for state, face, camera in zip(bundle.states, pictures, groups, strict=True)
    ]


def _camera_groups(
    pictures: Sequence[FaceLandmarks], same_camera: bool, cameras: Sequence[int] | None
) -> list[int]:
    """Return the number of each picture's camera, counted from 0."""
    if cameras is None:
        same = same_camera and len({(face.width, face.height) for face in pictures}) == 1
        return [0] * len(pictures) if same else list(range(len(pictures)))
    if len(cameras) != len(pictures):
        raise ValueError(f"{len(cameras)} cameras for {len(pictures)} pictures")
    # Pictures of another size have another focal length in pixels, whatever took them.
    keys = [(c, face.width, face.height) for c, face in zip(cameras, pictures, strict=True)]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return [numbers[key] for key in keys]


def landmark_error(
    points: NDArray[np.float64], seen: NDArray[np.floating], pose: Pose, camera: Camera
) -> float:
    """Return the mean distance of the 468 face points, share of the inter-ocular distance.

    Args:
        points: `(478, 3)` m, head frame.
        seen: `(478, 2)` pixels; only the face points count.
        pose: Of the head.
        camera: Of the picture.
    """
    drawn = project(pose.apply(points[:FACE_POINTS]), camera).pixels
    distance = np.linalg.norm(drawn - seen[:FACE_POINTS], axis=1)
    return float(distance.mean() / interocular_pixels(points, pose, camera))
