"""Adding a packed residual to the head's albedo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.dynamics._contract import decode_residual

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout, Region


def compose(
    albedo: NDArray[np.uint8], output: NDArray[np.floating], layout: Layout
) -> NDArray[np.uint8]:
    """Return the albedo that a dynamic texture's output stands for.

    In the encoded domain: albedo + interpolated(mask x residual), bilinear between the centres of
    the packed texels, each region by itself (at its border the outermost texel goes on).

    Args:
        albedo: `(h, w, 3 or 4)` uint8 sRGB; a fourth channel is kept.
        output: `(size, size, 3)` in [0, 1], see `DynamicTexture.evaluate`.
        layout: Of the output.

    Returns:
        A new array of the albedo's shape.
    """
    result = albedo.copy()
    add_residual(result, weighted_residual(output, layout), layout)
    return result


def weighted_residual(output: NDArray[np.floating], layout: Layout) -> NDArray[np.float32]:
    """Return mask x residual `(size, size, 3)` float32 of an output, in encoded albedo."""
    masks = layout.masks()[..., None] * np.float32(1 / 255)
    return np.asarray(decode_residual(output, layout) * masks, np.float32)


def add_residual(
    albedo: NDArray[np.uint8], weighted: NDArray[np.float32], layout: Layout
) -> list[tuple[slice, slice]]:
    """Add a weighted residual to an albedo in place.

    Args:
        albedo: `(h, w, 3 or 4)` uint8 sRGB, any size: a level of a pyramid will do.
        weighted: `(size, size, 3)`, see `weighted_residual`.
        layout: Of the residual.

    Returns:
        Rows and columns of the albedo that were changed, one pair for each region.
    """
    import cv2

    changed = []
    for region, rows, columns, patch in region_patches(albedo.shape[:2], weighted, layout):
        del region
        target = np.ascontiguousarray(albedo[rows, columns, :3])
        albedo[rows, columns, :3] = cv2.add(target, patch, dtype=cv2.CV_8U)
        changed.append((rows, columns))
    return changed


def region_patches(
    shape: tuple[int, int], weighted: NDArray[np.float32], layout: Layout
) -> Iterator[tuple[Region, slice, slice, NDArray[np.float32]]]:
    """Yield each region's weighted residual at an atlas's resolution, scaled to 0..255.

    Args:
        shape: Height and width of the atlas.
        weighted: `(size, size, 3)`, see `weighted_residual`.
        layout: Of the residual.

    Yields:
        Region, rows, columns and `(rows, columns, 3)` float32; empty ones are left out.
    """
    height, width = shape
    for region in layout.regions:
        rows, columns = region_rectangle(region, (height, width))
        if rows.stop > rows.start and columns.stop > columns.start:
            patch = weighted[region.window] * np.float32(255)
            yield region, rows, columns, _stretched(patch, region, shape, rows, columns)


def region_rectangle(region: Region, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of an atlas `(height, width)` whose centres a region covers."""
    height, width = shape
    u0, v0, u1, v1 = region.uv
    return (
        slice(int(np.ceil(v0 * height - 0.5)), int(np.ceil(v1 * height - 0.5))),
        slice(int(np.ceil(u0 * width - 0.5)), int(np.ceil(u1 * width - 0.5))),
    )


def _stretched(
    patch: NDArray[np.float32],
    region: Region,
    shape: tuple[int, int],
    rows: slice,
    columns: slice,
) -> NDArray[np.float32]:
    import cv2

    height, width = shape
    u0, v0, u1, v1 = region.uv
    size = columns.stop - columns.start, rows.stop - rows.start
    whole = [value.is_integer() for value in (u0 * width, u1 * width, v0 * height, v1 * height)]
    if size[0] < patch.shape[1] or size[1] < patch.shape[0]:
        return np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_AREA), np.float32)
    if all(whole):
        return np.asarray(cv2.resize(patch, size, interpolation=cv2.INTER_LINEAR), np.float32)
    x = (np.arange(columns.start, columns.stop) + 0.5) / width
    y = (np.arange(rows.start, rows.stop) + 0.5) / height
    across = (x - u0) / (u1 - u0) * patch.shape[1] - 0.5
    down = (y - v0) / (v1 - v0) * patch.shape[0] - 0.5
    grid = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
    out = cv2.remap(patch, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.float32)
