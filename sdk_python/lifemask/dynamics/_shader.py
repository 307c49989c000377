"""A texture network as fragment-shader passes, for engines without an inference library.

Every tensor is a texture of four channels a texel: a vector has its values side by side, a map of
many channels has tiles of four channels side by side. Each layer is one pass; the pass before the
last also undoes depth-to-space, so the result is the packed residual atlas itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import MissingExtraError, ModelFileError
from lifemask.dynamics import _shader_source as source
from lifemask.dynamics._export import DATA_STATEMENT, NETWORK_SCHEMA, OUTPUT_NAME
from lifemask.dynamics._pixels import unshuffled

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHADER_SCHEMA: Final = 1
"""Version of `network_shader.json`."""
_WIDTH: Final = 512
"""Texels in a row of the texture of weights."""


@dataclass(frozen=True)
class ShaderPass:
    """One pass: a fragment shader that is drawn over the whole of its target.

    Attributes:
        name: Of its target.
        width: Of the target, texels.
        height: Of the target, texels.
        textures: What the samplers of these names are bound to: targets of earlier passes,
            `inputs`, `weights` or `maps`.
        reads: Texture reads of one fragment, at most.
        fragment: GLSL ES 3.00.
    """

    name: str
    width: int
    height: int
    textures: dict[str, str]
    reads: int
    fragment: str


@dataclass(frozen=True)
class NetworkShader:
    """A texture network as passes and the textures that hold its weights.

    Attributes:
        size: Side of the result, the target of the last pass.
        passes: In the order in which they are drawn.
        weights: `(rows, 512, 4)` float32, layer by layer.
        maps: `(side, k side, 4)` float32: basis maps, then mean and tile of each texel,
            then brightness that the mean has at full size.
    """

    size: int
    passes: tuple[ShaderPass, ...]
    weights: NDArray[np.float32]
    maps: NDArray[np.float32]

    def to_files(self, *, half: bool = False) -> dict[str, bytes]:
        """Return the files that an engine needs.

        `network_shader.json` lists textures and passes with their sources;
        `network_weights.bin` and `network_maps.bin` are rows of RGBA texels, the top row first,
        little-endian.

        Args:
            half: Whether texels are 16-bit floats instead of 32.
        """
        textures = {"weights": self.weights, "maps": self.maps}
        kind = "RGBA16F" if half else "RGBA32F"
        driver = {
            "schema": SHADER_SCHEMA,
            "size": self.size,
            "data": DATA_STATEMENT,
            "inputs": {"name": "inputs", "width": 15, "height": 1, "values": 59},
            "textures": [
                {
                    "name": name,
                    "file": f"network_{name}.bin",
                    "format": kind,
                    "width": texels.shape[1],
                    "height": texels.shape[0],
                }
                for name, texels in textures.items()
            ],
            "passes": [vars(one) for one in self.passes],
            "result": self.passes[-1].name,
        }
        files = {"network_shader.json": (json.dumps(driver, indent=1) + "\n").encode()}
        for name, texels in textures.items():
            files[f"network_{name}.bin"] = texels.astype("<f2" if half else "<f4").tobytes()
        return files


def network_shader(model: bytes) -> NetworkShader:
    """Turn a texture network's ONNX file into fragment-shader passes.

    Inputs are the 59 values as they are, finite, four to a texel.

    Args:
        model: What `train_network` wrote.

    Raises:
        ModelFileError: Not such a file.
        MissingExtraError: The package onnx is not installed.
    """
    tensors, meta = _read(model)
    if meta.get("schema_version") != NETWORK_SCHEMA or meta.get("kind") != "network":
        raise _refused(f"its schema version is {meta.get('schema_version')!r}")
    try:
        return _Writer(tensors).shader(int(meta["size"]))
    except (KeyError, ValueError, IndexError) as error:
        raise _refused(f"a layer is missing or has another shape: {error}") from error


class _Writer:
    """Packs weights and writes passes, layer by layer."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        self._tensors = tensors
        self._texels: list[NDArray[np.float32]] = []
        self._used = 0
        self._passes: list[ShaderPass] = []

    def shader(self, size: int) -> NetworkShader:
        """Return all passes of a network of this size."""
        inputs = self._limit()
        hidden = self._dense("dense", inputs, 59, active=True)
        count = len(self._tensors["dense_w"])
        shares = self._shares(inputs, hidden, count)
        trunk, side, channels = self._latent(hidden, count)
        layer = 0
        while f"convolution{layer}_w" in self._tensors:
            doubled = layer > 0
            side *= 1 + doubled
            trunk, channels = self._convolution(
                f"convolution{layer}", trunk, side, channels, doubled
            )
            layer += 1
        basis = self._basis(shares)
        self._head(size, trunk, channels, basis)
        rows = -(-self._used // _WIDTH)
        weights = np.zeros((rows * _WIDTH, 4), np.float32)
        weights[: self._used] = np.concatenate(self._texels)
        return NetworkShader(
            size, tuple(self._passes), weights.reshape(rows, _WIDTH, 4), self._maps()
        )

    def _limit(self) -> str:
        low, high = (_fours(self._tensors[name].ravel()) for name in ("low", "high"))
        body = source.limit(self._keep(low), self._keep(high))
        return self._add("limited", len(low), 1, {"source": "inputs"}, 3, body)

    def _dense(self, name: str, values: str, count: int, *, active: bool) -> str:
        matrix, bias = self._tensors[f"{name}_w"], self._tensors[f"{name}_b"]
        weights, start = self._keep(_gemm_texels(matrix)), self._keep(_fours(bias))
        fours = -(-count // 4)
        body = source.dense(weights, start, fours, active=active)
        return self._add(name, -(-len(bias) // 4), 1, {"source": values}, 5 * fours + 1, body)

    def _shares(self, inputs: str, hidden: str, count: int) -> str:
        """Weights of the maps: four ranks a texel, a column for each tile."""
        rank, tiles = (int(value) for value in self._tensors["share_table_shape"])
        groups = -(-rank // 4)
        matrices = []
        for name in ("weights", "bend"):
            joined = [self._tensors[f"{name}_w"], self._tensors[f"{name}_b"][:, None]]
            table = np.zeros((groups * 4, tiles, joined[0].shape[1] + 1), np.float32)
            table[:rank] = np.concatenate(joined, axis=1).reshape(rank, tiles, -1)
            table = table.reshape(groups, 4, tiles, -1).transpose(0, 2, 1, 3)
            matrices.append(table.reshape(groups * tiles * 4, -1))
        offsets = [self._keep(_gemm_texels(matrix[:, :-1])) for matrix in matrices]
        start = self._keep(matrices[0][:, -1] + matrices[1][:, -1])
        fours = 15, -(-count // 4)
        body = source.shares((offsets[0], offsets[1]), start, fours, tiles)
        textures = {"source": inputs, "hidden": hidden}
        return self._add("shares", tiles, groups, textures, 5 * sum(fours) + 1, body)

    def _latent(self, hidden: str, count: int) -> tuple[str, int, int]:
        _, channels, side, _ = (int(v) for v in self._tensors["latent_map_shape"])
        order = np.arange(channels * side * side).reshape(channels // 4, 4, side * side)
        order = order.transpose(0, 2, 1).ravel()
        weights = self._keep(_gemm_texels(self._tensors["latent_w"][order]))
        start = self._keep(_fours(self._tensors["latent_b"][order]))
        fours = -(-count // 4)
        body = source.latent(weights, start, fours, side)
        width = channels // 4 * side
        name = self._add("latent", width, side, {"source": hidden}, 5 * fours + 1, body)
        return name, side, channels

    def _convolution(
        self, name: str, values: str, side: int, channels: int, doubled: bool
    ) -> tuple[str, int]:
        kernel, bias = self._tensors[f"{name}_w"], self._tensors[f"{name}_b"]
        weights, start = self._keep(_kernel_texels(kernel)), self._keep(_fours(bias))
        groups = channels // 4
        body = source.convolution(weights, start, side, groups, doubled=doubled)
        out = len(bias)
        reads = 9 * 5 * groups + 1
        self._add(name, out // 4 * side, side, {"source": values}, reads, body)
        return name, out

    def _basis(self, shares: str) -> str:
        basis = self._tensors["basis"]
        groups, side = -(-basis.shape[1] // 4), basis.shape[2]
        body = source.basis(side, groups)
        textures = {"source": shares, "maps": "maps"}
        return self._add("basis", side, side, textures, 2 + 4 * groups, body)

    def _maps(self) -> NDArray[np.float32]:
        """Tiles of texels: maps of each colour, four ranks a texel; mean colour and tile number."""
        basis, mean, cells = (self._tensors[name] for name in ("basis", "mean", "cells"))
        colours, rank, side, _ = basis.shape
        padded = np.zeros((colours, -(-rank // 4) * 4, side, side), np.float32)
        padded[:, :rank] = basis
        tiles = padded.reshape(-1, 4, side, side).transpose(2, 0, 3, 1).reshape(side, -1, 4)
        numbers = cells.repeat(2, axis=0).repeat(2, axis=1)[..., None]
        last = np.concatenate([mean[0].transpose(1, 2, 0), numbers], axis=2)
        parts = [tiles, last]
        if (detail := self._tensors.get("detail")) is not None:
            parts.append(unshuffled(detail[0][..., None])[0])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _head(self, size: int, trunk: str, channels: int, basis: str) -> None:
        head, enlarge = self._tensors["head_w"], self._tensors["enlarge_w"]
        # Inputs: the trunk's channels, then the colours of the basis; padded to fours.
        kernel = np.concatenate([head, enlarge, np.zeros((12, 1, 3, 3), np.float32)], axis=1)
        # From 4 c + 2 y + x to one group of (r, g, b, 0) for each sub-pixel.
        order = (4 * np.arange(3)[None, :] + np.arange(4)[:, None]).ravel()
        padded = np.zeros((4, 4, *kernel.shape[1:]), np.float32)
        padded[:, :3] = kernel[order].reshape(4, 3, *kernel.shape[1:])
        bias = np.zeros((4, 4), np.float32)
        bias[:, :3] = self._tensors["head_b"][order].reshape(4, 3)
        weights = self._keep(_kernel_texels(padded.reshape(16, *kernel.shape[1:])))
        start, groups = self._keep(bias), channels // 4
        basis_side = self._tensors["basis"].shape[2]
        textures = {"source": trunk, "basis": basis}
        detail = None
        if "detail" in self._tensors:
            rank = self._tensors["basis"].shape[1]
            textures["maps"], detail = "maps", (3 * -(-rank // 4) + 1) * basis_side
        doubled = basis_side * 2 < size
        body = source.head(weights, start, size // 2, groups, detail, doubled=doubled)
        self._add(OUTPUT_NAME, size, size, textures, 9 * 5 * (groups + 1) + 2, body)

    def _keep(self, texels: NDArray[np.float32]) -> int:
        """Add texels to the texture of weights; return where they begin."""
        start = self._used
        self._texels.append(texels.reshape(-1, 4).astype(np.float32))
        self._used += texels.size // 4
        return start

    def _add(
        self, name: str, width: int, height: int, textures: dict[str, str], reads: int, body: str
    ) -> str:
        bound = {**textures, "weights": "weights"}
        text = source.program(bound, _WIDTH, body)
        self._passes.append(ShaderPass(name, width, height, bound, reads, text))
        return name


def _fours(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return `(k, 4)`, values four by four, padded with 0."""
    padded = np.zeros(-(-len(values) // 4) * 4, np.float32)
    padded[: len(values)] = values
    return padded.reshape(-1, 4)


def _gemm_texels(matrix: NDArray[Any]) -> NDArray[np.float32]:
    """Order a matrix `(out, in)`: for each four outputs, a texel for each input."""
    out, count = matrix.shape
    padded = np.zeros((-(-out // 4) * 4, -(-count // 4) * 4), np.float32)
    padded[:out, :count] = matrix
    return padded.reshape(-1, 4, padded.shape[1]).transpose(0, 2, 1)


def _kernel_texels(kernel: NDArray[Any]) -> NDArray[np.float32]:
    """Order a kernel `(out, in, 3, 3)`: for each four outputs and tap, a texel for each input."""
    out, count = kernel.shape[:2]
    return kernel.reshape(out // 4, 4, count, 9).transpose(0, 3, 2, 1)


def _read(model: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(
            "turning a texture network into shaders needs the package onnx",
            hint="pip install 'lifemask[train]'",
        ) from error
    from google.protobuf.message import DecodeError

    try:
        parsed = onnx.load_model_from_string(model)
    except DecodeError as error:
        raise _refused("it is no ONNX file") from error
    tensors = {one.name: onnx.numpy_helper.to_array(one) for one in parsed.graph.initializer}
    return tensors, {entry.key: entry.value for entry in parsed.metadata_props}


def _refused(reason: str) -> ModelFileError:
    return ModelFileError(
        f"the file is no texture network of lifemask: {reason}",
        hint="Use the network.onnx of an avatar that was built with --network.",
    )
