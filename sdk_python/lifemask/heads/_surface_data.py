"""Where landmarks and regions lie on head models whose geometry is not shipped.

The files hold vertex numbers and weights only, and nothing of the models' geometry.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@functools.cache
def _arrays(model: str) -> dict[str, NDArray]:
    file = resources.files("lifemask").joinpath("data", f"surface_{model}.npz")
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def landmark_embedding(
    model: str, faces: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the face `(478,)` and barycentric coordinates `(478, 3)` of each landmark.

    Args:
        model: `"ict"` or `"flame"`.
        faces: `(n_faces, 3)` of the model as it was loaded.

    Raises:
        ValueError: The faces are not those of the model.
    """
    arrays = _arrays(model)
    corners = arrays["landmark_corners"].astype(np.int64)
    order = {tuple(sorted(face)): row for row, face in enumerate(faces.tolist())}
    try:
        chosen = np.array([order[tuple(sorted(c))] for c in corners.tolist()], np.int32)
    except KeyError as error:
        raise ValueError("the faces are not those of the model") from error
    # Weights follow the corners as the faces list them, whatever corner a face begins with.
    place = np.argmax(faces[chosen][:, :, None] == corners[:, None, :], axis=2)
    weights = np.take_along_axis(arrays["landmark_weights"], place, axis=1)
    return chosen, weights.astype(np.float32)


def region_masks(model: str, vertices: int) -> dict[str, NDArray[np.float32]]:
    """Return `(n_vertices,)` float32 masks in [0, 1] by region name."""
    arrays = _arrays(model)
    masks = {}
    for name, values in arrays.items():
        if name.startswith("mask_"):
            if len(values) != vertices:
                raise ValueError(f"there are {vertices} vertices instead of {len(values)}")
            masks[name.removeprefix("mask_")] = values.astype(np.float32) / 255
    return masks
