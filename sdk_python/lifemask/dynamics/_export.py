"""Texture networks as ONNX files that engines run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import ExportError, MissingExtraError
from lifemask.dynamics._contract import INPUT_COUNT, InputRange
from lifemask.dynamics._network import LATENT_SIZE, SLOPE, NetworkSpec, basis_maps
from lifemask.dynamics._pixels import shuffled
from lifemask.rigging import check_onnx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

NETWORK_SCHEMA: Final = "1"
"""Version of the network's input, output and metadata."""
INPUT_NAME: Final = "inputs"
OUTPUT_NAME: Final = "texture"
DATA_STATEMENT: Final = "learnt from the user's own footage"
_OPSET: Final = 15
_IR: Final = 8


@dataclass(frozen=True)
class InputScaling:
    """How inputs become what the network's first layer was trained on.

    Attributes:
        limits: What the inputs were in training.
        mean: `(59,)` subtracted from the limited inputs.
        gain: `(59,)` what they are multiplied with then; 0 for those that never moved.
    """

    limits: InputRange
    mean: NDArray[np.float32]
    gain: NDArray[np.float32]

    def normalized(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return inputs `(…, 59)` as the network's first layer takes them in training."""
        return ((self.limits.clamp(inputs) - self.mean) * self.gain).astype(np.float32)


def network_bytes(
    spec: NetworkSpec,
    weights: Mapping[str, NDArray[np.float32]],
    cells: NDArray[np.int64],
    inputs: InputScaling,
) -> bytes:
    """Write a network: input `inputs` (1, 59), output `texture` (1, 3, size, size) in [0, 1].

    The limits of the inputs are part of the graph, and normalisation is folded into the first
    layers, so an engine feeds the 59 values as they are.

    Args:
        spec: How large the network is.
        weights: Parameters by their names in the module of `build_module`.
        cells: Tiles by cell, see `tile_cells`.
        inputs: What the inputs were in training; the limits are kept in the metadata, too.

    Returns:
        The file: opset 15, IR 8, weights embedded, free of violations of `lint_onnx`.

    Raises:
        MissingExtraError: The package onnx is not installed.
        ExportError: A weight is not finite, or the file breaks a rule of engines.
    """
    if not all(np.isfinite(value).all() for value in weights.values()):
        raise ExportError(
            "the texture network has a weight that is not a number",
            hint="Train it again; if that gives the same, report the clip's length and size.",
        )
    graph = _Graph()
    graph.build(spec, weights, cells, inputs)
    entries = {
        "schema_version": NETWORK_SCHEMA,
        "kind": "network",
        "size": str(spec.size),
        "data": DATA_STATEMENT,
        "input_range": json.dumps(inputs.limits.to_dict()),
    }
    data = graph.finish(spec.size, entries)
    check_onnx(data, "the texture network")
    return data


class _Graph:
    """Nodes and weights in the making."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise MissingExtraError(
                "writing a texture network needs the package onnx",
                hint="pip install 'lifemask[train]'",
            ) from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._weights: list[Any] = []

    def build(
        self,
        spec: NetworkSpec,
        weights: Mapping[str, NDArray[np.float32]],
        cells: NDArray[np.int64],
        inputs: InputScaling,
    ) -> None:
        """Add every node."""
        limits = inputs.limits
        value = self.node("Max", "limit_low", INPUT_NAME, self.weight("low", limits.low[None]))
        value = self.node("Min", "limit_high", value, self.weight("high", limits.high[None]))
        hidden = self._folded("dense", weights, value, inputs)
        hidden = self.node("LeakyRelu", "dense_active", hidden, alpha=SLOPE)
        share = self._folded("weights", weights, value, inputs)
        bent = self._gemm("bend", hidden, weights["bend.weight"], np.zeros(spec.rank * spec.tiles))
        share = self.node("Add", "shares", share, bent)
        total = self.node(
            "Add",
            "sum",
            self._convolutional(spec, weights, hidden),
            self._weighted_maps(spec, weights, cells, share),
        )
        total = self.node("DepthToSpace", "shuffle", total, blocksize=2, mode="CRD")
        if spec.detailed:
            detail = shuffled(weights["detail"].transpose(1, 2, 0)[None])[..., 0][None]
            total = self.node("Add", "with_detail", total, self.weight("detail", detail))
        zero, one = self.weight("zero", np.float32(0)), self.weight("one", np.float32(1))
        self.node("Clip", OUTPUT_NAME, total, zero, one)

    def _convolutional(
        self, spec: NetworkSpec, weights: Mapping[str, NDArray[np.float32]], hidden: str
    ) -> str:
        maps = self._gemm("latent", hidden, weights["latent.weight"], weights["latent.bias"])
        maps = self._reshape("latent_map", maps, (1, spec.latent, LATENT_SIZE, LATENT_SIZE))
        for index in range(len(spec.widths)):
            if index:
                maps = self._double(f"double{index}", maps)
            name = f"convolutions.{index}"
            maps = self._convolution(
                f"convolution{index}", maps, weights[f"{name}.weight"], weights[f"{name}.bias"]
            )
            maps = self.node("LeakyRelu", f"active{index}", maps, alpha=SLOPE)
        return self._convolution("head", maps, weights["head.weight"], weights["head.bias"] + 0.5)

    def _weighted_maps(
        self,
        spec: NetworkSpec,
        weights: Mapping[str, NDArray[np.float32]],
        cells: NDArray[np.int64],
        share: str,
    ) -> str:
        table = self._reshape("share_table", share, (spec.rank, spec.tiles))
        spread = self.node("Gather", "cell_shares", table, self._integers("cells", cells), axis=1)
        spread = self._reshape("share_map", spread, (1, spec.rank, *cells.shape))
        spread = self._double("double_shares", spread)
        basis = self.weight(
            "basis", basis_maps(weights["basis"], cells, spec).transpose(1, 0, 2, 3)
        )
        maps = self.node("Mul", "weighted", basis, spread)
        axis = self._integers("maps_axis", np.array([1]))
        maps = self.node("ReduceSum", "weighted_sum", maps, axis, keepdims=0)
        maps = self._reshape("basis_map", maps, (1, *weights["mean"].shape))
        maps = self.node("Add", "with_mean", maps, self.weight("mean", weights["mean"][None]))
        if spec.basis_size < spec.half:
            maps = self._double("double_basis", maps)
        return self._convolution("enlarge", maps, weights["enlarge.weight"], None)

    def _folded(
        self,
        name: str,
        weights: Mapping[str, NDArray[np.float32]],
        value: str,
        inputs: InputScaling,
    ) -> str:
        """Fully connected layer on inputs that are not normalised."""
        matrix = weights[f"{name}.weight"].astype(np.float64) * inputs.gain
        bias = weights[f"{name}.bias"] - matrix @ inputs.mean.astype(np.float64)
        return self._gemm(name, value, matrix, bias)

    def _gemm(self, name: str, value: str, matrix: ArrayLike, bias: ArrayLike) -> str:
        matrix, bias = self.weight(f"{name}_w", matrix), self.weight(f"{name}_b", bias)
        return self.node("Gemm", name, value, matrix, bias, transB=1)

    def _convolution(self, name: str, value: str, kernel: ArrayLike, bias: ArrayLike | None) -> str:
        more = [] if bias is None else [self.weight(f"{name}_b", bias)]
        parts = [value, self.weight(f"{name}_w", kernel), *more]
        return self.node("Conv", name, *parts, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def _double(self, name: str, value: str) -> str:
        scales = self.weight(f"{name}_scales", np.array([1, 1, 2, 2], np.float32))
        return self.node(
            "Resize",
            name,
            *(value, "", scales),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def _reshape(self, name: str, value: str, shape: tuple[int, ...]) -> str:
        return self.node("Reshape", name, value, self._integers(f"{name}_shape", np.array(shape)))

    def _integers(self, name: str, value: NDArray[np.int64]) -> str:
        self._weights.append(self._onnx.numpy_helper.from_array(value.astype(np.int64), name))
        return name

    def weight(self, name: str, value: ArrayLike) -> str:
        """Embed a float32 tensor."""
        array = np.ascontiguousarray(value, np.float32).reshape(np.shape(value))
        self._weights.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, name: str, *values: str, **attributes: Any) -> str:
        """Add an operator whose output bears its name."""
        made = self._onnx.helper.make_node(kind, list(values), [name], name=name, **attributes)
        self._nodes.append(made)
        return name

    def finish(self, size: int, entries: Mapping[str, str]) -> bytes:
        """Return the file."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "lifemask_texture",
            [helper.make_tensor_value_info(INPUT_NAME, kind, [1, INPUT_COUNT])],
            [helper.make_tensor_value_info(OUTPUT_NAME, kind, [1, 3, size, size])],
            self._weights,
        )
        opset = helper.make_opsetid("", _OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR)
        model.producer_name = "lifemask"
        helper.set_model_props(model, dict(sorted(entries.items())))
        return model.SerializeToString(deterministic=True)
