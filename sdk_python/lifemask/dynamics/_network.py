"""The texture network: what it computes and how large it is (paper 001, section 3.4).

A residual over the static albedo, as the sum of two parts:

- a mean, and basis maps at half the output size, weighted in each tile by itself: a layer that is
  linear in the inputs plus one on top of the hidden units. They start as what a kernel regression
  predicts (see `_teacher.py`), so training begins where interpolation of the footage ends; a 3 x 3
  convolution that starts as bilinear interpolation makes their sum larger;
- a convolutional part: a perceptron makes a 8 x 8 picture of a few channels, stages of nearest
  doubling and 3 x 3 convolution make it larger, and the last one writes twelve channels at half
  the size, which depth-to-space turns into colours. Its last layer starts at zero.

No transposed convolutions (six times slower on a processor at equal size), no normalisation, and
the wide layers stay small: `benchmarks/bench_dynamics.py` prints what each costs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import MissingExtraError
from lifemask.dynamics._contract import INPUT_COUNT

if TYPE_CHECKING:
    from types import ModuleType

    import torch
    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout

LATENT_SIZE: Final = 8
"""Side of the picture that the perceptron makes, before the first convolution."""
SLOPE: Final = 0.2
"""Of the leaky rectifiers."""
SIZES: Final = (128, 256, 512)
"""Sides of a residual atlas that there are networks for."""


_ZERO: Final = ("head", "weights", "bend", "basis", "mean", "detail")
"""Parameters that start at 0."""
_TILE_CELLS: Final = 8
"""Side of a tile at most, in cells of 2 x 2 texels of the basis maps, about."""


@dataclass(frozen=True)
class NetworkSpec:
    """How large the network is.

    Attributes:
        size: Side of the output, one of `SIZES`.
        hidden: Units of the perceptron's only hidden layer.
        latent: Channels of the 8 x 8 picture it makes.
        widths: Channels of the convolutions at 8, 16, … `size` / 2.
        rank: Basis maps.
        tiles: Parts of the output with weights of their own, see `tile_cells`.
    """

    size: int
    hidden: int
    latent: int
    widths: tuple[int, ...]
    rank: int
    tiles: int

    @property
    def half(self) -> int:
        """Side of the pictures before depth-to-space."""
        return self.size // 2

    @property
    def detailed(self) -> bool:
        """Whether the mean has brightness at full size; at 512 the file would outgrow 2 MB."""
        return self.basis_size == self.half

    @property
    def basis_size(self) -> int:
        """Side of the basis maps."""
        return _basis_size(self.size)


def network_spec(layout: Layout) -> NetworkSpec:
    """Return the network for a layout.

    Raises:
        ValueError: The layout's size is none of `SIZES`.
    """
    size = layout.size
    if size not in SIZES:
        raise ValueError(f"there is no network for a residual atlas of {size}, only {SIZES}")
    stages = (size // 2 // LATENT_SIZE).bit_length()
    widths = (16,) * min(stages - 1, 4) + (8,) * max(stages - 4, 1)
    tiles = int(tile_cells(layout).max()) + 1
    return NetworkSpec(size, 60, 4, widths, rank=6, tiles=tiles)


def tile_cells(layout: Layout) -> NDArray[np.int64]:
    """Return the number of the tile that each cell of 2 x 2 texels of the basis maps belongs to.

    Every region is cut into tiles of about 16 x 16 texels, so that each needs few basis maps.
    Cells between the regions, where nothing is shown, count as the first tile.

    Returns:
        `(side / 2, side / 2)`, side that of the basis maps.
    """
    side = _basis_size(layout.size) // 2
    numbers = np.zeros((side, side), np.int64)
    step, count = layout.size // side, 0
    for region in layout.regions:
        x, y, width, height = (round(value / step) for value in region.place)
        across, down = max(round(width / _TILE_CELLS), 1), max(round(height / _TILE_CELLS), 1)
        row = np.arange(height) * down // height
        column = np.arange(width) * across // width
        part = count + row[:, None] * across + column[None]
        inside = numbers[y : y + height, x : x + width]
        inside[:] = part[: inside.shape[0], : inside.shape[1]]
        count += across * down
    return numbers


def _basis_size(size: int) -> int:
    """Side of the basis maps; 128 for the largest output, or the file would outgrow 2 MB."""
    return min(size // 2, 128)


def import_torch() -> ModuleType:
    """Return the module torch.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            "training a texture network needs the package torch",
            hint="pip install 'lifemask[train]', or build without --network: the linear texture "
            "needs nothing more.",
        ) from error
    return torch


