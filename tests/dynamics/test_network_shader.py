import base64
import json
import shutil
import subprocess

import numpy as np
import pytest

from face_clips import make_layout, random_network
from lifemask import ModelFileError
from lifemask.dynamics import NetworkTexture, network_shader

LARGEST_DIFFERENCE = 2 / 255
MOST_PASSES = 40
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")

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

PAGE = """<pre id="out">FAILED</pre><script>
const files = FILES, inputs = INPUTS, out = document.getElementById("out");
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const driver = JSON.parse(new TextDecoder().decode(bytes(files["network_shader.json"])));
const gl = document.createElement("canvas").getContext("webgl2");
function texture(format, width, height, data) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  const type = format === "RGBA16F" ? gl.HALF_FLOAT : gl.FLOAT;
  gl.texImage2D(gl.TEXTURE_2D, 0, gl[format], width, height, 0, gl.RGBA, type, data);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  return made;
}
function compiled(kind, source) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw gl.getShaderInfoLog(shader);
  return shader;
}
const VERTEX = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1, 0, 1); }`;
function run() {
  if (!gl.getExtension("EXT_color_buffer_float")) throw "no float targets";
  const textures = {};
  for (const t of driver.textures) {
    const raw = bytes(files[t.file]).buffer;
    const data = t.format === "RGBA16F" ? new Uint16Array(raw) : new Float32Array(raw);
    textures[t.name] = texture(t.format, t.width, t.height, data);
  }
  const format = TARGETS;
  for (const p of driver.passes) {
    p.program = gl.createProgram();
    gl.attachShader(p.program, compiled(gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(p.program, compiled(gl.FRAGMENT_SHADER, p.fragment));
    gl.linkProgram(p.program);
    textures[p.name] = texture(format, p.width, p.height, null);
    p.target = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, p.target);
    const place = [gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, textures[p.name], 0];
    gl.framebufferTexture2D(...place);
  }
  const size = driver.size, results = [];
  for (const values of inputs) {
    const padded = new Float32Array(4 * driver.inputs.width);
    padded.set(values);
    textures.inputs = texture("RGBA32F", driver.inputs.width, driver.inputs.height, padded);
    for (const p of driver.passes) {
      gl.bindFramebuffer(gl.FRAMEBUFFER, p.target);
      gl.viewport(0, 0, p.width, p.height);
      gl.useProgram(p.program);
      Object.entries(p.textures).forEach(([name, source], unit) => {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, textures[source]);
        gl.uniform1i(gl.getUniformLocation(p.program, name), unit);
      });
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    const pixels = new Float32Array(4 * size * size);
    gl.readPixels(0, 0, size, size, gl.RGBA, gl.FLOAT, pixels);
    const rgb = new Uint16Array(3 * size * size);
    for (let i = 0; i < size * size; i++)
      for (let c = 0; c < 3; c++) rgb[3 * i + c] = Math.round(65535 * pixels[4 * i + c]);
    let text = "";
    new Uint8Array(rgb.buffer).forEach(b => { text += String.fromCharCode(b); });
    results.push(btoa(text));
  }
  return "RESULT" + results.join(",") + "|" + gl.getError();
}
try { out.textContent = run(); } catch (error) { out.textContent = "FAILED " + error; }
</script>"""


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.skip("needs Chromium; try apt-get install chromium")
    return found


def drawn(browser, files, inputs, folder, targets="RGBA32F"):
    """Run the passes in a browser; return `(n, size, size, 3)`."""
    encoded = {name: base64.b64encode(data).decode() for name, data in files.items()}
    page = PAGE.replace("FILES", json.dumps(encoded)).replace("INPUTS", json.dumps(inputs.tolist()))
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
