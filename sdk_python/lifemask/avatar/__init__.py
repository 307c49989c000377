"""The avatar package `.lifemask`, and the exporters that read it."""

from lifemask.avatar._avatar import Avatar
from lifemask.avatar._build import build
from lifemask.avatar._build_checks import is_video
from lifemask.avatar._build_report import BuildReport
from lifemask.avatar._exporters import (
    Exporter,
    exporter_names,
    get_exporter,
    register_exporter,
)
from lifemask.avatar._manifest import Consent, HeadAsset, Manifest, PackagedFile
from lifemask.avatar._pictures import encode_png
from lifemask.avatar._public import AvatarInfo, export, info
from lifemask.avatar._render import RenderReport, render
from lifemask.avatar._rig import RigReport, rig
from lifemask.avatar._stages_cache import Forgotten, cache_directory, forget

__all__ = [
    "Avatar",
    "AvatarInfo",
    "BuildReport",
    "Consent",
    "Exporter",
    "Forgotten",
    "HeadAsset",
    "Manifest",
    "PackagedFile",
    "RenderReport",
    "RigReport",
    "build",
    "cache_directory",
    "encode_png",
    "export",
    "exporter_names",
    "forget",
    "get_exporter",
    "info",
    "is_video",
    "register_exporter",
    "render",
    "rig",
]
