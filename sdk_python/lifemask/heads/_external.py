"""What head models from the user's own files have in common."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError
from lifemask.heads._names import JOINT_NAMES
from lifemask.heads._subdivision import Subdivision

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BYTES: Final = 1 << 30
"""Largest model file that is read, unpacked."""

EYES_FROM_HEAD: Final = np.array([0.0, 0.042, 0.078])
"""Metres from the head joint to the middle between the eyeballs, on the mean of the default head:
other models say nothing of joints, so theirs lie where the default head has them."""
_JOINTS_FROM_HEAD: Final = {
    "Root": (0.0, -0.103, -0.035),
    "Neck": (0.0, -0.052, -0.017),
    "Head": (0.0, 0.0, 0.0),
    "Jaw": (0.0, 0.009, 0.014),
}
_TILT = 0.5
"""How far the border between head and neck drops from the nape to the throat, metres a metre."""
_HEAD_FROM, _ROOT_FROM = -0.045, -0.150
"""Heights on that slope, metres, above which a vertex follows only the head, and below which only
the root."""


def refusal(model: str, reason: str, hint: str) -> InputError:
    """Return the error for a model file that cannot be used."""
    return InputError(f"the {model} head model cannot be read: {reason}", hint=hint)


def read_arrays(path: Path, model: str, hint: str) -> tuple[dict[str, NDArray], bytes]:
    """Return the arrays of an npz file, and its bytes; nothing in it is ever unpickled.

    Raises:
        InputError: There is no such file, it is no npz file, or it unpacks to more than 1 GiB.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise refusal(model, error.strerror or str(error), hint) from error
    # Damaged zip files raise almost anything: errors of zipfile and zlib, EOFError, struct.error.
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ValueError("it unpacks to more than 1 GiB")
        with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}, raw
    except Exception as error:
        raise refusal(model, str(error) or type(error).__name__, hint) from error


def triangles(quads: NDArray[np.integer]) -> NDArray[np.int32]:
    """Split quads `(n, 4)` into triangles `(m, 3)`; one that repeats its last index is one.

    The triangles of a quad follow each other, in the order of the quads.
    """
    both = np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1)
    kept = np.ones((len(quads), 2), bool)
    kept[:, 1] = quads[:, 2] != quads[:, 3]
    return both[kept].astype(np.int32)


def estimated_joints(eyes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return rest positions `(6, 3)` m from eye centres `(2, 3)` m, left then right."""
    head = eyes.mean(axis=0) - EYES_FROM_HEAD
    rows = [head + _JOINTS_FROM_HEAD[name] for name in JOINT_NAMES[:4]]
    return np.array([*rows, *eyes], np.float32)


def neck_weights(
    points: NDArray[np.floating], eyes: tuple[slice, slice] | None = None
) -> NDArray[np.float32]:
    """Return joint weights `(n, 6)` for head-frame points: head, neck and root by height.

    Args:
        points: `(n, 3)` m.
        eyes: Vertices of the left and the right eyeball, which follow their joints.
    """
    slope = points[:, 1] + _TILT * points[:, 2]
    along = np.clip((_HEAD_FROM - slope) / (_HEAD_FROM - _ROOT_FROM), 0.0, 1.0)
    weights = np.zeros((len(points), len(JOINT_NAMES)), np.float32)
    head, neck, root = (JOINT_NAMES.index(name) for name in ("Head", "Neck", "Root"))
    weights[:, head] = np.clip(1.0 - 2.0 * along, 0.0, 1.0)
    weights[:, root] = np.clip(2.0 * along - 1.0, 0.0, 1.0)
    weights[:, neck] = 1.0 - weights[:, head] - weights[:, root]
    for name, run in zip(("EyeLeft", "EyeRight"), eyes or (), strict=False):
        weights[run] = np.eye(len(JOINT_NAMES), dtype=np.float32)[JOINT_NAMES.index(name)]
    return weights


def mirror_map(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return for each point `(n, 3)` the one on the other side of the plane x = 0."""
    from scipy.spatial import KDTree

    return np.asarray(KDTree(points).query(points * [-1.0, 1.0, 1.0])[1], np.int32)


def boundary_loops(faces: NDArray[np.integer]) -> list[list[int]]:
    """Return the open borders of a triangle mesh as vertex loops in order."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = {(int(a), int(b)) for a, b in edges}
    following: dict[int, list[int]] = {}
    for a, b in sorted(directed):
        if (b, a) not in directed:
            following.setdefault(a, []).append(b)
    loops = []
    while following:
        start = next(iter(following))
        loop = [start]
        while loop[-1] in following:
            ways = following[loop[-1]]
            step = ways.pop()
            if not ways:
                del following[loop[-1]]
            if step == start:
                break
            loop.append(step)
        loops.append(loop)
    return loops


def no_subdivision(
    quads: NDArray[np.integer], quads_uv: NDArray[np.integer], vertices: int, uv: int
) -> Subdivision:
    """Return the finer level of a model that is fine enough: the model itself."""

    def identity(n: int) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
        return (
            np.ones(n, np.float32),
            np.arange(n, dtype=np.int32),
            np.arange(n + 1, dtype=np.int32),
        )

    return Subdivision(
        quads.astype(np.int32), quads_uv.astype(np.int32), identity(vertices), identity(uv)
    )


def sphere(points: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
    """Return centre `(3,)` and radius of the sphere through `(n, 3)` points, least squares."""
    rows = np.c_[2.0 * points, np.ones(len(points))].astype(np.float64)
    solved = np.linalg.lstsq(rows, np.sum(points.astype(np.float64) ** 2, axis=1), rcond=None)[0]
    return solved[:3], float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))
