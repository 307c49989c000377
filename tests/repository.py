"""Where the files of this repository lie, for tests about the repository itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SDK = ROOT / "sdk_python" / "lifemask"
EXPORTERS = ROOT / "exporters" / "lifemask_exporters"

_GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")
_HIDDEN_OR_BUILT = frozenset((".git", ".venv", ".tools", "build", "dist", "out", "__pycache__"))


def own_modules() -> list[Path]:
    """Return the modules of both packages, without generated ones."""
    found = [*SDK.rglob("*.py"), *EXPORTERS.rglob("*.py")]
    return sorted(path for path in found if not _GENERATED.search(path.name))


def text_files() -> list[Path]:
    """Return the repository's files that people write and read."""
    suffixes = {
        "",
        ".cfg",
        ".in",
        ".json",
        ".md",
        ".proto",
        ".py",
        ".toml",
        ".txt",
        ".yaml",
        ".yml",
    }
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.suffix in suffixes
        and path.is_file()
        and not _GENERATED.search(path.name)
        and not _skipped(path)
    )


def _skipped(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    hidden_caches = any(part.startswith(".") and part.endswith("cache") for part in parts)
    return hidden_caches or ".hypothesis" in parts or not _HIDDEN_OR_BUILT.isdisjoint(parts)


def python() -> str:
    """Return the interpreter that runs the tests."""
    return sys.executable
