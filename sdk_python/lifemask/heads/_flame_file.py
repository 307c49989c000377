"""Read FLAME's model file (the user's own, under its own licence) without running what is in it."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.heads._external import MOST_BYTES, read_arrays, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

HINT: Final = (
    "Give the model file of FLAME as its makers distribute it (generic_model.pkl, "
    "flame2023.pkl), or an npz file with the same arrays; docs/heads.md lists them."
)
VERTICES, FACES, JOINTS = 5023, 9976, 5
SHAPE_MODES: Final = 300
"""The first modes of `shapedirs` are identity; FLAME's own expression modes follow."""


@dataclass(frozen=True)
class FlameArrays:
    """What of FLAME's file is used.

    Attributes:
        template: `(5023, 3)` m.
        shapes: `(n_modes, 5023, 3)` m per unit, identity.
        faces: `(9976, 3)`.
        joints: `(5, 5023)` regressor of root, neck, jaw, left and right eye.
        weights: `(5023, 5)`.
        raw: The file's bytes.
    """

    template: NDArray[np.float32]
    shapes: NDArray[np.float32]
    faces: NDArray[np.int32]
    joints: NDArray[np.float64]
    weights: NDArray[np.float32]
    raw: bytes


class _Holder:
    """Stands in for an object of a foreign class: keeps its state and runs nothing."""

    def __init__(self, *_: object) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and state and isinstance(state[0], dict):
            state = state[0]
        self.state = state if isinstance(state, dict) else {}


def _rebuild(kind: type, base: type, state: object) -> _Holder:
    """Stand in for `copyreg._reconstructor`, which old pickles name."""
    del kind, base, state
    return _Holder()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for `_codecs.encode`, by which Python 3 writes bytes into old pickles."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"an unknown encoding {encoding!r}")
    return text.encode("latin1")


def _allowed() -> dict[tuple[str, str], Any]:
    from numpy._core import multiarray

    found: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("copy_reg", "_reconstructor"): _rebuild,
        ("copyreg", "_reconstructor"): _rebuild,
        ("__builtin__", "object"): object,
        ("builtins", "object"): object,
        ("_codecs", "encode"): _encode,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        found[module, "_reconstruct"] = multiarray._reconstruct
        found[module, "scalar"] = multiarray.scalar
    for module in ("scipy.sparse.csc", "scipy.sparse._csc"):
        found[module, "csc_matrix"] = _Holder
    for module in ("chumpy.ch", "chumpy"):
        found[module, "Ch"] = _Holder
    return found


class _ArraysOnly(pickle.Unpickler):
    """Unpickles numbers, texts and arrays; every other class or function is an error."""

    def find_class(self, module: str, name: str) -> Any:
        found = _allowed().get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not an array")
        return found


def read_flame(path: Path) -> FlameArrays:
    """Read FLAME's arrays from its pickle or from an npz file.

    Raises:
        InputError: There is no such file, or it is not FLAME, or it holds anything but arrays.
    """
    if path.suffix.lower() == ".npz":
        found, raw = read_arrays(path, "FLAME", HINT)
        data: dict[str, Any] = dict(found)
    else:
        data, raw = _unpickled(path)
    try:
        return _arrays(data, raw)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise refusal("FLAME", f"{type(error).__name__}: {error}", HINT) from error


def _unpickled(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise refusal("FLAME", "it is larger than 1 GiB", HINT)
        raw = path.read_bytes()
    except OSError as error:
        raise refusal("FLAME", error.strerror or str(error), HINT) from error
    # Damaged pickles raise almost anything.
    try:
        data = _ArraysOnly(io.BytesIO(raw), encoding="latin1").load()
    except Exception as error:
        raise refusal("FLAME", str(error) or type(error).__name__, HINT) from error
    if not isinstance(data, dict):
        raise refusal("FLAME", "it holds no table of arrays", HINT)
    return data, raw


def _arrays(data: dict[str, Any], raw: bytes) -> FlameArrays:
    shapes = _array(data["shapedirs"], (VERTICES, 3, None))[:, :, :SHAPE_MODES]
    faces = _array(data["f"], (FACES, 3)).astype(np.int64)
    if faces.min() < 0 or faces.max() >= VERTICES:
        raise ValueError(f"a face points outside 0..{VERTICES - 1}")
    return FlameArrays(
        template=_array(data["v_template"], (VERTICES, 3)).astype(np.float32),
        shapes=np.ascontiguousarray(np.moveaxis(shapes, 2, 0), np.float32),
        faces=faces.astype(np.int32),
        joints=_array(data["J_regressor"], (JOINTS, VERTICES)).astype(np.float64),
        weights=_array(data["weights"], (VERTICES, JOINTS)).astype(np.float32),
        raw=raw,
    )


def _array(value: Any, shape: tuple[int | None, ...]) -> NDArray:
    """Return an array out of what stands for it: itself, chumpy's, or a sparse matrix."""
    if isinstance(value, _Holder):
        value = value.state["x"] if "x" in value.state else _dense(value.state)
    array = np.asarray(value)
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"an array has shape {array.shape} instead of {shape}")
    return array


def _dense(state: dict[str, Any]) -> NDArray:
    from scipy.sparse import csc_matrix

    shape = tuple(int(n) for n in state.get("_shape", state.get("shape", ())))
    if len(shape) != 2 or max(shape) > VERTICES:
        raise ValueError("a sparse matrix has a wrong shape")
    parts = state["data"], state["indices"], state["indptr"]
    matrix = csc_matrix(parts, shape=shape)
    matrix.check_format(full_check=True)
    return np.asarray(matrix.todense())
