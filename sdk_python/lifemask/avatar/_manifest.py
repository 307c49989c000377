"""`manifest.json`: where an avatar comes from, what is in its package, who agreed to it."""

from __future__ import annotations

import datetime
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from lifemask._errors import PackageError
from lifemask._licenses import Kind, License
from lifemask._version import __version__
from lifemask.avatar._records import Record, damaged, parse_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = "1.0"
"""Readers refuse another major version; a newer minor version only adds."""

MAX_FILES = 256
MAX_FILE_BYTES = 256 * 2**20
MAX_TOTAL_BYTES = 512 * 2**20
MAX_MANIFEST_BYTES = 2**20
MAX_NAME = 200
UNSET = "unset"

Origin = Literal["source", "derived"]

_MAX_IDENTITY = 4096
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Letters, digits, `_`, `-` and inner dots, `/` between folders: excludes `..`, absolute paths,
# drive letters, backslashes and hidden files by construction.
_PATH = re.compile(r"\w[\w-]*(\.[\w-]+)*(/\w[\w-]*(\.[\w-]+)*)*", re.ASCII)
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Consent:
    """What the person whose face it is agreed to; None means that nobody said.

    Attributes:
        subject: Who agreed.
        purpose: What the avatar may be used for.
        date: Day of the agreement.
        expiry: Last day on which the avatar may be used.
    """

    subject: str | None = None
    purpose: str | None = None
    date: datetime.date | None = None
    expiry: datetime.date | None = None

    @property
    def unset(self) -> tuple[str, ...]:
        """Names of the fields that nobody filled in."""
        return tuple(key for key, value in asdict(self).items() if value is None)

    def expired(self, today: datetime.date | None = None) -> bool:
        """Whether the expiry lies before `today` (the local date when left out)."""
        return self.expiry is not None and self.expiry < (today or datetime.date.today())

    def report(self, today: datetime.date | None = None) -> str:
        """Return one line to show with the avatar, e.g. `"consent unset"`."""
        if len(self.unset) == len(asdict(self)):
            return f"consent {UNSET}"
        line = "consent: " + ", ".join(f"{key} {value}" for key, value in self.shown().items())
        return line + (" (EXPIRED)" if self.expired(today) else "")

    def shown(self) -> dict[str, str]:
        """Return the fields as text, `"unset"` where nobody filled them in."""
        return {key: UNSET if value is None else str(value) for key, value in asdict(self).items()}


class HeadAsset(NamedTuple):
    """The head data that the geometry was made of."""

    id: str
    version: str
    sha256: str


_NO_ASSET = HeadAsset("", "", "")


class PackagedFile(NamedTuple):
    """One file of the package.

    Attributes:
        path: Relative, with `/`, ASCII.
        sha256: 64 lower-case hexadecimal digits.
        size: Bytes.
        origin: `"derived"` files can be made again from the `"source"` files.
    """

    path: str
    sha256: str
    size: int
    origin: Origin


