"""`doctor` and `licenses`."""

from __future__ import annotations

import contextlib
import json
import socket
import sys

import pytest

import lifemask
from lifemask import _doctor
from lifemask.cli import _app
from repository import ROOT


@pytest.fixture
def no_models(tmp_path, monkeypatch):
    """No model file anywhere."""
    monkeypatch.setenv("LIFEMASK_MODELS", str(tmp_path))
    monkeypatch.setattr("lifemask.tracking._models.model_cache_directory", lambda: tmp_path)


def checks() -> dict[str, _doctor.Check]:
    return {check.name: check for check in lifemask.doctor().checks}


def test_report_covers_what_can_be_missing():
    names = set(checks())
    assert {"Python", "Libraries", "Network engine", "Cache"} <= names
    assert {"Extra 'train'", "Model 'face_landmarker'", "Port 50710"} <= names


def test_missing_model_says_how_to_get_it(no_models):
    check = checks()["Model 'face_landmarker'"]
    assert check.status == "failure"
    assert "doctor --fetch" in check.fix
    assert not lifemask.doctor().healthy


def test_missing_model_makes_the_command_fail(no_models, capsys):
    assert _app.run(["doctor"]) == 1
    assert "✗ Model 'face_landmarker'" in capsys.readouterr().out


def test_port_in_use_is_a_warning():
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # something else has it: the same to the check
            taken.bind(("127.0.0.1", _doctor.DEFAULT_PORT))
        taken.listen()
        check = checks()["Port 50710"]
    assert check.status == "warning"
    assert "--port" in check.fix


def test_missing_library_names_the_line_that_installs_it(monkeypatch):
    lines = ["numpy>=1", "no-such-thing>=1", "no-such-torch>=2; extra == 'train'"]
    monkeypatch.setattr(_doctor.importlib.metadata, "requires", lambda name: lines)
    found = checks()
    assert found["Libraries"].status == "failure"
    assert "no-such-thing" in found["Libraries"].detail
    assert found["Extra 'train'"].status == "warning"
    assert found["Extra 'train'"].fix == "pip install 'lifemask[train]'"


@pytest.mark.skipif(sys.platform != "linux", reason="platform: the libraries come with the system")
def test_missing_native_library_names_its_package(monkeypatch):
    monkeypatch.setattr(_doctor, "_NATIVE_LIBRARIES", {"libno-such.so.1": "libno-such1"})
    check = checks()["Graphics libraries"]
    assert check.status == "failure"
    assert "libno-such.so.1" in check.detail
    assert check.fix.endswith("apt-get install libno-such1")


def test_two_distributions_of_opencv_are_found(monkeypatch):
    owners = {"cv2": ["opencv-contrib-python", "opencv-python-headless"]}
    monkeypatch.setattr(_doctor.importlib.metadata, "packages_distributions", lambda: owners)
    check = checks()["OpenCV"]
    assert check.status == "failure"
    assert "pip uninstall opencv-python-headless" in check.fix


def test_doctor_json(capsys):
    _app.run(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == lifemask.__version__
    assert {"name", "status", "detail", "fix"} == set(document["checks"][0])


def test_licences_name_data_weights_and_libraries():
    entries = {entry.name: entry for entry in lifemask.licenses()}
    assert {entry.kind for entry in entries.values()} == {"software", "data", "weights", "library"}
    assert entries["numpy"].licence.startswith("BSD")
    assert "pytest" not in entries
    assert all(entry.licence and entry.origin for entry in entries.values())


def test_licences_without_libraries():
    assert all(entry.kind != "library" for entry in lifemask.licenses(libraries=False))


def test_notice_and_licences_agree():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    for entry in lifemask.licenses(libraries=False):
        assert entry.name.split(",")[0] in notice, entry.name


def test_licenses_json(capsys):
    assert _app.run(["licenses", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"name", "kind", "licence", "origin", "shipped"} == set(document["licenses"][0])
