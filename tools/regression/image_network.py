"""The network that turns a face crop into expression coefficients, and how it becomes a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from onnx import TensorProto, checker, helper, numpy_helper
from torch import nn

from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_NAMES
from lifemask.rigging import IMAGE_CROP_SIZE, IMAGE_FEATURES, IMAGE_SCHEMA, IMAGE_UNSEEN
from regression.network import silence

if TYPE_CHECKING:
    from lifemask.heads import Topology

_OUTPUTS: Final = COEFFICIENT_COUNT + 4
_HIDDEN: Final = 128
_LEAK: Final = 0.1

_Box = tuple[int, int, int, int]


class _View:
    """One part of the crop and the layers that look at it.

    Attributes:
        box: First and past the last row and column, crop pixels.
        shrink: Factor by which the part is averaged first.
        channels: Of the convolutions; all but the last halve the picture.
        squeezed: Channels that are kept before the places are mixed.
        features: What comes out.
    """

    def __init__(
        self, box: _Box, shrink: int, channels: tuple[int, ...], squeezed: int, features: int
    ) -> None:
        self.box, self.shrink, self.channels = box, shrink, channels
        self.squeezed, self.features = squeezed, features

    @property
    def flat(self) -> int:
        """Numbers that are left when the places are mixed."""
        rows = (self.box[1] - self.box[0]) // self.shrink
        columns = (self.box[3] - self.box[2]) // self.shrink
        for _ in self.channels[:-1]:
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        return rows * columns * self.squeezed


VIEWS: Final = {
    "eyes": _View((2, 46, 16, 112), 1, (16, 32, 48, 64), 12, 72),
    "mouth": _View((54, 126, 28, 100), 1, (16, 32, 48, 64), 12, 88),
    "face": _View((0, 128, 0, 128), 2, (12, 24, 32, 40), 12, 48),
}
"""Eyes and mouth at full resolution, everything at half of it."""


class ImageRegressor(nn.Module):
    """Small convolutional branches over parts of the crop, then two linear layers.

    The second linear layers see the features of this picture, those of the same person at rest
    (the average person's where that is not known) and whether the person is known.
    """

    scale: torch.Tensor

    def __init__(self, scale: torch.Tensor | None = None) -> None:
        super().__init__()
        # Adam's steps are as large for channels that hardly move: all are learnt in unit size.
        self.register_buffer("scale", torch.ones(_OUTPUTS) if scale is None else scale)
        self.branches = nn.ModuleDict({name: _branch(view) for name, view in VIEWS.items()})
        self.hidden = nn.Linear(2 * IMAGE_FEATURES + 1, _HIDDEN)
        self.output = nn.Linear(_HIDDEN, _OUTPUTS)
        self.normal = nn.InstanceNorm2d(1, eps=1e-4)

    def features(self, crops: torch.Tensor) -> torch.Tensor:
        """Return `(n, 208)` of crops `(n, 1, 128, 128)` in [0, 1]."""
        crops = self.normal(crops)
        parts = []
        for name, view in VIEWS.items():
            top, bottom, left, right = view.box
            part = crops[:, :, top:bottom, left:right]
            if view.shrink > 1:
                part = nn.functional.avg_pool2d(part, view.shrink)
            parts.append(self.branches[name](part))
        return torch.cat(parts, 1)

    def raw(self, features: torch.Tensor, rest: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Return coefficients before they are cut to [0, 1], and scaled gaze, `(n, 56)`.

        Args:
            features: `(n, 208)` of the picture.
            rest: `(n, 208)` of the person at rest; ignored where `known` is 0.
            known: `(n, 1)` 1 where the person is known, else 0.
        """
        joined = torch.cat([features, rest * known, known], 1)
        return self.scale * self.output(nn.functional.leaky_relu(self.hidden(joined), _LEAK))


def _branch(view: _View) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 1
    for index, after in enumerate(view.channels):
        stride = 2 if index + 1 < len(view.channels) else 1
        layers += [
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(_LEAK),
        ]
        before = after
    layers += [nn.Conv2d(before, view.squeezed, 1, bias=False), nn.BatchNorm2d(view.squeezed)]
    layers += [nn.LeakyReLU(_LEAK), nn.Flatten(), nn.Linear(view.flat, view.features)]
    return nn.Sequential(*layers)


class _Graph:
    """Collects nodes and weights of an ONNX graph."""

    def __init__(self) -> None:
        self.nodes: list[object] = []
        self.weights: list[object] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: object) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def gemm(self, layer: nn.Linear, source: str, output: str) -> str:
        weight = self.constant(f"{output}_weight", layer.weight.detach().numpy())
        bias = self.constant(f"{output}_bias", layer.bias.detach().numpy())
        return self.add("Gemm", [source, weight, bias], output, transB=1)


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias of a convolution and the normalisation after it."""
    variance, mean = norm.running_var, norm.running_mean
    assert variance is not None
    assert mean is not None
    factor = norm.weight / torch.sqrt(variance + norm.eps)
    weight = convolution.weight * factor[:, None, None, None]
    return weight.detach().numpy(), (norm.bias - mean * factor).detach().numpy()


def image_onnx_bytes(network: ImageRegressor, topology: Topology, statement: str) -> bytes:
    """Return the network as an ONNX file for engines: opset 15, IR 8, static, embedded.

    Inputs: `crop` `[1, 1, 128, 128]` in [0, 1]; `rest` `[1, 208]` and `known` `[1, 1]`, both
    zeros for a stranger. Outputs: `coefficients` `[1, 52]`, `gaze` `[1, 4]` rad and `features`
    `[1, 208]`, which become `rest` when the face is at rest.

    Args:
        network: Trained, in evaluation mode.
        topology: Names the head asset that the coefficients belong to.
        statement: What it was learnt from.
    """
    graph = _Graph()
    scale, zero = (
        graph.constant("one", np.ones(1, np.float32)),
        graph.constant("zero", np.zeros(1, np.float32)),
    )
    even = graph.add("InstanceNormalization", ["crop", scale, zero], "even", epsilon=1e-4)
    parts = [_add_branch(graph, name, network.branches[name], even) for name in VIEWS]
    features = graph.add("Concat", parts, "features", axis=1)
    rest = graph.add("Mul", ["rest", "known"], "rest_used")
    joined = graph.add("Concat", [features, rest, "known"], "joined", axis=1)
    before = graph.gemm(network.hidden, joined, "hidden_raw")
    hidden = graph.add("LeakyRelu", [before], "hidden", alpha=_LEAK)
    raw = graph.gemm(_silenced(network), hidden, "raw")
    ends = graph.constant("parts", np.array([COEFFICIENT_COUNT, 4], np.int64))
    graph.nodes.append(helper.make_node("Split", [raw, ends], ["c_raw", "gaze"], "split", axis=1))
    low, high = (graph.constant(n, np.float32(v)) for n, v in (("low", 0), ("high", 1)))
    graph.add("Clip", ["c_raw", low, high], "coefficients")
    size = IMAGE_CROP_SIZE
    inputs = {"crop": [1, 1, size, size], "rest": [1, IMAGE_FEATURES], "known": [1, 1]}
    outputs = {
        "coefficients": [1, COEFFICIENT_COUNT],
        "gaze": [1, 4],
        "features": [1, IMAGE_FEATURES],
    }
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "image_regression", _infos(inputs), _infos(outputs), graph.weights
        ),
        opset_imports=[helper.make_opsetid("", 15)],
        producer_name="lifemask",
        ir_version=8,
    )
    helper.set_model_props(model, _metadata(topology, statement))
    checker.check_model(model)
    return model.SerializeToString()


def _add_branch(graph: _Graph, name: str, branch: nn.Module, source: str) -> str:
    """Add one view; returns the name of its features."""
    assert isinstance(branch, nn.Sequential)
    top, bottom, left, right = VIEWS[name].box
    bounds = [
        graph.constant(f"{name}_{key}", np.array(value, np.int64))
        for key, value in (("from", [top, left]), ("to", [bottom, right]), ("axes", [2, 3]))
    ]
    at = graph.add("Slice", [source, *bounds], f"{name}_part")
    shrink = VIEWS[name].shrink
    if shrink > 1:
        sides = [shrink, shrink]
        at = graph.add("AveragePool", [at], f"{name}_small", kernel_shape=sides, strides=sides)
    for index, layer in enumerate(branch):
        output = f"{name}_{index}"
        if isinstance(layer, nn.Conv2d):
            norm = branch[index + 1]
            assert isinstance(norm, nn.BatchNorm2d)
            weight, bias = _folded(layer, norm)
            names = [
                graph.constant(f"{output}_weight", weight),
                graph.constant(f"{output}_bias", bias),
            ]
            side, stride, pad = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
            at = graph.add(
                "Conv", [at, *names], output, kernel_shape=[side] * 2, strides=[stride] * 2,
                pads=[pad] * 4,
            )  # fmt: skip
        elif isinstance(layer, nn.LeakyReLU):
            at = graph.add("LeakyRelu", [at], output, alpha=_LEAK)
        elif isinstance(layer, nn.Flatten):
            at = graph.add("Flatten", [at], output, axis=1)
        elif isinstance(layer, nn.Linear):
            at = graph.gemm(layer, at, output)
    return at


def _silenced(network: ImageRegressor) -> nn.Linear:
    """Return the last layer with the gaze in radians and unseen channels at 0."""
    out = nn.Linear(_HIDDEN, _OUTPUTS)
    with torch.no_grad():
        out.weight.copy_(network.scale[:, None] * network.output.weight)
        out.bias.copy_(network.scale * network.output.bias)
    silence(out, IMAGE_UNSEEN)
    return out


def _infos(shapes: dict[str, list[int]]) -> list[object]:
    return [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]


def _metadata(topology: Topology, statement: str) -> dict[str, str]:
    return {
        "schema_version": IMAGE_SCHEMA,
        "input": "crop: grey (0.299 R + 0.587 G + 0.114 B) in [0, 1], cut out by "
        "lifemask.rigging.LandmarkNormalizer.crop; rest: features of the person at rest; known: 1 "
        "if rest is given, else 0",
        "output": "coefficients in [0, 1] in the order of the entry 'coefficients'; gaze: left "
        "yaw, left pitch, right yaw, right pitch, rad, head frame; features",
        "coefficients": ",".join(COEFFICIENT_NAMES),
        "unseen": ",".join(name for name in COEFFICIENT_NAMES if name in IMAGE_UNSEEN),
        "head_asset": f"{topology.asset_id} {topology.asset_version}",
        "data": statement,
        "license": "Apache-2.0",
        "author": "The lifemask authors",
        "trained_by": "tools/regression/train_image.py",
    }
