"""What `import lifemask` and the help pages load, and which package may import which."""

from __future__ import annotations

import ast
import inspect
import subprocess

import pytest

import lifemask
from lifemask.cli._app import COMMANDS
from repository import ROOT, SDK, own_modules, python

HEAVY = [
    "PIL",
    "cv2",
    "google.protobuf",
    "grpc",
    "mediapipe",
    "numba",
    "numpy",
    "onnx",
    "onnxruntime",
    "pygltflib",
    "scipy",
    "torch",
]

BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if any(name == heavy or name.startswith(heavy + ".") for heavy in {heavy!r}):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Block())
"""

ORDER = (
    "geometry",
    "heads",
    "capture",
    "tracking",
    "rigging",
    "appearance",
    "dynamics",
    "rendering",
    "avatar",
    "evaluation",
    "streaming",
    "cli",
)
SIDE_BY_SIDE = {("evaluation", "streaming"), ("streaming", "evaluation")}


def run_blocked(code: str) -> subprocess.CompletedProcess[str]:
    program = BLOCK.format(heavy=HEAVY) + code
    return subprocess.run(
        [python(), "-c", program], capture_output=True, text=True, encoding="utf-8", cwd=ROOT
    )


def test_block_really_blocks():
    assert "numpy is blocked" in run_blocked("import numpy").stderr


def test_import_loads_nothing_heavy():
    done = run_blocked("import lifemask; lifemask.LifemaskError; dir(lifemask)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_page_loads_nothing_heavy(command):
    words = [*command.split(), "--help"]
    done = run_blocked(f"from lifemask.cli._app import run; sys.exit(run({words!r}))")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_every_public_name_is_there():
    for name in lifemask.__all__:
        assert getattr(lifemask, name) is not None, name


def test_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'buidl'"):
        _ = lifemask.buidl


def test_type_checker_and_runtime_see_the_same_names():
    tree = ast.parse((SDK / "__init__.py").read_text(encoding="utf-8"))
    guarded = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        node.module: tuple(alias.name for alias in node.names)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
    }
    assert seen == lifemask._HOMES
    lazy = {name for names in seen.values() for name in names}
    eager = {name for name in lifemask.__all__ if name not in lazy}
    assert eager <= vars(lifemask).keys()
    assert lazy <= set(lifemask.__all__)


def test_public_functions_are_typed_and_documented():
    for name in lifemask.__all__:
        value = getattr(lifemask, name)
        if callable(value):
            assert value.__doc__, name
        if callable(value) and not isinstance(value, type):
            signature = inspect.signature(value)
            annotations = [one.annotation for one in signature.parameters.values()]
            assert inspect.Signature.empty not in [*annotations, signature.return_annotation], name


def package_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "lifemask" and len(parts) > 1 and parts[1] in ORDER else None


def imports_of(source: str) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((node.lineno, node.module or ""))
    return found


def breaks_order(importer: str, imported: str) -> bool:
    if importer == imported:
        return False
    side_by_side = (importer, imported) in SIDE_BY_SIDE
    return side_by_side or ORDER.index(imported) > ORDER.index(importer)


@pytest.mark.parametrize(
    ("importer", "imported", "wrong"),
    [
        ("heads", "geometry", False),
        ("geometry", "heads", True),
        ("evaluation", "streaming", True),
        ("avatar", "avatar", False),
    ],
)
def test_order_is_judged_right(importer, imported, wrong):
    assert breaks_order(importer, imported) is wrong


def test_packages_import_only_those_before_them():
    wrong = []
    for path in own_modules():
        parts = path.relative_to(SDK).parts if path.is_relative_to(SDK) else ()
        if len(parts) < 2 or parts[0] not in ORDER:
            continue
        for line, module in imports_of(path.read_text(encoding="utf-8")):
            imported = package_of(module)
            if imported and breaks_order(parts[0], imported):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert wrong == []


def test_no_package_reaches_into_another_ones_private_modules():
    wrong = []
    for path in own_modules():
        home = path.relative_to(SDK).parts[0] if path.is_relative_to(SDK) else "exporters"
        for line, module in imports_of(path.read_text(encoding="utf-8")):
            package = package_of(module)
            private = any(part.startswith("_") for part in module.split(".")[2:])
            if package and private and package != home:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert wrong == []
