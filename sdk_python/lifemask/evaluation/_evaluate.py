"""The public function `lifemask.evaluate`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask._errors import ImageError, VideoError
from lifemask._files import write_bytes
from lifemask._progress import ProgressCallback, no_progress
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
from lifemask.evaluation._report import report_page
from lifemask.geometry import open_video, read_image, write_image
from lifemask.heads import load_head_model
from lifemask.tracking import FaceLandmarker, select_face

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.tracking import FaceChoice, FaceLandmarks

_SHOWN_FRAMES = 4


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured and wrote.

    Attributes:
        measurements: One for each input.
        json_path: The numbers.
        html_path: The page with the pictures.
    """

    measurements: list[FitMeasurement]
    json_path: Path
    html_path: Path

    @property
    def passed(self) -> bool:
        """Whether every input keeps the limit."""
        return all(one.passed for one in self.measurements)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `report.json`."""
        inputs = [{**asdict(one), "passed": one.passed} for one in self.measurements]
        return {
            "unit": "percent of the distance between the outer eye corners",
            "must": MUST_PERCENT,
            "aim": AIM_PERCENT,
            "passed": self.passed,
            "inputs": inputs,
        }


@dataclass
class _Evaluated:
    """One input with all that the report shows."""

    measurement: FitMeasurement
    errors: NDArray[np.float64]
    pictures: list[tuple[str, str]] = field(default_factory=list)


def evaluate(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    face: FaceChoice | None = None,
    progress: ProgressCallback = no_progress,
) -> Evaluation:
    """Fit photos and videos and measure how far the fitted head is from the landmarks.

    Each input is one person on its own. Writes `report.json`, `report.html` and pictures.

    Args:
        inputs: Photos and video files.
        output: Folder for the report; made where it does not exist.
        face: Which face of a photo is meant where there are several.
        progress: Called as `progress(stage, fraction)`.

    Raises:
        NoFaceError: An input shows no face.
        SeveralFacesError: A photo shows several and `face` is left out.
        FaceCutError: The face in a photo reaches over the border.
        ImageError: An input is neither a photo nor a video.
        ModelFileError: The landmarker's model was not found.
    """
    paths = [Path(inputs)] if isinstance(inputs, str | Path) else [Path(one) for one in inputs]
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    done: list[_Evaluated] = []
    for path in paths:
        with FaceLandmarker() as landmarker:
            done.append(_evaluate_one(path, folder, landmarker, face, progress))
    measurements = [one.measurement for one in done]
    evaluation = Evaluation(measurements, folder / "report.json", folder / "report.html")
    document = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False)
    write_bytes(evaluation.json_path, document.encode())
    page = report_page(
        measurements,
        {one.measurement.name: one.pictures for one in done},
        {one.measurement.name: one.errors for one in done if one.measurement.kind == "video"},
    )
    write_bytes(evaluation.html_path, page.encode())
    return evaluation


def _evaluate_one(
    path: Path,
    folder: Path,
    landmarker: FaceLandmarker,
    choice: FaceChoice | None,
    progress: ProgressCallback,
) -> _Evaluated:
    photo = _photo(path)
    started = time.perf_counter()
    if photo is not None:
        kind, faces = "photo", [select_face(landmarker.detect(photo), choice)]
    else:
        kind, faces = "video", _track(path, landmarker, progress)
    seen = time.perf_counter()
    progress(f"fit {path.name}", 0.0)
    fitted = fit_picture(faces[0]) if kind == "photo" and faces[0] else fit_frames(faces)
    seconds = {"landmarks": seen - started, "fit": time.perf_counter() - seen}
    progress(f"fit {path.name}", 1.0)
    errors = np.linalg.norm(fitted.errors(), axis=2).mean(axis=1)
    one = _Evaluated(measure(path.name, kind, fitted, seconds), errors)
    images = {0: photo} if photo is not None else _frames_of(path, _shown(fitted, errors))
    for index, image in images.items():
        one.pictures += _draw(image, index, fitted, folder, path)
    return one


def _photo(path: Path) -> NDArray[np.uint8] | None:
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
    model = load_head_model()
    vertices = model.vertices(fitted.identity, solution.coefficients, gaze=solution.gaze)
    drawings = {
        "landmarks": landmark_overlay(image, face.pixels, fitted.pixels(index)),
        "mesh": wireframe_overlay(image, vertices, model.topology, solution.pose, fitted.camera),
    }
    written = []
    for what, drawing in drawings.items():
        name = f"{path.stem}-{index:05d}-{what}.jpg"
        write_image(folder / name, drawing)
        caption = f"{what}, frame {index}, error {100 * solution.error_interocular:.2f} %"
        written.append((name, caption))
    return written
