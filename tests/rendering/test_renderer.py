from __future__ import annotations

import numpy as np
import pytest

from lifemask.appearance import LidShadow, MouthShadow
from lifemask.capture import PerformanceFrame
from lifemask.geometry import Camera, Pose, axis_angle_matrix, matrix_quaternion
from lifemask.heads import COEFFICIENT_INDEX, load_head_model
from lifemask.rendering import (
    STUDIO_LIGHT,
    Lamp,
    Light,
    Renderer,
    frame_head,
    render,
    studio_background,
)
from synthetic import ISLANDS, make_head, make_textures

SKIN = (205, 160, 135)
FRONTAL = Light((Lamp((0, 0, 1), (0.7, 0.7, 0.7)),), (0.3, 0.3, 0.3), (0.3, 0.3, 0.3))


@pytest.fixture(scope="module")
def head():
    return make_head()


@pytest.fixture(scope="module")
def renderer(head):
    return Renderer(head, make_textures())


def coefficients(**values: float) -> np.ndarray:
    array = np.zeros(52, np.float32)
    for name, value in values.items():
        array[COEFFICIENT_INDEX[name]] = value
    return array


def view(head, size: int = 128, **angles: float):
    camera, pose = frame_head(head, size, size, **angles)
    return {"camera": camera, "pose": pose}


def paint(name: str, color, size: int = 256, base=None) -> np.ndarray:
    """Return an atlas that has a colour on one part's island and a little around it."""
    atlas = np.zeros((size, size, len(color)), np.uint8) if base is None else base.copy()
    x, y, width, height = ISLANDS[name]
    atlas[int((y - 0.008) * size) : int((y + height + 0.008) * size) + 1,
          int((x - 0.008) * size) : int((x + width + 0.008) * size) + 1] = color  # fmt: skip
    return atlas


def test_unlit_skin_shows_exactly_its_albedo(head, renderer):
    picture = renderer.render(light=None, background=(0, 0, 0), **view(head))
    assert np.array_equal(picture[40, 64], SKIN)
    known = np.unique(picture[20:100, 60:68].reshape(-1, 3), axis=0)
    assert SKIN in set(map(tuple, known.tolist()))


def test_background_is_kept_exactly(head, renderer):
    where = view(head)
    picture = renderer.render(background=(7, 99, 201), **where)
    assert np.array_equal(picture[0, 0], [7, 99, 201])
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (128, 128, 3), np.uint8)
    picture = renderer.render(background=photo, **where)
    alpha = renderer.render(alpha=True, **where)[..., 3]
    assert np.array_equal(picture[alpha == 0], photo[alpha == 0])
    assert (alpha == 0).mean() > 0.2
    studio = renderer.render(**where)
    assert np.array_equal(studio[alpha == 0], studio_background(128, 128)[alpha == 0])


def test_wrong_background_and_vertices_are_refused(head, renderer):
    with pytest.raises(ValueError, match="background has shape"):
        renderer.render(background=np.zeros((4, 4, 3), np.uint8), **view(head))
    with pytest.raises(ValueError, match="vertices have shape"):
        renderer.render(head.neutral[:5], **view(head))
    with pytest.raises(ValueError, match="supersampling"):
        Renderer(head, {}, supersampling=0)


def test_alpha_is_coverage_and_colour_is_not_darkened(head, renderer):
    picture = renderer.render(light=None, alpha=True, **view(head))
    assert picture.shape == (128, 128, 4)
    assert picture[40, 64].tolist() == [*SKIN, 255]
    edge = (picture[:40, :, 3] > 40) & (picture[:40, :, 3] < 215)
    assert edge.sum() > 10
    assert np.abs(picture[:40][edge][:, :3].astype(int) - SKIN).max() <= 2


def test_same_input_same_bytes(head, renderer):
    other = Renderer(head, make_textures())
    pictures = [r.render(**view(head, yaw=0.4)) for r in (renderer, other, renderer)]
    assert len({p.tobytes() for p in pictures}) == 1


def test_calls_do_not_influence_each_other(head, renderer):
    before = renderer.render(**view(head))
    renderer.render(head.vertices(coefficients(jawOpen=1)), **view(head, size=96, yaw=1.0))
    renderer.render(light=None, alpha=True, **view(head))
    assert np.array_equal(renderer.render(**view(head)), before)


