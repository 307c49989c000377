"""What one picture shows of each texel: colour, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import sample_bilinear
from lifemask.geometry import rasterize, vertex_normals
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import FACE_OVAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

_RASTER_SIDE: Final = 1024
"""Longer side of the depth picture that decides what is hidden."""
_HIDDEN: Final = 0.003
"""Metres behind the nearest surface at which a texel counts as hidden."""
_SLANT: Final = (0.30, 0.72)
"""Cosines of the viewing angle between which trust rises from nothing to full."""
_STRETCH: Final = (0.22, 0.5)
"""Pixels per texel, against the median of the face, between which trust rises."""
_LID_DOUBT: Final = 0.95
"""How much less the upper lid of an open eye counts: it lies in its own shadow."""
_EDGE: Final = 0.006
"""Metres: trust fades over this distance from the outline and from depth edges."""


@dataclass(frozen=True)
class View:
    """Texels as one picture shows them.

    Attributes:
        pixels: `(n, 2)` float32, where in the picture each texel is.
        colours: `(n, 3)` float32 sRGB in [0, 1].
        trust: `(n,)` float32 in [0, 1]: seen, squarely, away from edges.
        facing: `(n,)` float32, cosine of the viewing angle, -1 where hidden.
        normals: `(n, 3)` float32, camera frame.
        core: `(n,)` float32 in [0, 1]: how far inside the landmarks' oval, where whatever is
            seen belongs to the face.
    """

    pixels: NDArray[np.float32]
    colours: NDArray[np.float32]
    trust: NDArray[np.float32]
    facing: NDArray[np.float32]
    normals: NDArray[np.float32]
    core: NDArray[np.float32]


def project_picture(image: NDArray[np.uint8], fit: PhotoFit, head: Head, texels: Texels) -> View:
    """Sample a picture at the texels.

    Args:
        image: `(h, w, 3)` uint8 sRGB, the picture of `fit`.
        fit: Pose, camera, expression and gaze in that picture.
        head: Of the person.
        texels: Of the atlas.
    """
    at = fit.pose.apply(head.vertices(fit.coefficients, gaze=fit.gaze).astype(np.float32))
    positions = texels.spread(at)
    normals = texels.spread(vertex_normals(at, head.topology.faces))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    pixels = fit.camera.project(positions)
    toward = -positions / np.linalg.norm(positions, axis=1, keepdims=True)
    facing = (normals * toward).sum(axis=1)
    depth, clear = _depth_picture(fit, head, at)
    scale = depth.shape[1] / fit.camera.width
    seen = sample_bilinear(np.stack([depth, clear], axis=-1), pixels * scale)
    inside = np.all((pixels > 1) & (pixels < [fit.camera.width - 1, fit.camera.height - 1]), axis=1)
    visible = inside & (-positions[:, 2] < seen[:, 0] + _HIDDEN) & (facing > 0)
    trust = _smoothstep(facing, *_SLANT) * np.clip(seen[:, 1], 0, 1) * visible
    trust *= texels.spread(_resolution(fit, head, at))
    core = sample_bilinear(_core_picture(fit)[..., None], pixels)[:, 0] * visible
    return View(
        pixels.astype(np.float32),
        sample_bilinear(image, pixels) / np.float32(255.0),
        trust.astype(np.float32),
        np.where(visible, facing, -1.0).astype(np.float32),
        normals,
        core.astype(np.float32),
    )


def recolour(view: View, image: NDArray[np.uint8]) -> View:
    """Return the view with the colours that its pixels have in a picture."""
    return replace(view, colours=sample_bilinear(image, view.pixels) / np.float32(255.0))


def pixels_per_texel(head: Head, fits: Sequence[PhotoFit], size: int) -> float:
    """Return how many pixels of the best picture lie along a texel, median over the face.

    Args:
        head: Of the person.
        fits: Of the pictures.
        size: Of the atlas, texels.
    """
    topology = head.topology
    skin = topology.faces[topology.parts["skin"].faces]
    corners = topology.faces_uv[topology.parts["skin"].faces]
    face = topology.masks["face"][skin].min(axis=1) > 0.9
    texels = _areas(topology.uv * size, corners[face])
    best = np.zeros(len(texels))
    for fit in fits:
        at = fit.pose.apply(head.vertices(fit.coefficients).astype(np.float32))
        np.maximum(best, _areas(fit.camera.project(at), skin[face]), out=best)
    return float(np.median(np.sqrt(best / np.maximum(texels, 1e-12))))


def _resolution(fit: PhotoFit, head: Head, at: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `(n_vertices,)` in [0, 1]: whether the picture resolves the surface there.

    Skin that is folded away, such as the upper lid of an open eye, covers few pixels for its
    texels; stretched over them, the fold's shadow would show when the lid closes.
    """
    topology = head.topology
    skin = topology.parts["skin"].faces
    pixels, texels = (
        _areas(fit.camera.project(at), topology.faces[skin]),
        _areas(topology.uv, topology.faces_uv[skin]),
    )
    ratio = np.sqrt(np.maximum(pixels, 0) / np.maximum(texels, 1e-12))
    usual = np.median(ratio[topology.masks["face"][topology.faces[skin]].min(axis=1) > 0.9])
    value = _smoothstep(ratio / max(float(usual), 1e-9), *_STRETCH)
    total, count = np.zeros(len(at), np.float32), np.zeros(len(at), np.float32)
    for corner in topology.faces[skin].T:
        np.add.at(total, corner, value)
        np.add.at(count, corner, 1.0)
    resolved = total / np.maximum(count, 1.0)
    return np.asarray(resolved * (1.0 - _LID_DOUBT * _open_lids(head, fit)), np.float32)


