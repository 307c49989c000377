"""The same lines work on Windows, macOS and Linux."""

from __future__ import annotations

import re

import pytest
from tools import portability

from repository import ROOT, text_files


@pytest.mark.parametrize(
    "source",
    [
        "import fcntl",
        "from pwd import getpwnam",
        "from signal import SIGKILL",
        "import os\nos.fork()",
        "import os\nos.rename(a, b)",
        "import signal\nsignal.alarm(1)",
        "import socket\nsocket.socket(socket.AF_UNIX)",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess\nsubprocess.Popen(words, start_new_session=True)",
        "loop.add_signal_handler(2, stop)",
        "multiprocessing.get_context('fork')",
        "name = '/dev/video0'",
        "open('a.txt')",
        "open('a.txt', 'w')",
        "path.read_text()",
        "path.write_text(words)",
        "tempfile.NamedTemporaryFile()",
    ],
)
def test_lint_finds_what_fails_elsewhere(source):
    assert [finding.line for finding in portability.find(source)] == [source.count("\n") + 1]


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.replace(a, b)",
        "import subprocess\nsubprocess.run(['ls'])",
        "open('a.bin', 'rb')",
        "open('a.txt', encoding='utf-8')",
        "open('a.txt', mode)",
        "path.read_text('utf-8')",
        "path.write_text(words, encoding='utf-8')",
        "name = '/devices'",
        "match.group()",
        "import os\nos.geteuid()  # portability: reached on Linux only",
    ],
)
def test_lint_accepts_what_works_everywhere(source):
    assert portability.find(source) == []


def test_no_module_relies_on_one_system():
    files = portability.python_files()
    findings = [
        f"{path.relative_to(ROOT)}:{finding.line}: {finding.message}"
        for path in files
        for finding in portability.find_in_file(path)
    ]
    assert len(files) > 50
    assert findings == []


def test_no_file_names_a_package_registry_or_a_place_on_one_machine():
    hosts = ("py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js", "deb." + "debian.org")
    places = (r"/work/" + "main", "tmp" + "/w/", "/root" + "/", r"C:\\" + "Users")
    pattern = re.compile("|".join(map(re.escape, (*hosts, *places))))
    hits = [
        f"{path.relative_to(ROOT)}: {found.group(0)}"
        for path in text_files()
        for found in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert hits == []


def test_names_differ_in_more_than_case():
    names = [str(path.relative_to(ROOT)).lower() for path in text_files()]
    assert len(names) == len(set(names))
