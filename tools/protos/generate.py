"""Generate `sdk_python/lifemask/v1` from `protos/`, or check that nothing has drifted.

    python tools/protos/generate.py             writes the stubs
    python tools/protos/generate.py --check     changes nothing; exit status 1 on any problem
    python tools/protos/generate.py --baseline  accepts the contract as it is as the new baseline

Only the standard library is needed: the compiler and buf live in an environment of their own
(`.tools/protos`), because a compiler new enough for current releases of the protobuf runtime
writes code that older ones refuse, and the one used here needs an old setuptools.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
STUBS = ROOT / "sdk_python" / "lifemask" / "v1"
BASELINE = PROTOS / "lifemask_v1.binpb"
ENVIRONMENT = Path(os.environ.get("LIFEMASK_TOOLS", ROOT / ".tools")) / "protos"
# Code from this compiler imports on every protobuf runtime from 5.29 on.
REQUIREMENTS = ("grpcio-tools==1.70.0", "setuptools<80", "buf-bin==1.75.0")
PACKAGE_DOCSTRING = (
    '"""Messages and services of the contract, generated from `protos/lifemask/v1`."""\n'
)


class ContractError(Exception):
    """A tool that cannot be installed, or a contract that does not compile."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="change nothing, report problems")
    mode.add_argument("--baseline", action="store_true", help="rewrite lifemask_v1.binpb")
    options = parser.parse_args(arguments)
    try:
        if options.baseline:
            write_baseline()
            return 0
        problems = check() if options.check else generate()
    except ContractError as error:
        problems = [str(error)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def generate() -> list[str]:
    """Rewrite the committed stubs; return problems (none: failures raise `ContractError`)."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = compile_stubs(Path(scratch))
        STUBS.mkdir(parents=True, exist_ok=True)
        for name in sorted(stub_names(STUBS) - stub_names(fresh)):
            (STUBS / name).unlink()
        for name in sorted(stub_names(fresh)):
            shutil.copyfile(fresh / name, STUBS / name)
    return []


def check() -> list[str]:
    """Return every problem of the contract: drift of the stubs, format, style, compatibility."""
    return [*check_drift(), *check_buf()]


def check_drift() -> list[str]:
    """Return one problem for each stub that a fresh compilation would change."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = compile_stubs(Path(scratch))
        names = sorted(stub_names(fresh) | stub_names(STUBS))
        differences = [(name, _difference(STUBS / name, fresh / name)) for name in names]
    advice = "is not what protos/ says; run tools/protos/generate.py"
    return [f"sdk_python/lifemask/v1/{name} {advice}\n{text}" for name, text in differences if text]


def check_buf() -> list[str]:
    """Return what buf says about format, style and compatibility with the baseline."""
    commands = {
        "format": ("format", "--diff", "--exit-code"),
        "lint": ("lint",),
        "breaking": ("breaking", "--against", str(BASELINE)),
    }
    problems = []
    for name, command in commands.items():
        result = _run([tool("buf"), *command])
        if result.returncode:
            problems.append(f"buf {name}:\n{result.stdout}{result.stderr}".rstrip())
    return problems


def write_baseline() -> None:
    """Write the descriptor set that `breaking` compares with, without comments and positions."""
    result = _run([tool("buf"), "build", "--exclude-source-info", "-o", str(BASELINE)])
    if result.returncode:
        raise ContractError(result.stderr)


def compile_stubs(target: Path) -> Path:
    """Compile all protos below `target`; return the folder with the stubs."""
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    command = [
        tool("python"), "-m", "grpc_tools.protoc", f"-I{PROTOS}",
        f"--python_out={target}", f"--pyi_out={target}", f"--grpc_python_out={target}",
        *sources,
    ]  # fmt: skip
    result = _run(command)
    if result.returncode:
        raise ContractError(f"the protos do not compile:\n{result.stderr}")
    folder = target / "lifemask" / "v1"
    (folder / "__init__.py").write_text(PACKAGE_DOCSTRING, encoding="utf-8", newline="\n")
    # A file without services yields a stub without content.
    for path in folder.glob("*_pb2_grpc.py"):
        if "class " not in path.read_text(encoding="utf-8"):
            path.unlink()
    return folder


def stub_names(folder: Path) -> set[str]:
    """Return the names of the generated files in a folder."""
    return {path.name for pattern in ("*.py", "*.pyi") for path in folder.glob(pattern)}


def tool(name: str) -> str:
    """Return the path of a program of the contract's own environment, made when needed."""
    stamp = ENVIRONMENT / "requirements.sha256"
    digest = hashlib.sha256(" ".join(REQUIREMENTS).encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest:
        _make_environment()
        stamp.write_text(digest, encoding="utf-8")
    return str(_program(name))


def _program(name: str) -> Path:
    if os.name == "nt":
        return ENVIRONMENT / "Scripts" / f"{name}.exe"
    return ENVIRONMENT / "bin" / name


def _make_environment() -> None:
    print("installing", ", ".join(REQUIREMENTS), file=sys.stderr)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    command = [str(_program("python")), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
    result = _run(command)
    if result.returncode:
        raise ContractError(f"the compiler cannot be installed:\n{result.stderr}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


def _difference(committed: Path, fresh: Path) -> str:
    """Return the first lines of the difference; line endings of a checkout do not count."""
    old, new = (_lines(path) for path in (committed, fresh))
    names = ("committed", "generated")
    return "\n".join(list(difflib.unified_diff(old, new, *names, lineterm="", n=1))[:20])


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


if __name__ == "__main__":
    sys.exit(main())
