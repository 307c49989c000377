"""Deformation transfer: the movements of one neutral surface on another one of equal faces.

Sumner and Popovic 2004: find the positions `x` of the target that minimise
`sum_t area_t ||S_t - T_t(x)||^2`, where `S_t` is the deformation gradient of the source's triangle
`t` and `T_t(x)` that of the target's. The fourth vertex of each triangle is free, so it is
eliminated, which leaves the gradients within the target's triangles and a Laplacian that all
shapes and coordinates share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REACH: Final = 0.04
"""Metres. Over longer distances movements are held near the source's, in the target's size:
gradients alone say little about them, and their errors add up."""
_FLAT: Final = 1e-13
"""Square metres, below which a triangle has no gradient."""


@dataclass(frozen=True)
class DeformationTransfer:
    """A target surface, factorised for any number of shapes.

    Attributes:
        source: `(n, 3)` float64 m, the neutral surface that the shapes belong to.
        faces: `(m, 3)` of both surfaces, without triangles that have no area.
        free: `(k,)` vertices that may move.
        scale: How much larger the target is than the source.
    """

    source: NDArray[np.float64]
    faces: NDArray[np.integer]
    free: NDArray[np.int64]
    scale: float
    _spread: Any
    _mass: NDArray[np.float64]
    _solve: Any
    _coupling: Any

    @classmethod
    def prepare(
        cls,
        source: NDArray[np.floating],
        target: NDArray[np.floating],
        faces: NDArray[np.integer],
        pinned: NDArray[np.bool_],
        *,
        scale: float = 1.0,
        reach: float = _REACH,
        trust: NDArray[np.floating] | None = None,
    ) -> DeformationTransfer:
        """Factorise the system of a target.

        Args:
            source: `(n, 3)` m, the neutral surface that the shapes belong to.
            target: `(n, 3)` m, the surface that is to move alike.
            faces: `(m, 3)` of both.
            pinned: `(n,)` vertices whose movement `transfer` is given; at least one in each
                connected piece, or `reach` finite.
            scale: How much larger the target is than the source.
            reach: Metres over which movements are held near the source's.
            trust: `(n,)` factors on how firmly they are held.
        """
        from scipy.sparse import csc_matrix, diags
        from scipy.sparse.linalg import splu

        source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
        sound = (_areas(source, faces) > _FLAT) & (_areas(target, faces) > _FLAT)
        faces = np.asarray(faces)[sound]
        areas, gradients = _areas(target, faces), _basis_gradients(target, faces)
        n, m = len(source), len(faces)
        columns = 3 * np.repeat(np.arange(m), 9) + np.tile(np.arange(3), 3 * m)
        rows = np.repeat(faces.ravel(), 3)
        shape = (n, 3 * m)
        gradient = csc_matrix((gradients.ravel(), (rows, columns)), shape=shape)
        spread = gradient @ diags(np.repeat(areas, 3))
        mass = np.bincount(faces.ravel(), np.repeat(areas / 3.0, 3), n) / (reach * scale) ** 2
        mass = mass if trust is None else mass * trust
        system = (spread @ gradient.T + diags(mass)).tocsc()
        used = np.zeros(n, bool)
        used[faces] = True
        free = np.flatnonzero(~pinned & used)
        inner = system[free][:, free].tocsc()
        factors = splu(
            inner,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        held = np.flatnonzero(pinned)
        return cls(
            source, faces, free, scale, spread, mass, factors.solve, system[free][:, held].tocsr()
        )

    def transfer(
        self,
        deltas: NDArray[np.floating],
        held: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float64]:
        """Return the shapes of the target.

        Args:
            deltas: `(s, n, 3)` m, shapes of the source.
            held: `(s, k, 3)` m, movement of the pinned vertices; none when left out.

        Returns:
            `(s, n, 3)` m.
        """
        count = len(deltas)
        change = np.zeros((3 * len(self.faces), 3 * count))
        place = change.reshape(len(self.faces), 3, count, 3)
        rest = np.linalg.inv(frames(self.source, self.faces))
        for number, delta in enumerate(deltas):
            moving = np.flatnonzero((delta[self.faces] != 0).any(axis=(1, 2)))
            moved = frames(self.source + delta, self.faces[moving])
            gradient = moved @ rest[moving] - np.eye(3)
            place[moving, :, number] = gradient.transpose(0, 2, 1)
        prior = self.scale * np.asarray(deltas, np.float64)
        return self.solve(change, prior, held)

    def solve(
        self,
        change: NDArray[np.float64],
        prior: NDArray[np.float64],
        held: NDArray[np.floating] | None = None,
    ) -> NDArray[np.float64]:
        """Return the shapes that have given gradients, `(s, n, 3)` m.

        Args:
            change: `(3 m, 3 s)`: of each triangle the deformation gradients less the identity,
                transposed, of one shape after the other.
            prior: `(s, n, 3)` m, movements that the result is held near.
            held: `(s, k, 3)` m, movement of the pinned vertices; none when left out.
        """
        count, n = prior.shape[:2]
        right = self._spread @ change
        right += self._mass[:, None] * prior.transpose(1, 0, 2).reshape(n, -1)
        result = np.zeros((n, count, 3))
        wanted = right[self.free]
        if held is not None:
            fixed = np.setdiff1d(np.arange(n), self.free)
            values = np.asarray(held, np.float64).transpose(1, 0, 2)
            result[fixed] = values
            wanted = wanted - self._coupling @ values.reshape(len(fixed), -1)
        result[self.free] = self._solve(wanted).reshape(len(self.free), count, 3)
        return result.transpose(1, 0, 2)


def frames(points: NDArray[np.float64], faces: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return `(m, 3, 3)` per triangle: two edges and the normal scaled by its root, as columns."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    first, second = b - a, c - a
    normal = np.cross(first, second)
    length = np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    return np.stack([first, second, normal / np.sqrt(length)], axis=2)


def _areas(points: NDArray[np.float64], faces: NDArray[np.integer]) -> NDArray[np.float64]:
    a, b, c = (points[faces[:, i]] for i in range(3))
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def _basis_gradients(points: NDArray[np.float64], faces: NDArray[np.integer]) -> NDArray:
    """Return `(m, 3, 3)`: of each corner's hat function, within the triangle, 1/m."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    square = np.sum(normal**2, axis=1, keepdims=True)
    opposite = np.stack([c - b, a - c, b - a], axis=1)
    return np.cross(normal[:, None], opposite) / square[:, None]
