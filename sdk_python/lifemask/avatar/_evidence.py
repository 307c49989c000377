"""What the inputs of a build show: each photo and each clip on its own, and one identity."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import FaceCutError, InputError, NoFaceError, SeveralFacesError
from lifemask.geometry import Camera, Pose, open_video, read_image
from lifemask.tracking import FaceLandmarks, PhotoFit, fit_photos, select_face

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.avatar._capture_choice import Choice
    from lifemask.avatar._capture_clip import Clip
    from lifemask.avatar._capture_judge import Verdict
    from lifemask.heads import HeadModel
    from lifemask.tracking import FaceChoice, FaceLandmarker

SMALLEST_PHOTO_FACE: Final = 64
"""Pixels; a smaller face has no texture to speak of."""


@dataclass(frozen=True)
class Photo:
    """A photo and the face in it."""

    image: NDArray[np.uint8]
    face: FaceLandmarks


@dataclass(frozen=True)
class Recording:
    """A clip, what its frames are worth, and which of them were chosen."""

    clip: Clip
    verdict: Verdict
    choice: Choice


@dataclass(frozen=True)
class Source:
    """One input of a build.

    Attributes:
        path: The file.
        content: What was observed in it.
    """

    path: Path
    content: Photo | Recording


@dataclass(frozen=True)
class Picture:
    """A photo, or one chosen frame of a clip.

    Attributes:
        source: Number of the input.
        place: Place of the frame among those of the clip; None for a photo.
        face: Landmarks.
        textured: Whether the skin is taken from it.
    """

    source: int
    place: int | None
    face: FaceLandmarks
    textured: bool


def read_photo(path: Path, landmarker: FaceLandmarker, choice: FaceChoice | None) -> Photo:
    """Read a photo and find the face that is meant.

    Raises:
        InputError: See `build`.
    """
    image = read_image(path)
    try:
        face = select_face(landmarker.detect(image), choice)
    except (NoFaceError, SeveralFacesError, FaceCutError) as error:
        raise type(error)(f"{path.name}: {error}", hint=error.hint) from error
    if face.size < SMALLEST_PHOTO_FACE:
        raise InputError(
            f"{path.name}: the face is only {face.size:.0f} pixels large",
            hint=f"Use a picture in which it is larger than {SMALLEST_PHOTO_FACE} pixels.",
        )
    return Photo(image, face)


def chosen_pictures(sources: Sequence[Source]) -> list[Picture]:
    """Return every photo and every chosen frame, in the order of the inputs."""
    pictures = []
    for number, source in enumerate(sources):
        if isinstance(source.content, Photo):
            pictures.append(Picture(number, None, source.content.face, True))
            continue
        clip, choice = source.content.clip, source.content.choice
        pictures += [
            Picture(number, place, clip.face(place), place in choice.texture)
            for place in choice.shape
        ]
    return pictures


def fit_pictures(pictures: Sequence[Picture], model: HeadModel) -> list[PhotoFit]:
    """Fit one identity to all pictures: one focal length for each clip, one for each photo."""
    cameras = [picture.source for picture in pictures]
    return fit_photos([picture.face for picture in pictures], model, cameras=cameras)


def texture_images(
    sources: Sequence[Source], pictures: Sequence[Picture]
) -> list[NDArray[np.uint8]]:
    """Return the pictures that the skin is taken from, at native pixels, in their order."""
    return picture_images(sources, [picture for picture in pictures if picture.textured])


def picture_images(
    sources: Sequence[Source], pictures: Sequence[Picture]
) -> list[NDArray[np.uint8]]:
    """Return pictures at native pixels; they are given in the order of the sources."""
    images: list[NDArray[np.uint8]] = []
    for number, source in enumerate(sources):
        own = [picture for picture in pictures if picture.source == number]
        if isinstance(source.content, Recording):
            places = [picture.place for picture in own if picture.place is not None]
            numbers = [int(source.content.clip.numbers[place]) for place in places]
            images += read_frames(source.path, numbers)
        elif own:
            images.append(source.content.image)
    return images


def read_frames(path: Path, numbers: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Read frames of a clip at native pixels.

    Args:
        path: The clip.
        numbers: Their places in the file, from 0.
    """
    images: dict[int, NDArray[np.uint8]] = {}
    wanted = frozenset(numbers)
    for number, frame in open_video(path).numbered(wanted) if wanted else ():
        images[number] = frame.image
        if len(images) == len(wanted):
            break
    return [images[number] for number in numbers]


def pack_fits(fits: Sequence[PhotoFit]) -> dict[str, NDArray[Any]]:
    """Return fits as arrays, without their landmarks."""
    return {
        "identity": fits[0].identity,
        "coefficients": np.stack([fit.coefficients for fit in fits]),
        "gaze": np.stack([fit.gaze for fit in fits]),
        "rotation": np.stack([fit.pose.rotation for fit in fits]),
        "translation": np.stack([fit.pose.translation for fit in fits]),
        "focal": np.array([fit.camera.focal for fit in fits]),
        "error": np.array([fit.error_interocular for fit in fits]),
        **{f"more.{name}": np.array([getattr(fit, name) for fit in fits]) for name in _more()},
    }


def _more() -> list[str]:
    """Return the fields of a fit that are plain numbers beside those that it always has."""
    return [field.name for field in dataclasses.fields(PhotoFit)][7:]


def unpack_fits(arrays: Mapping[str, NDArray[Any]], pictures: Sequence[Picture]) -> list[PhotoFit]:
    """Rebuild what `pack_fits` gave.

    Raises:
        KeyError: An array is missing.
        ValueError: There are other numbers of fits and pictures.
    """
    if len(arrays["focal"]) != len(pictures):
        raise ValueError("fits of other pictures")
    return [
        PhotoFit(
            arrays["identity"],
            arrays["coefficients"][i],
            arrays["gaze"][i],
            Pose(arrays["rotation"][i], arrays["translation"][i]),
            Camera(picture.face.width, picture.face.height, float(arrays["focal"][i])),
            float(arrays["error"][i]),
            picture.face,
            *(arrays[f"more.{name}"][i].item() for name in _more()),
        )
        for i, picture in enumerate(pictures)
    ]


def pack_record(record: Any) -> dict[str, NDArray[Any]]:
    """Return a dataclass of arrays and of flat mappings as arrays."""
    import json

    packed: dict[str, NDArray[Any]] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            packed[field.name] = value
        elif value is not None:
            packed[f"{field.name}.json"] = np.array(json.dumps(value))
    return packed


def unpack_record(kind: type[Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Rebuild what `pack_record` gave.

    Raises:
        TypeError: The dataclass has other fields.
    """
    import json

    values: dict[str, Any] = {}
    for name, array in arrays.items():
        values[name.removesuffix(".json")] = (
            json.loads(str(array)) if name.endswith(".json") else array
        )
    return kind(**values)
