"""From one photo to a head avatar that a game engine animates.

    import lifemask

    avatar = lifemask.build(["ada.jpg"], "ada.lifemask")
    lifemask.export("ada.lifemask", "ada.glb")

Every name is imported from its package on first use, so that `import lifemask` costs next to
nothing. Frames, units and the names of the 52 coefficients are described in
`lifemask.geometry`, `lifemask.heads` and `lifemask.capture`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lifemask._errors import (
    AddressInUseError,
    AnotherPersonError,
    CacheError,
    ExportError,
    FaceCutError,
    ImageError,
    InputError,
    LifemaskError,
    MissingExtraError,
    ModelFileError,
    NoFaceError,
    PackageError,
    SeveralFacesError,
    SourceError,
    StreamError,
    SubjectNotFoundError,
    VideoError,
)
from lifemask._version import __version__

if TYPE_CHECKING:
    from lifemask._demo import demo
    from lifemask._doctor import doctor
    from lifemask._licenses import licenses
    from lifemask.avatar import Avatar, Consent, Manifest, build, export, forget, info, render, rig
    from lifemask.capture import (
        ImageFrame,
        PerformanceFrame,
        PerformanceSource,
        ScriptedPerformance,
    )
    from lifemask.evaluation import evaluate
    from lifemask.geometry import Camera, Pose
    from lifemask.heads import COEFFICIENT_NAMES, Head, HeadModel, load_head_model
    from lifemask.streaming import Client, Server, ServerThread, serve, watch

_HOMES = {
    "lifemask._demo": ("demo",),
    "lifemask._doctor": ("doctor",),
    "lifemask._licenses": ("licenses",),
    "lifemask.avatar": (
        "Avatar",
        "Consent",
        "Manifest",
        "build",
        "export",
        "forget",
        "info",
        "render",
        "rig",
    ),
    "lifemask.capture": (
        "ImageFrame",
        "PerformanceFrame",
        "PerformanceSource",
        "ScriptedPerformance",
    ),
    "lifemask.evaluation": ("evaluate",),
    "lifemask.geometry": ("Camera", "Pose"),
    "lifemask.heads": ("COEFFICIENT_NAMES", "Head", "HeadModel", "load_head_model"),
    "lifemask.streaming": ("Client", "Server", "ServerThread", "serve", "watch"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "COEFFICIENT_NAMES",
    "AddressInUseError",
    "AnotherPersonError",
    "Avatar",
    "CacheError",
    "Camera",
    "Client",
    "Consent",
    "ExportError",
    "FaceCutError",
    "Head",
    "HeadModel",
    "ImageError",
    "ImageFrame",
    "InputError",
    "LifemaskError",
    "Manifest",
    "MissingExtraError",
    "ModelFileError",
    "NoFaceError",
    "PackageError",
    "PerformanceFrame",
    "PerformanceSource",
    "Pose",
    "ScriptedPerformance",
    "Server",
    "ServerThread",
    "SeveralFacesError",
    "SourceError",
    "StreamError",
    "SubjectNotFoundError",
    "VideoError",
    "__version__",
    "build",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "forget",
    "info",
    "licenses",
    "load_head_model",
    "render",
    "rig",
    "serve",
    "watch",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'lifemask' has no attribute '{name}'")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