def test_symmetric_head_gives_a_symmetric_picture(head, renderer):
    picture = renderer.render(light=FRONTAL, background=(0, 0, 0), **view(head)).astype(int)
    difference = np.abs(picture - picture[:, ::-1])
    assert np.quantile(difference, 0.99) <= 3
    left = renderer.render(light=FRONTAL, background=(0, 0, 0), **view(head, yaw=0.5)).astype(int)
    right = renderer.render(light=FRONTAL, background=(0, 0, 0), **view(head, yaw=-0.5)).astype(int)
    assert np.quantile(np.abs(left - right[:, ::-1]), 0.99) <= 3


def test_positive_yaw_turns_the_face_to_the_right_of_the_picture(head):
    white = Renderer(head, {"albedo": paint("eye_left", (255, 255, 255))})
    frontal, turned = (
        white.render(light=None, background=(0, 0, 0), **view(head, yaw=yaw)) for yaw in (0.0, 0.4)
    )
    centres = [np.nonzero(p.max(axis=2) > 128)[1].mean() for p in (frontal, turned)]
    # The subject's left eye is on the right of the picture and moves on to the right.
    assert centres[0] > 68
    assert centres[1] > centres[0] + 5


def test_key_light_from_the_left_lights_the_left(head):
    grey = Renderer(head, {})
    side = Light((Lamp((-1, 0, 0.3), (1, 1, 1)),), (0, 0, 0), (0, 0, 0))
    picture = grey.render(light=side, background=(0, 0, 0), **view(head)).astype(int)
    assert picture[30:50, 45].mean() > picture[30:50, 83].mean() + 40


def test_ambient_light_comes_from_above_and_below(head):
    grey = Renderer(head, {})
    sky = Light((), (0.2, 0.2, 1.0), (1.0, 0.2, 0.2), occlusion=0.0)
    picture = grey.render(light=sky, background=(0, 0, 0), **view(head)).astype(int)
    assert picture[14, 64, 2] > picture[14, 64, 0] + 40
    chin = picture[85:92, 64].mean(axis=0)
    assert chin[0] > chin[2]


def test_light_adds_up_to_the_albedo_on_a_surface_that_faces_it(head):
    rough = np.full((4, 4, 3), (255, 255, 0), np.uint8)
    flat = Renderer(head, {"albedo": np.full((4, 4, 3), 120, np.uint8), "orm": rough})
    light = Light((Lamp((0, 0, 1), (0.7, 0.7, 0.7)),), (0.3, 0.3, 0.3), (0.3, 0.3, 0.3), 0.0)
    picture = flat.render(light=light, **view(head))
    # Highlights of a rough surface add a few hundredths of reflected light.
    assert 118 <= picture[45, 64, 0] <= 135


@pytest.mark.parametrize(("bump", "lamp"), [((128, 230), (0, 1)), ((230, 128), (1, 0))])
def test_normal_map_is_green_up_and_red_right(head, bump, lamp):
    albedo = np.full((8, 8, 3), 128, np.uint8)
    light = Light((Lamp((*lamp, 0.5), (1, 1, 1)),), (0, 0, 0), (0, 0, 0), 0.0)
    lit = []
    for red, green in (bump, (128, 128), tuple(255 - value for value in bump)):
        normal = np.full((8, 8, 3), (red, green, 200), np.uint8)
        bumpy = Renderer(head, {"albedo": albedo, "normal": normal})
        lit.append(int(bumpy.render(light=light, **view(head))[45, 64, 1]))
    assert lit[0] > lit[1] + 10 > lit[2] + 20


def test_occlusion_and_roughness_textures_have_effect(head):
    albedo = np.full((8, 8, 3), 90, np.uint8)

    def mean(occlusion: int, roughness: int) -> float:
        orm = np.full((8, 8, 3), (occlusion, roughness, 0), np.uint8)
        textured = Renderer(head, {"albedo": albedo, "orm": orm})
        return float(textured.render(background=(0, 0, 0), **view(head))[20:80, 50:78].mean())

    assert mean(60, 200) < mean(255, 200) - 10
    glossy, matte = (
        Renderer(head, {"albedo": albedo, "orm": np.full((8, 8, 3), (255, r, 0), np.uint8)})
        .render(background=(0, 0, 0), **view(head))[10:80, 40:90]
        .max()
        for r in (50, 255)
    )
    assert int(glossy) > int(matte) + 20


