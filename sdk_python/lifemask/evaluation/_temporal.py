"""Whether a solved clip is calm where the person is calm, and on time where they move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.geometry import rasterize
from lifemask.heads import COEFFICIENT_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation._footage import Footage
    from lifemask.evaluation._states import States
    from lifemask.heads import Head
    from lifemask.tracking import FaceLandmarks

FOREHEAD: Final = np.array([10, 151, 9, 67, 109, 338, 297, 69, 299, 108, 337, 104, 333])
"""Landmarks of skin that the skull carries along."""

LIVELY: Final = 0.02
"""Standard deviation from which a channel says anything."""
LARGEST_LAG: Final = 5

_RIGID: Final = np.array([10, 151, 9, 8, 168, 6, 197, 67, 297, 109, 338, 33, 263, 133, 362])
_WINDOW: Final = 9
_STILL: Final = 0.003
"""Share of the distance of the eye corners that a still head moves at most from frame to frame."""
_SHORTEST: Final = 12
_MOST_PAIRS: Final = 60
_TEXTURE: Final = 256


def still_runs(footage: Footage) -> list[range]:
    """Return runs of at least 12 frames in which the head hardly moves.

    The rigid landmarks are averaged over nine frames first, so that the landmarker's own noise
    does not hide stillness.
    """
    known = footage.usable
    centres = np.full((footage.count, len(_RIGID), 2), np.nan)
    for index in np.flatnonzero(known):
        centres[index] = footage.pixels(int(index))[_RIGID]
    smooth = moving_mean(centres.reshape(footage.count, -1)).reshape(centres.shape)
    unit = np.median([footage.unit(int(i)) for i in np.flatnonzero(known)])
    speed = np.linalg.norm(np.diff(smooth, axis=0), axis=2).mean(axis=1) / unit
    still = np.concatenate([[False], np.nan_to_num(speed, nan=1.0) < _STILL])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(int), [0]])))
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [range(int(a), int(b)) for a, b in pairs if b - a >= _SHORTEST]


def moving_mean(values: NDArray[np.float64], window: int = _WINDOW) -> NDArray[np.float64]:
    """Return the centred mean over `window` frames of `(n, k)`; shorter at the ends."""
    half = window // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="reflect")
    kernel = np.ones(window) / window
    columns = [np.convolve(column, kernel, mode="valid") for column in padded.T]
    return np.stack(columns, axis=1)


def forehead_jitter(head: Head, states: States, runs: Sequence[range]) -> dict[str, float]:
    """Return how far the forehead trembles in still runs, mm RMS about its nine-frame mean.

    `forehead_mm` is in space, `forehead_across_mm` across the line of sight: the distance to a
    camera is the least certain of the three.
    """
    corners = head.topology.faces[head.topology.landmark_faces[FOREHEAD]]
    weights = head.topology.landmark_barycentric[FOREHEAD].astype(np.float64)
    squares: list[NDArray[np.float64]] = []
    for run in runs:
        states_of_run = [states.frames[i] for i in run if i in states.frames]
        if len(states_of_run) < _SHORTEST:
            continue
        points = []
        for state in states_of_run:
            vertices = head.vertices(state.coefficients)[corners].astype(np.float64)
            points.append(state.pose.apply(np.einsum("lk,lkd->ld", weights, vertices)))
        path = np.stack(points)
        flat = path.reshape(len(path), -1)
        squares.append(np.square(flat - moving_mean(flat)).reshape(path.shape))
    if not squares:
        return {}
    found = np.concatenate(squares).mean(axis=(0, 1))
    return {
        "forehead_mm": float(1000.0 * np.sqrt(found.sum())),
        "forehead_across_mm": float(1000.0 * np.sqrt(found[:2].sum())),
    }


def texture_unrest(
    footage: Footage, head: Head, states: States, runs: Sequence[range]
) -> float | None:
    """Return the mean |T(t) - T(t-1)| of the footage unwrapped into UV in still runs.

    8-bit steps over the texels of the face that are seen in both frames (paper 002, figure 17):
    what a texture network would have to explain although nothing happens.
    """
    pairs = [(i - 1, i) for run in runs for i in list(run)[1:]]
    pairs = [p for p in pairs if all(i in states.frames for i in p)]
    if not pairs:
        return None
    places = np.linspace(0, len(pairs) - 1, min(_MOST_PAIRS, len(pairs))).round().astype(int)
    unwrap = _Unwrap(footage, head, states)
    found = []
    for before, after in (pairs[place] for place in places):
        (one, seen), (other, also) = unwrap(before), unwrap(after)
        both = seen & also
        if both.any():
            found.append(np.abs(one[both].astype(float) - other[both]).mean())
    return float(np.mean(found)) if found else None


class _Unwrap:
    """Brings pictures into the atlas."""

    def __init__(self, footage: Footage, head: Head, states: States) -> None:
        self._footage, self._head, self._states = footage, head, states
        topology = head.topology
        run = topology.parts["skin"].faces
        self._faces, uv_faces = topology.faces[run], topology.faces_uv[run]
        uv = topology.uv.astype(np.float64) * _TEXTURE
        self._raster = rasterize(uv, np.ones(len(uv)), uv_faces, _TEXTURE, _TEXTURE)
        face = self._raster.interpolate(self._faces, topology.masks["face"][:, None])[..., 0]
        self._inside = (self._raster.face >= 0) & (face > 0.9)

    def __call__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the texture `(256, 256, 3)` of a frame and where the face is in its mask."""
        import cv2

        state = self._states.frames[index]
        camera = self._footage.camera(self._states.camera)
        vertices = self._head.vertices(state.coefficients).astype(np.float64)
        pixels = self._raster.interpolate(self._faces, camera.project(state.pose.apply(vertices)))
        x, y = np.moveaxis(pixels - np.float32(0.5), 2, 0)
        picture = np.ascontiguousarray(self._footage.pictures[index])
        texture = cv2.remap(picture, x, y, cv2.INTER_LINEAR)
        mask = self._footage.masks.region(index, "face").astype(np.uint8)
        inside = cv2.remap(mask, x, y, cv2.INTER_NEAREST) > 0
        return np.asarray(texture, np.uint8), self._inside & inside


