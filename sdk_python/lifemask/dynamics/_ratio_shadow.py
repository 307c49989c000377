"""Shadows that expressions cast: in folds, in the mouth, and of the lids on the eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.dynamics._activation import DRIVER_NAMES, FULL_GAZE, REST
from lifemask.dynamics._key import KEY_COUNT
from lifemask.geometry import sky_visibility, vertex_normals
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, JOINT_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout, Region, RegionTexels
    from lifemask.heads import Head

_SMOOTHING: Final = 4
_AMBIENT: Final = 0.15
"""Light, against the whole sky, that skin around a point sends into its shadow."""
_STRENGTH: Final = 0.8
_SHADES: Final = (0.6, 1.12)
_DEPTH: Final = 0.045
"""Metres behind the lips at which the mouth is dark."""
_WIDE_OPEN: Final = 0.02
"""Metres between the lips that let all the light in."""
_DARKER: Final = {
    "cavity": np.array([1.5, 1.9, 1.9]),
    "tongue": np.array([1.3, 1.6, 1.6]),
    "teeth": np.array([0.5, 0.6, 0.7]),
}
"""Powers of the shadow: wet red flesh reddens the light that reaches its depth, teeth stand out."""
_CLOSED: Final = 0.1
_LID_SHADOWS: Final = ((0.6, 0.0045), (0.35, 0.0025))
"""Of the upper and the lower lid: how dark its shadow is, and how far it reaches (m)."""
_LID_THICKNESS: Final = 0.002


def sky(head: Head, vertices: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much of the sky each vertex `(n_vertices, 3)` sees, `(n_vertices,)`."""
    faces = head.topology.faces[: head.topology.parts["lashes"].faces.start]
    points = np.asarray(vertices, np.float32)
    return sky_visibility(points, vertex_normals(points, faces), faces, smoothing=_SMOOTHING)


def occlusion_ratio(rest: NDArray[np.floating], moved: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return how much brighter or darker what is seen of the sky makes each vertex."""
    ratio = (np.asarray(moved) + _AMBIENT) / (np.asarray(rest) + _AMBIENT)
    return np.clip(ratio**_STRENGTH, *_SHADES).astype(np.float32)


def inner_keys(
    head: Head, layout: Layout, region: Region, texels: RegionTexels
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """Return ratios `(height, width, 3)` of an inner part's keys, and gains `(6, 65)`.

    Key 0 is the shadow at rest. Others take its place as far as their drivers are on.
    """
    gains = np.zeros((KEY_COUNT, len(DRIVER_NAMES)), np.float32)
    if region.name.startswith("eyeball"):
        shades = _eye_shades(head, region.name.removeprefix("eyeball_"), gains)
    else:
        shades = _mouth_shades(head, gains)
    gains[0] = -gains[1:].sum(axis=0)
    gains[0, REST] = 1
    corners = head.topology.faces[texels.face]
    pictures = []
    for shade in shades:
        packed = np.ones(layout.size * layout.size, np.float32)
        packed[texels.index] = np.einsum("nk,nk->n", texels.barycentric, shade[corners])
        picture = packed.reshape(layout.size, layout.size)[region.window]
        pictures.append(picture[..., None] ** _DARKER.get(region.name, np.ones(3)))
    return pictures, gains


def _mouth_shades(head: Head, gains: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return shades `(n_vertices,)` of a closed and of an open mouth.

    A shape opens it as far as it moves the middles of the lips apart.
    """
    topology = head.topology
    skin, mouth = (topology.faces[topology.parts[name].faces] for name in ("skin", "mouth"))
    rim = np.intersect1d(skin, mouth)
    x = np.abs(head.neutral[rim, 0])
    middle = rim[x < 0.4 * x.max()]
    resting = np.ptp(head.neutral[middle, 1])
    for index, deltas in enumerate(head.expression_deltas):
        apart = np.ptp((head.neutral + deltas)[middle, 1]) - resting
        if apart > 0.05 * _WIDE_OPEN:
            gains[1, index] = min(apart / _WIDE_OPEN, 1.0)
    behind = np.quantile(head.neutral[rim, 2], 0.9) - head.neutral[:, 2]
    reach = np.clip(1 - behind / _DEPTH, 0, 1) ** 2
    closed, opened = (0.03 + 0.7 * reach * gap for gap in (_CLOSED, 1.0))
    return [closed.astype(np.float32), opened.astype(np.float32)]


def _eye_shades(head: Head, side: str, gains: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return shades `(n_vertices,)`: at rest, lids half closed, wide, looking up, looking down."""
    suffix = side.capitalize()
    turns = {"Up": FULL_GAZE, "Down": -FULL_GAZE}
    shades = [_lid_shade(head, side, np.zeros(COEFFICIENT_COUNT), 0)]
    for key, (shapes, weight) in enumerate(
        (({"eyeBlink": 1.0, "eyeSquint": 0.6}, 0.5), ({"eyeWide": 1.0}, 1.0)), start=1
    ):
        coefficients = np.zeros(COEFFICIENT_COUNT)
        coefficients[COEFFICIENT_INDEX[next(iter(shapes)) + suffix]] = weight
        shades.append(_lid_shade(head, side, coefficients, 0))
        for name, gain in shapes.items():
            gains[key, COEFFICIENT_INDEX[name + suffix]] = gain
    for key, (way, pitch) in enumerate(turns.items(), start=3):
        coefficients = np.zeros(COEFFICIENT_COUNT)
        coefficients[COEFFICIENT_INDEX[f"eyeLook{way}{suffix}"]] = 1
        shades.append(_lid_shade(head, side, coefficients, pitch))
        gains[key, DRIVER_NAMES.index(f"gaze{suffix}{way}")] = 1
    return shades


def _lid_shade(
    head: Head, side: str, coefficients: NDArray[np.floating], pitch: float
) -> NDArray[np.float32]:
    from scipy.spatial import KDTree

    topology = head.topology
    vertices = head.vertices(coefficients, gaze=[0, pitch, 0, pitch])
    eye = topology.parts[f"eye_{side}"].vertices
    centre = head.joints[JOINT_NAMES.index(f"Eye{side.capitalize()}")]
    radius = np.linalg.norm(head.neutral[eye] - centre, axis=1).max()
    skin = np.unique(topology.faces[topology.parts["skin"].faces])
    offset = head.neutral[skin] - centre
    near = (np.linalg.norm(offset, axis=1) < radius + _LID_THICKNESS) & (offset[:, 2] > 0)
    shade = np.ones(len(vertices), np.float32)
    for above, (depth, reach) in zip((True, False), _LID_SHADOWS, strict=True):
        lid = vertices[skin[near & ((offset[:, 1] > 0) == above)]]
        if len(lid):
            distance = KDTree(lid).query(vertices[eye])[0]
            shade[eye] *= (1 - depth * np.exp(-((distance / reach) ** 2))).astype(np.float32)
    return shade
