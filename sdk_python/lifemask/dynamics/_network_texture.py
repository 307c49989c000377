"""The texture network as a dynamic texture, run by ONNX Runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import MissingExtraError, ModelFileError, PackageError
from lifemask.dynamics._contract import INPUT_COUNT, InputRange
from lifemask.dynamics._export import INPUT_NAME, NETWORK_SCHEMA, OUTPUT_NAME

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from onnxruntime import InferenceSession

    from lifemask.dynamics._contract import Layout


class NetworkTexture:
    """Residual textures from a network that learnt one person's footage.

    Inputs are limited to the range that the network saw in training, which is kept in the file;
    so any finite input gives a texture like those it was trained on.

    Args:
        model: An ONNX file that `train_network` wrote, or its content.
        layout: What lies where in the residual atlas.
        threads: Of ONNX Runtime.

    Attributes:
        kind: `"network"`.
        layout: As given.
        model: Content of the file.
        limits: What the inputs were in training.

    Raises:
        ModelFileError: The file is no such network, of another schema, or not for this layout.
        MissingExtraError: The package onnxruntime is missing.
    """

    kind = "network"

    def __init__(self, model: bytes | str | Path, layout: Layout, *, threads: int = 1) -> None:
        self.layout = layout
        self.model = _content(model)
        self._session = _open(self.model, threads)
        meta = self._session.get_modelmeta().custom_metadata_map
        if meta.get("schema_version") != NETWORK_SCHEMA or meta.get("kind") != "network":
            raise _refused(
                f"its schema version is {meta.get('schema_version')!r}, not {NETWORK_SCHEMA!r}"
            )
        _check_tensors(self._session, layout.size)
        self.limits = _limits(meta)
        self._outside = layout.masks() == 0

    def evaluate(self, inputs: ArrayLike) -> NDArray[np.float32]:
        """Compute the texture of one expression.

        Args:
            inputs: `(59,)` as `dynamic_input` makes them.

        Returns:
            `(size, size, 3)` float32 in [0, 1], the packed residual atlas, 0.5 + r / (2 scale).

        Raises:
            ValueError: Wrong shape.
        """
        values = self.limits.clamp(inputs)
        if values.ndim != 1:
            raise ValueError(f"inputs have shape {values.shape}, expected (59,)")
        out = self._session.run([OUTPUT_NAME], {INPUT_NAME: values[None]})[0]
        texture = np.ascontiguousarray(np.asarray(out)[0].transpose(1, 2, 0))
        texture[self._outside] = 0.5
        return texture

    def to_files(self) -> dict[str, bytes]:
        """Return the ONNX file, and a description that engines read."""
        from lifemask.dynamics._network_files import network_files

        return network_files(self)


def _content(model: bytes | str | Path) -> bytes:
    if isinstance(model, bytes):
        return model
    try:
        return Path(model).read_bytes()
    except OSError as error:
        raise _refused(f"it cannot be read: {error.strerror}") from error


def _open(data: bytes, threads: int) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            "texture networks need the package onnxruntime", hint="pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common base of their own
        raise _refused(f"it does not load: {str(error).splitlines()[0]}") from error


def _check_tensors(session: InferenceSession, size: int) -> None:
    found = [(t.name, t.shape) for t in (*session.get_inputs(), *session.get_outputs())]
    wanted = [(INPUT_NAME, [1, INPUT_COUNT]), (OUTPUT_NAME, [1, 3, size, size])]
    if found != wanted:
        raise _refused(f"its tensors are {found}, the layout wants {wanted}")


def _limits(meta: dict[str, str]) -> InputRange:
    try:
        return InputRange.from_dict(json.loads(meta.get("input_range", "")))
    except (PackageError, ValueError) as error:
        raise _refused("it does not say what its inputs were in training") from error


def _refused(reason: str) -> ModelFileError:
    return ModelFileError(
        f"the file is no texture network of lifemask for this avatar: {reason}",
        hint="Build the avatar again, with --network if it shall have a texture network.",
    )
