"""Pictures of a head without a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.appearance import LidShadow, MouthShadow
from lifemask.geometry import Camera, Pose
from lifemask.rendering._background import fill_background
from lifemask.rendering._encoding import decode_table, encode_table
from lifemask.rendering._framing import after, frame_head, pose_vertices
from lifemask.rendering._hair import HAIR_PART, add_hair_surface, shade_hair, with_hair
from lifemask.rendering._light import STUDIO_LIGHT, Light, lamp_arrays
from lifemask.rendering._mesh import make_mesh, matte_inside
from lifemask.rendering._occlusion import resting_sky
from lifemask.rendering._refinement import Refinement
from lifemask.rendering._scene import (
    Buffers,
    Fragments,
    Lamps,
    Mesh,
    Surface,
    make_buffers,
    make_fragments,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.appearance import HairCap
    from lifemask.capture import PerformanceFrame
    from lifemask.dynamics import Layout
    from lifemask.heads import Head
    from lifemask.rendering._background import Background
    from lifemask.rendering._dynamic import DynamicAlbedo

_BAND_ROWS = 32
"""Rows that are shaded at a time: few enough that what is known about them stays in the cache."""


class Renderer:
    """Draws one head from many views and in many expressions.

    Textures are prepared once; a frame of 512 x 512 pixels then takes some 25 ms on one core.
    The result depends on the arguments only. An object is not to be used from two threads at the
    same time.

    Args:
        head: Geometry.
        textures: `albedo` `(h, w, 3|4)` uint8 sRGB (alpha shapes the lashes), and if there
            `normal` (tangent space, green up) and `orm` (occlusion, roughness, metalness).
            Without `albedo` the head is grey.
        hair: Cap of hair over the skin, drawn where `textures` has its picture `hair`; hidden
            when left out.
        supersampling: Samples along each side of a pixel where surfaces end.
        neck_fade: Metres over which the lower end of the neck fades into the background.
        refine: Split the faces and round them, so that outlines show no corners.
        layout: Of the dynamic textures that are drawn; that of the head's profile with as many
            texels when left out.
    """

    def __init__(
        self,
        head: Head,
        textures: Mapping[str, NDArray[np.uint8]],
        *,
        hair: HairCap | None = None,
        supersampling: int = 2,
        neck_fade: float = 0.02,
        refine: bool = True,
        layout: Layout | None = None,
    ) -> None:
        if not 1 <= supersampling <= 8:
            raise ValueError(f"supersampling is {supersampling}, expected 1 to 8")
        self.head = head
        self._samples = supersampling
        self._refinement = Refinement(head.topology) if refine else None
        self._mesh = make_mesh(head, textures, neck_fade, self._refinement)
        self.hair = hair if "hair" in textures else None
        if self.hair is not None:
            self._mesh = with_hair(self._mesh, self.hair, textures["hair"], neck_fade)
        self._open_sky = resting_sky(head, _normals(head.neutral, head.topology.faces))
        self._mouth = MouthShadow(head)
        self._lids = (LidShadow(head, "left"), LidShadow(head, "right"))
        self._buffers: Buffers | None = None
        self._lash_rows = slice(0)
        self._fragments: Fragments | None = None
        self._scratch = np.empty((0, 4), np.float32)
        self._layout = layout
        self._dynamic: DynamicAlbedo | None = None

    def render(
        self,
        vertices: NDArray[np.float32] | None = None,
        *,
        pose: Pose,
        camera: Camera,
        light: Light | None = STUDIO_LIGHT,
        background: Background = None,
        alpha: bool = False,
        dynamic: NDArray[np.floating] | None = None,
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
            dynamic: Output of a dynamic texture `(size, size, 3)` in [0, 1], added to the albedo.
                It holds the shadow in the mouth and under the lids, which then is not drawn.

        Returns:
            `(height, width, 3)` uint8 sRGB, or `(height, width, 4)` with straight alpha.
        """
        head_frame = np.asarray(self.head.neutral if vertices is None else vertices, np.float32)
        occlusion = light.occlusion if light else 0.0
        surface, mesh = self._surface(head_frame, pose, camera, occlusion, dynamic)
        buffers = self._draw(surface, camera)
        if alpha:
            picture = np.zeros((camera.height, camera.width, 4), np.uint8)
        else:
            picture = fill_background(background, camera)
        lamps = None if light is None else lamp_arrays(light)
        for first in range(0, camera.height, _BAND_ROWS):
            rows = first, min(first + _BAND_ROWS, camera.height)
            self._shade_band(mesh, surface, buffers, rows, lamps, picture)
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
        dynamic: NDArray[np.floating] | None = None,
    ) -> NDArray[np.uint8]:
        """Draw one frame of a performance; the base of the neck stays, the head turns.

        Args:
            frame: Coefficients, gaze and head rotation; translation is not used.
            pose: Pose of the resting head, see `frame_head`.
            camera: Its width and height are those of the picture.
            light: See `render`.
            background: See `render`.
            alpha: See `render`.
            dynamic: See `render`.
        """
        vertices, motion = pose_vertices(self.head, frame)
        return self.render(
            vertices,
            pose=after(pose, motion),
            camera=camera,
            light=light,
            background=background,
            alpha=alpha,
            dynamic=dynamic,
        )

    def _surface(
        self,
        vertices: NDArray[np.float32],
        pose: Pose,
        camera: Camera,
        occlusion: float,
        dynamic: NDArray[np.floating] | None,
    ) -> tuple[Surface, Mesh]:
        from lifemask.rendering._surface_kernels import texel_footprints

        if vertices.shape != self.head.neutral.shape:
            raise ValueError(
                f"vertices have shape {vertices.shape}, expected {self.head.neutral.shape}"
            )
        topology, refinement = self.head.topology, self._refinement
        footprints = np.empty(len(topology.faces), np.float32)
        # Broken vertices are dropped face by face when they are drawn.
        with np.errstate(all="ignore"):
            open_sky = self._sky(occlusion, vertices, shadows=dynamic is None)
            exact = np.asarray(pose.apply(np.asarray(vertices, np.float64)), np.float64)
            points = _project(exact, camera)
            texel_footprints(points, topology.faces, topology.faces_uv, topology.uv, footprints)
            mesh = self._mesh
            if dynamic is not None:
                albedo, footprints = self._composer(dynamic).compose(dynamic, footprints)
                mesh = mesh._replace(albedo=albedo, materials=matte_inside(mesh.materials))
            if refinement is not None:
                exact = refinement.positions(exact, _normals(exact, topology.faces))
                points = _project(exact, camera)
                open_sky, footprints = refinement.values(open_sky), np.repeat(footprints, 4)
            positions = exact.astype(np.float32)
        normals = _normals(positions, self._mesh.faces[: self._mesh.lashes[1]])
        surface = Surface(points, positions, normals, open_sky, footprints)
        if self.hair is not None:
            surface = add_hair_surface(surface, self.hair, pose, camera)
        return surface, mesh

    def _sky(
        self, occlusion: float, vertices: NDArray[np.float32], *, shadows: bool
    ) -> NDArray[np.float32]:
        """Return how much of the sky each vertex sees, with or without what moves over it."""
        resting = 1.0 - occlusion * (1.0 - self._open_sky)
        if not shadows:
            return self._mouth.lift(resting)
        open_sky = self._mouth.apply(resting, vertices)
        for lid in self._lids:
            lid.apply(open_sky, vertices)
        return open_sky

    def _composer(self, output: NDArray[np.floating]) -> DynamicAlbedo:
        from lifemask.rendering._dynamic import DynamicAlbedo, layout_of

        shape = np.shape(output)
        if self._dynamic is None or shape[:2] != (self._dynamic.layout.size,) * 2:
            layout = self._layout or layout_of(output, self.head.topology)
            if shape != (layout.size, layout.size, 3):
                raise ValueError(
                    f"the dynamic texture has shape {shape}, expected {(layout.size,) * 2 + (3,)}"
                )
            self._dynamic = DynamicAlbedo(self._mesh.albedo, self.head.topology, layout)
        return self._dynamic

    def _draw(self, surface: Surface, camera: Camera) -> Buffers:
        from lifemask.geometry.raster_kernels import snap_points
        from lifemask.rendering._surface_kernels import draw_cutouts, draw_faces

        shape = (camera.height * self._samples, camera.width * self._samples)
        if self._buffers is None or self._buffers.face.shape != shape:
            self._buffers, self._lash_rows = make_buffers(shape[1], shape[0]), slice(0)
        face, depth, lash_face, lash_depth = self._buffers
        face.fill(-1)
        depth.fill(0)
        lash_face[self._lash_rows] = -1
        lash_depth[self._lash_rows] = 0
        points, faces = surface.points, self._mesh.faces
        places, inverse_depths = np.empty((len(points), 2), np.int64), np.empty(len(points))
        snap_points(points, float(self._samples), places, inverse_depths)
        start, stop = self._mesh.lashes
        draw_faces(places, inverse_depths, faces, 0, start, True, face, depth)
        draw_faces(places, inverse_depths, faces, start, stop, False, lash_face, lash_depth)
        if self.hair is not None:
            footprints = surface.footprints
            draw_cutouts(
                places, inverse_depths, self._mesh, stop, footprints, self._samples, face, depth
            )
        self._lash_rows = _rows_of(places[faces[start:stop], 1])
        return self._buffers

    def _shade_band(
        self,
        mesh: Mesh,
        surface: Surface,
        buffers: Buffers,
        rows: tuple[int, int],
        lamps: Lamps | None,
        picture: NDArray[np.uint8],
    ) -> None:
        from lifemask.rendering import _fragment_kernels as kernels
        from lifemask.rendering._light_kernels import light
        from lifemask.rendering._texture_kernels import sample

        fragments = self._band(picture.shape[1])
        count = kernels.gather(buffers, mesh.parts, *rows, self._samples, fragments)
        kernels.locate(mesh, surface, fragments, count)
        places = fragments.uv, fragments.footprint, count
        sample(mesh.albedo, *places, fragments.color)
        hair = shade_hair(mesh, fragments, count, self._scratch) if len(mesh.hair.texels) else None
        if lamps is not None:
            if len(mesh.normal.texels):
                sample(mesh.normal, *places, self._scratch)
                if hair is not None:
                    self._scratch[hair, :3] = 0.5, 0.5, 1.0
                kernels.bend_normals(mesh, surface, fragments, self._scratch, count)
            if len(mesh.orm.texels):
                sample(mesh.orm, *places, self._scratch)
                if hair is not None:
                    self._scratch[hair, :2] = 1.0, mesh.materials.roughness[HAIR_PART]
            kernels.apply_materials(mesh, fragments, self._scratch, count)
            light(lamps, mesh.materials, fragments, count)
        kernels.compose(fragments, *rows, decode_table(), encode_table(), picture)

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
    hair: HairCap | None = None,
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
        hair: See `Renderer`.
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
    return Renderer(head, textures, hair=hair, supersampling=supersampling).render(
        vertices,
        pose=pose or default_pose,
        camera=camera or default_camera,
        light=light,
        background=background,
        alpha=alpha,
    )


def _rows_of(heights: NDArray[np.int64]) -> slice:
    """Return the rows that faces with corners at these subpixels can touch."""
    from lifemask.geometry.raster_kernels import SUBPIXELS

    if not heights.size:
        return slice(0)
    return slice(
        max(int(heights.min()) // SUBPIXELS, 0), max(int(heights.max()) // SUBPIXELS + 1, 0)
    )


def _project(positions: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """Return x, y in pixels and the depth in metres, `(n, 3)`."""
    points = np.empty((len(positions), 3))
    points[:, :2] = camera.project(positions)
    points[:, 2] = -positions[:, 2]
    return points


def _normals(positions: NDArray[np.floating], faces: NDArray[np.int32]) -> NDArray[np.float32]:
    from lifemask.rendering._surface_kernels import vertex_normals

    normals = np.empty((len(positions), 3), np.float32)
    vertex_normals(np.ascontiguousarray(positions, np.float32), faces, normals)
    return normals
