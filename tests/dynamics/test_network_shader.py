import base64
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.needs import require

from face_clips import make_layout, random_network
from lifemask import ModelFileError
from lifemask.dynamics import NetworkTexture, network_shader

LARGEST_DIFFERENCE = 2 / 255
MOST_PASSES = 40

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PAGE = Path(__file__).with_name("network_shader.html")


@pytest.fixture(scope="module")
def browser():
    return require("chromium")


def drawn(browser, files, inputs, folder, targets="RGBA32F"):
    """Run the passes in a browser; return `(n, size, size, 3)`."""
    encoded = {name: base64.b64encode(data).decode() for name, data in files.items()}
    page = (
        PAGE.read_text(encoding="utf-8")
        .replace("FILES", json.dumps(encoded))
        .replace("INPUTS", json.dumps(inputs.tolist()))
    )
    place = folder / "page.html"
    place.write_text(page.replace("TARGETS", json.dumps(targets)), encoding="utf-8")
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={folder / 'user'}", "--dump-dom", place.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    text = done.stdout
    assert "RESULT" in text.split("<script>")[0], text[:500]
    body, _, error = text.split("RESULT", 1)[1].partition("|")
    assert error.startswith("0")
    size = json.loads(files["network_shader.json"])["size"]
    pictures = [np.frombuffer(base64.b64decode(one), "<u2") for one in body.split(",")]
    return np.stack(pictures).reshape(-1, size, size, 3) / 65535


@pytest.mark.needs("torch")
@pytest.mark.parametrize(
    ("profile", "half", "targets"),
    [
        ("web", False, "RGBA32F"),
        ("web", True, "RGBA16F"),
        pytest.param("desktop", False, "RGBA32F", marks=pytest.mark.slow),
        pytest.param("high", True, "RGBA16F", marks=pytest.mark.slow),
    ],
)
def test_shader_computes_what_the_network_computes(browser, tmp_path, profile, half, targets):
    layout = make_layout(profile)
    model = random_network(layout)[2]
    shader, texture = network_shader(model), NetworkTexture(model, layout)
    assert len(shader.passes) <= MOST_PASSES
    inputs = np.random.default_rng(2).normal(0, 0.7, (8, 59)).astype(np.float32)
    found = drawn(browser, shader.to_files(half=half), inputs, tmp_path, targets)
    inside = layout.masks() > 0
    wanted = np.stack([texture.evaluate(one) for one in inputs])
    assert wanted[:, inside].std() > 0.02
    assert np.abs(found - wanted)[:, inside].max() <= LARGEST_DIFFERENCE
    assert np.abs(wanted[0] - wanted[1])[inside].max() > 10 * LARGEST_DIFFERENCE


@pytest.mark.needs("torch")
def test_half_floats_halve_the_files():
    shader = network_shader(random_network(make_layout("web"))[2])
    full, half = shader.to_files(), shader.to_files(half=True)
    assert len(half["network_weights.bin"]) * 2 == len(full["network_weights.bin"])
    assert json.loads(half["network_shader.json"])["textures"][0]["format"] == "RGBA16F"
    names = {"inputs", "weights", "maps"}
    for one in json.loads(full["network_shader.json"])["passes"]:
        assert set(one["textures"].values()) <= names
        names.add(one["name"])


@pytest.mark.needs("torch")
@pytest.mark.parametrize("damage", [b"no file", b"", slice(0, 3000)])
def test_other_files_are_refused(damage):
    model = random_network(make_layout("web"))[2]
    with pytest.raises(ModelFileError):
        network_shader(model[damage] if isinstance(damage, slice) else damage)
