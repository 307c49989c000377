"""Which places of the head atlas a dynamic texture changes, and how they are packed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

import numpy as np

from lifemask._errors import InputError, PackageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Topology

Profile = Literal["web", "mobile", "desktop", "high"]

LAYOUT_SCHEMA: Final = 1
"""Version of `Layout.to_dict`."""
PROFILE_SIZES: Final[dict[str, int]] = {"web": 128, "mobile": 256, "desktop": 256, "high": 512}
"""Side of the packed atlas, texels."""

_UNITS: Final = 256
"""Rectangles of the head atlas lie on this grid, so that they end on whole texels."""
_PACKED: Final = 256
"""Side of the packed atlas that `_PLACES` are written down for."""

_Rectangle = tuple[int, int, int, int]

_PLACES: Final[dict[str, tuple[_Rectangle, _Rectangle]]] = {
    # name: (left, top, right, bottom in the head atlas / 256), (x, y, width, height packed)
    "mouth": ((82, 132, 174, 192), (0, 0, 184, 120)),
    "eye_left": ((143, 50, 193, 104), (80, 120, 80, 88)),
    "eye_right": ((63, 50, 113, 104), (0, 120, 80, 88)),
    "forehead": ((72, 26, 184, 77), (72, 208, 88, 48)),
    "face": ((19, 19, 237, 196), (160, 192, 96, 64)),
    "cavity": ((87, 213, 131, 256), (0, 208, 48, 48)),
    "teeth": ((140, 213, 188, 255), (160, 120, 96, 72)),
    "tongue": ((200, 213, 218, 256), (48, 208, 24, 48)),
    "eyeball_left": ((7, 222, 37, 247), (184, 0, 72, 60)),
    "eyeball_right": ((50, 222, 80, 247), (184, 60, 72, 60)),
}
REGION_NAMES: Final = tuple(_PLACES)
SKIN_REGIONS: Final = ("mouth", "eye_left", "eye_right", "forehead", "face")
"""From the most to the least important; where two overlap the first one's texels are shown."""

REGION_PARTS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(SKIN_REGIONS, ("skin",)),
    "cavity": ("mouth",),
    "teeth": ("teeth_upper", "teeth_lower"),
    "tongue": ("tongue",),
    "eyeball_left": ("eye_left",),
    "eyeball_right": ("eye_right",),
}
"""Parts of the head whose texels a region holds."""

_FEATHER: Final[dict[str, float]] = {
    "mouth": 0.018,
    "eye_left": 0.016,
    "eye_right": 0.016,
    "forehead": 0.025,
    "face": 0.03,
    "teeth": 0.006,
    "eyeball_left": 0.006,
    "eyeball_right": 0.006,
}
"""Width in uv over which a region fades; those left out are whole islands, which end by
themselves."""
_BORDERED: Final = ("forehead", "face")
"""Regions that reach the border of the face: hair, ears and neck stay as they are."""
_SCALES: Final = {name: 0.5 if name in SKIN_REGIONS else 1.0 for name in _PLACES}
_FINE: Final = 3
"""Samples along a packed texel when the islands are drawn; odd, so that one is its centre."""
_BLEED: Final = 1.5
"""Packed texels that a region goes on beyond the border of an island."""
_LARGEST: Final = 4096
_NAME_LENGTH: Final = 40


