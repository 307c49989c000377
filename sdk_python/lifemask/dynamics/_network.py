"""The texture network: what it computes and how large it is (paper 001, section 3.4).

A residual over the static albedo, as the sum of two parts:

- basis maps at half the output size, weighted in each region by itself: a layer that is linear in
  the inputs plus one on top of the hidden units. The maps and the linear weights are fitted in
  closed form before training, so the network starts as good as a ridge regression; a 3 x 3
  convolution that starts as bilinear interpolation makes their sum larger;
- a convolutional part: a perceptron makes a 16 x 16 picture of a few channels, stages of nearest
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
    from collections.abc import Mapping
    from types import ModuleType

    import torch
    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout

LATENT_SIZE: Final = 16
"""Side of the picture that the perceptron makes, before the first convolution."""
SLOPE: Final = 0.2
"""Of the leaky rectifiers."""
SIZES: Final = (128, 256, 512)
"""Sides of a residual atlas that there are networks for."""


@dataclass(frozen=True)
class NetworkSpec:
    """How large the network is.

    Attributes:
        size: Side of the output, one of `SIZES`.
        hidden: Units of the perceptron's only hidden layer.
        latent: Channels of the 16 x 16 picture it makes.
        widths: Channels of the convolutions at 16, 32, … `size` / 2.
        rank: Basis maps.
        regions: Regions of the layout, each with weights of its own.
    """

    size: int
    hidden: int
    latent: int
    widths: tuple[int, ...]
    rank: int
    regions: int

    @property
    def half(self) -> int:
        """Side of the pictures before depth-to-space."""
        return self.size // 2

    @property
    def basis_size(self) -> int:
        """Side of the basis maps; 128 for the largest output, or the file would outgrow 2 MB."""
        return min(self.half, 128)

    @property
    def cells(self) -> int:
        """Side of the grid that says which region a texel of the basis maps belongs to."""
        return self.basis_size // 2


def network_spec(layout: Layout) -> NetworkSpec:
    """Return the network for a layout.

    Raises:
        ValueError: The layout's size is none of `SIZES`.
    """
    size = layout.size
    widths = {128: (32, 24, 16), 256: (32, 32, 24, 16), 512: (32, 32, 24, 16, 16)}
    if size not in widths:
        raise ValueError(f"there is no network for a residual atlas of {size}, only {SIZES}")
    return NetworkSpec(size, 48, 4, widths[size], rank=8, regions=len(layout.regions))


def region_cells(layout: Layout, cells: int) -> NDArray[np.int64]:
    """Return `(cells, cells)`, the number of the region in which each cell's centre lies.

    Cells between the regions, where nothing is shown, count as the first region.
    """
    numbers = np.zeros((layout.size, layout.size), np.int64)
    for number, region in enumerate(layout.regions):
        numbers[region.window] = number
    step = layout.size // cells
    return numbers[step // 2 :: step, step // 2 :: step].copy()


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
        cells: Regions by cell, see `region_cells`.
        seed: Of the first weights.

    Raises:
        MissingExtraError: torch is not installed.
    """
    torch = import_torch()
    nn = torch.nn
    order = torch.from_numpy(basis_order(cells))
    counts = np.bincount(cells.ravel(), minlength=spec.regions) * 4

    class Arrange(torch.autograd.Function):
        """From region by region to row by row; a permutation, so its inverse is the gradient."""

        @staticmethod
        def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
            del context
            return torch.empty_like(values).index_copy_(2, order, values)

        @staticmethod
        def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
            del context
            return gradient.index_select(2, order)

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
            self.weights = nn.Linear(INPUT_COUNT, spec.rank * spec.regions)
            self.bend = nn.Linear(spec.hidden, spec.rank * spec.regions, bias=False)
            self.basis = nn.ParameterList(torch.zeros(spec.rank, 3 * count) for count in counts)
            self.enlarge = nn.Conv2d(3, 12, 3, padding=1, bias=False)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            active = nn.functional.leaky_relu(self.dense(inputs), SLOPE)
            maps = self.latent(active).view(-1, spec.latent, LATENT_SIZE, LATENT_SIZE)
            maps = maps.contiguous(memory_format=torch.channels_last)
            for index, layer in enumerate(self.convolutions):
                if index:
                    maps = nn.functional.interpolate(maps, scale_factor=2, mode="nearest")
                maps = nn.functional.leaky_relu(layer(maps), SLOPE)
            linear = self.weighted_maps(self.weights(inputs) + self.bend(active))
            if spec.basis_size < spec.half:
                linear = nn.functional.interpolate(linear, scale_factor=2, mode="nearest")
            return self.head(maps) + self.enlarge(linear)

        def weighted_maps(self, weights: torch.Tensor) -> torch.Tensor:
            by_region = weights.view(-1, spec.rank, spec.regions).unbind(2)
            parts = [
                (share @ maps).view(len(weights), 3, -1)
                for share, maps in zip(by_region, self.basis, strict=True)
            ]
            linear = Arrange.apply(torch.cat(parts, dim=2))
            linear = linear.view(-1, 3, spec.basis_size, spec.basis_size)
            return linear.contiguous(memory_format=torch.channels_last)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network()
        _first_weights(torch, network)
    return network.to(memory_format=torch.channels_last)


def basis_order(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the texels of the basis maps, row by row, in the order of their regions."""
    return np.argsort(cells.repeat(2, axis=0).repeat(2, axis=1).ravel(), kind="stable")


def basis_maps(
    weights: Mapping[str, NDArray[np.float32]], cells: NDArray[np.int64], spec: NetworkSpec
) -> NDArray[np.float32]:
    """Return `(rank, 3, side, side)`, the basis maps among a module's parameters."""
    parts = [weights[f"basis.{number}"] for number in range(spec.regions)]
    maps = np.empty((spec.rank, 3, spec.basis_size**2), np.float32)
    joined = np.concatenate([part.reshape(spec.rank, 3, -1) for part in parts], axis=2)
    maps[:, :, basis_order(cells)] = joined
    return maps.reshape(spec.rank, 3, spec.basis_size, spec.basis_size)


def split_maps(
    maps: NDArray[np.float32], cells: NDArray[np.int64], spec: NetworkSpec
) -> list[NDArray[np.float32]]:
    """Return the parameters `basis.0` … that stand for basis maps; see `basis_maps`."""
    joined = maps.reshape(spec.rank, 3, -1)[:, :, basis_order(cells)]
    counts = np.bincount(cells.ravel(), minlength=spec.regions) * 4
    parts = np.split(joined, np.cumsum(counts)[:-1], axis=2)
    return [np.ascontiguousarray(part.reshape(spec.rank, -1)) for part in parts]


def _first_weights(torch: ModuleType, network: torch.nn.Module) -> None:
    """Zero where the two parts end, He elsewhere; enlarging starts as bilinear interpolation."""
    init = torch.nn.init
    for name, parameter in network.named_parameters():
        if name.endswith("bias") or name.startswith(("head", "weights", "bend", "basis")):
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