def test_lashes_are_blended_by_alpha(head):
    skin = np.full((256, 256, 4), (*SKIN, 255), np.uint8)
    pictures = {
        alpha: Renderer(head, {"albedo": paint("lashes", (0, 0, 0, alpha), base=skin)}).render(
            light=None, background=SKIN, **view(head)
        )
        for alpha in (0, 128, 255)
    }
    assert np.abs(pictures[0].astype(int) - SKIN).max() <= 2
    dark = pictures[255].min(axis=2)
    assert dark.min() == 0
    half = pictures[128][dark == 0].astype(float)
    # Half of the light, which is not half of the code.
    assert half[:, 0].mean() == pytest.approx(150, abs=6)


def test_hidden_lashes_do_not_show(head):
    skin = np.full((256, 256, 4), (*SKIN, 255), np.uint8)
    lashes = Renderer(head, {"albedo": paint("lashes", (0, 0, 0, 255), base=skin)})
    behind = lashes.render(light=None, background=SKIN, **view(head, yaw=np.pi))
    assert np.array_equal(np.unique(behind.reshape(-1, 3), axis=0), [SKIN])


def test_fine_texture_far_away_does_not_alias(head):
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    picture = Renderer(head, {"albedo": stripes}).render(
        light=None, background=(188, 188, 188), **view(head, size=64)
    )
    # Black and white in equal parts are 188 in sRGB.
    assert np.abs(picture[10:36, 29:35].astype(int) - 188).max() <= 8


def test_near_texture_is_sharp(head):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, 96:160] = 255
    camera, pose = frame_head(head, 128, 128)
    zoom = Camera(128, 128, camera.focal * 8)
    picture = Renderer(head, {"albedo": stripes}).render(light=None, camera=zoom, pose=pose)
    values = picture[64, :, 0].astype(int)
    assert values.min() == 0
    assert values.max() == 255
    # A texel is wider than a pixel here, so the edge takes at most a few pixels.
    assert np.count_nonzero((values > 10) & (values < 245)) <= 24


def test_neck_fades_and_can_be_kept(head):
    white = np.full((4, 4, 3), 255, np.uint8)
    where = view(head)
    faded = Renderer(head, {"albedo": white}).render(alpha=True, **where)
    solid = Renderer(head, {"albedo": white}, neck_fade=0.0).render(alpha=True, **where)
    assert faded[-1, 50:78, 3].max() < 180
    assert solid[-4, 60:68, 3].min() == 255
    assert np.array_equal(faded[:100], solid[:100])


def test_mouth_is_dark_when_closed_and_lighter_in_front_when_open():
    head = load_head_model().head()
    shadow, open_sky = MouthShadow(head), np.ones(len(head.neutral), np.float32)
    teeth = np.arange(len(head.neutral))[head.topology.parts["teeth_upper"].vertices]
    order = np.argsort(head.neutral[teeth, 2])
    front, back = teeth[order[-40:]], teeth[order[:40]]
    closed = shadow.apply(open_sky, head.neutral)
    opened = shadow.apply(open_sky, head.vertices(coefficients(jawOpen=0.7)))
    assert closed[front].max() < 0.25
    assert opened[front].mean() > 2 * closed[front].mean()
    assert opened[back].mean() < 0.5 * opened[front].mean()
    forehead = head.topology.masks["scalp"] > 0.5
    assert np.all(opened[forehead] == 1)