def unrest(face: FaceLandmarks | None) -> float:
    """Return how far a face is from rest by the landmarker's scores; closed eyes count most."""
    if face is None or not face.scores:
        return float("inf")
    blinks = sum(value for name, value in face.scores.items() if name.startswith("eyeBlink"))
    return sum(face.scores.values()) + 2.0 * blinks


def weight_jerk(coefficients: NDArray[np.float64]) -> float:
    """Return the mean |third difference| of the lively channels, per frame cubed.

    Args:
        coefficients: `(n, 52)`; frames that are not a number are left out.
    """
    third = np.diff(coefficients, n=3, axis=0)
    lively = np.nanstd(coefficients, axis=0) > LIVELY
    values = third[:, lively]
    return float(np.nanmean(np.abs(values))) if np.isfinite(values).any() else 0.0


def agreement(
    coefficients: NDArray[np.float64], faces: Sequence[FaceLandmarks | None]
) -> dict[str, Any]:
    """Compare with the landmarker's own scores: a check of names, signs and delay, not of truth.

    For each channel in which both move: Pearson's r, and the delay in frames at which it is
    largest (positive: ours come later).

    Args:
        coefficients: `(n, 52)`.
        faces: Of the same frames.
    """
    known = np.isfinite(coefficients).all(axis=1) & np.array([face is not None for face in faces])
    rows = [int(row) for row in np.flatnonzero(known)]
    ours = coefficients[rows]
    scores = [face.scores for i in rows if (face := faces[i]) is not None]
    channels = {}
    for column, name in enumerate(COEFFICIENT_NAMES):
        theirs = np.array([one.get(name, 0.0) for one in scores])
        if min(theirs.std(), ours[:, column].std()) > LIVELY:
            r, _ = best_lag(ours[:, column], theirs, 0)
            _, lag = best_lag(ours[:, column], theirs)
            channels[name] = {"r": round(r, 3), "lag": lag}
    found = list(channels.values())
    return {
        "channels": channels,
        "compared": len(found),
        "median_r": round(float(np.median([one["r"] for one in found])), 3) if found else None,
        "median_lag": float(np.median([one["lag"] for one in found])) if found else None,
    }


def best_lag(
    late: NDArray[np.float64], early: NDArray[np.float64], most: int = LARGEST_LAG
) -> tuple[float, int]:
    """Return the largest correlation of two series and the delay of the first, frames."""
    best = (-2.0, 0)
    for lag in sorted(range(-most, most + 1), key=abs):
        a = late[max(lag, 0) : len(late) + min(lag, 0)]
        b = early[max(-lag, 0) : len(early) + min(-lag, 0)]
        if len(a) > 2 and a.std() > 0 and b.std() > 0:
            r = float(np.corrcoef(a, b)[0, 1])
            if r > best[0] + 1e-9:
                best = (r, lag)
    return best
