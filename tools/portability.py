"""Find calls that only exist, or only work, on some operating systems.

    python tools/portability.py [FILE …]      without files: every Python file of the repository

A line that is reached on one system only says so, and why it is safe, in a comment that begins
with `# portability:`. The exit status is 1 when anything is found.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parents[1]
EXEMPTION = "# portability:"
PATH_MESSAGE = "absolute path"
FOLDERS = ("sdk_python", "exporters", "tools", "examples", "benchmarks", "tests")
GENERATED = re.compile(r"_pb2(_grpc)?\.py$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


POSIX_MODULES = _words("crypt fcntl grp posix pty pwd readline resource spwd syslog termios tty")
POSIX_NAMES = {
    "os": _words("""
        chown chroot fchmod fchown fork forkpty getegid geteuid getgid getloadavg getpgid getpgrp
        getsid getuid killpg lchown major minor mkfifo mknod nice openpty pipe2 posix_fadvise
        posix_spawn pread pwrite rename sched_getaffinity sched_setaffinity setpgid setsid setuid
        statvfs sync sysconf ttyname uname wait wait3 wait4
    """),
    "signal": _words("""
        SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2
        SIGWINCH alarm pause pthread_kill pthread_sigmask setitimer sigtimedwait sigwait
    """),
    "socket": _words("AF_UNIX SO_REUSEPORT socketpair"),
    "time": _words("clock_gettime clock_settime tzset"),
}
"""`os.rename` is here because it fails on Windows where the target exists; `os.replace` works."""

POSIX_METHODS = _words("add_signal_handler hardlink_to symlink_to")
POSIX_ARGUMENTS = _words("preexec_fn start_new_session process_group pass_fds")
ABSOLUTE_PATH = re.compile(r"/(bin|dev|etc|home|proc|sys|tmp|usr|var)(/|$)")
POSITION_OF_ENCODING = {"read_text": 0, "write_text": 1}


@dataclass(frozen=True)
class Finding:
    """One call that is not portable.

    Attributes:
        line: Line of the file, from 1.
        message: What it is.
    """

    line: int
    message: str


def find(source: str, *, paths_are_data: bool = False) -> list[Finding]:
    """Return the findings in one file.

    Args:
        source: Text of a Python file.
        paths_are_data: Whether absolute paths may stand in it, as in tests about hostile input.
    """
    lines = source.splitlines()
    found = {finding for node in ast.walk(ast.parse(source)) for finding in _check(node)}
    kept = [
        finding
        for finding in found
        if EXEMPTION not in lines[finding.line - 1]
        and not (paths_are_data and finding.message.startswith(PATH_MESSAGE))
    ]
    return sorted(kept, key=lambda finding: (finding.line, finding.message))


def _check(node: ast.AST) -> Iterator[Finding]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from _imports(node)
    elif isinstance(node, ast.Attribute):
        yield from _attributes(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif _is_absolute_path(node):
        yield Finding(node.lineno, f"{PATH_MESSAGE} {node.value!r}")


def _is_absolute_path(node: ast.AST) -> TypeGuard[ast.Constant]:
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and ABSOLUTE_PATH.match(text) is not None


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[Finding]:
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        for alias in node.names:
            if alias.name in POSIX_NAMES.get(module, ()):
                yield Finding(node.lineno, f"{module}.{alias.name}")
        modules = [module] if node.level == 0 else []
    else:
        modules = [alias.name for alias in node.names]
    for module in modules:
        if module.split(".")[0] in POSIX_MODULES:
            yield Finding(node.lineno, f"module {module}")


def _attributes(node: ast.Attribute) -> Iterator[Finding]:
    if isinstance(node.value, ast.Name) and node.attr in POSIX_NAMES.get(node.value.id, ()):
        yield Finding(node.lineno, f"{node.value.id}.{node.attr}")


def _calls(node: ast.Call) -> Iterator[Finding]:
    arguments = {keyword.arg: keyword.value for keyword in node.keywords}
    for name in sorted(POSIX_ARGUMENTS & arguments.keys() - {None}):
        yield Finding(node.lineno, f"argument {name}")
    shell = arguments.get("shell")
    if isinstance(shell, ast.Constant) and shell.value is True:
        yield Finding(node.lineno, "shell=True")
    if isinstance(node.func, ast.Attribute):
        yield from _method_calls(node, node.func.attr, arguments)
    elif isinstance(node.func, ast.Name):
        yield from _function_calls(node, node.func.id, arguments)


def _method_calls(
    node: ast.Call, name: str, arguments: dict[str | None, ast.expr]
) -> Iterator[Finding]:
    if name in POSIX_METHODS:
        yield Finding(node.lineno, f"{name}()")
    if len(node.args) <= POSITION_OF_ENCODING.get(name, -1) and "encoding" not in arguments:
        yield Finding(node.lineno, f"{name} without encoding")
    if name == "NamedTemporaryFile" and not arguments.keys() & {"delete", "delete_on_close"}:
        yield Finding(node.lineno, "NamedTemporaryFile cannot be opened twice on Windows")
    if name == "get_context" and _is_text(node, "fork"):
        yield Finding(node.lineno, "the start method fork")


def _function_calls(
    node: ast.Call, name: str, arguments: dict[str | None, ast.expr]
) -> Iterator[Finding]:
    if name != "open" or "encoding" in arguments or len(node.args) > 3:
        return
    mode = node.args[1] if len(node.args) > 1 else arguments.get("mode")
    fixed = mode is None or isinstance(mode, ast.Constant)
    if fixed and "b" not in getattr(mode, "value", "r"):
        yield Finding(node.lineno, "open in text mode without encoding")


def _is_text(node: ast.Call, text: str) -> bool:
    first = node.args[0] if node.args else None
    return isinstance(first, ast.Constant) and first.value == text


def python_files() -> list[Path]:
    """Return the Python files of the repository, without generated ones."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return sorted(
        [*ROOT.glob("*.py"), *(path for path in found if not GENERATED.search(path.name))]
    )


def find_in_file(path: Path) -> list[Finding]:
    """Return the findings in a file of the repository.

    Args:
        path: A Python file.
    """
    in_tests = path.resolve().is_relative_to(ROOT / "tests")
    return find(path.read_text(encoding="utf-8"), paths_are_data=in_tests)


def main(arguments: list[str] | None = None) -> int:
    """Print every finding; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    status = 0
    for path in parser.parse_args(arguments).files or python_files():
        for finding in find_in_file(path):
            print(f"{path}:{finding.line}: {finding.message}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
