"""The formula sheet: its vectors are what Python computes, its shaders give the same pictures."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.needs import ROOT, require
from tools.dynamics import formula_vectors

from lifemask.dynamics import Layout, compose, decode_residual, read_back_end

FOLDER = formula_vectors.FOLDER
SHEET = ROOT / "docs" / "dynamic_formulas.md"
KINDS = ("key", "linear")
WITHIN = 2


def picture(data: bytes):
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture(scope="module")
def files():
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())}


@pytest.fixture(scope="module")
def layout(files):
    return Layout.from_dict(json.loads(files["layout.json"]), picture(files["masks.png"]))


@pytest.fixture(scope="module")
def cases(files):
    return json.loads(files["vectors.json"])["cases"]


def test_committed_vectors_are_what_the_tool_writes(files):
    fresh = formula_vectors.vectors()
    assert files.keys() == fresh.keys()
    assert sum(map(len, files.values())) < 300_000
    for name, content in fresh.items():
        if name.endswith(".png"):
            apart = picture(content).astype(int) - picture(files[name])
            assert np.abs(apart).max() <= 1, name
        else:
            assert close(json.loads(content), json.loads(files[name])), name


def close(a: Any, b: Any) -> bool:
    """Compare records, numbers with a tolerance; hashes of pictures depend on their compression."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(
            close(a[key], b[key]) for key in a if key != "maps_sha256"
        )
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return abs(a - b) < 1e-4
    return a == b


@pytest.mark.parametrize("kind", KINDS)
def test_back_ends_read_the_vectors_and_give_their_pictures(files, layout, cases, kind):
    own = {name: content for name, content in files.items() if name.startswith(kind)}
    texture = read_back_end(kind, own, layout)
    albedo = picture(files["albedo.png"])
    for number, case in enumerate(cases):
        output = texture.evaluate(np.array(case["input"], np.float32))
        assert np.abs(255 * output - picture(files[f"{kind}_{number}.png"])).max() <= 1
        composed = compose(albedo, output, layout).astype(int)
        assert np.abs(composed - picture(files[f"{kind}_{number}_composed.png"])).max() <= 1
    changed = picture(files[f"{kind}_2_composed.png"]).astype(int) - albedo
    assert np.abs(changed).max() > 40


def test_the_sheet_follows_from_its_own_words(files, layout, cases):
    """Compute key textures from the sheet alone, with nothing of the package but the files."""
    record = json.loads(files["key.json"])
    tiles = picture(files["key_textures.png"]).astype(float)
    masks = picture(files["key_masks.png"]).astype(float) / 255
    size = record["size"]
    for number, case in enumerate(cases):
        x = np.clip(case["input"], record["range"]["low"], record["range"]["high"])
        ly, lp, ry, rp = x[52:56] / 0.6
        gaze = [-ly, ly, lp, -lp, ry, -ry, rp, -rp]
        right, up = x[56] / 0.5, x[57] / 0.5
        values = np.clip([*x[:52], *gaze, right, -right, up, -up, 1], 0, 1)
        assert np.allclose(values, case["key"]["drivers"], atol=1e-4)
        output = np.full((size, size, 3), 0.5)
        for region in layout.regions:
            part = record["regions"][region.name]
            own = [values[record["drivers"].index(name)] for name in part["drivers"]]
            matrix = (np.array(part["gains"]) * own) @ np.array(part["channels"])
            assert np.allclose(matrix, case["key"]["matrices"][region.name], atol=1e-4)
            rows, columns = region.window
            both = np.concatenate([masks[:, :size], masks[:, size:]], axis=2)[rows, columns]
            weights = np.maximum(both @ matrix.T, 0)
            weights /= np.maximum(weights.sum(axis=2, keepdims=True), 1)
            keys = [tiles[:, k * size : (k + 1) * size][rows, columns] for k in range(6)]
            shares = np.moveaxis(weights, 2, 0)[..., None]
            moved = (shares * (np.stack(keys) - 128) / 127).sum(axis=0)
            output[rows, columns] += 0.5 * moved
        assert np.abs(255 * output - picture(files[f"key_{number}.png"])).max() <= 1


PAGE = ROOT / "tests" / "dynamics" / "formulas.html"


def raw(image):
    """Return a grey or RGB picture as the page takes it."""
    rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    full = np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=2)
    height, width = full.shape[:2]
    return {"width": width, "height": height, "data": base64.b64encode(full.tobytes()).decode()}


def job(kind, case, files, layout, side):
    record = json.loads(files["linear.json"])
    regions = []
    for region in layout.regions:
        left, top, right, bottom = (round(side * value) for value in region.uv)
        entry: dict[str, Any] = {
            "place": list(region.place),
            "uv": list(region.uv),
            "scale": region.scale,
            "box": [left, top, right - left, bottom - top],
        }
        if kind == "key":
            entry["matrix"] = [x for row in case["key"]["matrices"][region.name] for x in row]
        else:
            group = next(g for g in record["groups"] if region.name in g["regions"])
            weights = [1.0, *case["linear"]["weights"][group["name"]]]
            entry["weights"] = [w * s for w, s in zip(weights, group["scales"], strict=True)]
        regions.append(entry)
    return {"kind": kind, "regions": regions}


@pytest.mark.needs("chromium")
def test_the_shaders_of_the_sheet_give_the_same_pictures(files, layout, cases, tmp_path):
    blocks = re.findall(r"```glsl\n(.*?)```", SHEET.read_text(encoding="utf8"), re.DOTALL)
    shaders = {re.search(r"// (\w+):", block)[1]: block for block in blocks}
    assert shaders.keys() == {"key", "linear", "compose"}
    albedo = picture(files["albedo.png"])
    side = len(albedo)
    order = [(kind, number) for kind in KINDS for number in range(len(cases))]
    state = {
        "shaders": shaders,
        "size": layout.size,
        "textures": {
            "keys": raw(picture(files["key_textures.png"])),
            "masks": raw(picture(files["key_masks.png"])),
            "maps": raw(picture(files["linear.png"])),
            "region": raw(picture(files["masks.png"])),
            "albedo": raw(albedo),
        },
        "jobs": [job(kind, cases[number], files, layout, side) for kind, number in order],
    }
    results = json.loads(browse(json.dumps(state), tmp_path))
    assert len(results) == len(order)
    mask = layout.masks()[..., None] / 255
    for (kind, number), result in zip(order, results, strict=True):
        output = picture(files[f"{kind}_{number}.png"]) / 255
        expected = 128 + 127 * mask * decode_residual(output, layout) / layout.scales()
        apart = unpacked(result["packed"], layout.size) - expected
        assert np.abs(apart).max() <= WITHIN, (kind, number)
        composed = picture(files[f"{kind}_{number}_composed.png"]).astype(int)
        assert np.abs(unpacked(result["composed"], side) - composed).max() <= WITHIN, (kind, number)


def unpacked(text, side):
    flat = np.frombuffer(base64.b64decode(text), np.uint8)
    return flat.reshape(side, side, 4)[..., :3].astype(int)


def browse(state, folder):
    """Return what the page writes, from a browser without a window or a GPU."""
    path = folder / "page.html"
    page = PAGE.read_text(encoding="utf8").replace("STATE", state, 1)
    path.write_text(page, encoding="utf8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--dump-dom",
    ]
    command = [str(require("chromium")), *flags, f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, timeout=100, check=True
    )
    found = re.search(r"RESULT(.*)END", done.stdout)
    assert found, done.stdout[-2000:]
    return found[1]
