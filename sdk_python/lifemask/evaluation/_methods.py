"""What is compared with held-out frames: baselines that need no avatar, and avatars.

A method is anything with a name that gives a picture for a frame number; it may use training
frames only. Rows of the report are methods in the order in which they are given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from lifemask.evaluation._picture_metrics import psnr
from lifemask.tracking import FACE_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.appearance import ClipLight
    from lifemask.evaluation._drawing import AvatarDrawing
    from lifemask.evaluation._footage import Footage
    from lifemask.evaluation._splits import Split
    from lifemask.evaluation._states import States

COPY_CANDIDATES: Final = 6

ONE_PHOTO: Final = "one photo"
"""What the avatar that is built from a single frame of the clip is called."""


class Method(Protocol):
    """A way to make a frame that was held back.

    Attributes:
        name: Of the row, such as "static texture".
        mode: "tracked" where the tracker saw the test frames, "driven" where only the live path
            did, empty for methods without an avatar.
        gain: Whether the exposure follows the drift measured in training frames.
    """

    name: str
    mode: str
    gain: bool

    def frame(self, index: int) -> NDArray[np.uint8] | None:
        """Return `(height, width, 3)` sRGB in the cut picture, None where there is none."""
        ...


class MeanFrame:
    """The mean of the training frames: what knows nothing about the frame."""

    name, mode, gain = "mean frame", "", False

    def __init__(self, footage: Footage, split: Split) -> None:
        total = np.zeros(footage.pictures.shape[1:], np.float64)
        for index in split.train:
            total += footage.pictures[index]
        self._mean = np.rint(total / len(split.train)).astype(np.uint8)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Return the same picture for every frame."""
        return self._mean


class Copy:
    """The nearest training frame, moved: what a lookup could score at most.

    Six training frames whose landmarks fit best under an affine map are warped by it, and the
    one that comes nearest to the answer is taken: the choice sees the test frame.
    """

    name, mode, gain = "copy", "", False

    def __init__(self, footage: Footage, split: Split) -> None:
        self._footage, self._train = footage, split.train
        points = np.stack([footage.pixels(i)[:FACE_POINTS] for i in split.train])
        self._points = np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2)
        self._solvers = np.linalg.pinv(self._points)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Return the best of six."""
        import cv2

        truth = np.asarray(self._footage.pictures[index])
        height, width = truth.shape[:2]
        inside = self._footage.masks.region(index, "face")
        target = self._footage.pixels(index)[:FACE_POINTS]
        maps = self._solvers @ target
        error = np.linalg.norm(self._points @ maps - target, axis=2).mean(axis=1)
        best, best_score = truth, -1.0
        for place in np.argsort(error, kind="stable")[:COPY_CANDIDATES]:
            source = np.asarray(self._footage.pictures[self._train[place]])
            matrix = _about_pixel_centres(maps[place].T)
            warped = cv2.warpAffine(
                source, matrix, (width, height), flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip
            picture = np.asarray(warped, np.uint8)
            score = psnr(picture, truth, inside)
            if score > best_score:
                best, best_score = picture, score
        return best


class AvatarTexture:
    """The avatar that was built from training frames, with its static or a dynamic texture.

    Args:
        drawing: Of the avatar.
        states: What the head did in each frame.
        light: Of the clip.
        mode: See `Method`.
        gain: See `Method`.
        kind: Of the dynamic texture; the static one when left out.
        of: What the avatar is called, where there are several.
    """

    def __init__(
        self,
        drawing: AvatarDrawing,
        states: States,
        light: ClipLight,
        mode: str,
        *,
        gain: bool = False,
        kind: str | None = None,
        of: str = "",
    ) -> None:
        self.name = texture_title(kind, of)
        self._drawing, self._states, self._light = drawing, states, light
        self._kind = kind
        self.mode, self.gain = mode, gain

    def frame(self, index: int) -> NDArray[np.uint8] | None:
        """Return the avatar over a grey ground."""
        state = self._states.frames.get(index)
        if state is None:
            return None
        drawn = self._drawing.draw(state, self._states, self._kind)
        gain = self._light.gain(index) if self.gain else 1.0
        return self._light.apply(drawn.albedo, drawn.normals, gain)


def texture_title(kind: str | None, of: str = "") -> str:
    """Return the name of an avatar's row, such as "static texture" or "one photo, key texture"."""
    title = f"{kind or 'static'} texture"
    return f"{of}, {title}" if of else title


def _about_pixel_centres(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a map of points with pixel centres at +0.5 into one of OpenCV's whole numbers."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return moved