@dataclass(frozen=True)
class Region:
    """A rectangle of the head atlas, and where it lies in the packed residual atlas.

    Attributes:
        name: One of `REGION_NAMES`.
        uv: `(u0, v0, u1, v1)` in the head atlas, v down.
        place: `(x, y, width, height)` in the packed atlas, texels.
        mask: `(height, width)` uint8, how much of the residual counts; 0 at borders over skin.
        scale: Largest absolute residual.
    """

    name: str
    uv: tuple[float, float, float, float]
    place: tuple[int, int, int, int]
    mask: NDArray[np.uint8]
    scale: float

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns in the packed atlas."""
        x, y, width, height = self.place
        return slice(y, y + height), slice(x, x + width)


@dataclass(frozen=True)
class Layout:
    """How regions are packed into one square.

    Attributes:
        regions: Disjoint in the packed atlas.
        size: Its side, texels.
    """

    regions: tuple[Region, ...]
    size: int

    def region(self, name: str) -> Region:
        """Return the region of that name."""
        return next(one for one in self.regions if one.name == name)

    def masks(self) -> NDArray[np.uint8]:
        """Return `(size, size)` uint8, the masks of all regions in their places."""
        packed = np.zeros((self.size, self.size), np.uint8)
        for region in self.regions:
            packed[region.window] = region.mask
        return packed

    def scales(self) -> NDArray[np.float32]:
        """Return `(size, size, 1)` float32, the scale of each texel; 1 outside of the regions."""
        packed = np.ones((self.size, self.size, 1), np.float32)
        for region in self.regions:
            packed[region.window] = region.scale
        return packed

    def to_dict(self) -> dict[str, Any]:
        """Return what `layout.json` holds; the masks are a picture of their own."""
        regions = [
            {
                "name": one.name,
                "uv": [float(x) for x in one.uv],
                "place": list(one.place),
                "scale": float(one.scale),
            }
            for one in self.regions
        ]
        return {"schema": LAYOUT_SCHEMA, "size": self.size, "regions": regions}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], masks: NDArray[np.uint8]) -> Layout:
        """Rebuild what `to_dict` and `masks` gave.

        Raises:
            PackageError: Something is missing, out of range, overlaps, or is of another schema.
        """
        schema = value.get("schema")
        if schema != LAYOUT_SCHEMA:
            raise PackageError(
                f"the dynamic texture's layout has schema {schema!r}, this lifemask reads "
                f"{LAYOUT_SCHEMA}",
                hint="Build the avatar again with this version, or update lifemask.",
            )
        size: Any = value.get("size")
        regions: Any = value.get("regions")
        if not _whole(size, 1, _LARGEST) or masks.shape != (size, size):
            raise _damaged(f"its size is {size!r} and its masks are {masks.shape}")
        if not isinstance(regions, list) or not 0 < len(regions) <= 64:
            raise _damaged("it has no list of regions")
        layout = cls(tuple(_region(one, masks, int(size)) for one in regions), int(size))
        taken = np.zeros((size, size), np.uint8)
        for one in layout.regions:
            taken[one.window] += 1
        if taken.max() > 1 or len({one.name for one in layout.regions}) < len(layout.regions):
            raise _damaged("two regions share texels or a name")
        return layout


@dataclass(frozen=True)
class RegionTexels:
    """The texels of a layout that lie on the head, as a flat list.

    Attributes:
        index: `(n,)` position in the flattened packed atlas.
        face: `(n,)` int32, face of the topology.
        barycentric: `(n, 3)` float32.
        region: `(n,)` uint8, number of the region in the layout.
        uv: `(n, 2)` float32, place in the head atlas of the texel's centre.
    """

    index: NDArray[np.int64]
    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    region: NDArray[np.uint8]
    uv: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> RegionTexels:
        """Return only the chosen `(n,)` of these texels."""
        return RegionTexels(
            self.index[chosen],
            self.face[chosen],
            self.barycentric[chosen],
            self.region[chosen],
            self.uv[chosen],
        )


def face_layout(topology: Topology, profile: Profile = "desktop") -> Layout:
    """Return the layout for a head.

    The mouth has 512 texels along the atlas's side at 256 x 256: those of a face that is 300
    pixels wide. Eyes and teeth have about as many, creases elsewhere a quarter.

    Args:
        topology: Of the head; its atlas must be that of the default head.
        profile: `desktop` and `mobile` pack into 256 x 256 texels, `web` into 128, `high` into
            512.

    Raises:
        InputError: A head with another atlas, or an unknown profile.
    """
    if profile not in get_args(Profile):
        raise InputError(
            f"{profile!r} is no texture profile", hint=f"Use one of {', '.join(get_args(Profile))}."
        )
    size = PROFILE_SIZES[profile]
    regions = []
    for name, (box, place) in _PLACES.items():
        x, y, width, height = (value * size // _PACKED for value in place)
        left, top, right, bottom = (value / _UNITS for value in box)
        blank = np.zeros((height, width), np.uint8)
        uv = (left, top, right, bottom)
        regions.append(Region(name, uv, (x, y, width, height), blank, _SCALES[name]))
    plain = Layout(tuple(regions), size)
    texels = layout_texels(topology, plain)
    if len(np.unique(texels.region)) < len(regions):
        raise InputError(
            f"the head {topology.asset_id!r} has an atlas without the regions of dynamic textures",
            hint="Use the default head.",
        )
    packed = _masks(topology, plain, texels)
    return Layout(tuple(replace(one, mask=packed[one.window].copy()) for one in regions), size)


def layout_texels(topology: Topology, layout: Layout) -> RegionTexels:
    """Find the surface under each texel of a layout.

    A texel just beyond the border of an island has the surface of the nearest texel on it, so
    that interpolation at the border finds the island's own colours.

    Args:
        topology: Of the head.
        layout: Only rectangles and places are read.
    """
    found = [_region_texels(topology, one, i, layout) for i, one in enumerate(layout.regions)]
    return RegionTexels(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _region_texels(
    topology: Topology, region: Region, number: int, layout: Layout
) -> tuple[NDArray[Any], ...]:
    import cv2

    from lifemask.geometry import rasterize

    parts = REGION_PARTS.get(region.name, ("skin",))
    count = np.arange(len(topology.faces))
    numbers = np.concatenate([count[topology.parts[part].faces] for part in parts])
    x, y, width, height = region.place
    u0, v0, u1, v1 = region.uv
    wide, high = width * _FINE, height * _FINE
    places = (topology.uv.astype(np.float64) - [u0, v0]) / [u1 - u0, v1 - v0] * [wide, high]
    raster = rasterize(places, np.ones(len(places)), topology.faces_uv[numbers], wide, high)
    covered = raster.face >= 0
    if not covered.any():
        none = np.zeros(0, np.int64)
        return (
            none,
            none.astype(np.int32),
            np.zeros((0, 3), np.float32),
            none.astype(np.uint8),
            np.zeros((0, 2), np.float32),
        )
    distance, labels = cv2.distanceTransformWithLabels(
        np.where(covered, 0, 255).astype(np.uint8),
        cv2.DIST_L2,
        5,
        labelType=cv2.DIST_LABEL_PIXEL,
    )
    labels = np.asarray(labels, np.int64)
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels[covered]] = np.flatnonzero(covered.ravel())
    centre = slice(_FINE // 2, None, _FINE)
    rows, columns = np.nonzero(distance[centre, centre] <= _BLEED * _FINE)
    source = nearest[labels[centre, centre][rows, columns]]
    uv = np.stack(
        [u0 + (columns + 0.5) / width * (u1 - u0), v0 + (rows + 0.5) / height * (v1 - v0)], axis=1
    )
    return (
        (rows + y) * layout.size + columns + x,
        numbers[raster.face.ravel()[source]].astype(np.int32),
        raster.barycentric.reshape(-1, 3)[source],
        np.full(len(rows), number, np.uint8),
        uv.astype(np.float32),
    )


def _masks(topology: Topology, layout: Layout, texels: RegionTexels) -> NDArray[np.uint8]:
    """Return `(size, size)` uint8: each region fades at its border, and into the ones above it."""
    corners = topology.faces[texels.face]
    on_face = np.einsum("nk,nk->n", texels.barycentric, topology.masks["face"][corners])
    value = np.zeros(len(texels.index))
    for number, region in enumerate(layout.regions):
        own = texels.region == number
        share = _fade(region, texels.uv[own])
        if region.name in SKIN_REGIONS:
            if region.name in _BORDERED:
                share *= on_face[own]
            above = SKIN_REGIONS[: SKIN_REGIONS.index(region.name)]
            for name in above:
                share *= 1.0 - _fade(layout.region(name), texels.uv[own])
        value[own] = share
    packed = np.zeros(layout.size * layout.size, np.uint8)
    packed[texels.index] = np.rint(255.0 * np.clip(value, 0.0, 1.0)).astype(np.uint8)
    return packed.reshape(layout.size, layout.size)


def _fade(region: Region, uv: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `(n,)` in [0, 1]: 0 from the outermost texels outward, 1 well inside."""
    feather = _FEATHER.get(region.name)
    if feather is None:
        return np.ones(len(uv))
    u0, v0, u1, v1 = region.uv
    _, _, width, height = region.place
    across = np.minimum(uv[:, 0] - u0, u1 - uv[:, 0]) - 0.75 * (u1 - u0) / width
    down = np.minimum(uv[:, 1] - v0, v1 - uv[:, 1]) - 0.75 * (v1 - v0) / height
    t = np.clip(np.minimum(across, down) / feather, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float64)