def _open_lids(head: Head, fit: PhotoFit) -> NDArray[np.float32]:
    """Return `(n_vertices,)` in [0, 1]: skin of the fold over an eye that is open."""
    hidden = np.zeros(len(head.neutral), np.float32)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        blink = COEFFICIENT_INDEX[name]
        drawn_out = _smoothstep(-head.expression_deltas[blink, :, 1], 0.002, 0.006)
        np.maximum(hidden, (1.0 - float(fit.coefficients[blink])) * drawn_out, out=hidden)
    return hidden


def _areas(points: NDArray[np.floating], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return twice the signed area of triangles in the plane, positive where seen from outside."""
    a, b, c = (points[faces[:, k]].astype(np.float64) for k in range(3))
    return (c - a)[:, 0] * (b - a)[:, 1] - (c - a)[:, 1] * (b - a)[:, 0]


def _depth_picture(
    fit: PhotoFit, head: Head, at: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the depth of the skin, and in [0, 1] how far each pixel is from an edge.

    Where an eyeball, teeth or the mouth shows, no skin can be seen at any depth: lids lie so
    close to the eyes that depth alone would give them the colour of what they border on.
    """
    import cv2

    camera = fit.camera
    scale = min(1.0, _RASTER_SIDE / max(camera.width, camera.height))
    small = camera.scaled(scale)
    lashes = head.topology.parts["lashes"].faces
    faces = np.delete(head.topology.faces, np.arange(len(head.topology.faces))[lashes], axis=0)
    raster = rasterize(small.project(at), -at[:, 2], faces, small.width, small.height)
    far = np.where(raster.face >= 0, raster.depth, 10.0).astype(np.float32)
    jump = cv2.dilate(far, np.ones((3, 3))) - far > 0.012
    drawn = (~jump & (raster.face >= 0)).astype(np.uint8)
    away = np.asarray(cv2.distanceTransform(drawn, cv2.DIST_L2, 5), np.float32)
    reach = _EDGE * small.focal / float(np.median(-at[:, 2]))
    skin = head.topology.parts["skin"].faces
    far[(raster.face >= skin.stop) | (raster.face < skin.start) & (raster.face >= 0)] = 0.0
    # Depth is widened outward so that bilinear reading at the outline does not see the backdrop.
    wide = np.asarray(cv2.erode(far, np.ones((3, 3))), np.float32)
    return wide, _smoothstep(away, 0.2 * reach, reach)


def _core_picture(fit: PhotoFit) -> NDArray[np.float32]:
    """Return `(h, w)` in [0, 1]: inside the oval, fading in over a tenth of the eye distance."""
    import cv2

    points = fit.landmarks.pixels
    mask = np.zeros((fit.camera.height, fit.camera.width), np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(FACE_OVAL)]).astype(np.int32)], 1)
    distance = np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 5), np.float32)
    eyes = float(np.linalg.norm(points[33] - points[263]))
    return _smoothstep(distance, 0.01 * eyes, 0.10 * eyes)


def _smoothstep(value: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)
