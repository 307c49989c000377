"""What the evaluations of clips and of photos share."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from lifemask._errors import LifemaskError
from lifemask.evaluation._identity import FaceEmbedding
from lifemask.evaluation._lpips import Lpips
from lifemask.evaluation._scores import Judges
from lifemask.tracking import FaceLandmarker, LandmarkShape, interocular_pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.avatar import Avatar
    from lifemask.evaluation._measure import FitMeasurement
    from lifemask.evaluation._scores import Row
    from lifemask.evaluation._states import States

TEXTURE_SIZE: Final = 1024
"""Texels: faces of the footage are a few hundred pixels large."""


@dataclass
class Evaluated:
    """What is known of one input when it is done.

    Attributes:
        document: For `report.json`.
        references: Embeddings of pictures of the person that the avatar was not built from, where
            there are any.
        renders: Embeddings of the avatar in other lights, None where no face was found in one.
        fit: How well the head follows the landmarks; None where the input could not be used.
    """

    document: dict[str, Any]
    references: list[NDArray[np.float64]] = field(default_factory=list)
    renders: list[NDArray[np.float64] | None] = field(default_factory=list)
    fit: FitMeasurement | None = None


class Clock:
    """Adds up the seconds of named steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Time a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[step] = round(self.seconds.get(step, 0.0) + spent, 2)


@contextmanager
def open_judges() -> Iterator[tuple[Judges, dict[str, str]]]:
    """Load the networks that look at pictures.

    Yields:
        The judges, and by network what was not computed and why.

    Raises:
        ModelFileError: The landmarker's model was not found.
    """
    missing: dict[str, str] = {}
    lpips: Lpips | None = None
    embedding: FaceEmbedding | None = None
    try:
        lpips = Lpips()
    except LifemaskError as error:
        missing["lpips"] = f"{error}; {error.hint}"
    try:
        embedding = FaceEmbedding()
    except LifemaskError as error:
        missing["identity"] = f"{error}; {error.hint}"
    with FaceLandmarker() as landmarker:
        yield Judges(landmarker, lpips, embedding), missing


def landmark_units(avatar: Avatar, states: States) -> dict[int, float]:
    """Return the distance of the outer eye corners without yaw, pixels, by frame."""
    shape = LandmarkShape.from_head(avatar.head)
    return {
        index: interocular_pixels(shape.points(one.coefficients), one.pose, states.camera)
        for index, one in states.frames.items()
    }


def prefixed(progress: ProgressCallback, words: str) -> ProgressCallback:
    """Return a callback that says whose stage it is."""
    return lambda stage, share: progress(f"{words}: {stage}", share)


def keep_numbers(
    package: Path,
    avatar: Avatar,
    rows: Sequence[Row],
    about: Mapping[str, float | int | str | bool],
) -> None:
    """Write what was measured of an avatar into its package.

    Args:
        package: The file.
        avatar: As it was read from there.
        rows: What it scored; those without a mode and with a gain are left out.
        about: What was compared.
    """
    metrics: dict[str, float | int | str | bool] = {**avatar.manifest.metrics, **about}
    for row in rows:
        if row.mode and not row.gain:
            word = row.method.removesuffix(" texture")
            place = "evaluation_" + (row.mode if word == "static" else f"{word}_{row.mode}")
            for name in ("psnr", "ssim", "lpips", "sharpness", "identity"):
                if name in row.numbers:
                    metrics[f"{place}_{name}"] = round(row.numbers[name], 4)
    replace(avatar, manifest=replace(avatar.manifest, metrics=metrics)).save(package)
