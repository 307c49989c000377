"""Where a clip's pictures are compared: fixed before any method is run.

The masks come from the footage and the pinned landmarker alone. Neither a head, nor a tracker,
nor a texture has a part in them, so that no improvement of those can move them; reports print
their hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.tracking import FACE_OVAL, REGIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.tracking import FaceLandmarks

MASK_VERSION: Final = 1
"""Part of the hash; rises with any change of the rules below."""

EROSION: Final = 3
"""Pixels that the border of the face is moved inward."""

BOX_MARGIN: Final = 1.3
"""Size of a box in units of the largest extent of its landmarks over the clip."""

BOXES: Final = ("mouth", "eye_left", "eye_right")

_SUBPIXEL_BITS = 4
_LANDMARKS = {
    "mouth": REGIONS["lips"],
    "eye_left": np.sort(REGIONS["eyes"])[np.sort(REGIONS["eyes"]) >= 249],
    "eye_right": np.sort(REGIONS["eyes"])[np.sort(REGIONS["eyes"]) < 249],
}

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels; right and bottom are exclusive."""


@dataclass(frozen=True)
class ClipMasks:
    """The masks of one clip, native pixels, origin top left.

    Attributes:
        faces: `(height, width)` bool by frame: inside the oval of the face, eyes and mouth
            included, hair, ears and neck left out, the border moved inward by `EROSION`. None
            where there was no face.
        boxes: Box by name, see `BOXES`, by frame; empty where there was no face. All boxes of a
            name have the same size but where the picture's border cuts them.
        sha256: Of all masks and boxes.
    """

    faces: tuple[NDArray[np.bool_] | None, ...]
    boxes: tuple[dict[str, Box], ...]
    sha256: str

    def bounds(self, frame: int) -> Box:
        """Return the smallest box around the face of a frame that has one."""
        mask = self.faces[frame]
        assert mask is not None
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    def region(self, frame: int, name: str) -> NDArray[np.bool_]:
        """Return the `"face"`, or the part of a box that lies on the face, `(height, width)`."""
        mask = self.faces[frame]
        assert mask is not None
        if name == "face":
            return mask
        left, top, right, bottom = self.boxes[frame][name]
        inside = np.zeros_like(mask)
        inside[top:bottom, left:right] = mask[top:bottom, left:right]
        return inside

    def share(self, frames: Sequence[int]) -> float:
        """Return the mean share of the pictures that lies inside the face mask."""
        masks = [mask for i in frames if (mask := self.faces[i]) is not None]
        return float(np.mean([mask.mean() for mask in masks]))


def clip_masks(faces: Sequence[FaceLandmarks | None]) -> ClipMasks:
    """Return the masks of a clip.

    Args:
        faces: Landmarks as `FaceLandmarker.track` found them in the whole clip, in order.

    Raises:
        ValueError: No frame has a face.
    """
    seen = [face for face in faces if face is not None]
    if not seen:
        raise ValueError("masks of a clip without a face")
    sizes = {
        name: BOX_MARGIN * np.max([np.ptp(face.pixels[rows], axis=0) for face in seen], axis=0)
        for name, rows in _LANDMARKS.items()
    }
    masks = tuple(None if face is None else face_mask(face) for face in faces)
    boxes = tuple({} if face is None else _boxes(face, sizes) for face in faces)
    return ClipMasks(masks, boxes, _digest(masks, boxes))


def face_mask(face: FaceLandmarks) -> NDArray[np.bool_]:
    """Return the inside of the face's oval, moved inward, `(height, width)`."""
    import cv2

    oval = np.rint((face.pixels[list(FACE_OVAL)] - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    canvas = np.zeros((face.height, face.width), np.uint8)
    cv2.fillPoly(canvas, [oval], 1, cv2.LINE_8, _SUBPIXEL_BITS)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * EROSION + 1, 2 * EROSION + 1))
    return cv2.erode(canvas, disc, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0


def _boxes(face: FaceLandmarks, sizes: dict[str, NDArray[np.float32]]) -> dict[str, Box]:
    found = {}
    for name, rows in _LANDMARKS.items():
        points = face.pixels[rows].astype(np.float64)
        middle = 0.5 * (points.min(axis=0) + points.max(axis=0))
        width, height = np.ceil(sizes[name].astype(np.float64)).astype(int)
        left, top = np.rint(middle - 0.5 * np.array([width, height])).astype(int)
        found[name] = (
            int(np.clip(left, 0, face.width - 1)),
            int(np.clip(top, 0, face.height - 1)),
            int(np.clip(left + width, 1, face.width)),
            int(np.clip(top + height, 1, face.height)),
        )
    return found


def _digest(masks: Sequence[NDArray[np.bool_] | None], boxes: Sequence[dict[str, Box]]) -> str:
    digest = hashlib.sha256(f"masks {MASK_VERSION}".encode())
    for mask, places in zip(masks, boxes, strict=True):
        if mask is None:
            digest.update(b"none")
            continue
        digest.update(np.array(mask.shape, "<i4").tobytes() + np.packbits(mask).tobytes())
        digest.update(np.array([places[name] for name in BOXES], "<i4").tobytes())
    return digest.hexdigest()