def build_module(spec: NetworkSpec, cells: NDArray[np.int64], seed: int) -> torch.nn.Module:
    """Return the network with its first weights; its output is 0 until it has learnt.

    `forward(inputs (n, 59))` takes normalised inputs and returns `(n, 12, size / 2, size / 2)`,
    the residual over twice its scale before depth-to-space (mode CRD), not yet limited.

    Args:
        spec: How large.
        cells: Tiles by cell, see `tile_cells`.
        seed: Of the first weights.

    Raises:
        MissingExtraError: torch is not installed.
    """
    torch = import_torch()
    nn = torch.nn
    slots, largest = tile_slots(cells)
    order = torch.from_numpy(slots)

    class Arrange(torch.autograd.Function):
        """From tile by tile to row by row; each value is used once, so backwards is a copy."""

        @staticmethod
        def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
            context.shape = values.shape
            return values.index_select(2, order)

        @staticmethod
        def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
            return gradient.new_zeros(context.shape).index_copy_(2, order, gradient)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(INPUT_COUNT, spec.hidden)
            self.latent = nn.Linear(spec.hidden, spec.latent * LATENT_SIZE**2)
            channels = (spec.latent, *spec.widths)
            self.convolutions = nn.ModuleList(
                nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(channels)
            )
            self.head = nn.Conv2d(channels[-1], 12, 3, padding=1)
            self.weights = nn.Linear(INPUT_COUNT, spec.rank * spec.tiles)
            self.bend = nn.Linear(spec.hidden, spec.rank * spec.tiles, bias=False)
            self.basis = nn.Parameter(torch.zeros(spec.tiles, spec.rank, 3 * largest))
            self.mean = nn.Parameter(torch.zeros(3, spec.basis_size, spec.basis_size))
            self.detail = nn.Parameter(torch.zeros(4, spec.half, spec.half))
            self.enlarge = nn.Conv2d(3, 12, 3, padding=1, bias=False)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            active = nn.functional.leaky_relu(self.dense(inputs), SLOPE)
            maps = self.latent(active).view(-1, spec.latent, LATENT_SIZE, LATENT_SIZE)
            maps = maps.contiguous(memory_format=torch.channels_last)
            for index, layer in enumerate(self.convolutions):
                if index:
                    maps = nn.functional.interpolate(maps, scale_factor=2, mode="nearest")
                maps = nn.functional.leaky_relu(layer(maps), SLOPE)
            sums = self.weighted_maps(self.weights(inputs) + self.bend(active))
            if spec.basis_size < spec.half:
                sums = nn.functional.interpolate(sums, scale_factor=2, mode="nearest")
            return self.head(maps) + self.enlarge(sums) + self.detail.repeat(3, 1, 1)

        def shares(self, inputs: torch.Tensor) -> torch.Tensor:
            """Weights of the maps `(n, rank tiles)`, tile by tile within each rank."""
            active = nn.functional.leaky_relu(self.dense(inputs), SLOPE)
            return self.weights(inputs) + self.bend(active)

        def weighted_maps(self, shares: torch.Tensor) -> torch.Tensor:
            by_tile = shares.view(-1, spec.rank, spec.tiles).permute(2, 0, 1)
            parts = by_tile.bmm(self.basis).view(spec.tiles, len(shares), 3, largest)
            parts = parts.permute(1, 2, 0, 3).reshape(len(shares), 3, -1)
            sums = Arrange.apply(parts).view(-1, *self.mean.shape) + self.mean
            return sums.contiguous(memory_format=torch.channels_last)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network()
        _first_weights(torch, network)
    return network.to(memory_format=torch.channels_last)


def tile_slots(cells: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Return where each texel of the basis maps lies when they are stored tile by tile.

    Returns:
        `(side side,)` position, `tile * largest` and on, and `largest`, the texels of the largest
        tile; smaller ones leave a rest unused.
    """
    tiles = cells.repeat(2, axis=0).repeat(2, axis=1).ravel()
    counts = np.bincount(tiles)
    order = np.argsort(tiles, kind="stable")
    within = np.arange(len(tiles)) - np.repeat(np.cumsum(counts) - counts, counts)
    slots = np.empty(len(tiles), np.int64)
    slots[order] = tiles[order] * counts.max() + within
    return slots, int(counts.max())


def basis_maps(
    stored: NDArray[np.float32], cells: NDArray[np.int64], spec: NetworkSpec
) -> NDArray[np.float32]:
    """Return `(rank, 3, side, side)` of the module's parameter `basis`."""
    slots, _ = tile_slots(cells)
    parts = stored.reshape(spec.tiles, spec.rank, 3, -1).transpose(1, 2, 0, 3)
    maps = parts.reshape(spec.rank, 3, -1)[:, :, slots]
    return maps.reshape(spec.rank, 3, spec.basis_size, spec.basis_size)


def stored_maps(
    maps: NDArray[np.float32], cells: NDArray[np.int64], spec: NetworkSpec
) -> NDArray[np.float32]:
    """Undo `basis_maps`."""
    slots, largest = tile_slots(cells)
    parts = np.zeros((spec.rank, 3, spec.tiles * largest), np.float32)
    parts[:, :, slots] = maps.reshape(spec.rank, 3, -1)
    parts = parts.reshape(spec.rank, 3, spec.tiles, largest).transpose(2, 0, 1, 3)
    return np.ascontiguousarray(parts).reshape(spec.tiles, spec.rank, -1)


def _first_weights(torch: ModuleType, network: torch.nn.Module) -> None:
    """Zero where the two parts end, He elsewhere; enlarging starts as bilinear interpolation."""
    init = torch.nn.init
    for name, parameter in network.named_parameters():
        if name.endswith("bias") or name.startswith(
            ("head", "weights", "bend", "basis", "mean", "detail")
        ):
            init.zeros_(parameter)
        elif not name.startswith("enlarge"):
            init.kaiming_normal_(parameter, a=SLOPE)
    with torch.no_grad():
        network.get_parameter("enlarge.weight").copy_(torch.from_numpy(bilinear_kernels()))


def bilinear_kernels() -> NDArray[np.float32]:
    """Return `(12, 3, 3, 3)`: a convolution and depth-to-space that double by interpolation.

    Output channel `4 c + 2 y + x` is colour `c` of the sub-pixel `(x, y)`, whose centre lies a
    quarter of a texel from that of its own.
    """
    near, far = 0.75, 0.25
    taps = np.array([[far, near, 0.0], [0.0, near, far]])
    kernels = np.zeros((12, 3, 3, 3), np.float32)
    for colour in range(3):
        for y in range(2):
            for x in range(2):
                kernels[4 * colour + 2 * y + x, colour] = np.outer(taps[y], taps[x])
    return kernels
