"""Rules for all tests: what a missing tool does, and where tools and real inputs lie."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from needs import NODE_MODULES, PROVISION, require

MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object file")
PLATFORM_REASON = "platform:"
"""Begins the reason of a skip that no tool can mend, because the test is about another system."""

NO_SKIP = os.environ.get("LIFEMASK_NO_SKIP", "0") not in ("", "0")


# Runs where nothing may skip decide whether a change is accepted: the same change, the same cases.
hypothesis.settings.register_profile("repeatable", derandomize=True, print_blob=True)
if NO_SKIP:
    hypothesis.settings.load_profile("repeatable")


def pytest_configure() -> None:
    # What a shell starts in the background ignores Ctrl-C, which some tests press.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            require(name)


def _judge(report: pytest.TestReport | pytest.CollectReport, place: str) -> None:
    """A library that the system lacks skips a test; where nothing may skip, every skip fails."""
    library = MISSING_LIBRARY.search(str(report.longrepr)) if report.failed else None
    if library is not None and not NO_SKIP:
        report.outcome = "skipped"
        report.longrepr = (place, 0, f"needs {library[1]}; try {PROVISION}")
    elif NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        longrepr = report.longrepr
        reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
        if PLATFORM_REASON not in reason:
            report.outcome = "failed"
            report.longrepr = f"nothing may skip in this run (LIFEMASK_NO_SKIP): {reason}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    _judge(outcome.get_result(), str(item.path))


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    outcome = yield
    _judge(outcome.get_result(), str(collector.path))


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
