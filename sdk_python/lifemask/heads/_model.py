"""The default head asset: identity, expression and joints as one linear model."""

from __future__ import annotations

import functools
import hashlib
import io
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import InputError, PackageError
from lifemask.heads._head import PART_NAMES, Head, Part, Topology
from lifemask.heads._names import COEFFICIENT_COUNT, JOINT_NAMES
from lifemask.heads._subdivision import Subdivision

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LANDMARKS = 478

IRIS_FIRST = 468
"""First iris landmark: five on the subject's right eye, then five on the left one."""


HEAD_KINDS = ("default", "ict", "flame")
"""Head models that `load_head_model` knows."""


@dataclass(frozen=True)
class LandmarkModel:
    """The head model restricted to the 478 landmarks: what a solver needs, and small.

    Attributes:
        neutral: `(478, 3)` float64, metres, head frame.
        identity: `(n_modes, 478, 3)` metres per unit.
        expressions: `(52, 478, 3)` metres at weight one.
        eye_centres: `(2, 3)` metres, left then right: the points about which gaze turns.
        eye_identity: `(n_modes, 2, 3)` metres per unit.
    """

    neutral: NDArray[np.float64]
    identity: NDArray[np.float64]
    expressions: NDArray[np.float64]
    eye_centres: NDArray[np.float64]
    eye_identity: NDArray[np.float64]


@dataclass(frozen=True)
class HeadModel:
    """Vertices as a linear function of identity and expression, then joints.

    `vertices = neutral + identity . identity_basis + coefficients . expression_deltas`, which is
    its own analytic Jacobian; gaze and neck turn the result by linear blend skinning
    (`Head.vertices`).

    Attributes:
        topology: What all heads of the asset share.
        neutral: `(n_vertices, 3)` float32, metres, the mean adult.
        identity_basis: `(n_modes, n_vertices, 3)` float32, metres per unit of a coefficient that
            has unit variance among adults.
        expression_deltas: `(52, n_vertices, 3)` float32, metres at weight one.
        mean_joints: `(6, 3)` float32, metres, order `JOINT_NAMES`.
        joint_basis: `(n_modes, 6, 3)` float32.
        joint_weights: `(n_vertices, 6)` float32.
        subdivision: One finer level, about 20 thousand vertices.
        meta: What the build tool recorded: origin, licence, sampled distribution, variance kept.
    """

    topology: Topology
    neutral: NDArray[np.float32]
    identity_basis: NDArray[np.float32]
    expression_deltas: NDArray[np.float32]
    mean_joints: NDArray[np.float32]
    joint_basis: NDArray[np.float32]
    joint_weights: NDArray[np.float32]
    subdivision: Subdivision
    meta: dict[str, object]

    @property
    def mode_count(self) -> int:
        """Number of identity coefficients."""
        return len(self.identity_basis)

    def head(self, identity: ArrayLike | None = None) -> Head:
        """Return the head of one person with the generic shapes.

        Args:
            identity: `(n_modes,)` coefficients; the mean adult when left out. Fewer are filled
                up with zeros.
        """
        weights = self._identity(identity)
        return Head(
            topology=self.topology,
            neutral=self.neutral + np.tensordot(weights, self.identity_basis, axes=1),
            expression_deltas=self.expression_deltas,
            joints=self.mean_joints + np.tensordot(weights, self.joint_basis, axes=1),
            joint_weights=self.joint_weights,
        )

    def vertices(
        self,
        identity: ArrayLike | None = None,
        coefficients: ArrayLike | None = None,
        *,
        gaze: ArrayLike | None = None,
        neck_rotation: ArrayLike | None = None,
    ) -> NDArray[np.float32]:
        """Return `(n_vertices, 3)` m; arguments as in `head` and `Head.vertices`."""
        return self.head(identity).vertices(coefficients, gaze=gaze, neck_rotation=neck_rotation)

    def jacobian_identity(self, rows: ArrayLike | None = None) -> NDArray[np.float32]:
        """Return d vertices / d identity `(n_rows, 3, n_modes)` for neutral joints, metres."""
        basis = self.identity_basis if rows is None else self.identity_basis[:, np.asarray(rows)]
        return np.moveaxis(basis, 0, -1)

    def jacobian_coefficients(self, rows: ArrayLike | None = None) -> NDArray[np.float32]:
        """Return d vertices / d coefficients `(n_rows, 3, 52)` for neutral joints, metres."""
        deltas = self.expression_deltas
        return np.moveaxis(deltas if rows is None else deltas[:, np.asarray(rows)], 0, -1)

    def landmark_model(self) -> LandmarkModel:
        """Return the model at the landmarks, float64."""
        corners = self.topology.faces[self.topology.landmark_faces]
        weights = self.topology.landmark_barycentric.astype(np.float64)

        def at(values: NDArray[np.float32]) -> NDArray[np.float64]:
            return np.einsum("lk,...lkd->...ld", weights, values[..., corners, :])

        eyes = [JOINT_NAMES.index("EyeLeft"), JOINT_NAMES.index("EyeRight")]
        return LandmarkModel(
            at(self.neutral),
            at(self.identity_basis),
            at(self.expression_deltas),
            self.mean_joints[eyes].astype(np.float64),
            self.joint_basis[:, eyes].astype(np.float64),
        )

    def _identity(self, identity: ArrayLike | None) -> NDArray[np.float32]:
        weights = np.zeros(self.mode_count, np.float32)
        if identity is not None:
            given = np.asarray(identity, np.float32)
            if given.ndim != 1 or len(given) > self.mode_count:
                raise ValueError(f"identity has shape {given.shape}, expected ({self.mode_count},)")
            weights[: len(given)] = given
        return weights


