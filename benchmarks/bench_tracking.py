"""How long it takes to find landmarks, to solve one frame and to get to know a person."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
from _report import Measurement, publish, repeat

import lifemask
from lifemask.geometry import open_video, read_image
from lifemask.heads import load_head_model
from lifemask.tracking import (
    FaceLandmarker,
    FaceLandmarks,
    FrameSolver,
    fit_performer,
    fit_photo,
    select_face,
)

BUDGET_MILLISECONDS = 20.0
FRAMES = 150
PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"
CLIP = Path(__file__).resolve().parents[2] / "shared" / "data" / "clips" / "d9.mp4"


def main() -> None:
    """Measure and publish."""
    images = _images()
    portrait = read_image(PORTRAIT)
    with FaceLandmarker() as landmarker:
        landmarks, faces = _track(landmarker, images)
        detect = repeat(lambda: landmarker.detect(portrait), times=20)
        photo = select_face(landmarker.detect(portrait))
    solve = _solve(faces)
    both = [first + second for first, second in zip(landmarks, solve, strict=True)]
    model = load_head_model().landmark_model()
    rows = [
        Measurement("landmarks of one video frame", landmarks, "ms"),
        Measurement("solving one frame", solve, "ms"),
        Measurement("both, a live frame", both, "ms", BUDGET_MILLISECONDS),
        Measurement("landmarks of a photo of 1024²", detect, "ms"),
        Measurement("fitting one photo", repeat(lambda: fit_photo(photo, model), times=10), "ms"),
        Measurement(
            "fitting 24 key frames",
            repeat(lambda: fit_performer(faces, model=model), times=5, scale=1.0),
            "s",
        ),
    ]
    remarks = (
        f"{len(images)} frames of {images[0].shape[1]} × {images[0].shape[0]} pixels, "
        + ("a talking person" if CLIP.is_file() else "the demo portrait moved about")
        + "; decoding is not counted. The solver stays on one thread."
    )
    publish("Tracking", rows, remarks=remarks)


def _images() -> list[np.ndarray]:
    if CLIP.is_file():
        return [frame.image for frame in itertools.islice(open_video(CLIP), FRAMES)]
    portrait = read_image(PORTRAIT)[::2, ::2]
    shifts = (20 * np.sin(np.arange(FRAMES) / 9)).astype(int)
    return [np.roll(portrait, shift, axis=1) for shift in shifts]


def _track(
    landmarker: FaceLandmarker, images: list[np.ndarray]
) -> tuple[list[float], list[FaceLandmarks]]:
    """Return milliseconds and landmarks of each frame after a first one that is not counted."""
    landmarker.track(images[0], 0.0)
    durations, faces = [], []
    for index, image in enumerate(images, start=1):
        start = time.perf_counter()
        face = landmarker.track(image, index / 30)
        durations.append((time.perf_counter() - start) * 1000)
        if face is None:
            raise SystemExit(f"no face in frame {index}")
        faces.append(face)
    return durations, faces


def _solve(faces: list[FaceLandmarks]) -> list[float]:
    performer = fit_performer(faces)
    solver = FrameSolver(performer.shape, performer.camera)
    solver.solve(faces[0])
    durations = []
    for face in faces:
        start = time.perf_counter()
        solver.solve(face)
        durations.append((time.perf_counter() - start) * 1000)
    return durations


if __name__ == "__main__":
    main()
