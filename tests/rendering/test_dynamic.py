"""Pictures of a head with a dynamic texture."""

from __future__ import annotations

import numpy as np
import pytest

from hair_caps import small_cap
from lifemask.dynamics import compose, face_layout
from lifemask.geometry import Camera, Pose
from lifemask.heads import COEFFICIENT_INDEX, load_head_model
from lifemask.rendering import Renderer

POSE = Pose(np.eye(3), np.array([0.0, 0.0, -0.6]))


@pytest.fixture(scope="module")
def head():
    model = load_head_model()
    return model.head(np.zeros(model.mode_count))


@pytest.fixture(scope="module")
def albedo():
    picture = np.full((1024, 1024, 3), 130, np.uint8)
    picture[..., 0] = np.linspace(90, 170, 1024)[:, None]
    return picture


@pytest.fixture(scope="module")
def output(head):
    layout = face_layout(head.topology)
    generator = np.random.default_rng(0)
    coarse = generator.uniform(0.35, 0.65, (layout.size // 8, layout.size // 8, 3))
    return np.kron(coarse, np.ones((8, 8, 1))).astype(np.float32)


@pytest.mark.parametrize(
    ("side", "focal", "most"), [(96, 200.0, 10), (320, 700.0, 3), (400, 2600.0, 3)]
)
def test_it_looks_like_the_composed_albedo(head, albedo, output, side, focal, most):
    camera = Camera(side, side, focal)
    drawn = Renderer(head, {"albedo": albedo}).render(
        pose=POSE, camera=camera, light=None, dynamic=output
    )
    composed = compose(albedo, output, face_layout(head.topology))
    expected = Renderer(head, {"albedo": composed}).render(pose=POSE, camera=camera, light=None)
    plain = Renderer(head, {"albedo": albedo}).render(pose=POSE, camera=camera, light=None)
    off = np.abs(drawn.astype(int) - expected)
    assert np.abs(plain.astype(int) - expected).max() > 20
    assert np.quantile(off, 0.99) <= most
    # Where a face is sampled one level more coarsely, a few texels differ.
    assert most > 3 or off.max() < 25


def test_nothing_of_it_is_left_in_the_next_picture(head, albedo, output):
    camera = Camera(200, 200, 420.0)
    renderer = Renderer(head, {"albedo": albedo})
    before = renderer.render(pose=POSE, camera=camera)
    changed = renderer.render(pose=POSE, camera=camera, dynamic=output)
    again = renderer.render(pose=POSE, camera=camera, dynamic=output)
    assert not np.array_equal(before, changed)
    assert np.array_equal(changed, again)
    assert np.array_equal(renderer.render(pose=POSE, camera=camera), before)


def test_the_mouth_is_as_dark_as_the_texture_says(head, albedo):
    weights = np.zeros(52)
    weights[COEFFICIENT_INDEX["jawOpen"]] = 1.0
    opened = head.vertices(weights)
    camera = Camera(300, 300, 640.0)
    renderer = Renderer(head, {"albedo": albedo})
    grey = np.full((256, 256, 3), 0.5, np.float32)
    shaded = renderer.render(opened, pose=POSE, camera=camera)
    lifted = renderer.render(opened, pose=POSE, camera=camera, dynamic=grey)
    darker = shaded.astype(int).mean(axis=2) - lifted.mean(axis=2) < -20
    assert 100 < darker.sum() < 6000  # The open mouth, and the eyes' edges.


def test_hair_stays_over_it(head, albedo, output):
    camera = Camera(128, 128, 250.0)
    textures = {"albedo": albedo, "hair": np.full((16, 16, 4), 255, np.uint8)}
    renderer = Renderer(head, textures, hair=small_cap())
    drawn = renderer.render(pose=POSE, camera=camera, dynamic=output)
    assert not np.array_equal(drawn, renderer.render(pose=POSE, camera=camera))


def test_outputs_of_another_shape_are_refused(head, albedo):
    renderer = Renderer(head, {"albedo": albedo}, layout=face_layout(head.topology, "web"))
    with pytest.raises(ValueError, match="shape"):
        renderer.render(
            pose=POSE, camera=Camera(64, 64, 100.0), dynamic=np.zeros((256, 256, 3), np.float32)
        )
    with pytest.raises(ValueError, match="texels"):
        Renderer(head, {"albedo": albedo}).render(
            pose=POSE, camera=Camera(64, 64, 100.0), dynamic=np.zeros((100, 100, 3), np.float32)
        )


def test_what_is_not_a_number_is_no_residual(head, albedo):
    camera = Camera(120, 120, 250.0)
    renderer = Renderer(head, {"albedo": albedo})
    broken = np.full((256, 256, 3), np.nan, np.float32)
    grey = np.full((256, 256, 3), 0.5, np.float32)
    drawn = [renderer.render(pose=POSE, camera=camera, dynamic=one) for one in (broken, grey)]
    assert np.array_equal(*drawn)
