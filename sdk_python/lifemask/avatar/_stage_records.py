"""What the stages of a build hand on: who is shown, and what the head does in each frame."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.avatar._evidence import Picture
    from lifemask.heads import Head
    from lifemask.rigging import ScanFit
    from lifemask.tracking import FaceChoice, FrameSolution, PhotoFit


@dataclass(frozen=True)
class Job:
    """What is to be built.

    Attributes:
        paths: Clips and photos of one person.
        frames: `frames[i]` limits input i to those frames.
        face: Which of several faces is meant.
        texture_size: Texels.
        workers: Processes for the landmarks of long clips; None for as many as there are cores.
        scan: A mesh of the head, which then tells its shape in place of the pictures.
        network: Train a texture network, which takes minutes.
    """

    paths: Sequence[Path]
    frames: Mapping[int, Sequence[int]] = field(default_factory=dict)
    face: FaceChoice | None = None
    texture_size: int = 2048
    workers: int | None = None
    scan: Path | None = None
    network: bool = False


@dataclass(frozen=True)
class Person:
    """Who is shown.

    Attributes:
        pictures: That the shape was found from.
        fits: Of the pictures.
        head: Of the person, in the fits' unknown size.
        scan: The fit to a scan that the head comes from; its size is then known.
        shapes: What the report says of the person's own shapes.
    """

    pictures: Sequence[Picture]
    fits: Sequence[PhotoFit]
    head: Head
    scan: ScanFit | None = None
    shapes: Mapping[str, float | int | str | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """Expression, gaze and pose in every frame of one clip.

    Attributes:
        source: Number of the input.
        times: `(n,)` s.
        coefficients: `(n, 52)` in [0, 1]; NaN where the face was lost, like all the others.
        gaze: `(n, 4)` rad.
        rotation: `(n, 3, 3)` of the head against the camera.
        translation: `(n, 3)` m, in the size of `Person.head`.
        error: `(n,)` landmark error, share of the inter-ocular distance.
    """

    source: int
    times: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    gaze: NDArray[np.float64]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    error: NDArray[np.float64]


def track_of(
    source: int, times: NDArray[np.float64], solved: Sequence[FrameSolution | None]
) -> Track:
    """Return the solutions of one clip's frames as arrays.

    Args:
        source: Number of the input.
        times: `(n,)` s.
        solved: Of each frame, None where the face was lost.
    """
    count = len(times)
    track = Track(
        source,
        times,
        np.full((count, 52), np.nan),
        np.full((count, 4), np.nan),
        np.full((count, 3, 3), np.nan),
        np.full((count, 3), np.nan),
        np.full(count, np.nan),
    )
    for i, solution in enumerate(solved):
        if solution is not None:
            track.coefficients[i] = solution.coefficients
            track.gaze[i] = solution.gaze
            track.rotation[i] = solution.pose.rotation
            track.translation[i] = solution.pose.translation
            track.error[i] = solution.error_interocular
    return track


def pack_head(head: Head) -> dict[str, NDArray[Any]]:
    """Return what may differ from the model's head."""
    parts = {one.name: getattr(head, one.name) for one in dataclasses.fields(head)}
    return {f"head.{name}": v for name, v in parts.items() if isinstance(v, np.ndarray)}


def unpack_head(arrays: Mapping[str, NDArray[Any]], head: Head) -> Head:
    """Rebuild what `pack_head` gave, on a head of the same model."""
    parts = {k.removeprefix("head."): v for k, v in arrays.items() if k.startswith("head.")}
    return dataclasses.replace(head, **parts)
