"""The texture network in the files of a package."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lifemask._errors import ModelFileError, PackageError
from lifemask.dynamics._export import DATA_STATEMENT, INPUT_NAME, NETWORK_SCHEMA, OUTPUT_NAME
from lifemask.dynamics._network_texture import NetworkTexture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lifemask.dynamics._regions import Layout

MODEL_FILE: Final = "network.onnx"
DESCRIPTION_FILE: Final = "network.json"
_LARGEST_FILE: Final = 8_000_000


def network_files(texture: NetworkTexture) -> dict[str, bytes]:
    """Return `network.onnx` and `network.json`, which says what it takes and gives."""
    description = {
        "schema": NETWORK_SCHEMA,
        "model": MODEL_FILE,
        "input": {"name": INPUT_NAME, "shape": [1, len(texture.limits.low)]},
        "output": {"name": OUTPUT_NAME, "shape": [1, 3, *[texture.layout.size] * 2]},
        "input_range": texture.limits.to_dict(),
        "data": DATA_STATEMENT,
    }
    text = json.dumps(description, indent=1) + "\n"
    return {MODEL_FILE: texture.model, DESCRIPTION_FILE: text.encode()}


def network_from_files(files: Mapping[str, bytes], layout: Layout) -> NetworkTexture:
    """Rebuild what `network_files` gave.

    Args:
        files: By name; only the model is needed, it says all by itself.
        layout: Of the package.

    Raises:
        PackageError: There is no model, or it is damaged or of another schema.
        MissingExtraError: The package onnxruntime is missing.
    """
    model = files.get(MODEL_FILE)
    if model is None or len(model) > _LARGEST_FILE:
        raise PackageError(
            f"the package's {MODEL_FILE} is missing or too large",
            hint="Build the avatar again, or take the package from its source again.",
        )
    try:
        return NetworkTexture(model, layout)
    except ModelFileError as error:
        raise PackageError(str(error), hint=error.hint) from error
