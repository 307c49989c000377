"""How far a texture is from what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lifemask.dynamics._network import import_torch

if TYPE_CHECKING:
    import torch

_GRADIENT: Final = 0.1
_SIZE_PENALTY: Final = 1e-3


def texture_loss(output: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted L1, L1 of the gradients on three levels, and a small penalty on large residuals.

    Pictures come as before depth-to-space, so that nothing has to be rearranged: channel
    `4 c + 2 y + x` is colour `c` of sub-pixel `(x, y)`. On the finest level the gradients are
    those within the 2 x 2 sub-pixels.

    Args:
        output: `(n, 12, h, w)`.
        target: The same shape.
        weight: `(n, 4, h, w)` how much each texel counts; about 1 in the mean.
    """
    functional = import_torch().nn.functional
    count, _, height, width = output.shape
    shape = (count, height, width, 3, 2, 2)
    error = (output - target).permute(0, 2, 3, 1).reshape(shape)
    error = error * weight.permute(0, 2, 3, 1).reshape(count, height, width, 1, 2, 2)
    loss = error.abs().mean()
    loss = loss + _GRADIENT * functional.l1_loss(error[..., 0], error[..., 1])
    loss = loss + _GRADIENT * functional.l1_loss(error[..., 0, :], error[..., 1, :])
    half = error.mean(dim=(4, 5)).permute(0, 3, 1, 2)
    for level in (half, functional.avg_pool2d(half, 2)):
        loss = loss + _GRADIENT * functional.l1_loss(level[..., 1:], level[..., :-1])
        loss = loss + _GRADIENT * functional.l1_loss(level[..., 1:, :], level[..., :-1, :])
    return loss + _SIZE_PENALTY * output.square().mean()
