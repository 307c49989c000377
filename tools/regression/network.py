"""The network, and how it becomes an ONNX file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.rigging import REGRESSION_SCHEMA, REGRESSION_UNSEEN
from lifemask.tracking import LANDMARK_COUNT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Topology
    from lifemask.rigging import LandmarkNormalizer

GAZE_SCALE: Final = 2.0
"""Factor on the gaze, radians, inside the networks, so that it weighs like coefficients."""

_INPUTS: Final = 2 * LANDMARK_COUNT
_OUTPUTS: Final = COEFFICIENT_COUNT + 4
_FIRST, _SECOND = 192, 128
_NOISE_FLOOR: Final = 0.01
"""Standard deviation, inter-ocular distances, below which a direction of the input says nothing."""

_HUBER: Final = 0.1
_BLINKS: Final = [COEFFICIENT_INDEX[f"eyeBlink{side}"] for side in ("Left", "Right")]
_WHITENED: Final = 50_000


class Regressor(nn.Module):
    """Three linear layers with SiLU between them: coefficients before they are cut, then gaze.

    Training sees the input in whitened coordinates, in which the small movements of lids and lips
    weigh as much as a turn of the head; `folded` puts that change of coordinates into the mean
    and the first layer, and silences the channels that landmarks do not tell.
    """

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(_INPUTS))
        self.layers = nn.Sequential(
            nn.Linear(_INPUTS, _FIRST),
            nn.SiLU(),
            nn.Linear(_FIRST, _SECOND),
            nn.SiLU(),
            nn.Linear(_SECOND, _OUTPUTS),
        )

    def forward(self, landmarks: torch.Tensor) -> torch.Tensor:
        """Turn landmarks `(n, 478, 2)` into coefficients `(n, 52)` in [0, 1]."""
        raw = self.layers(landmarks.reshape(-1, _INPUTS) - self.mean)
        return raw[:, :COEFFICIENT_COUNT].clamp(0.0, 1.0)

    def folded(self, mean: NDArray[np.float64], whitening: NDArray[np.float64]) -> Regressor:
        """Return the same function of raw landmarks, given that of `(x - mean) @ whitening`."""
        folded = Regressor()
        folded.load_state_dict(self.state_dict())
        weight = self.layers[0].weight.detach().double().numpy() @ whitening.T
        with torch.no_grad():
            folded.mean.copy_(torch.from_numpy(mean))
            folded.layers[0].weight.copy_(torch.from_numpy(weight))
        silence(folded.layers[-1], REGRESSION_UNSEEN)
        return folded.eval()


def silence(layer: nn.Module, unseen: frozenset[str]) -> None:
    """Bring the gaze of a last layer to radians and unseen channels to 0, in place."""
    assert isinstance(layer, nn.Linear)
    rows = [index for index, name in enumerate(COEFFICIENT_NAMES) if name in unseen]
    with torch.no_grad():
        for values in (layer.weight, layer.bias):
            values[COEFFICIENT_COUNT:] /= GAZE_SCALE
            values[rows] = 0.0


def gaze_loss(raw: torch.Tensor, truth: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Return Huber's loss of the scaled gaze `(n, 4)`; closed eyes show none."""
    seen = (1.0 - coefficients[:, _BLINKS]).repeat_interleave(2, 1)
    off = (raw - truth) * seen
    return nn.functional.huber_loss(off, torch.zeros_like(off), delta=2 * _HUBER)


