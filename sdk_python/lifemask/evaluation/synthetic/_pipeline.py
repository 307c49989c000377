"""The product's own pipeline on synthetic footage: with its detector, and without it."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError
from lifemask.avatar import build, forget
from lifemask.geometry import Camera, open_video, write_image
from lifemask.heads import load_head_model
from lifemask.rigging import MEAN_PUPIL_DISTANCE, personal_head, scale_to_pupil_distance
from lifemask.tracking import (
    FaceLandmarker,
    FaceLandmarks,
    LandmarkShape,
    Performer,
    fit_performer,
    fit_photos,
    solve_clip,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lifemask.avatar import Avatar
    from lifemask.evaluation.synthetic._clip import SyntheticClip
    from lifemask.evaluation.synthetic._truth import Truth
    from lifemask.heads import Head
    from lifemask.tracking import FrameSolution

NOISE: Final = 0.006
"""Standard deviation of projected landmarks' noise, share of the inter-ocular distance."""


def projected(truth: Truth, seed: int) -> list[FaceLandmarks]:
    """Return the head's own landmarks in each frame with white noise: what no detector errs on."""
    rng = np.random.default_rng([seed, 0x2015E])
    width, height = truth.camera.width, truth.camera.height
    rest = truth.head.landmarks(truth.head.neutral)
    faces = []
    for number in range(len(truth)):
        depth = -truth.translations[number, 2]
        unit = truth.camera.focal * float(np.linalg.norm(rest[33] - rest[263])) / depth
        points = np.zeros((478, 3), np.float32)
        points[:, :2] = truth.landmarks(number) + NOISE * unit * rng.standard_normal((478, 2))
        faces.append(FaceLandmarks(points, width, height))
    return faces


def detected(path: Path) -> list[FaceLandmarks | None]:
    """Return what the landmarker finds in each frame of a video."""
    with FaceLandmarker() as landmarker:
        return [landmarker.track(one.image, one.time_seconds) for one in open_video(path)]


def detected_in(clip: SyntheticClip, folder: Path, name: str) -> tuple[Path, FaceLandmarks | None]:
    """Write a portrait as PNG and return its path and what the landmarker finds in it."""
    picture = clip.frame(0)
    path = folder / f"{name}.png"
    write_image(path, picture)
    with FaceLandmarker(max_faces=1) as landmarker:
        faces = landmarker.detect(picture)
    return path, faces[0] if faces else None


def built(paths: Sequence[Path], texture_size: int) -> Avatar:
    """Build an avatar from files as a user does, pupil distance unknown; no stage is kept."""
    name = f"synthetic-{secrets.token_hex(8)}"
    try:
        return build(list(paths), name=name, texture_size=texture_size)
    finally:
        # Builds from photos alone keep nothing.
        with contextlib.suppress(InputError):
            forget(name)


def head_from_photos(faces: Sequence[FaceLandmarks]) -> tuple[Head, Camera]:
    """Fit a head to landmarks of photos by the steps of the build."""
    model = load_head_model()
    fits = fit_photos(faces, model)
    return _finished(model.head(fits[0].identity), fits), fits[0].camera


def head_from_clips(faces: Sequence[FaceLandmarks | None]) -> tuple[Head, Camera]:
    """Fit a head to landmarks of clips by the steps of the build."""
    performer = fit_performer(faces)
    model = load_head_model()
    return _finished(model.head(performer.identity), performer.fits), performer.camera


def _finished(head: Head, fits: Sequence) -> Head:
    from lifemask.rigging import align_to_landmarks

    head = align_to_landmarks(head, fits)
    return personal_head(scale_to_pupil_distance(head, MEAN_PUPIL_DISTANCE))


def tracked(
    faces: Sequence[FaceLandmarks | None], head: Head, camera: Camera, rate_hz: float
) -> list[FrameSolution | None]:
    """Solve a clip with a built head and the focal length of its build."""
    performer = Performer(LandmarkShape.from_head(head), camera)
    return solve_clip(faces, performer, rate_hz=rate_hz)


def focal_of(avatar: Avatar, camera: Camera) -> Camera:
    """Return a camera of the given size with the focal length that the build solved."""
    focal = float(avatar.manifest.metrics["focal_length_px"])
    return Camera(camera.width, camera.height, focal)
