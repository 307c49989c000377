"""Dynamic textures in packages, and how a build learns them."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import lifemask
from lifemask import Avatar, InputError, PackageError
from lifemask.avatar._clip_dynamics import ClipFrames, Learnt, learn_samples
from lifemask.avatar._evidence import Recording, Source
from lifemask.avatar._render import chosen_dynamic
from lifemask.avatar._stage_records import Track
from lifemask.avatar._stages_cache import CACHE_VARIABLE, Cache
from lifemask.dynamics import (
    INPUT_COUNT,
    VIEW,
    TextureSamples,
    choose_frames,
    face_layout,
    fit_linear,
    residual_errors,
)
from lifemask.geometry import Camera, Pose, VideoWriter
from lifemask.heads import COEFFICIENT_INDEX, load_head_model
from lifemask.rendering import Renderer
from packages import make_avatar, rezip, unzip

JAW = COEFFICIENT_INDEX["jawOpen"]


@pytest.fixture(scope="module")
def layout():
    return face_layout(load_head_model().topology, "web")


@pytest.fixture(scope="module")
def linear(layout):
    inputs = np.zeros((24, INPUT_COUNT), np.float32)
    inputs[:, JAW], inputs[:, VIEW.stop - 1] = np.linspace(0, 1, 24), 1
    targets = np.zeros((24, layout.size, layout.size, 3), np.float16)
    targets[:, *layout.region("mouth").window] = (-0.3 * inputs[:, JAW])[:, None, None, None]
    weights = np.full(targets.shape[:3], 255, np.uint8)
    frames, gains = np.arange(24), np.ones(24, np.float32)
    return fit_linear(TextureSamples(inputs, targets, weights, layout, frames, gains))


@pytest.fixture(scope="module")
def package(linear, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("package") / "x.lifemask"
    make_avatar(dynamics={"linear": linear}).save(path, glb=False)
    return path.read_bytes()


@pytest.mark.parametrize("unpacked", [False, True])
def test_round_trip(tmp_path, linear, unpacked):
    avatar = make_avatar(dynamics={"linear": linear})
    avatar.save(tmp_path / "x", unpacked=unpacked, glb=False)
    again = Avatar.load(tmp_path / "x")
    assert list(again.dynamics) == ["linear"]
    inputs = np.zeros(INPUT_COUNT)
    inputs[JAW] = 0.7
    assert np.array_equal(again.dynamics["linear"].evaluate(inputs), linear.evaluate(inputs))
    assert again.best_dynamic() is again.dynamics["linear"]
    assert not again.attachments
    again.save(tmp_path / "y", glb=False)
    avatar.save(tmp_path / "z", glb=False)
    assert (tmp_path / "y").read_bytes() == (tmp_path / "z").read_bytes()


def test_an_avatar_without_any_has_none(tmp_path):
    make_avatar().save(tmp_path / "x", glb=False)
    avatar = Avatar.load(tmp_path / "x")
    assert dict(avatar.dynamics) == {}
    assert avatar.best_dynamic() is None
    assert chosen_dynamic(avatar, "best") is None
    with pytest.raises(InputError, match="no dynamic texture 'linear'"):
        chosen_dynamic(avatar, "linear")


def test_info_names_them(tmp_path, package):
    (tmp_path / "x").write_bytes(package)
    found = lifemask.info(tmp_path / "x")
    assert list(found.dynamics) == ["linear"]
    assert found.dynamics["linear"] > 1000


def test_a_kind_of_a_later_version_is_kept(tmp_path, package):
    files = unzip(package) | {"dynamics/hologram.bin": b"later"}
    (tmp_path / "x").write_bytes(relisted(files))
    avatar = Avatar.load(tmp_path / "x")
    assert list(avatar.dynamics) == ["linear"]
    assert avatar.attachments["dynamics/hologram.bin"] == b"later"


def relisted(files: dict[str, bytes]) -> bytes:
    """Return a package of these files whose manifest lists them as they are."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = [
        {
            "path": path,
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "origin": "source",
        }
        for path, data in sorted(files.items())
        if path != "manifest.json"
    ]
    return rezip(files | {"manifest.json": json.dumps(manifest).encode()})


def png(width: int, height: int, mode: str = "L") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def layout_with(files: dict[str, bytes], **changes: object) -> bytes:
    return json.dumps(json.loads(files["dynamics/layout.json"]) | changes).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.pop("dynamics/layout.json"),
        lambda f: f.pop("dynamics/masks.png"),
        lambda f: f.update({"dynamics/layout.json": b"[]"}),
        lambda f: f.update({"dynamics/layout.json": b"{"}),
        lambda f: f.update({"dynamics/layout.json": layout_with(f, schema=0)}),
        lambda f: f.update({"dynamics/layout.json": layout_with(f, size=4096)}),
        lambda f: f.update({"dynamics/layout.json": layout_with(f, regions=None)}),
        lambda f: f.update({"dynamics/masks.png": png(64, 64)}),
        lambda f: f.update({"dynamics/masks.png": png(128, 128, "RGB")}),
        lambda f: f.update({"dynamics/masks.png": f["dynamics/masks.png"][:50]}),
    ],
)
def test_a_damaged_layout_is_refused(tmp_path, package, change):
    files = unzip(package)
    change(files)
    (tmp_path / "x").write_bytes(relisted(files))
    with pytest.raises(PackageError):
        Avatar.load(tmp_path / "x")