def whitening(
    flat: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean `(956,)` of samples `(n, 956)`, and their directions of unit variance.

    The directions `(956, 956)` are the columns; those below the noise floor come out smaller.
    """
    some = flat[:_WHITENED].astype(np.float64)
    mean = some.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((some - mean).T))
    return mean, vectors / np.sqrt(np.maximum(values, 0.0) + _NOISE_FLOOR**2)


def loss(
    raw: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return Huber's loss of outputs before they are cut to [0, 1].

    An output beyond 0 or 1 is not wrong where the truth lies at that end, so the network need not
    hit the ends exactly and a face at rest gives clean zeros.
    """
    error = raw - truth
    error = torch.where(truth <= 0, error.clamp(min=0), error)
    error = torch.where(truth >= 1, error.clamp(max=0), error)
    if weights is None:
        weights = torch.ones(raw.shape[-1])
    each = nn.functional.huber_loss(error, torch.zeros_like(error), delta=_HUBER, reduction="none")
    return (weights * each).mean()


def onnx_bytes(
    network: Regressor, normalizer: LandmarkNormalizer, topology: Topology, statement: str
) -> bytes:
    """Return the network as an ONNX file for engines: opset 15, IR 8, static, embedded.

    Args:
        network: Trained and folded.
        normalizer: What its input was normalised with; goes into the metadata.
        topology: Names the head asset that the coefficients belong to.
        statement: What it was learnt from.
    """
    nodes = [
        helper.make_node("Flatten", ["landmarks"], ["flat"], axis=1),
        helper.make_node("Sub", ["flat", "mean"], ["x0"]),
    ]
    weights = [numpy_helper.from_array(network.mean.numpy()[None], "mean")]
    linear = [layer for layer in network.layers if isinstance(layer, nn.Linear)]
    for i, layer in enumerate(linear):
        for name, value in (("weight", layer.weight), ("bias", layer.bias)):
            weights.append(numpy_helper.from_array(value.detach().numpy(), f"{name}{i}"))
        inputs = [f"x{i}", f"weight{i}", f"bias{i}"]
        nodes.append(helper.make_node("Gemm", inputs, [f"h{i}"], transB=1))
        if i + 1 < len(linear):
            nodes.append(helper.make_node("Sigmoid", [f"h{i}"], [f"s{i}"]))
            nodes.append(helper.make_node("Mul", [f"h{i}", f"s{i}"], [f"x{i + 1}"]))
    weights += [numpy_helper.from_array(np.float32(v), n) for n, v in (("low", 0), ("high", 1))]
    weights.append(numpy_helper.from_array(np.array([COEFFICIENT_COUNT, 4], np.int64), "parts"))
    last = [f"h{len(linear) - 1}", "parts"]
    nodes.append(helper.make_node("Split", last, ["raw", "gaze"], axis=1))
    nodes.append(helper.make_node("Clip", ["raw", "low", "high"], ["coefficients"]))
    nodes.append(helper.make_node("Identity", [f"x{len(linear) - 1}"], ["features"]))
    shapes = (
        ("landmarks", [1, LANDMARK_COUNT, 2]),
        ("coefficients", [1, COEFFICIENT_COUNT]),
        ("gaze", [1, 4]),
        ("features", [1, _SECOND]),
    )
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes]
    graph = helper.make_graph(nodes, "blendshape_regression", ends[:1], ends[1:], weights)
    opset = [helper.make_opsetid("", 15)]
    model = helper.make_model(graph, opset_imports=opset, producer_name="lifemask", ir_version=8)
    helper.set_model_props(model, _metadata(normalizer, topology, statement))
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _metadata(normalizer: LandmarkNormalizer, topology: Topology, statement: str) -> dict[str, str]:
    return {
        "schema_version": REGRESSION_SCHEMA,
        "input": "landmarks: 478 points of MediaPipe's face mesh, x toward the subject's left and "
        "y up, unit the distance of the outer eye corners, origin between them, aligned with the "
        "template by weak perspective (lifemask.rigging.LandmarkNormalizer)",
        "output": "coefficients: in [0, 1], in the order of the entry 'coefficients'; gaze: left "
        "yaw, left pitch, right yaw, right pitch, rad, head frame; features: of the layer before",
        "coefficients": ",".join(COEFFICIENT_NAMES),
        "unseen": ",".join(name for name in COEFFICIENT_NAMES if name in REGRESSION_UNSEEN),
        "normalization": "x, y, z of the template and weight of each landmark for the pose",
        "normalization_template": _table(normalizer),
        "data": statement,
        "head_asset": f"{topology.asset_id} {topology.asset_version}",
        "license": "Apache-2.0",
        "author": "The lifemask authors",
        "trained_by": "tools/regression/train.py",
    }


def _table(normalizer: LandmarkNormalizer) -> str:
    rows = np.c_[np.round(normalizer.template, 5), np.round(normalizer.weights, 7)]
    return json.dumps([[float(f"{value:.7g}") for value in row] for row in rows])
