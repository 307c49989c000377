"""The quick way: how far the fitted head is from the landmarks, nothing else."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask._errors import ImageError, VideoError
from lifemask._files import write_bytes
from lifemask.evaluation._fit_report import report_page
from lifemask.evaluation._measure import (
    AIM_PERCENT,
    MUST_PERCENT,
    FitMeasurement,
    FittedFrames,
    fit_frames,
    fit_picture,
    measure,
)
from lifemask.evaluation._overlay import landmark_overlay, wireframe_overlay
from lifemask.geometry import open_video, read_image, write_image
from lifemask.heads import load_head_model
from lifemask.tracking import FaceLandmarker, select_face

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.heads import HeadModel
    from lifemask.tracking import FaceChoice, FaceLandmarks

_SHOWN_FRAMES = 4


@dataclass
class _Evaluated:
    """One input with all that the report shows."""

    measurement: FitMeasurement
    errors: NDArray[np.float64]
    pictures: list[tuple[str, str]] = field(default_factory=list)


def evaluate_fits(
    paths: Sequence[Path],
    folder: Path,
    choice: FaceChoice | None,
    progress: ProgressCallback,
    other: HeadModel | None = None,
) -> tuple[list[FitMeasurement], dict[str, Any]]:
    """Fit photos and videos and write `report.json`, `report.html` and pictures.

    Args:
        paths: Photos and videos.
        folder: For what is written.
        choice: Which of several faces.
        progress: Told which stage runs.
        other: Another head model, which is fitted beside the default one.

    Returns:
        One measurement for each input, and what `report.json` holds.

    Raises:
        InputError: An input cannot be used.
    """
    done: list[_Evaluated] = []
    for path in paths:
        with FaceLandmarker() as landmarker:
            done += _evaluate_one(path, folder, landmarker, choice, progress, other)
    measurements = [one.measurement for one in done]
    document = {
        "unit": "percent of the distance between the outer eye corners",
        "must": MUST_PERCENT,
        "aim": AIM_PERCENT,
        "passed": all(one.passed for one in measurements),
        "inputs": [{**asdict(one), "passed": one.passed} for one in measurements],
    }
    page = report_page(
        measurements,
        {one.measurement.name: one.pictures for one in done},
        {one.measurement.name: one.errors for one in done if one.measurement.kind == "video"},
    )
    write_bytes(folder / "report.html", page.encode())
    return measurements, document


def _evaluate_one(
    path: Path,
    folder: Path,
    landmarker: FaceLandmarker,
    choice: FaceChoice | None,
    progress: ProgressCallback,
    other: HeadModel | None,
) -> list[_Evaluated]:
    """Look for the landmarks once, and fit each head model to them."""
    photo = read_photo(path)
    started = time.perf_counter()
    if photo is not None:
        kind, faces = "photo", [select_face(landmarker.detect(photo), choice)]
    else:
        kind, faces = "video", _track(path, landmarker, progress)
    spent = time.perf_counter() - started
    models = [None] if other is None else [None, other]
    done = []
    for model in models:
        title = path.name if model is None else f"{path.name}, {model.meta['id']}"
        progress(f"fit {title}", 0.0)
        started = time.perf_counter()
        alone = faces[0] if kind == "photo" else None
        fitted = fit_picture(alone, model) if alone else fit_frames(faces, model)
        seconds = {"landmarks": spent, "fit": time.perf_counter() - started}
        progress(f"fit {title}", 1.0)
        errors = np.linalg.norm(fitted.errors(), axis=2).mean(axis=1)
        one = _Evaluated(measure(title, kind, fitted, seconds), errors)
        images = {0: photo} if photo is not None else _frames_of(path, _shown(fitted, errors))
        for index, image in images.items():
            one.pictures += _draw(image, index, fitted, folder, path)
        done.append(one)
    return done


def read_photo(path: Path) -> NDArray[np.uint8] | None:
    """Return the picture, or None where the file is a video.

    Raises:
        ImageError: Neither.
    """
    try:
        return read_image(path)
    except ImageError as not_a_picture:
        try:
            open_video(path)
        except VideoError:
            raise not_a_picture from None
        return None


def _track(
    path: Path, landmarker: FaceLandmarker, progress: ProgressCallback
) -> list[FaceLandmarks | None]:
    video = open_video(path)
    total = max(video.frame_count, 1)
    faces = []
    for index, frame in enumerate(video):
        faces.append(landmarker.track(frame.image, frame.time_seconds))
        progress(f"landmarks of {path.name}", min(1.0, (index + 1) / total))
    return faces


def _shown(fitted: FittedFrames, errors: NDArray[np.float64]) -> list[int]:
    """Return frames from the best to the worst."""
    order = np.array(fitted.tracked())[np.argsort(errors, kind="stable")]
    places = np.linspace(0, len(order) - 1, min(_SHOWN_FRAMES, len(order))).round().astype(int)
    return sorted({int(order[place]) for place in places})


def _frames_of(path: Path, wanted: list[int]) -> dict[int, NDArray[np.uint8]]:
    video = enumerate(open_video(path))
    return {index: frame.image for index, frame in video if index in set(wanted)}


def _draw(
    image: NDArray[np.uint8], index: int, fitted: FittedFrames, folder: Path, path: Path
) -> list[tuple[str, str]]:
    solution, face = fitted.solutions[index], fitted.faces[index]
    assert solution is not None and face is not None
    model = fitted.model or load_head_model()
    prefix = path.stem if fitted.model is None else f"{path.stem}-{model.meta['id']}"
    vertices = model.vertices(fitted.identity, solution.coefficients, gaze=solution.gaze)
    drawings = {
        "landmarks": landmark_overlay(image, face.pixels, fitted.pixels(index)),
        "mesh": wireframe_overlay(image, vertices, model.topology, solution.pose, fitted.camera),
    }
    written = []
    for what, drawing in drawings.items():
        name = f"{prefix}-{index:05d}-{what}.jpg"
        write_image(folder / name, drawing)
        caption = f"{what}, frame {index}, error {100 * solution.error_interocular:.2f} %"
        written.append((name, caption))
    return written
