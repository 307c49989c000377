"""Rules for all tests: what a missing tool does, and where tools and real inputs lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from needs import NODE_MODULES, require

NO_SKIP = os.environ.get("LIFEMASK_NO_SKIP", "0") not in ("", "0")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            require(name)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not NO_SKIP or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"nothing may skip in this run (LIFEMASK_NO_SKIP): {reason}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    outcome = yield
    _refuse_skip(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    outcome = yield
    _refuse_skip(outcome.get_result())


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real inputs beside the checkout."""
    return require("shared")


@pytest.fixture(scope="session")
def node() -> Path:
    """Node.js."""
    return require("node")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder that holds `gltf-validator` and `three`."""
    require("gltf-validator")
    return NODE_MODULES


@pytest.fixture(scope="session")
def blender_python() -> Path:
    """The interpreter that can `import bpy`."""
    return require("bpy")


@pytest.fixture(scope="session")
def landmarker_model() -> Path:
    """The landmarker's model file, on a machine that can run it."""
    return require("landmarker")
