"""Pictures of a head without a GPU."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import Camera, Pose
from lifemask.heads import PART_NAMES
from lifemask.rendering._encoding import decode_table, encode_table
from lifemask.rendering._framing import after, frame_head, pose_vertices
from lifemask.rendering._light import STUDIO_LIGHT, Light, lamp_arrays
from lifemask.rendering._occlusion import MouthShadow, sky_visibility
from lifemask.rendering._scene import (
    Buffers,
    Fragments,
    Lamps,
    Materials,
    Mesh,
    Surface,
    make_buffers,
    make_fragments,
)
from lifemask.rendering._textures import build_texture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.capture import PerformanceFrame
    from lifemask.heads import Head, Topology

    Background = tuple[int, int, int] | NDArray[np.uint8] | None

_BAND_ROWS = 16
"""Rows that are shaded at a time: few enough that what is known about them stays in the cache."""

_TEXELS_PER_ISLAND = 16
"""A part is never sampled more coarsely than this many texels across its island."""

_MATERIALS = {
    # part: roughness, specular, scatter of red, green, blue
    "skin": (0.5, 0.9, (0.25, 0.12, 0.07)),
    "mouth": (0.4, 1.0, (0.3, 0.1, 0.1)),
    "tongue": (0.4, 1.0, (0.3, 0.1, 0.1)),
    "teeth_upper": (0.25, 1.0, (0.2, 0.2, 0.15)),
    "teeth_lower": (0.25, 1.0, (0.2, 0.2, 0.15)),
    "eye_left": (0.12, 1.3, (0.15, 0.12, 0.1)),
    "eye_right": (0.12, 1.3, (0.15, 0.12, 0.1)),
    "lashes": (0.8, 0.2, (0.0, 0.0, 0.0)),
}


class Renderer:
    """Draws one head from many views and in many expressions.

    Textures are prepared once; a frame of 512 x 512 pixels then takes some 20 ms on one core.
    The result depends on the arguments only. An object is not to be used from two threads at the
    same time.

    Args:
        head: Geometry.
        textures: `albedo` `(h, w, 3|4)` uint8 sRGB (alpha shapes the lashes), and if there
            `normal` (tangent space, green up) and `orm` (occlusion, roughness, metalness).
            Without `albedo` the head is grey.
        supersampling: Samples along each side of a pixel where surfaces end.
        neck_fade: Metres over which the lower end of the neck fades into the background.
    """

    def __init__(
        self,
        head: Head,
        textures: Mapping[str, NDArray[np.uint8]],
        *,
        supersampling: int = 2,
        neck_fade: float = 0.02,
    ) -> None:
        if not 1 <= supersampling <= 8:
            raise ValueError(f"supersampling is {supersampling}, expected 1 to 8")
        self.head = head
        self._samples = supersampling
        self._mesh = _make_mesh(head, textures, neck_fade)
        self._open_sky = sky_visibility(head, _normals(head.neutral, head.topology))
        self._mouth = MouthShadow(head)
        self._buffers: Buffers | None = None
        self._fragments: Fragments | None = None
        self._scratch = np.empty((0, 4), np.float32)

    def render(
        self,
        vertices: NDArray[np.float32] | None = None,
        *,
        pose: Pose,
        camera: Camera,
        light: Light | None = STUDIO_LIGHT,
        background: Background = None,
        alpha: bool = False,
    ) -> NDArray[np.uint8]:
        """Draw one picture.

        Args:
            vertices: `(n_vertices, 3)` m, head frame, see `Head.vertices`; neutral when left out.
            pose: Head frame to camera frame.
            camera: Its width and height are those of the picture.
            light: Light in the camera frame; `None` shows the albedo as it is.
            background: An sRGB colour, or a picture `(height, width, 3)` uint8; a soft grey
                gradient when left out.
            alpha: Leave the background out and return coverage as a fourth channel.

        Returns:
            `(height, width, 3)` uint8 sRGB, or `(height, width, 4)` with straight alpha.
        """
        head_frame = self.head.neutral if vertices is None else vertices
        surface = self._surface(head_frame, pose, camera, light.occlusion if light else 0.0)
        buffers = self._draw(surface, camera)
        picture = np.empty((camera.height, camera.width, 4 if alpha else 3), np.uint8)
        behind = _background(background, camera)
        lamps = None if light is None else lamp_arrays(light)
        for first in range(0, camera.height, _BAND_ROWS):
            rows = first, min(first + _BAND_ROWS, camera.height)
            self._shade_band(surface, buffers, rows, lamps, behind, picture)
        return picture

    def render_frame(
        self,
        frame: PerformanceFrame,
        *,
        pose: Pose,
        camera: Camera,
        light: Light | None = STUDIO_LIGHT,
        background: Background = None,
        alpha: bool = False,
    ) -> NDArray[np.uint8]:
        """Draw one frame of a performance; the base of the neck stays, the head turns.

        Args:
            frame: Coefficients, gaze and head rotation; translation is not used.
            pose: Pose of the resting head, see `frame_head`.
            camera: Its width and height are those of the picture.
            light: See `render`.
            background: See `render`.
            alpha: See `render`.
        """
        vertices, motion = pose_vertices(self.head, frame)
        return self.render(
            vertices,
            pose=after(pose, motion),
            camera=camera,
            light=light,
            background=background,
            alpha=alpha,
        )

    def _surface(
        self, vertices: NDArray[np.float32], pose: Pose, camera: Camera, occlusion: float
    ) -> Surface:
        from lifemask.rendering._surface_kernels import texel_footprints

        topology = self.head.topology
        if vertices.shape != self.head.neutral.shape:
            raise ValueError(
                f"vertices have shape {vertices.shape}, expected {self.head.neutral.shape}"
            )
        # Broken vertices are dropped face by face when they are drawn.
        with np.errstate(all="ignore"):
            exact = pose.apply(np.asarray(vertices, np.float64))
            points = np.empty((len(exact), 3))
            points[:, :2] = camera.project(exact)
            points[:, 2] = -exact[:, 2]
            positions = exact.astype(np.float32)
        mesh, footprints = self._mesh, np.empty(len(topology.faces), np.float32)
        texel_footprints(points, mesh.faces, mesh.faces_uv, mesh.uv, footprints)
        return Surface(
            points,
            positions,
            _normals(positions, topology),
            self._mouth.apply(1.0 - occlusion * (1.0 - self._open_sky), vertices),
            footprints,
        )

    def _draw(self, surface: Surface, camera: Camera) -> Buffers:
        from lifemask.rendering._surface_kernels import draw_faces

        shape = (camera.height * self._samples, camera.width * self._samples)
        if self._buffers is None or self._buffers.face.shape != shape:
            self._buffers = make_buffers(shape[1], shape[0])
        faces, scale = self._mesh.faces, float(self._samples)
        face, depth, lash_face, lash_depth = self._buffers
        face.fill(-1)
        depth.fill(0)
        lash_face.fill(-1)
        lash_depth.fill(0)
        lashes = self.head.topology.parts["lashes"].faces
        draw_faces(surface.points, faces, 0, lashes.start, True, scale, face, depth)
        draw_faces(
            surface.points, faces, lashes.start, lashes.stop, False, scale, lash_face, lash_depth
        )
        return self._buffers

    def _shade_band(
        self,
        surface: Surface,
        buffers: Buffers,
        rows: tuple[int, int],
        lamps: Lamps | None,
        background: NDArray[np.uint8],
        picture: NDArray[np.uint8],
    ) -> None:
        from lifemask.rendering import _fragment_kernels as kernels
        from lifemask.rendering._light_kernels import light
        from lifemask.rendering._texture_kernels import sample

        mesh, fragments = self._mesh, self._band(picture.shape[1])
        count = kernels.gather(buffers, mesh.parts, *rows, self._samples, fragments)
        kernels.locate(mesh, surface, fragments, count)
        places = fragments.uv, fragments.footprint, count
        sample(mesh.albedo, *places, fragments.color)
        if lamps is not None:
            if len(mesh.normal.texels):
                sample(mesh.normal, *places, self._scratch)
                kernels.bend_normals(mesh, surface, fragments, self._scratch, count)
            if len(mesh.orm.texels):
                sample(mesh.orm, *places, self._scratch)
            kernels.apply_materials(mesh, fragments, self._scratch, count)
            light(lamps, mesh.materials, fragments, count)
        kernels.compose(fragments, *rows, background, decode_table(), encode_table(), picture)

    def _band(self, width: int) -> Fragments:
        pixels = width * _BAND_ROWS
        if self._fragments is None or len(self._fragments.start) != pixels + 1:
            self._fragments = make_fragments(pixels, self._samples)
            self._scratch = np.empty_like(self._fragments.color)
        return self._fragments


def render(
    head: Head,
    textures: Mapping[str, NDArray[np.uint8]],
    *,
    vertices: NDArray[np.float32] | None = None,
    pose: Pose | None = None,
    camera: Camera | None = None,
    light: Light | None = STUDIO_LIGHT,
    background: Background = None,
    alpha: bool = False,
    supersampling: int = 2,
) -> NDArray[np.uint8]:
    """Draw one picture of a head; for several of the same head make a `Renderer`.

    Args:
        head: Geometry.
        textures: See `Renderer`.
        vertices: See `Renderer.render`.
        pose: Head frame to camera frame; facing the camera when left out.
        camera: 512 x 512 pixels when left out.
        light: See `Renderer.render`.
        background: See `Renderer.render`.
        alpha: See `Renderer.render`.
        supersampling: See `Renderer`.

    Returns:
        `(height, width, 3)` uint8 sRGB, or `(height, width, 4)` with straight alpha.
    """
    size = (camera.width, camera.height) if camera else (512, 512)
    default_camera, default_pose = frame_head(head, *size)
    return Renderer(head, textures, supersampling=supersampling).render(
        vertices,
        pose=pose or default_pose,
        camera=camera or default_camera,
        light=light,
        background=background,
        alpha=alpha,
    )


def studio_background(width: int, height: int) -> NDArray[np.uint8]:
    """Return a soft grey gradient `(height, width, 3)` uint8, brightest behind the head."""
    return _studio(width, height).copy()


@functools.lru_cache(maxsize=4)
def _studio(width: int, height: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    across = (x + 0.5 - 0.5 * width) / max(width, height)
    down = (y + 0.5 - 0.45 * height) / max(width, height)
    fall = np.exp(-2.2 * (across**2 + down**2))
    shade = np.array([52, 55, 60]) + fall[..., None] * np.array([60, 62, 64])
    # An ordered half-step pattern breaks the bands that eight bits leave in a smooth gradient.
    dither = np.array([[0.125, 0.625], [0.875, 0.375]])[y % 2, x % 2]
    return (shade + dither[..., None]).astype(np.uint8)


def _background(background: Background, camera: Camera) -> NDArray[np.uint8]:
    shape = (camera.height, camera.width, 3)
    if background is None:
        return _studio(camera.width, camera.height)
    array = np.asarray(background, np.uint8)
    if array.shape == (3,):
        return np.broadcast_to(array, shape).copy()
    if array.shape != shape:
        raise ValueError(f"background has shape {array.shape}, expected {shape}")
    return np.ascontiguousarray(array)


def _normals(positions: NDArray[np.float32], topology: Topology) -> NDArray[np.float32]:
    from lifemask.rendering._surface_kernels import vertex_normals

    normals = np.empty((len(positions), 3), np.float32)
    vertex_normals(np.ascontiguousarray(positions, np.float32), topology.faces, normals)
    return normals


def _make_mesh(head: Head, textures: Mapping[str, NDArray[np.uint8]], neck_fade: float) -> Mesh:
    topology = head.topology
    _check_indices(topology.faces, len(head.neutral))
    _check_indices(topology.faces_uv, len(topology.uv))
    parts = np.zeros(len(topology.faces), np.uint8)
    for number, name in enumerate(PART_NAMES):
        parts[topology.parts[name].faces] = number
    rough, specular, scatter = zip(*(_MATERIALS[name] for name in PART_NAMES), strict=True)
    grey = np.full((1, 1, 3), 128, np.uint8)
    return Mesh(
        np.ascontiguousarray(topology.faces, np.int32),
        np.ascontiguousarray(topology.faces_uv, np.int32),
        np.ascontiguousarray(np.nan_to_num(topology.uv), np.float32),
        parts,
        build_texture(textures.get("albedo", grey), topology),
        build_texture(textures.get("normal"), topology, color=False),
        build_texture(textures.get("orm"), topology, color=False),
        Materials(*(np.array(values, np.float32) for values in (rough, specular, scatter))),
        _coarsest(topology),
        _presence(head, neck_fade),
    )


def _coarsest(topology: Topology) -> NDArray[np.float32]:
    """Return the binary logarithm of a small share of each part's island in the atlas."""
    sides = []
    for name in PART_NAMES:
        corners = topology.uv[topology.faces_uv[topology.parts[name].faces]].reshape(-1, 2)
        sides.append(np.ptp(np.nan_to_num(corners), axis=0).min() if len(corners) else 1.0)
    return np.log2(np.maximum(sides, 1e-6) / _TEXELS_PER_ISLAND).astype(np.float32)


def _check_indices(faces: NDArray[np.int32], count: int) -> None:
    """Refuse what would make the compiled loops read outside their arrays."""
    if faces.size and not 0 <= faces.min() <= faces.max() < count:
        raise ValueError(f"a face names a vertex outside 0..{count - 1}")


def _presence(head: Head, neck_fade: float) -> NDArray[np.float32]:
    """Return 0 at the end of the neck, rising smoothly to 1 within the given length (m)."""
    if neck_fade <= 0:
        return np.ones(len(head.neutral), np.float32)
    end = head.neutral[head.topology.neck_loop]
    nearest = np.full(len(head.neutral), np.inf, np.float32)
    for point in end:
        np.minimum(nearest, np.linalg.norm(head.neutral - point, axis=1), out=nearest)
    share = np.clip(nearest / neck_fade, 0.0, 1.0)
    return (share * share * (3 - 2 * share)).astype(np.float32)
