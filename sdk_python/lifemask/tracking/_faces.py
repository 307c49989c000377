"""What a landmarker returns, and choosing the face that is meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from lifemask._errors import FaceCutError, NoFaceError, SeveralFacesError
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.tracking._regions import FACE_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_CUT_TOLERANCE = 0.02
"""Share of the face's size by which landmarks may overshoot the border of the picture."""

FaceChoice = Literal["left", "right", "largest"] | int
"""Which of several faces is meant: leftmost or rightmost in the picture, the largest, or its
number counted from the left of the picture, from 1."""


@dataclass(frozen=True)
class FaceLandmarks:
    """The landmarks of one face in one picture.

    Attributes:
        points: `(478, 3)` float32: x and y in pixels, origin top left, pixel centres at +0.5;
            z is a relative depth in the same scale, smaller is nearer to the camera.
        width: Width of the picture, pixels.
        height: Height of the picture, pixels.
        scores: The landmarker's own guess of the ARKit coefficients, by name, in [0, 1]; empty
            when it has none. MediaPipe gives 51 of the 52: `tongueOut` is missing.
    """

    points: NDArray[np.float32]
    width: int
    height: int
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def pixels(self) -> NDArray[np.float32]:
        """`(478, 2)` pixels."""
        return self.points[:, :2]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the 468 face points, pixels."""
        low = self.pixels[:FACE_POINTS].min(axis=0)
        high = self.pixels[:FACE_POINTS].max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def size(self) -> float:
        """The longer side of the box, pixels."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)

    def reaches_border(self) -> bool:
        """Whether the face reaches over the border of the picture."""
        left, top, right, bottom = self.box
        slack = _CUT_TOLERANCE * self.size
        inside = left >= -slack and top >= -slack
        return not (inside and right <= self.width + slack and bottom <= self.height + slack)


class Landmarker(Protocol):
    """Anything that finds the 478 landmarks; `FaceLandmarker` is the one that ships."""

    def detect(self, image: NDArray[np.uint8]) -> list[FaceLandmarks]:
        """Find all faces in one picture `(height, width, 3)` sRGB, left to right."""
        ...

    def track(self, image: NDArray[np.uint8], time_seconds: float) -> FaceLandmarks | None:
        """Follow one face through pictures given in order of time; None where it is lost."""
        ...

    def close(self) -> None:
        """Release what the landmarker holds; safe to call twice."""
        ...


def measured_channels() -> NDArray[np.bool_]:
    """Return `(52,)` bool: coefficients that can be seen in landmarks (all but `tongueOut`)."""
    return np.array([name != "tongueOut" for name in COEFFICIENT_NAMES])


def select_face(faces: Sequence[FaceLandmarks], choice: FaceChoice | None = None) -> FaceLandmarks:
    """Return the face that is meant.

    Args:
        faces: What `Landmarker.detect` found.
        choice: Needed where there is more than one face.

    Raises:
        NoFaceError: `faces` is empty, or has no face of that number.
        SeveralFacesError: More than one face and no choice.
        FaceCutError: The face reaches over the border of the picture.
    """
    if not faces:
        raise NoFaceError(
            "no face was found in the picture",
            hint="use a picture with one sharp, evenly lit face that looks at the camera",
        )
    if len(faces) > 1 and choice is None:
        raise SeveralFacesError(
            f"{len(faces)} faces were found in the picture",
            hint=f"crop it, or say which one is meant: --face left|right|largest|1..{len(faces)}",
        )
    face = faces[0] if len(faces) == 1 and not isinstance(choice, int) else _pick(faces, choice)
    if face.reaches_border():
        raise FaceCutError(
            "the face reaches over the border of the picture",
            hint="use a picture that shows the whole face with some space around it",
        )
    return face


def parse_face_choice(text: str) -> FaceChoice:
    """Read a choice as people write it: `left`, `right`, `largest` or a number from 1.

    Raises:
        ValueError: It is none of these.
    """
    if text in ("left", "right", "largest"):
        return text
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise ValueError(f"'{text}' is not left, right, largest or a number from 1")


def _pick(faces: Sequence[FaceLandmarks], choice: FaceChoice | None) -> FaceLandmarks:
    ordered = left_to_right(faces)
    if isinstance(choice, int):
        if not 1 <= choice <= len(ordered):
            raise NoFaceError(
                f"there is no face number {choice}; {len(ordered)} were found",
                hint="faces are counted from 1, from the left of the picture",
            )
        return ordered[choice - 1]
    if choice == "largest":
        return max(ordered, key=lambda face: face.size)
    return ordered[-1 if choice == "right" else 0]


def left_to_right(faces: Sequence[FaceLandmarks]) -> list[FaceLandmarks]:
    """Return the faces in the order of their left edges in the picture."""
    return sorted(faces, key=lambda face: face.box[0])


def nearest_face(faces: Sequence[FaceLandmarks], last: FaceLandmarks) -> FaceLandmarks:
    """Return the face whose box overlaps most with that of a face seen before."""
    return max(faces, key=lambda face: overlap(face, last))


def overlap(first: FaceLandmarks, second: FaceLandmarks) -> float:
    """Return the intersection over union of two faces' boxes."""
    a, b = first.box, second.box
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)
