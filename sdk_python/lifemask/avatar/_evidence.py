"""Pictures that an avatar is built from: photos, or the frames of a video that tell most."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import FaceCutError, InputError, NoFaceError, SeveralFacesError
from lifemask.geometry import open_video, read_image
from lifemask.tracking import FaceLandmarker, choose_key_frames, fit_photos, select_face

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    frames: Mapping[int, Sequence[int]] | None = None,
) -> Evidence:
    """Read the inputs, find the face in each and fit one identity to all of them.

    Raises:
        InputError: See `build`.
    """
    limits = frames or {}
    found = []
    with FaceLandmarker() as landmarker:
        for number, path in enumerate(inputs):
            if is_video(path):
                found += _from_video(number, path, limits.get(number), progress)
            else:
                progress(f"find the face in {path.name}", 0.0)
                seen = _the_face(landmarker.detect(read_image(path)), face, path)
                found.append(_Picture(number, path, seen))
                progress(f"find the face in {path.name}", 1.0)
    progress("fit the head", 0.0)
    alone = len(inputs) == 1 and is_video(inputs[0])
    fits = fit_photos([picture.face for picture in found], model, same_camera=alone)
    progress("fit the head", 1.0)
    chosen = _texture_pictures(found, fits)
    return Evidence(fits, _images(found, chosen), [fits[i] for i in chosen])


def is_video(path: Path) -> bool:
    """Whether a file is taken for a video, by its suffix."""
    return path.suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True)
class _Picture:
    """A photo, or one frame of a video."""

    source: int
    path: Path
    face: FaceLandmarks
    frame: int | None = None


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


def _from_video(
    source: int, path: Path, limit: Sequence[int] | None, progress: ProgressCallback
) -> list[_Picture]:
    """Choose frames of a video that tell most about the person, or are calm."""
    found = _follow(path, progress, limit)
    faces = [face for _, face in found]
    keys = sorted({*choose_key_frames(faces, _KEY_FRAMES), *calm_frames(faces)})
    pictures = [
        _Picture(source, path, face, found[i][0]) for i in keys if (face := faces[i]) is not None
    ]
    if not pictures:
        raise NoFaceError(
            f"{path.name}: no face was found in any frame",
            hint="Record one sharp, evenly lit face that looks at the camera.",
        )
    return pictures


def _texture_pictures(pictures: Sequence[_Picture], fits: Sequence[PhotoFit]) -> list[int]:
    """Choose every photo, and of each video its calmest frames."""
    chosen = [i for i, picture in enumerate(pictures) if picture.frame is None]
    for source in dict.fromkeys(one.source for one in pictures if one.frame is not None):
        own = [i for i, picture in enumerate(pictures) if picture.source == source]
        chosen += [own[i] for i in _texture_frames([fits[i] for i in own])]
    return sorted(chosen)


def _images(pictures: Sequence[_Picture], chosen: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Read the chosen pictures at native pixels."""
    images: list[NDArray[np.uint8]] = []
    for _, group in itertools.groupby((pictures[i] for i in chosen), lambda one: one.source):
        own = list(group)
        numbers = [one.frame for one in own if one.frame is not None]
        images += _frames(own[0].path, numbers) if numbers else [read_image(own[0].path)]
    return images


def _follow(
    path: Path, progress: ProgressCallback, limit: Sequence[int] | None = None
) -> list[tuple[int, FaceLandmarks | None]]:
    """Return number and landmarks of the frames, at most `MOST_FRAMES`, spread evenly."""
    found: list[tuple[int, FaceLandmarks | None]] = []
    video = open_video(path)
    stage = f"follow the face in {path.name}"
    with FaceLandmarker() as landmarker:
        wanted = _wanted(video.frame_count, limit)
        total = max(video.frame_count, 1)
        for number, frame in enumerate(video):
            if wanted is not None and number not in wanted:
                continue
            found.append((number, landmarker.track(frame.image, frame.time_seconds)))
            progress(stage, min(number / total, 1.0))
            if wanted is not None and len(found) == len(wanted):
                break
    progress(stage, 1.0)
    return found


def _wanted(count: int, limit: Sequence[int] | None) -> frozenset[int] | None:
    """Return the numbers of the frames to look at; None for all, as many as may be."""
    if limit is None:
        step = -(-count // MOST_FRAMES)
        return frozenset(range(0, count, step)) if step > 1 else None
    numbers = sorted(set(limit))
    return frozenset(numbers[:: max(1, -(-len(numbers) // MOST_FRAMES))])


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
