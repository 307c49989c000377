"""The public functions `lifemask.export` and `lifemask.info`."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifemask._errors import ExportError
from lifemask.avatar._avatar import HEAD_PATH, TEXTURES, Avatar
from lifemask.avatar._container import read_package
from lifemask.avatar._dynamics_files import dynamics_sizes
from lifemask.avatar._exporters import find_exporter
from lifemask.avatar._head_file import decode_head
from lifemask.avatar._pictures import picture_shape
from lifemask.avatar._records import damaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lifemask.avatar._exporters import Exporter
    from lifemask.avatar._manifest import Manifest


def export(
    package: str | Path, out: str | Path, *, format: str | None = None, **options: Any
) -> Path:
    """Export an avatar package to another format.

    Args:
        package: A `.lifemask` file or an unpacked folder.
        out: The file to write; its suffix chooses the format.
        format: Name of an exporter, e.g. `"gltf"`, whatever the suffix.
        **options: Passed on to the exporter, e.g. `sparse=True`.

    Returns:
        The path that was written.

    Raises:
        PackageError: The package cannot be read.
        ExportError: No exporter fits, it has no such option, or the file cannot be written.
    """
    path = Path(out)
    exporter = find_exporter(path, format)
    _check_options(exporter, options)
    exporter.export(Avatar.load(package), path, **options)
    return path


def _check_options(exporter: Exporter, options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(exporter.export).parameters
    taken = [name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    unknown = sorted(set(options) - set(taken))
    if unknown and not open_ended:
        raise ExportError(
            f"the exporter has no option {unknown[0]!r}",
            hint=f"Its options are: {', '.join(taken) or 'none'}.",
        )


@dataclass(frozen=True)
class AvatarInfo:
    """What a package holds, verified.

    Attributes:
        size_bytes: Sum over all files, unpacked.
        textures: Height, width and channels by texture name.
        dynamics: Kinds of dynamic textures, each with the bytes of its files.
        consent: One line to show, `"consent unset"` where nobody said anything.
    """

    manifest: Manifest
    size_bytes: int
    vertex_count: int
    face_count: int
    textures: dict[str, tuple[int, int, int]]
    consent: str
    dynamics: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; unset consent fields are `"unset"`."""
        manifest = self.manifest
        return {
            "name": manifest.name,
            "schema_version": manifest.schema_version,
            "generator": manifest.generator,
            "head_asset": manifest.head_asset._asdict(),
            "size_bytes": self.size_bytes,
            "vertex_count": self.vertex_count,
            "face_count": self.face_count,
            "textures": {name: list(shape) for name, shape in self.textures.items()},
            "dynamics": dict(self.dynamics),
            "consent": manifest.consent.shown(),
            "consent_report": self.consent,
            "licenses": [asdict(item) for item in manifest.licenses],
            "metrics": dict(manifest.metrics),
            "identity": list(manifest.identity),
            "files": [item._asdict() for item in manifest.files],
        }


def info(package: str | Path) -> AvatarInfo:
    """Verify a package and say what is in it, without decoding its textures.

    Raises:
        PackageError: There is no package, or it is damaged, hostile or too new.
    """
    manifest, files = read_package(Path(package))
    if HEAD_PATH not in files:
        raise damaged(f"the package has no {HEAD_PATH}")
    head = decode_head(files[HEAD_PATH], manifest.head_asset)
    folder, suffix = TEXTURES
    return AvatarInfo(
        manifest=manifest,
        size_bytes=sum(file.size for file in manifest.files),
        vertex_count=len(head.neutral),
        face_count=len(head.topology.faces),
        textures={
            path.removeprefix(folder).removesuffix(suffix): picture_shape(data, path)
            for path, data in files.items()
            if path.startswith(folder)
        },
        consent=manifest.consent.report(),
        dynamics=dynamics_sizes(files),
    )
