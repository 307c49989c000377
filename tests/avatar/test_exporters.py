"""Exporters are found by name, by suffix, by entry point, and by registration."""

from __future__ import annotations

import json
from importlib.metadata import entry_points

import pytest

import lifemask
from lifemask import ExportError
from lifemask.avatar import _exporters, exporter_names, get_exporter, register_exporter
from lifemask.cli import _app
from packages import package_bytes


class TextExporter:
    suffixes = (".txt",)

    def export(self, avatar, path, *, greeting: str = "hello") -> None:
        path.write_text(f"{greeting} {avatar.name}", "utf-8")


@pytest.fixture
def text_exporter(monkeypatch):
    monkeypatch.setattr(_exporters, "_registered", {})
    register_exporter("text", TextExporter())


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "ada.lifemask"
    path.write_bytes(package_bytes())
    return path


def test_gltf_is_an_entry_point():
    points = {point.name: point for point in entry_points(group="lifemask.exporters")}
    assert points["gltf"].load().suffixes == (".glb",)
    assert "gltf" in exporter_names()


def test_own_exporter(text_exporter, package, tmp_path):
    assert exporter_names() == ("gltf", "text")
    out = lifemask.export(package, tmp_path / "ada.TXT", greeting="good day")
    assert out.read_text("utf-8") == "good day ada"
    lifemask.export(package, tmp_path / "ada.glb", format="text")
    assert (tmp_path / "ada.glb").read_text("utf-8") == "hello ada"


def test_unknown_format(package, tmp_path):
    with pytest.raises(ExportError) as caught:
        lifemask.export(package, tmp_path / "ada.fbx")
    assert ".glb" in caught.value.hint
    with pytest.raises(ExportError) as caught:
        get_exporter("fbx")
    assert "gltf" in caught.value.hint


def test_unknown_option(text_exporter, package, tmp_path):
    with pytest.raises(ExportError, match="sparse") as caught:
        lifemask.export(package, tmp_path / "ada.txt", sparse=True)
    assert "greeting" in caught.value.hint
    assert not (tmp_path / "ada.txt").exists()


class TestCommands:
    def run(self, *words) -> int:
        return _app.run([str(word) for word in words])

    def test_export(self, package, tmp_path, capsys):
        dense, sparse = tmp_path / "dense.glb", tmp_path / "sparse.glb"
        assert self.run("export", package, "-o", dense) == 0
        assert "consent: subject Ada Example" in capsys.readouterr().out
        assert self.run("export", package, "-o", sparse, "--sparse", "--json") == 0
        report = json.loads(capsys.readouterr().out)
        assert report["size_bytes"] == sparse.stat().st_size < dense.stat().st_size

    def test_info(self, package, capsys):
        assert self.run("info", package) == 0
        lines = capsys.readouterr().out
        assert "ada: made by lifemask" in lines
        assert "texture: albedo 32×32, 3 channels" in lines
        assert self.run("info", package, "--json") == 0
        assert json.loads(capsys.readouterr().out)["name"] == "ada"

    def test_damaged_package(self, package, capsys):
        package.write_bytes(package.read_bytes()[:-100])
        assert self.run("info", package, "--json") == 3
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "package"