def _region(value: object, masks: NDArray[np.uint8], size: int) -> Region:
    if not isinstance(value, dict):
        raise _damaged("a region is no record")
    record: dict[str, Any] = value
    name, uv, place, scale = (cast("Any", record.get(k)) for k in ("name", "uv", "place", "scale"))
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_LENGTH or not name.isidentifier():
        raise _damaged("a region has no name")
    if not _numbers(uv, 4) or not (0 <= uv[0] < uv[2] <= 1 and 0 <= uv[1] < uv[3] <= 1):
        raise _damaged(f"region {name} has no rectangle in the head atlas")
    if not isinstance(place, list) or not all(_whole(one, 0, size) for one in place):
        raise _damaged(f"region {name} has no place")
    if len(place) != 4 or not (place[2] and place[3]):
        raise _damaged(f"region {name} has no place")
    if place[0] + place[2] > size or place[1] + place[3] > size:
        raise _damaged(f"region {name} lies outside of the packed atlas")
    if not _numbers([scale], 1) or not 0 < float(scale) <= 1:
        raise _damaged(f"region {name} has a scale of {scale!r}")
    x, y, width, height = place
    return Region(
        name,
        (float(uv[0]), float(uv[1]), float(uv[2]), float(uv[3])),
        (x, y, width, height),
        np.ascontiguousarray(masks[y : y + height, x : x + width], np.uint8),
        float(scale),
    )


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _numbers(value: object, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(x, int | float) and not isinstance(x, bool) for x in value)
        and all(np.isfinite(x) for x in value)
    )


def _damaged(problem: str) -> PackageError:
    return PackageError(
        f"the dynamic texture's layout is damaged: {problem}",
        hint="Build the avatar again, or take the package from its source again.",
    )


def regions_of(layout: Layout, names: Sequence[str]) -> tuple[Region, ...]:
    """Return the regions of a layout that have one of these names, in the layout's order."""
    return tuple(one for one in layout.regions if one.name in names)
