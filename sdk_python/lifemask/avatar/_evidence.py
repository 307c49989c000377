"""Pictures that an avatar is built from: photos, or the frames of a video that tell most."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import FaceCutError, InputError, NoFaceError, SeveralFacesError
from lifemask.geometry import open_video, read_image
from lifemask.tracking import FaceLandmarker, choose_key_frames, fit_photos, select_face

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.heads import HeadModel
    from lifemask.tracking import FaceChoice, FaceLandmarks, PhotoFit

VIDEO_SUFFIXES: Final = frozenset({".mp4", ".webm", ".mov", ".m4v", ".avi", ".mkv"})
MOST_FRAMES: Final = 1800
"""Frames of a video that are looked at, spread evenly; a minute at 30 frames a second."""
_KEY_FRAMES: Final = 24
_CALM_FRAMES: Final = 3
_PARTED: Final = 60.0
"""Unrest of a gap between the lips, in units of the distance of the outer eye corners: lips that
part by a thirtieth of it show what is behind them, which no score of the landmarker tells."""
_BLINK: Final = 3.0
_TOO_RESTLESS: Final = 1.5
"""How much more restless than the calmest frame a frame from the side may be."""
_TURNED: Final = 0.08
"""Shift of the nose against the sides of the face from which a head counts as turned."""
_SMALLEST_FACE: Final = 64
"""Pixels; a smaller face has no texture to speak of."""
_YAW_BINS: Final = ((-0.14, 0.14), (-1.2, -0.14), (0.14, 1.2))


@dataclass(frozen=True)
class Evidence:
    """What the pictures say about one person.

    Attributes:
        fits: One identity and, per picture, pose, camera, expression and gaze; all pictures.
        images: `(h, w, 3)` uint8 sRGB, pictures for the texture.
        texture_fits: Of those pictures.
    """

    fits: list[PhotoFit]
    images: list[NDArray[np.uint8]]
    texture_fits: list[PhotoFit]


def gather_evidence(
    inputs: Sequence[Path],
    model: HeadModel,
    face: FaceChoice | None,
    progress: ProgressCallback,
) -> Evidence:
    """Read the inputs, find the face in each and fit one identity.

    Raises:
        InputError: See `build`.
    """
    videos = [path for path in inputs if path.suffix.lower() in VIDEO_SUFFIXES]
    if videos and len(inputs) > 1:
        raise InputError(
            "a video is built alone, without photos or other videos",
            hint="Give either photos of one person, or one video.",
        )
    if videos:
        return _from_video(videos[0], model, progress)
    return _from_photos(inputs, model, face, progress)


def _from_photos(
    inputs: Sequence[Path],
    model: HeadModel,
    face: FaceChoice | None,
    progress: ProgressCallback,
) -> Evidence:
    images, faces = [], []
    with FaceLandmarker() as landmarker:
        for number, path in enumerate(inputs):
            progress("find the face", number / len(inputs))
            image = read_image(path)
            faces.append(_the_face(landmarker.detect(image), face, path))
            images.append(image)
    progress("find the face", 1.0)
    progress("fit the head", 0.0)
    fits = fit_photos(faces, model, same_camera=False)
    progress("fit the head", 1.0)
    return Evidence(fits, images, fits)


def _the_face(faces: list[FaceLandmarks], choice: FaceChoice | None, path: Path) -> FaceLandmarks:
    try:
        chosen = select_face(faces, choice)
    except (NoFaceError, SeveralFacesError, FaceCutError) as error:
        raise type(error)(f"{path.name}: {error}", hint=error.hint) from error
    if chosen.size < _SMALLEST_FACE:
        raise InputError(
            f"{path.name}: the face is only {chosen.size:.0f} pixels large",
            hint=f"Use a picture in which it is larger than {_SMALLEST_FACE} pixels.",
        )
    return chosen


def _from_video(path: Path, model: HeadModel, progress: ProgressCallback) -> Evidence:
    found = _follow(path, progress)
    numbers = [number for number, _ in found]
    faces = [face for _, face in found]
    keys = sorted({*choose_key_frames(faces, _KEY_FRAMES), *calm_frames(faces)})
    pictures = [face for i in keys if (face := faces[i]) is not None]
    if not pictures:
        raise NoFaceError(
            f"{path.name}: no face was found in any frame",
            hint="Record one sharp, evenly lit face that looks at the camera.",
        )
    progress("fit the head", 0.0)
    fits = fit_photos(pictures, model)
    progress("fit the head", 1.0)
    chosen = _texture_frames(fits)
    wanted = [numbers[keys[i]] for i in chosen]
    return Evidence(fits, _frames(path, wanted), [fits[i] for i in chosen])


def _follow(path: Path, progress: ProgressCallback) -> list[tuple[int, FaceLandmarks | None]]:
    """Return number and landmarks of the frames, at most `MOST_FRAMES`, spread evenly."""
    found: list[tuple[int, FaceLandmarks | None]] = []
    video = open_video(path)
    with FaceLandmarker() as landmarker:
        total = max(video.frame_count, 1)
        step = max(1, -(-total // MOST_FRAMES))
        for number, frame in enumerate(video):
            if number % step == 0 and len(found) < MOST_FRAMES:
                found.append((number, landmarker.track(frame.image, frame.time_seconds)))
                progress("follow the face", min(number / total, 1.0))
    progress("follow the face", 1.0)
    return found


def calm_frames(faces: Sequence[FaceLandmarks | None]) -> list[int]:
    """Choose frames for the texture: eyes open, lips closed, from the front and from both sides.

    Key frames tell most about the shape of a face, and hence show every grimace of the video.

    Args:
        faces: Landmarks of the frames, None where the face was lost.

    Returns:
        Indices into `faces`, at most three for each side, calmest first.
    """
    whole = [i for i, face in enumerate(faces) if face is not None and not face.reaches_border()]
    seen = [(i, face) for i in whole if (face := faces[i]) is not None]
    sides: dict[int, list[tuple[float, int]]] = {-1: [], 0: [], 1: []}
    for i, face in seen:
        turn = _turn(face)
        side = 0 if abs(turn) < _TURNED else int(np.sign(turn))
        sides[side].append((_unrest(face), i))
    return [i for side in sides.values() for _, i in sorted(side)[:_CALM_FRAMES]]


def _turn(face: FaceLandmarks) -> float:
    """Return where the nose lies between the sides of the face: 0 in the middle, 0.5 at one."""
    nose, one, other = face.pixels[[1, 234, 454], 0]
    return float((nose - one) / (other - one) - 0.5) if other != one else 0.5


def _unrest(face: FaceLandmarks) -> float:
    """Return how far a face is from rest; parted lips and closed eyes count most."""
    upper, lower, right, left = face.pixels[[13, 14, 33, 263]]
    parted = float(np.linalg.norm(upper - lower) / np.linalg.norm(right - left))
    return _PARTED * parted + sum(
        score * (_BLINK if name.startswith("eyeBlink") else 1.0)
        for name, score in face.scores.items()
    )


def _texture_frames(fits: Sequence[PhotoFit]) -> list[int]:
    """Choose the calmest frame from the front, from the left and from the right."""
    yaws = np.array([np.arctan2(fit.pose.rotation[0, 2], fit.pose.rotation[2, 2]) for fit in fits])
    unrest = np.array([_unrest(fit.landmarks) for fit in fits])
    calm = unrest <= unrest.min() + _TOO_RESTLESS
    chosen: list[int] = []
    for low, high in _YAW_BINS:
        inside = np.flatnonzero(calm & (yaws >= low) & (yaws < high))
        if len(inside):
            chosen.append(int(inside[np.argmin(unrest[inside])]))
    return chosen or [int(np.argmin(unrest))]


def _frames(path: Path, wanted: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Read frames by their numbers."""
    images: dict[int, NDArray[np.uint8]] = {}
    for number, frame in enumerate(open_video(path)):
        if number in wanted:
            images[number] = frame.image.copy()
        if len(images) == len(set(wanted)):
            break
    return [images[number] for number in wanted]
