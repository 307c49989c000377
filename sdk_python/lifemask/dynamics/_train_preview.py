"""Pictures that show, during training, what a texture network does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import write_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def write_preview(
    folder: Path, name: str, static: NDArray[np.float32], rows: list[list[NDArray[np.float32]]]
) -> None:
    """Write `preview_NAME.png`: a row for each sample; input, static texture, network.

    Args:
        folder: Is made when missing.
        name: Of training and step.
        static: `(size, size, 3)`, what the residuals are added to.
        rows: Pairs of residuals `(size, size, 3)`, mask applied: seen and computed.

    Raises:
        ExportError: The picture cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [[static + seen, static, static + made] for seen, made in rows]
    picture = np.concatenate([np.concatenate(line, axis=1) for line in lines])
    eight_bits = np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)
    write_image(folder / f"preview_{name}.png", eight_bits)
