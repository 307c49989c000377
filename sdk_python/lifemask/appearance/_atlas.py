"""Texels of the head atlas: which surface point each one shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lifemask.appearance._pyramid import blur
from lifemask.geometry import rasterize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Topology


@dataclass(frozen=True)
class Texels:
    """The texels of some parts of the atlas, as a flat list.

    Attributes:
        topology: The head's faces and atlas.
        size: Width and height of the atlas, texels.
        index: `(n,)` position of each texel in the flattened atlas.
        face: `(n,)` int32 the face that it lies on.
        barycentric: `(n, 3)` float32.
    """

    topology: Topology
    size: int
    index: NDArray[np.int64]
    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]

    @classmethod
    def of(cls, topology: Topology, size: int, parts: tuple[str, ...]) -> Texels:
        """Rasterise the islands of the named parts."""
        runs = [np.arange(len(topology.faces))[topology.parts[p].faces] for p in parts]
        numbers = np.concatenate(runs)
        corners = topology.faces_uv[numbers]
        # Only the rectangle that the parts lie in is drawn, many of which are small.
        places = topology.uv * size
        low = np.maximum(np.floor(places[corners].min(axis=(0, 1))), 0).astype(np.int64)
        high = np.minimum(np.ceil(places[corners].max(axis=(0, 1))), size).astype(np.int64)
        width, height = (high - low).tolist()
        raster = rasterize(places - low, np.ones(len(places)), corners, width, height)
        inside = np.flatnonzero(raster.face.ravel() >= 0)
        rows, columns = np.divmod(inside, width)
        index = (rows + low[1]) * size + columns + low[0]
        face = numbers[raster.face.ravel()[inside]].astype(np.int32)
        return cls(topology, size, index, face, raster.barycentric.reshape(-1, 3)[inside])

    def where(self, chosen: NDArray[np.bool_]) -> Texels:
        """Return only the chosen `(n,)` of these texels."""
        return replace(
            self,
            index=self.index[chosen],
            face=self.face[chosen],
            barycentric=self.barycentric[chosen],
        )

    def spread(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Interpolate vertex values `(n_vertices,)` or `(n_vertices, k)` to the texels."""
        from lifemask.appearance._atlas_kernels import spread_values

        flat = np.ascontiguousarray(values, np.float32).reshape(len(values), -1)
        out = np.empty((len(self.index), flat.shape[1]), np.float32)
        spread_values(flat, self.topology.faces, self.face, self.barycentric, out)
        return out.reshape(-1, *np.shape(values)[1:])

    def mask(self, name: str) -> NDArray[np.float32]:
        """`(n,)` the named region mask at the texels."""
        return self.spread(self.topology.masks[name])

    def image(self, values: NDArray[np.floating], fill: float = 0.0) -> NDArray[np.float32]:
        """Lay texel values `(n,)` or `(n, k)` out as a picture `(size, size[, k])`."""
        picture = np.full((self.size * self.size, *values.shape[1:]), fill, np.float32)
        picture[self.index] = values
        return picture.reshape(self.size, self.size, *values.shape[1:])

    def smooth(
        self,
        values: NDArray[np.floating],
        sigma: float,
        weights: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float32]:
        """Blur texel values `(n,)` or `(n, k)` within the islands.

        Args:
            values: At the texels.
            sigma: Standard deviation, texels.
            weights: `(n,)` how much each texel counts; all the same when left out.

        Returns:
            Shape of `values`; what lies outside of the islands does not bleed in.
        """
        if weights is None:
            weights = np.ones(len(self.index), np.float32)
        weighted = values * (weights if values.ndim == 1 else weights[:, None])
        shape = (self.size * self.size, *values.shape[1:])
        total = blur(self.image(weights), sigma).ravel()[self.index]
        summed = blur(self.image(weighted), sigma).reshape(shape)[self.index]
        total = np.maximum(total, 1e-4)
        mean = summed / (total if values.ndim == 1 else total[:, None])
        return np.asarray(mean, np.float32)

    def mirrored(self, picture: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sample an atlas picture `(size, size, k)` at the other side of the head, `(n, k)`."""
        return sample_bilinear(picture, self._mirrored_positions)

    @cached_property
    def _mirrored_positions(self) -> NDArray[np.float32]:
        from lifemask.appearance._atlas_kernels import spread_values

        uv = np.ascontiguousarray(self.topology.uv, np.float32) * np.float32(self.size)
        places = np.empty((len(self.index), 2), np.float32)
        corners = mirrored_corners(self.topology)
        spread_values(uv, corners, self.face, self.barycentric, places)
        return places


def mirrored_corners(topology: Topology) -> NDArray[np.int32]:
    """Return for each face corner the uv index of its mirror image `(n_faces, 3)`.

    Along a seam a vertex has several uv points; the one whose atlas position is closest to the
    mirrored position is taken.
    """
    vertices, corners = topology.faces.ravel(), topology.faces_uv.ravel()
    pairs = np.unique(np.stack([vertices, corners], axis=1), axis=0)
    starts = np.searchsorted(pairs[:, 0], np.arange(len(topology.mirror) + 1))
    wanted = topology.uv[corners] * [-1, 1] + [1, 0]
    target = topology.mirror[vertices]
    best = pairs[starts[target], 1]
    distance = np.abs(topology.uv[best] - wanted).sum(axis=1)
    for step in range(1, int(np.diff(starts).max())):
        more = starts[target] + step < starts[target + 1]
        candidate = pairs[np.minimum(starts[target] + step, len(pairs) - 1), 1]
        closer = np.abs(topology.uv[candidate] - wanted).sum(axis=1)
        better = more & (closer < distance)
        best, distance = np.where(better, candidate, best), np.where(better, closer, distance)
    return best.reshape(topology.faces.shape).astype(np.int32)


def sample_bilinear(
    picture: NDArray[np.generic], positions: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Sample a picture `(h, w, k)` at pixel positions `(n, 2)`; clamped at the border."""
    import cv2

    picture = np.ascontiguousarray(picture, np.float32)
    if not len(positions):
        return np.empty((0, *picture.shape[2:]), np.float32)
    x = np.ascontiguousarray(positions[:, 0] - 0.5, np.float32)
    y = np.ascontiguousarray(positions[:, 1] - 0.5, np.float32)
    # cv2.remap takes maps of less than 32768 columns, so the list is folded into rows.
    width = 4096
    rows = -(-len(x) // width)
    pad = rows * width - len(x)
    grid = [np.pad(c, (0, pad)).reshape(rows, width) for c in (x, y)]
    out = cv2.remap(picture, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    out = np.asarray(out, np.float32)
    return out.reshape(rows * width, *picture.shape[2:])[: len(x)]
