"""Where the outline of a face against the background lies beside the outline of a fitted head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask.geometry import rasterize, vertex_normals
from lifemask.tracking import FACE_POINTS, segment_person

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.geometry import Raster
    from lifemask.heads import Head
    from lifemask.tracking import FaceLandmarks, PhotoFit

_OTHERS: Final = ("ears", "neck", "hair", "scalp", "eyelids", "sockets", "lips", "mouth")
"""Regions whose outline is not that of a face at rest."""
_REACH: Final = 0.008
"""Metres along the outline's normal in which the edge is looked for."""
_OUTSIDE: Final = (0.003, 0.006, 0.012)
"""Metres outside the outline at which nothing of the head may be drawn."""
_INSIDE: Final = 0.003
"""Metres inside the edge at which its colour is taken."""
_SHARP: Final = 0.006
"""Metres in which the matte must go from person to background."""
_STEP: Final = 0.0004
_SIDE: Final = 768
"""Longer side of the raster."""
_CHROMA: Final = 0.30
"""Difference of colour from the face, logarithms without the brightness, that skin may have."""
_DARK: Final = (-1.3, 0.9)
"""Logarithm of the brightness against the face, within which skin lies."""


class Picture:
    """A picture, and the person in it, told from the background once that is asked for.

    Args:
        image: `(h, w, 3)` uint8 sRGB.
        face: Whose face is meant.
        matte: `(h, w)` in [0, 1], 1 on the person; MediaPipe's where it is left out.
    """

    def __init__(
        self,
        image: NDArray[np.uint8],
        face: FaceLandmarks,
        matte: NDArray[np.floating] | None = None,
    ) -> None:
        self.image = image
        self.face = face
        self._matte = matte

    @property
    def matte(self) -> NDArray[np.floating]:
        """`(h, w)` in [0, 1], 1 on the person."""
        if self._matte is None:
            self._matte = segment_person(self.image, self.face)
        return self._matte


class Contour(NamedTuple):
    """Points of a head's outline in one picture, and how far outside of them the edge is.

    Attributes:
        vertices: `(n,)` the vertex nearest to each.
        points: `(n, 3)` m, head frame, on the posed head.
        normals: `(n, 3)` head frame, at a right angle to the line of sight.
        offsets: `(n,)` m along the normals.
        lengths: `(n,)` m of outline that each stands for.
    """

    vertices: NDArray[np.int64]
    points: NDArray[np.float64]
    normals: NDArray[np.float64]
    offsets: NDArray[np.float64]
    lengths: NDArray[np.float64]


def face_contour(head: Head, fit: PhotoFit, picture: Picture) -> Contour:
    """Find the outline of the face's skin against the background.

    Points count where nothing of the head lies behind them, where the matte goes from person to
    background within a few millimetres, and where its inside has the colour of the face; outlines
    of ears, hair, neck, lids and lips do not.

    Args:
        head: At rest.
        fit: Of the head to the picture.
        picture: What it shows.
    """
    vertices = head.vertices(fit.coefficients, gaze=fit.gaze).astype(np.float64)
    at = np.asarray(fit.pose.apply(vertices), np.float64)
    vertex, place, normal, length = _outline(head, at)
    metre = np.asarray(fit.camera.focal / -place[:, 2], np.float64)
    pixels = np.asarray(fit.camera.project(place), np.float64)
    across = normal[:, :2] * (1, -1)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    keep = _against_background(head, fit, at, pixels, across, metre)
    offset = np.full(len(vertex), np.nan)
    if keep.any():
        offset[keep] = _edges(picture.matte, pixels[keep], across[keep], metre[keep])
        keep &= np.isfinite(offset)
        edge = pixels + across * (np.nan_to_num(offset) * metre)[:, None]
        keep &= _like_skin(head, fit, picture, edge - across * (_INSIDE * metre)[:, None])
    rotation = fit.pose.rotation
    return Contour(
        vertex[keep],
        (place[keep] - fit.pose.translation) @ rotation,
        normal[keep] @ rotation,
        offset[keep],
        length[keep],
    )


