"""`lifemask info`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lifemask
from lifemask.cli import _console

if TYPE_CHECKING:
    from lifemask.avatar import AvatarInfo


def info(
    package: Annotated[Path, typer.Argument(help="A .lifemask file or an unpacked folder.")],
    json: _console.JsonOption = False,
) -> None:
    """Verify an avatar package and show what it holds."""
    found = lifemask.info(package)
    _console.print_result(found.to_dict(), list(_lines(found)), as_json=json)


def _lines(found: AvatarInfo) -> Iterator[str]:
    manifest = found.manifest
    yield f"{manifest.name}: made by {manifest.generator}, schema {manifest.schema_version}"
    yield found.consent
    asset = manifest.head_asset
    counts = f"{found.vertex_count:,} vertices, {found.face_count:,} faces"
    yield f"head: {asset.id} {asset.version}, {counts}, {len(manifest.identity)} identity modes"
    for name, (height, width, channels) in found.textures.items():
        yield f"texture: {name} {width}×{height}, {channels} channels"
    for kind, size in found.dynamics.items():
        yield f"dynamic texture: {kind}, {size / 1e6:.1f} MB"
    for metric, value in manifest.metrics.items():
        yield (
            f"metric: {metric} {value:.4g}"
            if isinstance(value, float)
            else f"metric: {metric} {value}"
        )
    for item in manifest.licenses:
        yield f"licence: {item.name}: {item.licence}"
    yield f"files: {len(manifest.files)}, {found.size_bytes / 1e6:.1f} MB unpacked, all verified"
    for file in manifest.files:
        yield f"  {file.path}  {file.size:,} bytes  {file.origin}  {file.sha256[:12]}"
