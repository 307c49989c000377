"""The avatar drawn into the footage: its albedo, and the normals that light needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.appearance import ClipLight, Lit, fit_clip_light
from lifemask.dynamics import dynamic_input, view_direction
from lifemask.geometry import rasterize, srgb_to_linear, vertex_normals
from lifemask.rendering import Light, Renderer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.avatar import Avatar
    from lifemask.evaluation._footage import Footage
    from lifemask.evaluation._splits import Split
    from lifemask.evaluation._states import HeadState, States

BACKGROUND: Final = (128, 128, 128)
"""What a method shows where its head does not reach: no help from the footage."""

EVEN_LIGHT: Final = Light((), (0.6, 0.6, 0.6), (0.6, 0.6, 0.6), occlusion=0.0, gloss=0.0)
"""The same from everywhere, dim enough that nothing is compressed: albedo, but with the shadow in
the open mouth and under the lids that every picture of the head has."""

_LIGHT_FRAMES: Final = 24
"""Training frames, spread evenly, that the light and its drift are measured in."""
_PIXEL_STEP: Final = 3


class Drawn(NamedTuple):
    """One frame of an avatar in even light.

    Attributes:
        albedo: `(height, width, 3)` sRGB under `EVEN_LIGHT`, the background where there is no head.
        normals: `(height, width, 3)` float32, camera frame; zero where there is no head.
        skin: `(height, width)` bool.
    """

    albedo: NDArray[np.uint8]
    normals: NDArray[np.float32]
    skin: NDArray[np.bool_]


class AvatarDrawing:
    """Draws an avatar where the footage has the person.

    Args:
        avatar: As it was read from its package.
        footage: The clip.

    Attributes:
        head: Of the avatar.
        kinds: Dynamic textures that it has.
    """

    def __init__(self, avatar: Avatar, footage: Footage) -> None:
        self.head = avatar.head
        self.kinds = tuple(avatar.dynamics)
        self._dynamics = avatar.dynamics
        self._footage = footage
        texture = avatar.best_dynamic()
        layout = None if texture is None else texture.layout
        self._renderer = Renderer(avatar.head, avatar.textures, hair=avatar.hair, layout=layout)

    def draw(self, state: HeadState, states: States, kind: str | None = None) -> Drawn:
        """Draw one frame in the cut picture.

        Args:
            state: What the head does.
            states: Whose camera sees it.
            kind: Of the avatar's dynamic texture; without, the static texture is drawn.
        """
        camera = self._footage.camera(states.camera)
        vertices = self.head.vertices(state.coefficients, gaze=state.gaze)
        albedo = self._renderer.render(
            vertices,
            pose=state.pose,
            camera=camera,
            light=EVEN_LIGHT,
            background=BACKGROUND,
            dynamic=None if kind is None else self._texture(kind, state),
        )
        topology = self.head.topology
        opaque = topology.faces[: topology.parts["lashes"].faces.start]
        points = state.pose.apply(vertices.astype(np.float64))
        raster = rasterize(
            camera.project(points), -points[:, 2], opaque, camera.width, camera.height
        )
        normals = raster.interpolate(opaque, vertex_normals(points, topology.faces))
        normals /= np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-6)
        run = topology.parts["skin"].faces
        return Drawn(albedo, normals, (raster.face >= run.start) & (raster.face < run.stop))

    def _texture(self, kind: str, state: HeadState) -> NDArray[np.float32]:
        view = view_direction(state.pose)
        return self._dynamics[kind].evaluate(dynamic_input(state.coefficients, state.gaze, view))


def clip_light(drawing: AvatarDrawing, footage: Footage, states: States, split: Split) -> ClipLight:
    """Estimate the light of a clip and its drift from training frames only."""
    known = [i for i in split.train if i in states.frames]
    places = np.linspace(0, len(known) - 1, min(_LIGHT_FRAMES, len(known))).round().astype(int)
    numbers = [known[place] for place in places]
    return fit_clip_light(
        numbers, [_lit(drawing.draw(states.frames[i], states), footage, i) for i in numbers]
    )


def _lit(drawn: Drawn, footage: Footage, frame: int) -> Lit:
    inside = drawn.skin & footage.masks.region(frame, "face")
    rows, columns = (axis[::_PIXEL_STEP] for axis in np.nonzero(inside))

    def linear(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        return srgb_to_linear(picture[rows, columns] / np.float32(255.0)).astype(np.float32)

    return Lit(
        linear(np.asarray(footage.pictures[frame])),
        linear(drawn.albedo),
        drawn.normals[rows, columns],
    )