@pytest.mark.parametrize("side", ["left", "right"])
def test_lids_shade_the_eye_and_follow_a_blink(side):
    head = load_head_model().head()
    shadow, rows = LidShadow(head, side), head.topology.parts[f"eye_{side}"].vertices

    def shaded(**values: float) -> np.ndarray:
        open_sky = np.ones(len(head.neutral), np.float32)
        shadow.apply(open_sky, head.vertices(coefficients(**values)))
        assert np.all(np.delete(open_sky, np.arange(rows.start, rows.stop)) == 1)
        return open_sky[rows]

    eye = head.neutral[rows]
    centre = head.joints[4 if side == "left" else 5]
    front = (eye[:, 2] > centre[2] + 0.010) & (np.abs(eye[:, 0] - centre[0]) < 0.003)
    upper, middle = front & (eye[:, 1] > centre[1] + 0.003), front & (eye[:, 1] <= centre[1])
    assert shaded()[upper].mean() < shaded()[middle].mean() - 0.1
    name = f"eyeBlink{side.capitalize()}"
    assert shaded(**{name: 1.0})[middle].mean() < shaded()[middle].mean() - 0.1


def test_recesses_see_less_of_the_sky():
    head = load_head_model().head()
    grey = {"albedo": np.full((4, 4, 3), 160, np.uint8)}
    even = Light((), (1, 1, 1), (1, 1, 1), occlusion=1.0)
    camera, pose = frame_head(head, 256, 256)
    picture = Renderer(head, grey).render(light=even, camera=camera, pose=pose).astype(int)
    joints = camera.project(pose.apply(head.joints.astype(np.float64)))
    eyes = joints[4:].mean(axis=0).astype(int)
    forehead = picture[eyes[1] - 40, eyes[0]].mean()
    # Between nose and eye.
    assert picture[eyes[1], eyes[0] + 12].mean() < forehead - 10
    without = Renderer(head, grey).render(
        light=Light((), (1, 1, 1), (1, 1, 1), occlusion=0.0), camera=camera, pose=pose
    )
    assert abs(int(without[eyes[1], eyes[0] + 12, 0]) - int(forehead)) <= 8


def test_frame_of_a_performance(head, renderer):
    where = view(head)
    still = renderer.render_frame(PerformanceFrame(0, np.zeros(52, np.float32)), **where)
    # Skinning with a rotation of zero rounds differently, which may move a sample over an edge.
    assert np.mean(np.abs(still.astype(int) - renderer.render(**where)) > 2) < 1e-3
    turn = matrix_quaternion(axis_angle_matrix([0.0, 0.5, 0.0]))
    turned = renderer.render_frame(
        PerformanceFrame(0, coefficients(mouthSmileLeft=1), turn.astype(np.float32)), **where
    )
    change = np.abs(turned.astype(int) - still).max(axis=2)
    # The base of the neck stays; only its shading follows the twist above it.
    assert np.quantile(change[:90], 0.95) > 40
    assert np.quantile(change[-3:], 0.95) < 12


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30, -1e30])
def test_hostile_vertices_do_not_crash(head, renderer, bad):
    vertices = head.neutral.copy()
    vertices[::7] = bad
    picture = renderer.render(vertices, background=(0, 0, 0), **view(head))
    assert picture.shape == (128, 128, 3)


def test_head_behind_the_camera_is_not_drawn(head, renderer):
    camera, _ = frame_head(head, 64, 64)
    away = Pose(np.eye(3), np.array([0.0, 0.0, 0.5]))
    picture = renderer.render(camera=camera, pose=away, background=(1, 2, 3))
    assert np.array_equal(np.unique(picture.reshape(-1, 3), axis=0), [[1, 2, 3]])


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_supersampling_smooths_edges(head, samples):
    white = Renderer(
        head, {"albedo": np.full((4, 4, 3), 255, np.uint8)}, supersampling=samples, neck_fade=0.0
    )
    picture = white.render(light=None, background=(0, 0, 0), **view(head))
    levels = len(np.unique(picture[:100]))
    assert (levels == 2) if samples == 1 else (2 < levels <= samples * samples + 1)


def test_function_form_and_defaults(head):
    picture = render(head, make_textures())
    assert picture.shape == (512, 512, 3)
    camera = Camera(96, 64, 250.0)
    assert render(head, {}, camera=camera, alpha=True).shape == (64, 96, 4)
    assert STUDIO_LIGHT.lamps


@pytest.mark.parametrize(
    "texture",
    [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
)
def test_textures_that_are_none_are_refused(head, texture):
    with pytest.raises(ValueError, match="a texture has"):
        Renderer(head, {"albedo": texture})
