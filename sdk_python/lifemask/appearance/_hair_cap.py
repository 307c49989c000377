"""A person's hair as a mesh of its own over the skin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.appearance._hair_coverage import Sighting
from lifemask.appearance._hair_grid import make_grid
from lifemask.appearance._hair_matte import hair_matte
from lifemask.appearance._hair_shape import solve_shape
from lifemask.appearance._hair_texture import paint_cap
from lifemask.geometry import vertex_normals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

HAIR_SIZE: Final = 1024
"""Width and height of the hair's texture, texels."""

_CAP_ARRAYS: Final = ("vertices", "faces", "uv", "normals")
_VISIBLE: Final = 0.04
"""Coverage below which a face of the cap is left out."""


@dataclass(frozen=True)
class HairCap:
    """Hair as one open surface, moved rigidly by the joint `Head`.

    Attributes:
        vertices: `(n, 3)` float32, metres, head frame.
        faces: `(m, 3)` int32, counter-clockwise seen from outside; both sides are to be drawn.
        uv: `(n, 2)` float32, glTF convention (v down), in a texture of its own.
        normals: `(n, 3)` float32, unit length.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    normals: NDArray[np.float32]

    def scaled(self, factor: float) -> HairCap:
        """Return the cap of a head of another size."""
        return replace(self, vertices=(self.vertices * np.float32(factor)).astype(np.float32))


@dataclass(frozen=True)
class FittedHair:
    """What `fit_hair_cap` returns.

    Attributes:
        cap: The surface.
        texture: `(size, size, 4)` uint8 sRGB, the fourth channel is coverage.
        long: Whether the hair falls below the ears.
    """

    cap: HairCap
    texture: NDArray[np.uint8]
    long: bool

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays, to be kept."""
        parts = {name: getattr(self.cap, name) for name in _CAP_ARRAYS}
        return parts | {"texture": self.texture, "long": np.array(self.long)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> FittedHair:
        """Return what `to_arrays` was made from."""
        cap = HairCap(**{name: arrays[name] for name in _CAP_ARRAYS})
        return cls(cap, arrays["texture"], bool(arrays["long"]))


def fit_hair_cap(
    head: Head,
    images: Sequence[NDArray[np.uint8]],
    fits: Sequence[PhotoFit],
    persons: Sequence[NDArray[np.float32]] | None = None,
    *,
    size: int = HAIR_SIZE,
) -> FittedHair | None:
    """Fit a cap of hair to the outlines in pictures, and take its colours from them.

    Hair is told from skin in every picture; a surface over the skull is lifted until its outline
    is that of the hair, smoothly elsewhere and never into the skin; coverage follows the seen
    hairline and behind it the usual one. The scalp beneath keeps its painted hair.

    Args:
        head: Of the person.
        images: `(h, w, 3)` uint8 sRGB.
        fits: Of those pictures.
        persons: `(h, w)` of `segment_person`; made here when left out.
        size: Width and height of the texture, texels.

    Returns:
        The hair, or None where no picture shows any.

    Raises:
        ValueError: No picture, or a different number of pictures and fits.
        MissingExtraError: See `segment_person`.
    """
    if not images or len(images) != len(fits):
        raise ValueError(f"{len(images)} images and {len(fits)} fits")
    if persons is None:
        from lifemask.tracking import segment_person

        persons = [segment_person(i, f.landmarks) for i, f in zip(images, fits, strict=True)]
    sightings = []
    for image, fit, person in zip(images, fits, persons, strict=True):
        matte = hair_matte(image, fit, head, person)
        if matte is not None:
            sightings.append(Sighting.of(image, fit, matte, head))
    if (2 * len(sightings) <= len(images) and len(images) > 1) or not sightings:
        return None
    lowest = float(head.neutral[head.topology.neck_loop, 1].mean())
    grid = make_grid(head, lowest)
    shape = solve_shape(grid, sightings, head)
    texture, coverage = paint_cap(grid, shape, sightings, size)
    points = grid.points(shape.radius)
    cap = _compact(
        points, vertex_normals(points, grid.faces), grid.uv, grid.faces[coverage > _VISIBLE]
    )
    return FittedHair(cap, texture, shape.long)


def _compact(
    points: NDArray[np.float64],
    normals: NDArray[np.floating],
    uv: NDArray[np.float32],
    faces: NDArray[np.int32],
) -> HairCap:
    used, renamed = np.unique(faces, return_inverse=True)
    return HairCap(
        np.ascontiguousarray(points[used], np.float32),
        renamed.reshape(-1, 3).astype(np.int32),
        np.ascontiguousarray(uv[used], np.float32),
        np.ascontiguousarray(normals[used], np.float32),
    )
