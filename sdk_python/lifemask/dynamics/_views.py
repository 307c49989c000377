"""One frame seen from the packed texels: where each one lies in the picture, and its colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.appearance import LidShadow, Lit, MouthShadow, fit_clip_light, sample_bilinear
from lifemask.dynamics._regions import SKIN_REGIONS, layout_texels
from lifemask.geometry import linear_to_srgb, rasterize, srgb_to_linear, vertex_normals
from lifemask.heads import PART_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance import ClipLight
    from lifemask.dynamics._regions import Layout
    from lifemask.geometry import Camera, Pose
    from lifemask.heads import Head

_HIDDEN: Final = 0.004
"""Metres behind the nearest surface at which a texel counts as hidden."""
_SLANT: Final = (0.08, 0.45)
"""Cosines of the viewing angle between which trust rises from nothing to full."""
_STRETCH: Final = (0.1, 0.4)
"""Pixels along a texel, against the median of its region, between which trust rises."""
_EDGE: Final = (0.3, 1.5)
"""Pixels from where another part, or a nearer surface, begins; trust rises from `_EDGE_FLOOR`."""
_EDGE_FLOOR: Final = 0.5
_JUMP: Final = 0.006
"""Metres of depth between neighbouring pixels that make an edge."""
_BEHIND_LASHES: Final = 0.4
"""Trust in what is seen through the lashes."""
_FAINTEST: Final = 0.02
_GAIN: Final = (0.5, 2.0)
_GAIN_TRUST: Final = 0.5
PRIOR_WEIGHT: Final = 3
"""Weight, of 255, of what is assumed of texels that a frame does not show: beside those that it
shows they look alike, and eyes, teeth and mouth lie in the shadow."""
_REACH: Final = 2.5
"""Standard deviation, packed texels, over which what is seen is carried on into what is not."""
_NEAR: Final = 0.02
_LARGEST_RASTER: Final = 1024
"""Longer side of the z-buffer, pixels."""
_DARK: Final = 0.05
"""Linear albedo below which skin tells nothing about the light: brows, beard, nostrils."""


@dataclass(frozen=True)
class SampleView:
    """One frame of a clip.

    Attributes:
        image: `(height, width, 3)` uint8 sRGB.
        camera: Of the image.
        pose: Head frame to camera frame, in the size of the head.
        coefficients: `(52,)` in [0, 1].
        gaze: `(4,)` rad.
        frame: Number in the clip.
    """

    image: NDArray[np.uint8]
    camera: Camera
    pose: Pose
    coefficients: NDArray[np.floating]
    gaze: NDArray[np.floating]
    frame: int = 0


@dataclass(frozen=True)
class Look:
    """What one frame shows of the texels of a `Sampler`.

    Attributes:
        residual: `(n, 3)` float32, encoded albedo beyond the static one, within each scale.
        trust: `(n,)` float32 in [0, 1].
        gain: Exposure of the frame.
    """

    residual: NDArray[np.float32]
    trust: NDArray[np.float32]
    gain: float


@dataclass(frozen=True)
class _Seen:
    """Colours, normals and trust of the texels in one frame."""

    colours: NDArray[np.float32]
    normals: NDArray[np.float32]
    trust: NDArray[np.float32]


class Sampler:
    """Looks the texels of a layout up in frames of one head.

    Args:
        head: Whose texture it is.
        albedo: `(h, w, 3 or 4)` uint8 sRGB, in the head atlas.
        layout: Regions and packing; texels whose mask is 0 are left out.
    """

    def __init__(self, head: Head, albedo: NDArray[np.uint8], layout: Layout) -> None:
        self._head = head
        self._layout = layout
        texels = layout_texels(head.topology, layout)
        self.texels = texels.where(layout.masks().ravel()[texels.index] > 0)
        self._albedo = packed_albedo(albedo, layout).reshape(-1, 3)[self.texels.index]
        self._scale = layout.scales().reshape(-1)[self.texels.index]
        names = [one.name for one in layout.regions]
        skin = [i for i, name in enumerate(names) if name in SKIN_REGIONS]
        self._skin = np.isin(self.texels.region, skin)
        linear = srgb_to_linear(self._albedo).mean(axis=1)
        self._evident = self._skin & (linear > _DARK)
        parts = np.zeros(len(head.topology.faces), np.uint8)
        for number, name in enumerate(PART_NAMES):
            parts[head.topology.parts[name].faces] = number
        self._parts = parts
        self._shadows = (MouthShadow(head), LidShadow(head, "left"), LidShadow(head, "right"))
        self._density = _texel_lengths(head, layout)

    def look(self, view: SampleView, light: ClipLight | None) -> Look:
        """Return what a frame shows.

        The frame's colour is decoded, divided by exposure and light, and encoded again. What is
        hidden beside something seen is taken to look like it, and what is hidden of eyes, teeth
        and mouth to be in the shadow that a renderer would draw, with next to no trust: so no
        edge shows where the frames end, and no part of a mouth is ever as bright as its albedo.

        Args:
            view: The frame.
            light: Of the clip; left out for pictures of the albedo itself.
        """
        seen = self._see(view)
        gain = 1.0
        encoded = seen.colours
        if light is not None:
            linear = srgb_to_linear(seen.colours)
            shade = light.shade(seen.normals)
            gain = self._gain(linear, shade, seen.trust)
            encoded = np.asarray(linear_to_srgb(linear / (shade * np.float32(gain))), np.float32)
        hidden = seen.trust == 0
        beside = self._carried_on(encoded, seen.trust)
        carried = hidden & (beside[:, 3] > _NEAR)
        shadowed = hidden & ~self._skin & ~carried
        guess = np.where(carried[:, None], beside[:, :3], self._albedo)
        guess[shadowed] = self._shadowed(view)[shadowed]
        residual = np.where(hidden[:, None], guess, encoded) - self._albedo
        residual = np.clip(residual, -self._scale[:, None], self._scale[:, None])
        seen.trust[shadowed | carried] = PRIOR_WEIGHT / 255.0
        return Look(residual.astype(np.float32), seen.trust, gain)

    def lit(self, view: SampleView) -> Lit:
        """Return what skin a frame shows well, for `fit_clip_light`."""
        seen = self._see(view)
        good = self._evident & (seen.trust > _GAIN_TRUST)
        return Lit(
            np.asarray(srgb_to_linear(seen.colours[good]), np.float32),
            np.asarray(srgb_to_linear(self._albedo[good]), np.float32),
            seen.normals[good],
        )

    def _carried_on(
        self, colours: NDArray[np.float32], trust: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return `(n, 4)` the mean colour of the trusted texels around each, and their share."""
        import cv2

        side = self._layout.size
        packed = np.zeros((side * side, 4), np.float32)
        packed[self.texels.index, :3] = colours * trust[:, None]
        packed[self.texels.index, 3] = trust
        packed = packed.reshape(side, side, 4)
        for region in self._layout.regions:
            window = np.ascontiguousarray(packed[region.window])
            packed[region.window] = cv2.GaussianBlur(window, (0, 0), _REACH)
        beside = packed.reshape(-1, 4)[self.texels.index]
        beside[:, :3] /= np.maximum(beside[:, 3:], 1e-6)
        return beside

    def _shadowed(self, view: SampleView) -> NDArray[np.float32]:
        """Return `(n, 3)` the encoded albedo in the shadow of the mouth and of the lids."""
        vertices = self._head.vertices(np.asarray(view.coefficients), gaze=view.gaze)
        mouth, *lids = self._shadows
        open_sky = mouth.apply(np.ones(len(vertices), np.float32), vertices)
        for lid in lids:
            lid.apply(open_sky, vertices)
        shaded = srgb_to_linear(self._albedo) * self._spread(open_sky)[:, None]
        return np.asarray(linear_to_srgb(shaded), np.float32)

    def _gain(
        self, linear: NDArray[np.floating], shade: NDArray[np.float32], trust: NDArray[np.float32]
    ) -> float:
        good = self._evident & (trust > _GAIN_TRUST)
        if good.sum() < 100:
            return 1.0
        lit = srgb_to_linear(self._albedo[good]) * shade[good]
        ratio = linear[good].mean(axis=1) / np.maximum(lit.mean(axis=1), 1e-4)
        return float(np.clip(np.median(ratio), *_GAIN))

    def _see(self, view: SampleView) -> _Seen:
        head, texels = self._head, self.texels
        topology = head.topology
        at = view.pose.apply(
            head.vertices(np.asarray(view.coefficients), gaze=view.gaze).astype(np.float64)
        ).astype(np.float32)
        positions = self._spread(at)
        normals = self._spread(vertex_normals(at, topology.faces))
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        pixels = np.asarray(view.camera.project(positions), np.float32)
        toward = -positions / np.maximum(np.linalg.norm(positions, axis=1, keepdims=True), 1e-9)
        facing = (normals * toward).sum(axis=1)
        corners = np.asarray(view.camera.project(at.astype(np.float64)), np.float64)
        stretch = _face_lengths(corners, topology.faces) / self._density
        footprint = stretch[texels.region, texels.face]
        trust = self._visibility(view, at, pixels, -positions[:, 2])
        trust *= _smoothstep(facing, *_SLANT)
        levels = np.zeros(len(self._layout.regions))
        for number in range(len(levels)):
            own = (texels.region == number) & (trust > 0)
            if own.any():
                usual = max(float(np.median(footprint[own])), 1e-6)
                trust[own] *= _smoothstep(footprint[own] / usual, *_STRETCH)
                levels[number] = usual
        trust[trust < _FAINTEST] = 0.0
        colours = _colours(view.image, pixels, levels, texels.region)
        return _Seen(colours, normals, trust)

    def _visibility(
        self,
        view: SampleView,
        at: NDArray[np.float32],
        pixels: NDArray[np.float32],
        depth: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return `(n,)` in [0, 1]: whether a texel is seen, and how far from an edge."""
        import cv2

        topology = self._head.topology
        camera, low = _window(view.camera, view.camera.project(at.astype(np.float64)))
        factor = min(1.0, _LARGEST_RASTER / max(camera.width, camera.height))
        camera = camera.scaled(factor)
        corner_pixels, corner_depth = camera.project(at.astype(np.float64)), -at[:, 2]
        lashes = topology.parts["lashes"].faces
        solid = topology.faces[: lashes.start]
        raster = rasterize(corner_pixels, corner_depth, solid, camera.width, camera.height)
        over = rasterize(
            corner_pixels, corner_depth, topology.faces[lashes], camera.width, camera.height
        )
        part = np.where(raster.face >= 0, self._parts[raster.face] + 1, 0).astype(np.uint8)
        far = np.where(raster.face >= 0, raster.depth, 10.0).astype(np.float32)
        jump = cv2.dilate(far, np.ones((3, 3))) - far > _JUMP
        near = far - cv2.erode(far, np.ones((3, 3))) > _JUMP
        border = cv2.morphologyEx(part, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
        free = (~(jump | near | border)).astype(np.uint8)
        away = np.asarray(cv2.distanceTransform(free, cv2.DIST_L2, 3), np.float32) / factor
        place = (pixels - low) * factor
        inside = np.all((place >= 1) & (place < [camera.width - 1, camera.height - 1]), axis=1)
        column, row = np.floor(np.where(inside[:, None], place, 0)).astype(np.int64).T
        seen = inside & (part[row, column] == self._parts[self.texels.face] + 1)
        seen &= depth < far[row, column] + _HIDDEN
        trust = _EDGE_FLOOR + (1 - _EDGE_FLOOR) * _smoothstep(away[row, column], *_EDGE)
        hidden = over.depth[row, column] < depth
        return np.asarray(trust * seen * np.where(hidden, _BEHIND_LASHES, 1.0), np.float32)

    def _spread(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        from lifemask.appearance import Texels

        topology, texels = self._head.topology, self.texels
        flat = Texels(topology, self._layout.size, texels.index, texels.face, texels.barycentric)
        return flat.spread(values)


def clip_light_of(
    head: Head, albedo: NDArray[np.uint8], views: Sequence[SampleView], layout: Layout
) -> ClipLight:
    """Estimate the light of a clip from some of its frames (see `fit_clip_light`).

    Args:
        head: Whose texture it is.
        albedo: `(h, w, 3 or 4)` uint8 sRGB, in the head atlas.
        views: Frames, rising; two dozen spread over the clip are enough.
        layout: Regions and packing.

    Raises:
        ValueError: No frame shows skin.
    """
    sampler = Sampler(head, albedo, layout)
    found = [(view.frame, sampler.lit(view)) for view in views]
    found = [(number, lit) for number, lit in found if len(lit.seen) >= 100]
    if not found:
        raise ValueError("no frame shows skin")
    return fit_clip_light([number for number, _ in found], [lit for _, lit in found])


def packed_albedo(albedo: NDArray[np.uint8], layout: Layout) -> NDArray[np.float32]:
    """Return the albedo at the packed texels, `(size, size, 3)` float32 sRGB in [0, 1].

    Each texel is the mean over the part of the atlas that it covers; 0 outside of the regions.
    """
    import cv2

    height, width = albedo.shape[:2]
    packed = np.zeros((layout.size, layout.size, 3), np.float32)
    for region in layout.regions:
        u0, v0, u1, v1 = region.uv
        _, _, wide, high = region.place
        # Sampled finely, then averaged, so that any atlas size will do.
        fine = max(1, round((u1 - u0) * width / wide), round((v1 - v0) * height / high))
        x = (u0 + (np.arange(wide * fine) + 0.5) / (wide * fine) * (u1 - u0)) * width - 0.5
        y = (v0 + (np.arange(high * fine) + 0.5) / (high * fine) * (v1 - v0)) * height - 0.5
        grid = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        picture = cv2.remap(
            np.ascontiguousarray(albedo[..., :3]),
            grid[0],
            grid[1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        mean = picture.reshape(high, fine, wide, fine, 3).mean(axis=(1, 3))
        packed[region.window] = mean / np.float32(255)
    return packed


def _texel_lengths(head: Head, layout: Layout) -> NDArray[np.float64]:
    """Return `(regions, n_faces)` square root of the packed texels that each face covers."""
    topology = head.topology
    lengths = []
    for region in layout.regions:
        u0, v0, u1, v1 = region.uv
        _, _, width, height = region.place
        scaled = topology.uv.astype(np.float64) * [width / (u1 - u0), height / (v1 - v0)]
        lengths.append(np.maximum(_face_lengths(scaled, topology.faces_uv), 1e-6))
    return np.stack(lengths)


def _face_lengths(points: NDArray[np.float64], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return `(n_faces,)` square root of twice each triangle's area in the plane."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    cross = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return np.sqrt(np.abs(cross))


def _window(camera: Camera, pixels: NDArray[np.floating]) -> tuple[Camera, NDArray[np.float64]]:
    """Return the camera cut to where points are, and its corner in the whole picture."""
    finite = pixels[np.isfinite(pixels).all(axis=1)]
    size = np.array([camera.width, camera.height])
    low = np.clip(np.floor(finite.min(axis=0)) - 2, 0, size - 4)
    high = np.clip(np.ceil(finite.max(axis=0)) + 2, low + 4, size)
    x, y = camera.principal_point
    width, height = (high - low).astype(int).tolist()
    cut = replace(camera, width=width, height=height, center=(x - low[0], y - low[1]))
    return cut, low.astype(np.float64)


def _colours(
    image: NDArray[np.uint8],
    pixels: NDArray[np.float32],
    footprints: NDArray[np.float64],
    region: NDArray[np.uint8],
) -> NDArray[np.float32]:
    """Sample a picture; where a texel covers several pixels, a smaller copy of it is read."""
    import cv2

    levels = np.maximum(np.floor(np.log2(np.maximum(footprints, 1.0)) + 0.5), 0).astype(int)
    result = np.zeros((len(pixels), 3), np.float32)
    picture: Any = image
    for level in range(int(levels.max()) + 1):
        if level:
            height, width = picture.shape[:2]
            size = (max(width // 2, 1), max(height // 2, 1))
            picture = cv2.resize(
                picture[: 2 * size[1], : 2 * size[0]], size, interpolation=cv2.INTER_AREA
            )
        own = levels[region] == level
        result[own] = sample_bilinear(picture, pixels[own] / 2.0**level)
    return result / np.float32(255.0)


def _smoothstep(value: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)
