"""What the compiled loops read: plain arrays under names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Named tuples of arrays are a type that the compiler knows; dataclasses are not.


class Texture(NamedTuple):
    """A square or oblong mipmap pyramid, all levels in one run of texels.

    Attributes:
        texels: `(n,)` uint32, red in the lowest byte, alpha in the highest: one read a texel.
            Empty when there is no such texture.
        offsets: `(levels,)` int64, first texel of each level.
        widths: `(levels,)` int64.
        heights: `(levels,)` int64.
        decode: `(256,)` float32, value of each byte of the first three channels.
        log_size: Binary logarithm of the side of the first level, texels.
        blend_levels: Whether two levels are mixed; numbers do without, colours would show it.
    """

    texels: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    decode: NDArray[np.float32]
    log_size: float
    blend_levels: bool


class Materials(NamedTuple):
    """How each part reflects light, by part number.

    Attributes:
        roughness: `(parts,)` float32, used where there is no ORM texture.
        specular: `(parts,)` float32, scale of the reflection of a dielectric.
        scatter: `(parts, 3)` float32, how far light wraps around the terminator, per channel.
    """

    roughness: NDArray[np.float32]
    specular: NDArray[np.float32]
    scatter: NDArray[np.float32]


class Mesh(NamedTuple):
    """What stays the same from frame to frame.

    Attributes:
        faces: `(n_faces, 3)` int32.
        faces_uv: `(n_faces, 3)` int32.
        uv: `(n_uv, 2)` float32.
        parts: `(n_faces,)` uint8, part number of each face.
        lashes: First and one past the last face of the lashes; only hair comes after them.
        albedo: sRGB colour with alpha.
        normal: Tangent-space normals.
        orm: Occlusion, roughness, metalness.
        materials: Reflection by part.
        coarsest: `(parts,)` float32, the largest footprint (see `Surface.footprints`) at which a
            part is sampled: beyond it a texel would hold other islands too.
        presence: `(n_vertices,)` float32, opacity; the end of the neck fades into the background.
        hair: sRGB colour with coverage, of the faces after the lashes; empty without hair.
    """

    faces: NDArray[np.int32]
    faces_uv: NDArray[np.int32]
    uv: NDArray[np.float32]
    parts: NDArray[np.uint8]
    lashes: tuple[int, int]
    albedo: Texture
    normal: Texture
    orm: Texture
    materials: Materials
    coarsest: NDArray[np.float32]
    presence: NDArray[np.float32]
    hair: Texture


class Surface(NamedTuple):
    """Vertices of one frame in the camera frame.

    Attributes:
        points: `(n, 3)` float64: x, y in pixels, depth in metres.
        positions: `(n, 3)` float32, metres.
        normals: `(n, 3)` float32, unit length.
        open_sky: `(n,)` float32, 1 where nothing hides the sky.
        footprints: `(n_faces,)` float32, binary logarithm of the side of a pixel in uv.
    """

    points: NDArray[np.float64]
    positions: NDArray[np.float32]
    normals: NDArray[np.float32]
    open_sky: NDArray[np.float32]
    footprints: NDArray[np.float32]


class Lamps(NamedTuple):
    """Light in the camera frame, linear.

    Attributes:
        directions: `(n, 3)` float32, unit vectors toward the lamps.
        colors: `(n, 3)` float32.
        sky: `(3,)` float32, light from above.
        ground: `(3,)` float32, light from below.
        gloss: Share of reflections that is drawn.
    """

    directions: NDArray[np.float32]
    colors: NDArray[np.float32]
    sky: NDArray[np.float32]
    ground: NDArray[np.float32]
    gloss: np.float32


class Buffers(NamedTuple):
    """Supersampled visibility; two layers, the second for lashes in front of the first.

    Attributes:
        face: `(h, w)` int32, -1 where there is none.
        inverse_depth: `(h, w)` float32, 0 where there is none.
        lash_face: `(h, w)` int32.
        lash_inverse_depth: `(h, w)` float32.
    """

    face: NDArray[np.int32]
    inverse_depth: NDArray[np.float32]
    lash_face: NDArray[np.int32]
    lash_inverse_depth: NDArray[np.float32]


def make_buffers(width: int, height: int) -> Buffers:
    """Return cleared buffers of a supersampled size."""
    shape = (height, width)
    return Buffers(
        np.full(shape, -1, np.int32),
        np.zeros(shape, np.float32),
        np.full(shape, -1, np.int32),
        np.zeros(shape, np.float32),
    )


class Fragments(NamedTuple):
    """What is shaded in one band of rows, as columns; the first rows of each array are in use.

    Attributes:
        start: `(pixels + 1,)` int64, first fragment of each pixel of the band.
        face: `(n,)` int32.
        place: `(n, 2)` float32, pixels.
        weight: `(n,)` float32, share of the pixel, times the presence of the surface.
        layer: `(n,)` uint8, 1 for lashes.
        part: `(n,)` uint8.
        uv: `(n, 2)` float32.
        footprint: `(n,)` float32, see `Surface.footprints`.
        normal: `(n, 3)` float32, unit length.
        toward: `(n, 3)` float32, unit vector toward the camera.
        open_sky: `(n,)` float32.
        roughness: `(n,)` float32.
        color: `(n, 4)` float32, linear; albedo first, then what leaves toward the camera.
    """

    start: NDArray[np.int64]
    face: NDArray[np.int32]
    place: NDArray[np.float32]
    weight: NDArray[np.float32]
    layer: NDArray[np.uint8]
    part: NDArray[np.uint8]
    uv: NDArray[np.float32]
    footprint: NDArray[np.float32]
    normal: NDArray[np.float32]
    toward: NDArray[np.float32]
    open_sky: NDArray[np.float32]
    roughness: NDArray[np.float32]
    color: NDArray[np.float32]


def make_fragments(pixels: int, samples: int) -> Fragments:
    """Return room for a band of pixels, each of samples x samples in two layers."""
    room = 2 * pixels * samples * samples

    def floats(*columns: int) -> NDArray[np.float32]:
        return np.empty((room, *columns), np.float32)

    return Fragments(
        start=np.empty(pixels + 1, np.int64),
        face=np.empty(room, np.int32),
        place=floats(2),
        weight=floats(),
        layer=np.empty(room, np.uint8),
        part=np.empty(room, np.uint8),
        uv=floats(2),
        footprint=floats(),
        normal=floats(3),
        toward=floats(3),
        open_sky=floats(),
        roughness=floats(),
        color=floats(4),
    )