def load_head_model(kind: str = "default", path: str | Path | None = None) -> HeadModel:
    """Load the head asset that ships with lifemask, or another head model from the user's file.

    Args:
        kind: `"default"`, `"ict"` for ICT-FaceKit, or `"flame"` for FLAME's mesh and identity
            modes; its landmarks and shapes come from `lifemask.rigging.load_flame`.
        path: For `"default"` an array file written by `tools/head_asset/build.py`; without it the
            shipped asset is loaded once and shared. Other models are not shipped, and need the
            path of the user's own file (docs/heads.md).

    Raises:
        InputError: There is no such kind, it needs a path, or the file is not of that kind.
        PackageError: The default head asset is not there, or is damaged.
    """
    if kind not in HEAD_KINDS:
        raise InputError(
            f"there is no head model '{kind}'", hint=f"Choose one of {', '.join(HEAD_KINDS)}."
        )
    if kind == "default":
        return _default_model(path)
    if path is None:
        raise InputError(
            f"the head model '{kind}' is not part of lifemask",
            hint="Say where your own copy of it lies; docs/heads.md says where to get it.",
        )
    if kind == "ict":
        from lifemask.heads._ict import load_ict

        return load_ict(Path(path))
    from lifemask.heads._flame import load_flame_geometry

    return load_flame_geometry(Path(path))


def _default_model(path: str | Path | None) -> HeadModel:
    if path is None:
        return _shipped_model()
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise _refusal(error.strerror or str(error)) from error
    return _parse(raw)


@functools.cache
def _shipped_model() -> HeadModel:
    return _parse(resources.files("lifemask").joinpath("data", "head.npz").read_bytes())


def _parse(raw: bytes) -> HeadModel:
    # Damaged zip files raise almost anything: errors of zipfile and zlib, EOFError, struct.error.
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        model = _model(arrays, hashlib.sha256(raw).hexdigest())
        _check(model)
    except Exception as error:
        raise _refusal(str(error)) from error
    return model


def _refusal(reason: str) -> PackageError:
    return PackageError(
        f"the head asset cannot be read: {reason}",
        hint="Reinstall lifemask, or build the asset again with tools/head_asset/build.py.",
    )


def _model(arrays: dict[str, NDArray], digest: str) -> HeadModel:
    meta = json.loads(arrays["meta"].tobytes())
    return HeadModel(
        topology=_topology(arrays, meta, digest),
        neutral=arrays["neutral"],
        identity_basis=arrays["identity_basis"].astype(np.float32),
        expression_deltas=arrays["expression_deltas"].astype(np.float32),
        mean_joints=arrays["joints"],
        joint_basis=arrays["joint_basis"],
        joint_weights=arrays["joint_weights"],
        subdivision=Subdivision.from_arrays(arrays),
        meta=meta,
    )


def _check(model: HeadModel) -> None:
    """Refuse arrays that do not belong together, before they fail far from here."""
    n, modes, joints = len(model.neutral), len(model.identity_basis), len(JOINT_NAMES)
    topology = model.topology
    shapes = {
        "neutral": (model.neutral, (n, 3)),
        "identity_basis": (model.identity_basis, (modes, n, 3)),
        "expression_deltas": (model.expression_deltas, (COEFFICIENT_COUNT, n, 3)),
        "joints": (model.mean_joints, (joints, 3)),
        "joint_basis": (model.joint_basis, (modes, joints, 3)),
        "joint_weights": (model.joint_weights, (n, joints)),
        "landmark_barycentric": (topology.landmark_barycentric, (_LANDMARKS, 3)),
        "landmark_faces": (topology.landmark_faces, (_LANDMARKS,)),
        "mirror": (topology.mirror, (n,)),
        "faces_uv": (topology.faces_uv, topology.faces.shape),
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")
    indices = {
        "faces": (topology.faces, n),
        "faces_uv": (topology.faces_uv, len(topology.uv)),
        "mirror": (topology.mirror, n),
        "landmark_faces": (topology.landmark_faces, len(topology.faces)),
        "neck_loop": (topology.neck_loop, n),
    }
    for name, (array, count) in indices.items():
        if array.min() < 0 or array.max() >= count:
            raise ValueError(f"{name} points outside 0..{count - 1}")
    if topology.parts[PART_NAMES[-1]].faces.stop != len(topology.faces):
        raise ValueError("the parts do not cover the faces")
    model.subdivision.check(n, len(topology.uv))


def _topology(arrays: dict[str, NDArray], meta: dict, digest: str) -> Topology:
    parts = {
        name: Part(slice(*meta["parts"][name]["vertices"]), slice(*meta["parts"][name]["faces"]))
        for name in PART_NAMES
    }
    masks = dict(zip(meta["masks"], arrays["masks"].astype(np.float32) / 255, strict=True))
    return Topology(
        asset_id=meta["id"],
        asset_version=meta["version"],
        asset_sha256=digest,
        faces=arrays["faces"].astype(np.int32),
        faces_uv=arrays["faces_uv"].astype(np.int32),
        uv=arrays["uv"],
        parts=parts,
        masks=masks,
        mirror=arrays["mirror"],
        landmark_faces=arrays["landmark_faces"],
        landmark_barycentric=arrays["landmark_barycentric"],
        neck_loop=arrays["neck_loop"],
    )