def _outline(head: Head, at: NDArray[np.float64]):
    """Return where the surface turns away: vertex, place, normal (camera frame) and length."""
    part = head.topology.parts["skin"]
    faces = head.topology.faces[part.faces]
    count = part.vertices.stop
    normals = vertex_normals(at[:count], faces)
    facing = -np.sum(normals * at[:count], axis=1)
    allowed = head.topology.masks["face"][:count] > 0.3
    for name in _OTHERS:
        if name in head.topology.masks:
            allowed &= head.topology.masks[name][:count] < 0.3
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]]
    crosses = (facing[edges[..., 0]] > 0) != (facing[edges[..., 1]] > 0)
    crossed = np.flatnonzero((crosses.sum(axis=1) == 2) & allowed[faces].all(axis=1))
    ends = edges[crossed][crosses[crossed]].reshape(-1, 2, 2)
    a, b = facing[ends[..., 0]], facing[ends[..., 1]]
    share = (a / (a - b))[..., None]
    places = at[ends[..., 0]] * (1 - share) + at[ends[..., 1]] * share
    turned = normals[ends[..., 0]] * (1 - share) + normals[ends[..., 1]] * share
    place, normal = places.mean(axis=1), turned.mean(axis=1)
    ray = place / np.linalg.norm(place, axis=1, keepdims=True)
    normal -= np.sum(normal * ray, axis=1, keepdims=True) * ray
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    corners = faces[crossed]
    near = np.argmin(np.linalg.norm(at[corners] - place[:, None], axis=2), axis=1)
    vertex = corners[np.arange(len(corners)), near].astype(np.int64)
    return vertex, place, normal, np.linalg.norm(places[:, 0] - places[:, 1], axis=1)


def _against_background(
    head: Head,
    fit: PhotoFit,
    at: NDArray[np.float64],
    pixels: NDArray[np.float64],
    across: NDArray[np.float64],
    metre: NDArray[np.float64],
) -> NDArray[np.bool_]:
    scale = min(1.0, _SIDE / max(fit.camera.width, fit.camera.height))
    camera = fit.camera.scaled(scale)
    drawn = rasterize(
        camera.project(at), -at[:, 2], head.topology.faces, camera.width, camera.height
    )
    clear = np.ones(len(pixels), bool)
    for away in _OUTSIDE:
        clear &= _covered(drawn, scale * (pixels + across * (away * metre)[:, None])) == 0
    return clear & (_covered(drawn, scale * (pixels - across * (_INSIDE * metre)[:, None])) == 1)


def _covered(drawn: Raster, pixels: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 1 on the head, 0 beside it, -1 outside the picture."""
    height, width = drawn.face.shape
    column, row = np.floor(pixels).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    result = np.full(len(pixels), -1)
    result[inside] = drawn.face[row[inside], column[inside]] >= 0
    return result


def _edges(
    matte: NDArray[np.floating],
    pixels: NDArray[np.float64],
    across: NDArray[np.float64],
    metre: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return how far outside of the points the matte falls below one half, m; NaN for nowhere."""
    far = _REACH + _SHARP
    steps = np.arange(-far, far + 0.5 * _STEP, _STEP)
    at = pixels[:, None] + across[:, None] * (steps[:, None] * metre[:, None, None])
    values = _sampled(matte, at)
    down = (values[:, :-1] >= 0.5) & (values[:, 1:] < 0.5) & (np.abs(steps[:-1]) < _REACH)
    out = np.full(len(pixels), np.nan)
    edge = round(0.5 * _SHARP / _STEP)
    for i, row in enumerate(down):
        found = np.flatnonzero(row)
        if not len(found):
            continue
        k = found[np.argmin(np.abs(steps[found]))]
        inner, outer = values[i, max(k - edge, 0)], values[i, min(k + edge, len(steps) - 1)]
        if inner > 0.9 and outer < 0.1:
            above, below = values[i, k], values[i, k + 1]
            out[i] = steps[k] + _STEP * (above - 0.5) / max(above - below, 1e-6)
    return out


def _sampled(picture: NDArray[np.floating], at: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import map_coordinates

    x, y = np.moveaxis(at - 0.5, -1, 0)
    return map_coordinates(np.asarray(picture, np.float64), [y, x], order=1, mode="nearest")


def _like_skin(
    head: Head, fit: PhotoFit, picture: Picture, at: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return at which pixels `(n, 2)` the picture has the colour of the face."""
    import cv2

    image = picture.image
    soft = cv2.GaussianBlur(image, (0, 0), max(0.8, image.shape[0] / 700))

    def colours(places: NDArray[np.float64]) -> NDArray[np.float64]:
        column = np.clip(places[:, 0].astype(int), 0, image.shape[1] - 1)
        row = np.clip(places[:, 1].astype(int), 0, image.shape[0] - 1)
        return np.log(np.maximum(soft[row, column].astype(np.float64), 4.0))

    # Most landmarks lie on skin, and those of the near side not on the rim.
    eye = -fit.pose.translation @ fit.pose.rotation
    near = (head.landmarks(head.neutral)[:FACE_POINTS] @ (eye * (1, 0, 0))) >= 0
    seen = picture.face.pixels[:FACE_POINTS][near].astype(np.float64)
    face = np.median(colours(seen), axis=0)
    apart = colours(at) - face
    light = apart.mean(axis=1)
    chroma = np.abs(apart - light[:, None]).max(axis=1)
    return (chroma < _CHROMA) & (light > _DARK[0]) & (light < _DARK[1])