@dataclass(frozen=True)
class Manifest:
    """The record that travels with an avatar.

    The builder fills `identity`, `licenses`, `consent` and `metrics`; `Avatar` fills `name` and
    `head_asset`; `Avatar.save` fills `files`.

    Attributes:
        identity: `(n,)` coefficients of the head asset's identity basis, unit variance.
        licenses: Every model and data set that went into the avatar.
        metrics: What the builder measured, flat, with units in the names.
    """

    identity: tuple[float, ...] = ()
    licenses: tuple[License, ...] = ()
    consent: Consent = Consent()
    metrics: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    name: str = ""
    head_asset: HeadAsset = _NO_ASSET
    files: tuple[PackagedFile, ...] = ()
    generator: str = f"lifemask {__version__}"
    schema_version: str = SCHEMA_VERSION

    def to_json(self) -> bytes:
        """Return `manifest.json`; equal manifests give equal bytes.

        Raises:
            ValueError: A metric or an identity coefficient is not finite.
        """
        consent = asdict(self.consent)
        value = {
            "schema_version": self.schema_version,
            "generator": self.generator,
            "name": self.name,
            "head_asset": self.head_asset._asdict(),
            "identity": [float(coefficient) for coefficient in self.identity],
            "licenses": [asdict(item) for item in self.licenses],
            "consent": {key: None if v is None else str(v) for key, v in consent.items()},
            "metrics": dict(self.metrics),
            "files": [item._asdict() for item in self.files],
        }
        return write_json(value)

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Read `manifest.json`; fields that this version does not know are passed over.

        Raises:
            PackageError: Not a manifest, an unknown major version, or an unsafe file list.
        """
        record = Record(parse_json(data, "manifest.json"), "manifest.json")
        version = record.text("schema_version")
        _check_version(version)
        consent = record.record("consent")
        return cls(
            identity=record.numbers("identity", limit=_MAX_IDENTITY),
            licenses=tuple(_license(item) for item in record.records("licenses")),
            consent=Consent(
                subject=consent.optional_text("subject"),
                purpose=consent.optional_text("purpose"),
                date=consent.optional_date("date"),
                expiry=consent.optional_date("expiry"),
            ),
            metrics=record.scalars("metrics"),
            name=_name(record),
            head_asset=_head_asset(record.record("head_asset")),
            files=_files(record),
            generator=record.text("generator"),
            schema_version=version,
        )


def check_path(path: str) -> None:
    """Refuse a path that could leave the package or mean another file on another system.

    Raises:
        PackageError: It is absolute, has `..`, a drive letter, a backslash, a character outside
            ASCII letters, digits, `_`, `-` and `.`, or is the name of a device.
    """
    parts = path.split("/")
    if len(path) > 200 or not _PATH.fullmatch(path) or any(_DEVICE.match(part) for part in parts):
        raise PackageError(
            f"the package names an unsafe path: {path[:200]!r}",
            hint="Do not open packages from people you do not trust; build this one again.",
        )


def _check_version(version: str) -> None:
    if not re.fullmatch(r"\d{1,6}\.\d{1,6}", version, re.ASCII):
        raise damaged(f"manifest.json has no schema version but {version!r}")
    if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise PackageError(
            f"the package has schema version {version}, this lifemask reads {SCHEMA_VERSION}",
            hint="Update lifemask (pip install --upgrade lifemask), or build the avatar again.",
        )


def _name(record: Record) -> str:
    name = record.text("name", limit=MAX_NAME)
    if not name.strip():
        raise damaged("manifest.json: the avatar has no name")
    return name


def _license(record: Record) -> License:
    return License(
        name=record.text("name"),
        kind=record.choice("kind", get_args(Kind)),
        licence=record.text("licence"),
        origin=record.text("origin"),
        shipped=record.flag("shipped"),
    )


def _head_asset(record: Record) -> HeadAsset:
    return HeadAsset(record.text("id"), record.text("version"), record.text("sha256"))


def _files(manifest: Record) -> tuple[PackagedFile, ...]:
    files = tuple(_file(record) for record in manifest.records("files"))
    if len(files) > MAX_FILES or sum(file.size for file in files) > MAX_TOTAL_BYTES:
        raise damaged(f"the package lists more than {MAX_FILES} files or {MAX_TOTAL_BYTES} bytes")
    # Windows and macOS fold case, so two such names would be one file there.
    if len({file.path.lower() for file in files}) < len(files):
        raise damaged("the package lists the same file twice")
    return files


def _file(record: Record) -> PackagedFile:
    path, sha256, size = record.text("path"), record.text("sha256"), record.size("size")
    check_path(path)
    if not _SHA256.fullmatch(sha256) or size > MAX_FILE_BYTES:
        raise damaged(f"manifest.json: {path!r} has no SHA-256 or more than {MAX_FILE_BYTES} bytes")
    return PackagedFile(path, sha256, size, record.choice("origin", get_args(Origin)))
