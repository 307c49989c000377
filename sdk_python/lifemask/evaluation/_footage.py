"""One clip in memory: landmarks of all frames, and their pixels around the face."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError, NoFaceError
from lifemask._progress import no_progress
from lifemask.evaluation._masks import BOXES, Box, ClipMasks, clip_masks
from lifemask.geometry import Camera, open_video
from lifemask.tracking import FaceLandmarker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.tracking import FaceLandmarks

MOST_FRAMES: Final = 3600
"""A longer clip is cut to its first two minutes at 30 frames a second."""

_SURROUNDINGS: Final = 0.12
"""Width, share of the face's extent over the clip, of what is kept around it."""


@dataclass(frozen=True)
class Footage:
    """A clip, cut to where its face is.

    Pixels, masks and cameras of this object refer to the cut pictures; `faces` refers to the
    whole ones, because trackers take the middle of the picture for the camera's axis.

    Attributes:
        path: The file.
        rate_hz: Frames per second.
        times: `(n,)` seconds.
        faces: Landmarks of each frame in whole pictures, None where there is no face.
        masks: Of the cut pictures.
        box: What was kept of the whole pictures.
        pictures: `(n, height, width, 3)` uint8 sRGB on disk, removed with the object.
    """

    path: Path
    rate_hz: float
    times: NDArray[np.float64]
    faces: Sequence[FaceLandmarks | None]
    masks: ClipMasks
    box: Box
    pictures: NDArray[np.uint8]

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.faces)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """`(n,)`, whether a frame shows a whole face."""
        return np.array([one is not None and not one.reaches_border() for one in self.faces])

    def pixels(self, frame: int) -> NDArray[np.float64]:
        """Return the landmarks `(478, 2)` in the cut picture of a frame that has a face."""
        face = self.faces[frame]
        assert face is not None
        return face.pixels.astype(np.float64) - self.box[:2]

    def unit(self, frame: int) -> float:
        """Return the distance of the outer eye corners in the picture, pixels."""
        right, left = self.pixels(frame)[[33, 263]]
        return float(np.linalg.norm(right - left))

    def camera(self, whole: Camera) -> Camera:
        """Return the camera of the cut pictures for one of the whole pictures."""
        left, top, right, bottom = self.box
        x, y = whole.principal_point
        return Camera(right - left, bottom - top, whole.focal, (x - left, y - top))


def read_footage(path: Path, progress: ProgressCallback = no_progress) -> Footage:
    """Read a clip and find the face in each frame.

    Raises:
        VideoError: Not a video.
        NoFaceError: Fewer than half of the frames show a face.
    """
    faces, times, rate = _find_faces(path, progress)
    found = sum(face is not None for face in faces)
    if found == 0:
        raise NoFaceError(
            f"{path.name} shows no face",
            hint="Use a clip of one sharp, evenly lit face that looks at the camera.",
        )
    if found < 0.5 * len(faces):
        raise InputError(
            f"{path.name}: only {found} of {len(faces)} frames show a face",
            hint="Cut the clip to where one face is seen.",
        )
    masks = clip_masks(faces)
    box = _kept(masks)
    return Footage(
        path, rate, np.array(times), faces, _cut(masks, box), box, _pixels(path, box, len(faces))
    )


def photo_footage(path: Path, image: NDArray[np.uint8], face: FaceLandmarks) -> Footage:
    """Return a photo as a clip of one frame."""
    masks = clip_masks([face])
    box = _kept(masks)
    left, top, right, bottom = box
    pictures = np.ascontiguousarray(image[None, top:bottom, left:right])
    return Footage(path, 1.0, np.zeros(1), [face], _cut(masks, box), box, pictures)


def _find_faces(
    path: Path, progress: ProgressCallback
) -> tuple[list[FaceLandmarks | None], list[float], float]:
    faces: list[FaceLandmarks | None] = []
    times = []
    video = open_video(path)
    total = min(max(video.frame_count, 1), MOST_FRAMES)
    with FaceLandmarker() as landmarker:
        for frame in video:
            faces.append(landmarker.track(frame.image, frame.time_seconds))
            times.append(frame.time_seconds)
            progress(f"landmarks of {path.name}", min(1.0, len(faces) / total))
            if len(faces) == MOST_FRAMES:
                break
    return faces, times, video.rate_hz


def _kept(masks: ClipMasks) -> Box:
    """Return a box around all masks and boxes, with some surroundings, inside the picture."""
    boxes = [
        masks.bounds(i) for i, mask in enumerate(masks.faces) if mask is not None and mask.any()
    ]
    boxes += [box for places in masks.boxes for box in places.values()]
    low, high = np.min(boxes, axis=0)[:2], np.max(boxes, axis=0)[2:]
    around = np.ceil(_SURROUNDINGS * (high - low)).astype(int)
    height, width = next(mask.shape for mask in masks.faces if mask is not None)
    left, top = np.maximum(low - around, 0)
    right, bottom = np.minimum(high + around, (width, height))
    return int(left), int(top), int(right), int(bottom)


def _cut(masks: ClipMasks, box: Box) -> ClipMasks:
    left, top, right, bottom = box
    faces = tuple(
        None if mask is None else np.ascontiguousarray(mask[top:bottom, left:right])
        for mask in masks.faces
    )
    boxes = tuple(
        {name: _moved(places[name], left, top) for name in BOXES} if places else {}
        for places in masks.boxes
    )
    return ClipMasks(faces, boxes, masks.sha256)


def _moved(box: Box, left: int, top: int) -> Box:
    return box[0] - left, box[1] - top, box[2] - left, box[3] - top


def _pixels(path: Path, box: Box, count: int) -> NDArray[np.uint8]:
    """Store the cut pictures uncompressed in an unnamed file: clips are larger than memory."""
    left, top, right, bottom = box
    shape = (count, bottom - top, right - left, 3)
    # The mapping keeps the file alive; closing it removes it, also after a crash.
    with tempfile.TemporaryFile(prefix="lifemask-") as file:
        pictures = np.memmap(file, np.uint8, "w+", shape=shape)
    for index, frame in enumerate(open_video(path)):
        if index == count:
            break
        pictures[index] = frame.image[top:bottom, left:right]
    return pictures
