"""Where a shape compresses the skin, and along which direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout, RegionTexels
    from lifemask.heads import Head

_ROUNDS = 1
_LEAST = 0.005
"""Compression that no fold comes from."""


def vertex_compression(head: Head, moved: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the compression of the skin at vertices, `(n_vertices, 9)`: a 3 x 3 tensor each.

    Per triangle the deformation gradient F within its plane, of whose Green strain
    (F^T F - 1) / 2 only the negative principal part is kept: skin folds across it. Tensors are
    averaged at vertices, so that the direction varies smoothly.

    Args:
        head: Geometry at rest.
        moved: `(n_vertices, 3)` m, deformed.
    """
    faces = head.topology.faces[head.topology.parts["skin"].faces]
    rest = _edges(head.neutral[faces])
    squeezed = _negative(_green(rest, _edges(np.asarray(moved)[faces])))
    axes = _frames(rest)
    tensor = axes @ squeezed @ np.swapaxes(axes, 1, 2)
    return _averaged(tensor.reshape(-1, 9), rest, faces, len(head.neutral))


def compression(
    head: Head, tensors: NDArray[np.floating], layout: Layout, texels: RegionTexels
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return how much the skin is compressed at packed texels, and across which direction.

    Args:
        head: Geometry at rest.
        tensors: `(n_vertices, 9)` of `vertex_compression`.
        layout: For the size of a texel.
        texels: Of the skin.

    Returns:
        `(n,)` compression, 0 to about 0.5; `(n, 2)` unit direction across the folds in packed
        texels (x right, y down); `(n,)` metres per packed texel.
    """
    corners = head.topology.faces[texels.face]
    own = np.einsum("nk,nkd->nd", texels.barycentric, tensors[corners]).reshape(-1, 3, 3)
    some = np.abs(own).max(axis=(1, 2)) > _LEAST
    values, vectors = np.linalg.eigh(own[some])
    amount, direction = np.zeros(len(own), np.float32), np.zeros((len(own), 3))
    amount[some], direction[some] = np.maximum(-values[:, 0], 0), vectors[:, :, 0]
    across, step = _in_atlas(head, layout, texels, direction)
    return amount, across, step


def _edges(corners: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return `(n, 3, 2)` two edge vectors as columns."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.stack([first, second], axis=2).astype(np.float64)


def _frames(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `(n, 3, 2)` orthonormal axes within each triangle."""
    x = edges[:, :, 0] / np.maximum(np.linalg.norm(edges[:, :, 0], axis=1), 1e-9)[:, None]
    y = edges[:, :, 1] - (edges[:, :, 1] * x).sum(axis=1)[:, None] * x
    return np.stack([x, y / np.maximum(np.linalg.norm(y, axis=1), 1e-9)[:, None]], axis=2)


def _green(rest: NDArray[np.float64], moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Green strain `(n, 2, 2)` in the frame of the resting triangle."""
    flat = np.einsum("fai,faj->fij", _frames(rest), rest)
    scale = np.abs(np.linalg.det(flat))
    good = scale > 1e-12
    inverse = np.zeros_like(flat)
    inverse[good] = np.linalg.inv(flat[good])
    gradient = moved @ inverse
    strain = 0.5 * (np.swapaxes(gradient, 1, 2) @ gradient - np.eye(2))
    return np.where(good[:, None, None], strain, 0)


def _negative(strain: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(strain)
    return np.einsum("fai,fi,fbi->fab", vectors, np.clip(values, -0.5, 0), vectors)


def _averaged(
    values: NDArray[np.float64], edges: NDArray[np.float64], faces: NDArray[np.int32], count: int
) -> NDArray[np.float64]:
    """Average face values at vertices by area, then once more over neighbouring faces."""
    area = np.linalg.norm(np.cross(edges[:, :, 0], edges[:, :, 1]), axis=1)
    total = np.bincount(faces.ravel(), np.repeat(area, 3), minlength=count) + 1e-15
    result = np.zeros((count, values.shape[1]))
    for _ in range(_ROUNDS + 1):
        for column in range(values.shape[1]):
            spread = np.repeat(area * values[:, column], 3)
            result[:, column] = np.bincount(faces.ravel(), spread, minlength=count) / total
        values = result[faces].mean(axis=1)
    return result


def _in_atlas(
    head: Head, layout: Layout, texels: RegionTexels, direction: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Turn directions on the surface `(n, 3)` into the packed atlas; return metres per texel."""
    topology = head.topology
    edges = _edges(head.neutral[topology.faces[texels.face]])
    uv = topology.uv[topology.faces_uv[texels.face]]
    scale = np.array(
        [
            [region.place[2] / (region.uv[2] - region.uv[0]) for region in layout.regions],
            [region.place[3] / (region.uv[3] - region.uv[1]) for region in layout.regions],
        ]
    )
    flat = np.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], axis=2)
    flat = flat * scale[:, texels.region].T[:, :, None]
    # direction = edges @ shares, least squares within the triangle.
    normal = np.swapaxes(edges, 1, 2) @ edges + 1e-14 * np.eye(2)
    shares = np.linalg.solve(normal, np.einsum("nai,na->ni", edges, direction)[..., None])
    across = (flat @ shares)[..., 0]
    length = np.maximum(np.linalg.norm(across, axis=1), 1e-9)
    areas = np.abs(np.linalg.det(flat)) + 1e-12
    world = np.linalg.norm(np.cross(edges[:, :, 0], edges[:, :, 1]), axis=1)
    return (across / length[:, None]).astype(np.float32), np.sqrt(world / areas).astype(np.float32)