def test_a_damaged_back_end_is_refused_at_its_first_use_and_by_info(tmp_path, package):
    files = unzip(package)
    files["dynamics/linear.json"] = b"{}"
    (tmp_path / "x").write_bytes(relisted(files))
    avatar = Avatar.load(tmp_path / "x")
    with pytest.raises(PackageError):
        avatar.dynamics["linear"]
    with pytest.raises(PackageError):
        lifemask.info(tmp_path / "x")


def test_textures_under_a_wrong_name_are_not_written(tmp_path, linear):
    with pytest.raises(ValueError, match="another kind"):
        make_avatar(dynamics={"key": linear}).save(tmp_path / "x", glb=False)


def test_what_was_learnt_survives_the_cache(linear):
    learnt = Learnt({"linear": linear}, {"dynamic_frames": 24})
    again = Learnt.from_arrays(learnt.to_arrays())
    assert again.metrics == learnt.metrics
    assert again.dynamics["linear"].to_files() == linear.to_files()
    assert Learnt.from_arrays(Learnt({}, {}).to_arrays()).dynamics == {}


def test_a_training_that_was_stopped_is_forgotten_with_the_rest(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    state = Cache("ada").scratch("training-0123")
    state.write_bytes(b"weights of a face")
    lifemask.forget("ada")
    assert not state.exists()


def test_every_rare_expression_is_chosen():
    generator = np.random.default_rng(0)
    inputs = np.zeros((900, INPUT_COUNT), np.float32)
    inputs[:, JAW] = generator.uniform(0, 0.1, 900)
    rare = [100, 333, 801]
    for place, name in zip(rare, ("mouthPucker", "eyeBlinkLeft", "browInnerUp"), strict=True):
        inputs[place, COEFFICIENT_INDEX[name]] = 0.8
    chosen = choose_frames(inputs, 60)
    assert len(chosen) == 60
    assert (np.diff(chosen) > 0).all()
    assert set(rare) <= set(chosen.tolist())
    assert np.diff(chosen).max() < 200  # The usual ones are there, too.
    assert np.array_equal(choose_frames(inputs[:50], 60), np.arange(50))


def test_a_clip_teaches_what_its_frames_show(tmp_path: Path):
    model = load_head_model()
    head = model.head(np.zeros(model.mode_count))
    albedo = np.full((512, 512, 4), (150, 120, 105, 255), np.uint8)
    albedo[424:, 436:, 3] = 0
    dark = albedo.copy()
    dark[328:380, 215:300, :3] = 90
    camera = Camera(256, 256, 540.0)
    count = 30
    track = Track(
        0,
        np.arange(count) / 30,
        np.zeros((count, 52)),
        np.zeros((count, 4)),
        np.tile(np.eye(3), (count, 1, 1)),
        np.tile([0, 0, -0.3], (count, 1)),  # Of a head of half the size.
        np.full(count, 0.01),
    )
    track.coefficients[:, JAW] = np.abs(np.sin(np.arange(count)))
    track.error[4] = 1.0
    renderers = [Renderer(head, {"albedo": one}) for one in (albedo, dark)]
    with VideoWriter(tmp_path / "clip.mp4", 256, 256, 30.0) as video:
        for i in range(count):
            weights, pose = track.coefficients[i], Pose(np.eye(3), np.array([0, 0, -0.6]))
            # The mouth's surroundings are dark when it is open.
            drawn = renderers[int(weights[JAW] > 0.5)].render(
                head.vertices(weights), pose=pose, camera=camera, light=None
            )
            video.write(drawn)
    verdict = SimpleNamespace(for_texture=np.arange(count) != 7)
    clip = SimpleNamespace(numbers=np.arange(count))
    source = Source(tmp_path / "clip.mp4", Recording(clip, verdict, None))  # type: ignore[arg-type]
    frames = ClipFrames.of(source, track, camera, 2.0)
    assert set(range(count)) - set(frames.places.tolist()) == {4, 7}
    told: list[float] = []
    samples = learn_samples([frames], head, albedo, told.append)
    assert samples.frames.tolist() == frames.places.tolist()
    assert told[-1] == 1.0
    mouth = samples.targets[:, *samples.layout.region("mouth").window].astype(float)
    middle = np.median(mouth[:, 80:100, 60:120], axis=(1, 2, 3))
    opened = samples.inputs[:, JAW] > 0.5
    assert middle[opened].mean() < middle[~opened].mean() - 0.05
    errors = residual_errors(fit_linear(samples, maps=2, ridges=dict.fromkeys(
        ("mouth", "eye_left", "eye_right", "face"), 1.0)), samples)  # fmt: skip
    assert errors["mouth"][1] < 0.8 * errors["mouth"][0]
