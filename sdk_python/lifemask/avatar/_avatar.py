"""One person's avatar in memory, and its way into and out of a package."""

from __future__ import annotations

import hashlib
import re
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lifemask.avatar._container import MANIFEST_NAME, read_package, write_package
from lifemask.avatar._dynamics_files import dynamics_files, take_dynamics
from lifemask.avatar._exporters import get_exporter
from lifemask.avatar._head_file import decode_head_and_hair, encode_head
from lifemask.avatar._manifest import (
    MAX_NAME,
    HeadAsset,
    Manifest,
    PackagedFile,
    check_path,
)
from lifemask.avatar._pictures import LazyTextures, decode_png, encode_png, texture_problem
from lifemask.avatar._records import damaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lifemask.appearance import HairCap
    from lifemask.avatar._manifest import Origin
    from lifemask.dynamics import DynamicTexture
    from lifemask.heads import Head

HEAD_PATH: Final = "head.npz"
PREVIEW_PATH: Final = "preview.png"
GLB_PATH: Final = "avatar.glb"
TEXTURES: Final = ("textures/", ".png")
DERIVED_TEXTURES: Final = frozenset({"normal", "orm", "thickness", "provenance"})
"""What the builder computed from the albedo, the geometry and the pictures."""
MODELS: Final = ("models/", ".onnx")

_KEY = re.compile(r"[a-z][a-z0-9_]{0,60}")


@dataclass(frozen=True)
class Avatar:
    """One person's head with its textures, networks and record.

    Attributes:
        name: What the person or character is called; printable, at most 200 characters.
        head: Geometry, personal shapes and joints.
        textures: `(height, width, 3 or 4)` uint8 by name, in the head atlas, origin top left.
            `albedo` is sRGB (a fourth channel is the coverage of the lashes), `normal` is a
            tangent-space map with +Y up, `orm` is occlusion, roughness, metallic. Others may
            be grey, `(height, width)`: `thickness` (255 is 40 mm) and `provenance`
            (`lifemask.appearance.Provenance`).
        manifest: Where the avatar comes from. `name` and `head_asset` in it always are those of
            this avatar, and `files` are those of the package that it was loaded from.
        models: ONNX files by name, e.g. `"blendshape_regression"`.
        preview: `(height, width, 3 or 4)` uint8 sRGB picture of the avatar.
        hair: Cap of hair over the skin, moved by the joint `Head`; its texture is `hair`, sRGB
            with coverage. None where there is none; without it the painted scalp shows.
        dynamics: What changes the albedo with the expression, by kind: `"network"`, `"linear"`,
            `"key"`; all of one layout. Empty for an avatar that was not built from a clip.
        attachments: Other files of the package by path; kept when the avatar is saved again.
    """

    name: str
    head: Head
    textures: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=Manifest)
    models: Mapping[str, bytes] = field(default_factory=dict)
    preview: NDArray[np.uint8] | None = None
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    hair: HairCap | None = None
    dynamics: Mapping[str, DynamicTexture] = field(default_factory=dict)

    def __post_init__(self) -> None:
        printable = self.name.strip() and self.name.isprintable()
        if not printable or len(self.name) > MAX_NAME:
            raise ValueError(f"an avatar has a printable name of 1 to {MAX_NAME} characters")
        topology = self.head.topology
        asset = HeadAsset(topology.asset_id, topology.asset_version, topology.asset_sha256)
        manifest = replace(self.manifest, name=self.name, head_asset=asset)
        object.__setattr__(self, "manifest", manifest)

    def save(self, path: str | Path, *, unpacked: bool = False, glb: bool = True) -> Manifest:
        """Write the avatar as one file, or as a folder.

        The same avatar gives the same bytes. The package appears under its name only when it is
        complete, and replaces an older one.

        Args:
            path: Usually ends in `.lifemask`.
            unpacked: Write a folder with the same files.
            glb: Put the derived `avatar.glb` in (the exporter `"gltf"` with its defaults).

        Returns:
            The manifest that was written, with the list of files.

        Raises:
            ExportError: The file cannot be written.
            ValueError: Something in the avatar is malformed and could not be read again.
        """
        files = self._source_files()
        derived = self._derived_files(glb)
        maps = {_path(TEXTURES, name) for name in DERIVED_TEXTURES}
        manifest = replace(
            self.manifest,
            files=tuple(
                _entry(path, data, "derived" if path in {*derived, *maps} else "source")
                for path, data in sorted((files | derived).items())
            ),
        )
        content = {MANIFEST_NAME: manifest.to_json(), **files, **derived}
        write_package(Path(path), content, unpacked=unpacked)
        return manifest

    @classmethod
    def load(cls, path: str | Path) -> Avatar:
        """Read a package or an unpacked folder; textures are decoded at their first use.

        Raises:
            PackageError: There is no package, or it is damaged, hostile or too new.
        """
        manifest, files = read_package(Path(path))
        if HEAD_PATH not in files:
            raise damaged(f"the package has no {HEAD_PATH}")
        files.pop(GLB_PATH, None)
        head, hair = decode_head_and_hair(files.pop(HEAD_PATH), manifest.head_asset)
        preview = files.pop(PREVIEW_PATH, None)
        textures, models = _take(files, TEXTURES), _take(files, MODELS)
        dynamics = take_dynamics(files)
        return cls(
            name=manifest.name,
            head=head,
            textures=LazyTextures(textures),
            manifest=manifest,
            models=models,
            preview=None if preview is None else decode_png(preview, PREVIEW_PATH),
            attachments=files,
            hair=hair,
            dynamics=dynamics,
        )

    def best_dynamic(self) -> DynamicTexture | None:
        """Return the dynamic texture that looks best, None where there is none."""
        from lifemask.dynamics import BACK_ENDS

        kind = next((kind for kind in BACK_ENDS if kind in self.dynamics), None)
        return None if kind is None else self.dynamics[kind]

    def _source_files(self) -> dict[str, bytes]:
        files = dict(self.attachments)
        for name in files:
            check_path(name)
        for name, texture in self.textures.items():
            if problem := texture_problem(name, texture):
                raise ValueError(problem)
            files[_path(TEXTURES, name)] = encode_png(texture)
        files |= {_path(MODELS, name): bytes(data) for name, data in self.models.items()}
        files |= dynamics_files(self.dynamics)
        files[HEAD_PATH] = encode_head(self.head, self.hair)
        return files

    def _derived_files(self, glb: bool) -> dict[str, bytes]:
        files = {} if self.preview is None else {PREVIEW_PATH: encode_png(self.preview)}
        if glb:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / GLB_PATH
                get_exporter("gltf").export(self, path)
                files[GLB_PATH] = path.read_bytes()
        return files


def _entry(path: str, data: bytes, origin: Origin) -> PackagedFile:
    return PackagedFile(path, hashlib.sha256(data).hexdigest(), len(data), origin)


def _path(place: tuple[str, str], name: str) -> str:
    if not _KEY.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a texture or model: use a-z, 0-9 and _")
    return name.join(place)


def _take(files: dict[str, bytes], place: tuple[str, str]) -> dict[str, bytes]:
    """Remove the files of one place from `files` and return them by name."""
    folder, suffix = place
    taken = {}
    for path in sorted(files):
        name = path.removeprefix(folder).removesuffix(suffix)
        if path == name.join(place) and _KEY.fullmatch(name):
            taken[name] = files.pop(path)
    return taken
