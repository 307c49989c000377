"""Where on the atlas each shape and each eye movement acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.dynamics._contract import VIEW
from lifemask.dynamics._regions import SKIN_REGIONS, layout_texels
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_NAMES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lifemask.dynamics._regions import Layout, RegionTexels
    from lifemask.heads import Head

GAZE_DRIVERS: Final = tuple(
    f"gaze{side}{way}" for side in ("Left", "Right") for way in ("YawIn", "YawOut", "Up", "Down")
)
"""Half-rectified gaze of each eye, in the order in which `driver_values` returns it."""

VIEW_DRIVERS: Final = ("viewLeft", "viewRight", "viewUp", "viewDown")
"""From which side the camera sees the head: the subject's left and right, above, below."""

DRIVER_NAMES: Final = (*COEFFICIENT_NAMES, *GAZE_DRIVERS, *VIEW_DRIVERS, "rest")
"""What can change a texel: 52 coefficients, gaze and view, each in [0, 1], and `rest`, which
always is 1: by how much a clip differs from the static texture in every frame."""

DRIVER_COUNT: Final = len(DRIVER_NAMES)

EVERYWHERE: Final = slice(DRIVER_COUNT - len(VIEW_DRIVERS) - 1, DRIVER_COUNT)
"""Drivers that act on every texel alike: view and rest."""

REST: Final = DRIVER_COUNT - 1
"""Index of the driver that always is 1."""

FULL_GAZE: Final = 0.6
"""Gaze angle, radians, at which a gaze driver is 1."""

FULL_VIEW: Final = 0.5
"""Part of the unit view direction, to a side, at which a view driver is 1."""

_REACH: Final = 4.0
"""Packed texels over which displacements go on where no face is, at 256 x 256."""
_LEAST: Final = 5e-4
"""Metres: a shape that moves nothing of a region by this much has no part in it."""


def driver_values(inputs: ArrayLike) -> NDArray[np.float32]:
    """Turn network inputs into drivers that are never negative.

    Args:
        inputs: `(..., 59)` of `dynamic_input`.

    Returns:
        `(..., 65)` float32 in [0, 1], order `DRIVER_NAMES`.
    """
    given = np.asarray(inputs, np.float32)
    gaze = given[..., COEFFICIENT_COUNT : COEFFICIENT_COUNT + 4] / FULL_GAZE
    left_yaw, left_pitch, right_yaw, right_pitch = np.moveaxis(gaze, -1, 0)
    # The left eye lies at +X and positive yaw turns toward +X, so it turns inward when negative.
    left = (-left_yaw, left_yaw, left_pitch, -left_pitch)
    ways = (*left, right_yaw, -right_yaw, right_pitch, -right_pitch)
    x, y, _ = np.moveaxis(given[..., VIEW] / FULL_VIEW, -1, 0)
    rest = np.ones_like(x)
    ways = (*ways, x, -x, y, -y, rest)
    values = [given[..., :COEFFICIENT_COUNT], np.stack(ways, axis=-1)]
    return np.clip(np.concatenate(values, axis=-1), 0, 1)


def activation_masks(head: Head, layout: Layout) -> NDArray[np.float32]:
    """Return where each driver acts, paper 004 section 5: `A_e(v) = |e(v) - M(v)|`.

    The length of a shape's displacement is drawn into the packed atlas, continued over texels
    that no face covers, slightly blurred, and divided by the shape's largest displacement of
    the whole skin, so that a shape is 1 where it acts most. What lies behind the lips or lids
    does not move with the shapes but is covered and shaded by what does: there a driver acts
    evenly, as strongly as it moves the lips or the lids of that eye. Gaze acts on the lids by
    the shapes that follow it, and evenly on the eyeball.

    Args:
        head: Geometry with the person's shapes.
        layout: Packed regions.

    Returns:
        `(65, size, size)` float32 in [0, 1], order `DRIVER_NAMES`, 0 outside the regions.
    """
    length = np.linalg.norm(head.expression_deltas, axis=2)
    length[length < _LEAST] = 0
    largest = np.maximum(length[:, head.topology.parts["skin"].vertices].max(axis=1), _LEAST)
    drivers = _with_gaze(length / largest[:, None])
    texels = layout_texels(head.topology, layout)
    result = np.zeros((len(DRIVER_NAMES), layout.size, layout.size), np.float32)
    for number, region in enumerate(layout.regions):
        lining = _lining(head, region.name)
        if lining is None:
            own = texels.where(texels.region == number)
            result[:, *region.window] = _drawn(head, layout, own, drivers)[:, *region.window]
        else:
            strength = drivers @ (lining / max(lining.sum(), 1e-9))
            strength /= max(strength[: EVERYWHERE.start].max(), 1e-9)
            if region.name.startswith("eyeball"):
                strength[_own_gaze(region.name)] = 1
            result[:, *region.window] = strength[:, None, None]
        result[EVERYWHERE, *region.window] = 1
    return np.clip(result, 0, 1)


def _with_gaze(shapes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Append `(13, n_vertices)`: where lids follow the gaze, and what is everywhere."""
    index = {name: i for i, name in enumerate(COEFFICIENT_NAMES)}
    look = [
        shapes[index[f"eyeLook{way}{side}"]]
        for side in ("Left", "Right")
        for way in ("In", "Out", "Up", "Down")
    ]
    everywhere = np.ones((EVERYWHERE.stop - EVERYWHERE.start, shapes.shape[1]))
    return np.concatenate([shapes, look, everywhere]).astype(np.float32)


def _own_gaze(name: str) -> slice:
    first = COEFFICIENT_COUNT + (0 if name.endswith("left") else 4)
    return slice(first, first + 4)


def _lining(head: Head, name: str) -> NDArray[np.float32] | None:
    """Return vertex weights of the skin in front of an inner part, `None` for skin regions."""
    masks = head.topology.masks
    if name in SKIN_REGIONS:
        return None
    if name.startswith("eyeball"):
        side = 1.0 if name.endswith("left") else -1.0
        return np.asarray(masks["eyelids"] * (head.neutral[:, 0] * side > 0), np.float32)
    return masks["lips"]


def _drawn(
    head: Head, layout: Layout, texels: RegionTexels, drivers: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Draw vertex values `(k, n_vertices)` at a region's texels into `(k, size, size)`."""
    import cv2

    corners = head.topology.faces[texels.face]
    values = np.zeros((layout.size * layout.size, len(drivers) + 1), np.float32)
    values[texels.index, :-1] = np.einsum("pc,kpc->pk", texels.barycentric, drivers[:, corners])
    values[texels.index, -1] = 1
    drawn = np.moveaxis(values.reshape(layout.size, layout.size, -1), -1, 0)
    seen = drawn[-1]
    sigma = layout.size / 256
    around = cv2.GaussianBlur(seen, (0, 0), _REACH * sigma) + 1e-6
    for picture in drawn[:-1]:
        if not picture.any():
            continue
        wide = cv2.GaussianBlur(picture, (0, 0), _REACH * sigma) / around
        picture[:] = cv2.GaussianBlur(np.where(seen > 0, picture, wide), (0, 0), sigma)
    return drawn[:-1]
