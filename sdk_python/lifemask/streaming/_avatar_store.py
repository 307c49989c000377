"""The avatar packages that a server offers, held in memory as they were when it started."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lifemask.avatar import Avatar, info
from lifemask.streaming._messages import wire_text
from lifemask.v1 import avatar_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lifemask.avatar import Consent


@dataclass(frozen=True)
class OfferedAvatar:
    """One package file and its description."""

    summary: pb.AvatarSummary
    data: bytes


class AvatarStore:
    """Avatars by key, in the order in which they were given.

    Args:
        paths: Package files or unpacked folders; the key is the file name without its suffix.

    Raises:
        PackageError: If one is missing, damaged or too new.
    """

    def __init__(self, paths: Iterable[str | Path] = ()) -> None:
        self.avatars: dict[str, OfferedAvatar] = {}
        for path in map(Path, paths):
            key = self._unused_key(wire_text(path.stem))
            self.avatars[key] = _offer(key, path)

    def _unused_key(self, stem: str) -> str:
        key, number = stem, 1
        while key in self.avatars:
            number += 1
            key = f"{stem}-{number}"
        return key


def _offer(key: str, path: Path) -> OfferedAvatar:
    manifest = info(path).manifest
    data = _packed(path) if path.is_dir() else path.read_bytes()
    summary = pb.AvatarSummary(
        avatar_id=key,
        display_name=manifest.name,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        consent=_consent(manifest.consent),
    )
    return OfferedAvatar(summary, data)


def _packed(folder: Path) -> bytes:
    """Return the package file of an unpacked folder."""
    with tempfile.TemporaryDirectory() as scratch:
        packed = Path(scratch) / "avatar.lifemask"
        Avatar.load(folder).save(packed)
        return packed.read_bytes()


def _consent(consent: Consent) -> pb.Consent | None:
    filled = {key: text for key, text in consent.shown().items() if key not in consent.unset}
    return pb.Consent(**filled) if filled else None
