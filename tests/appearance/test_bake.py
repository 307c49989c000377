"""Textures of pictures whose truth is known."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from lifemask.appearance import Provenance, bake_textures
from lifemask.appearance._atlas import Texels
from lifemask.appearance._projection import project_picture
from lifemask.geometry import Pose, resize_image
from lifemask.heads import COEFFICIENT_INDEX, PART_NAMES
from lifemask.rendering import Lamp, Light
from lifemask.tracking import MIRRORED, FaceLandmarks
from staged import (
    BROWN,
    LEFT_COLOUR,
    LEFT_MOLE,
    PICTURE,
    RIGHT_COLOUR,
    RIGHT_MOLE,
    SKIN,
    at_landmark,
    known_skin,
    mean_head,
    photograph,
    upper_lids,
)

SIZE = 512
DARK_HAIR = (0.12, 0.09, 0.07)


@pytest.fixture(scope="module")
def skin():
    return known_skin()


@pytest.fixture(scope="module")
def frontal(skin):
    return bake(photograph(skin))


def bake(*pictures, size: int = SIZE):
    return bake_textures(mean_head(), *zip(*pictures, strict=True), size=size)


def truth(atlas: np.ndarray) -> np.ndarray:
    return resize_image(atlas[..., :3], SIZE, SIZE).astype(int)


def errors(baked, atlas: np.ndarray) -> np.ndarray:
    """Return the differences of fully trusted texels, in steps of 8 bits."""
    return np.abs(baked.albedo[..., :3].astype(int) - truth(atlas))[baked.provenance == 1]


def at_vertices(baked, chosen: np.ndarray) -> np.ndarray:
    """Return the median colour in [0, 1] of the skin's texels where a vertex mask is one."""
    texels = Texels.of(mean_head().topology, baked.albedo.shape[0], ("skin",))
    inside = texels.spread(chosen.astype(np.float32)) > 0.9
    colours = baked.albedo[..., :3].reshape(-1, 3)[texels.index[inside]]
    return np.median(colours, axis=0) / 255


def crown() -> np.ndarray:
    return mean_head().neutral[:, 1] > 0.13


def most_blue(baked) -> int:
    """Return how far blue exceeds the other channels anywhere; skin, hair and brown eyes: never."""
    red, green, blue = np.moveaxis(baked.albedo[..., :3].astype(int), -1, 0)
    return int((blue - np.maximum(red, green)).max())


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (0.5, 0), (-0.5, 0), (0.2, 0.25), (0, -0.2)])
def test_seen_skin_keeps_its_colour(skin, yaw, pitch):
    baked = bake(photograph(skin, yaw=yaw, pitch=pitch))
    off = errors(baked, skin)
    assert len(off) > 0.2 * SIZE * SIZE
    assert np.median(off) <= 1
    assert np.quantile(off, 0.95) <= 6


@pytest.mark.parametrize("yaw", [-0.7, -0.35, 0.0, 0.35, 0.7])
@pytest.mark.parametrize("cap", [None, DARK_HAIR])
def test_backdrop_never_reaches_the_texture(yaw, cap):
    baked = bake(photograph(known_skin(cap=cap), yaw=yaw))
    assert most_blue(baked) <= 2


@pytest.mark.parametrize("volume", [0.01, 0.025])
def test_backdrop_never_reaches_the_texture_past_full_hair(volume):
    atlas = known_skin(cap=DARK_HAIR)
    baked = bake(photograph(atlas, hair_volume=volume))
    assert most_blue(baked) <= 2
    assert np.abs(at_vertices(baked, crown()) - DARK_HAIR).max() < 0.06


def test_marks_of_the_skin_stay_where_they_are(frontal):
    mole = at_landmark(frontal.albedo, LEFT_MOLE)
    np.testing.assert_allclose(mole, LEFT_COLOUR, atol=0.04)
    mole = at_landmark(frontal.albedo, RIGHT_MOLE)
    np.testing.assert_allclose(mole, RIGHT_COLOUR, atol=0.04)
    for place in (LEFT_MOLE, RIGHT_MOLE):
        clear = at_landmark(frontal.albedo, MIRRORED[place])
        np.testing.assert_allclose(clear, SKIN, atol=0.06)


@pytest.mark.parametrize("yaw", [0.61, -0.61])
def test_unseen_cheek_is_filled_from_the_other_side(skin, yaw):
    """Turned by 35 degrees, part of one cheek hides behind the curve of the face."""
    baked = bake(photograph(skin, yaw=yaw))
    texels = Texels.of(mean_head().topology, SIZE, ("skin",))
    other = texels.mirrored(np.dstack([truth(skin), baked.provenance]).astype(np.float32))
    hidden = (baked.provenance.ravel()[texels.index] > 1) & (np.abs(other[:, 3] - 1) < 0.01)
    hidden &= texels.mask("face") > 0.9
    assert hidden.sum() > 1000
    found = baked.albedo[..., :3].reshape(-1, 3)[texels.index[hidden]]
    off = np.abs(found - other[hidden, :3])
    assert np.median(off) <= 4
    assert np.quantile(off, 0.95) <= 25


@pytest.mark.parametrize(
    ("yaw", "place", "colour"),
    [(0.8, RIGHT_MOLE, RIGHT_COLOUR), (-0.8, LEFT_MOLE, LEFT_COLOUR)],
)
def test_marks_are_mirrored_onto_the_unseen_cheek(skin, yaw, place, colour):
    baked = bake(photograph(skin, yaw=yaw))
    label = baked.provenance[..., None].repeat(3, axis=2)
    assert at_landmark(label, MIRRORED[place])[0] * 255 == pytest.approx(Provenance.MIRRORED)
    for side in (place, MIRRORED[place]):
        np.testing.assert_allclose(at_landmark(baked.albedo, side), colour, atol=0.08)


def test_mirrored_picture_gives_the_mirrored_texture(skin):
    image, fit = photograph(skin, yaw=0.3)
    flip = np.diag([-1.0, 1.0, 1.0])
    points = fit.landmarks.points[MIRRORED] * [-1, 1, 1] + [PICTURE, 0, 0]
    other = replace(
        fit,
        pose=Pose(flip @ fit.pose.rotation @ flip, flip @ fit.pose.translation),
        landmarks=FaceLandmarks(points.astype(np.float32), PICTURE, PICTURE),
    )
    one, two = bake((image, fit)), bake((np.ascontiguousarray(image[:, ::-1]), other))
    texels = Texels.of(mean_head().topology, SIZE, ("skin",))
    wanted = texels.mirrored(one.albedo[..., :3])
    found = two.albedo[..., :3].reshape(-1, 3)[texels.index]
    off = np.abs(wanted - found)
    assert np.median(off) < 1.5
    assert np.quantile(off, 0.98) < 12


def lamp(x: float, y: float, strength: float, colour=(1, 1, 1)) -> Light:
    lit = tuple(strength * c for c in colour)
    soft = tuple(0.45 * c for c in colour)
    return Light((Lamp((x, y, 0.8), lit),), soft, soft, occlusion=0.0)


def test_light_is_mostly_taken_out(skin):
    """One face under two lights: its textures are nearer to each other than its pictures."""
    shots = [photograph(skin, light=light) for light in (lamp(-1, 0.2, 0.6), lamp(1, 0.4, 0.6))]
    texels = Texels.of(mean_head().topology, SIZE, ("skin",))
    views = [project_picture(*shot, mean_head(), texels) for shot in shots]
    baked = [bake(shot) for shot in shots]
    albedos = [b.albedo[..., :3].reshape(-1, 3)[texels.index] / 255 for b in baked]
    both = (views[0].trust > 0.8) & (views[1].trust > 0.8)
    pictures_apart = np.abs(views[0].colours - views[1].colours)[both].mean()
    albedos_apart = np.abs(albedos[0] - albedos[1])[both].mean()
    assert pictures_apart > 0.05
    assert albedos_apart < 0.4 * pictures_apart
    wanted = truth(skin).reshape(-1, 3)[texels.index] / 255
    for view, albedo in zip(views, albedos, strict=True):
        # How bright a picture is as a whole is a matter of exposure.
        shape = [c - c[both].mean(axis=0) for c in (view.colours, albedo, wanted)]
        raw, clean = (np.abs(s - shape[2])[both].mean() for s in shape[:2])
        assert clean < 0.6 * raw


def test_cap_of_hair_covers_the_scalp_and_nothing_else(skin):
    cap = bake(photograph(known_skin(cap=DARK_HAIR)))
    np.testing.assert_allclose(at_vertices(cap, crown()), DARK_HAIR, atol=0.05)
    back = (mean_head().neutral[:, 2] < -0.06) & (mean_head().neutral[:, 1] > 0.02)
    np.testing.assert_allclose(at_vertices(cap, back), DARK_HAIR, atol=0.05)
    for place in (1, 4, 50, 280, 152, 151):
        off = at_landmark(cap.albedo, place) - at_landmark(truth(skin), place)
        assert np.abs(off).max() < 0.06


def test_bald_head_stays_bald(frontal):
    np.testing.assert_allclose(at_vertices(frontal, crown()), SKIN, atol=0.05)


@pytest.mark.parametrize("iris", [BROWN, (0.25, 0.42, 0.60), (0.35, 0.42, 0.25)])
def test_eyes_get_the_colour_of_the_iris(iris):
    baked = bake(photograph(known_skin(iris=iris)))
    head = mean_head()
    for side in ("left", "right"):
        texels = Texels.of(head.topology, SIZE, (f"eye_{side}",))
        run = head.topology.parts[f"eye_{side}"].vertices
        away = texels.spread(head.neutral) - head.joints[4 if side == "left" else 5]
        angle = np.arccos(away[:, 2] / np.linalg.norm(away, axis=1))
        colours = baked.albedo[..., :3].reshape(-1, 3)[texels.index] / 255
        assert run.stop > run.start
        ring = np.median(colours[(angle > 0.24) & (angle < 0.32)], axis=0)
        np.testing.assert_allclose(ring, iris, atol=0.1)
        assert (np.argsort(ring) == np.argsort(iris)).all()
        assert colours[angle < 0.08].max() < 0.1
        assert np.median(colours[angle > 0.6], axis=0).min() > 0.6


def test_lids_are_learnt_where_they_show(skin):
    """An open eye hides its upper lid, so make-up there shows only in a picture with eyes shut."""
    makeup = known_skin(lids=(0.45, 0.30, 0.25))
    shut = np.zeros(52)
    shut[[COEFFICIENT_INDEX["eyeBlinkLeft"], COEFFICIENT_INDEX["eyeBlinkRight"]]] = 1
    texels = Texels.of(mean_head().topology, SIZE, ("skin",))
    lids = texels.index[upper_lids(texels)]

    def colour(baked) -> np.ndarray:
        return np.median(baked.albedo[..., :3].reshape(-1, 3)[lids], axis=0) / 255

    np.testing.assert_allclose(
        colour(bake(photograph(makeup, coefficients=shut))), (0.45, 0.30, 0.25), atol=0.06
    )
    np.testing.assert_allclose(colour(bake(photograph(skin))), SKIN, atol=0.06)


def test_expressions_do_not_move_the_texture(skin):
    talking = np.zeros(52)
    for name, weight in (("jawOpen", 0.4), ("mouthSmileLeft", 0.5), ("browInnerUp", 0.6)):
        talking[COEFFICIENT_INDEX[name]] = weight
    baked = bake(photograph(skin, coefficients=talking))
    off = errors(baked, skin)
    assert np.median(off) <= 1
    assert np.quantile(off, 0.95) <= 8
    np.testing.assert_allclose(at_landmark(baked.albedo, LEFT_MOLE), LEFT_COLOUR, atol=0.05)


def test_several_pictures_show_more_than_one(skin, frontal):
    shots = [photograph(skin, yaw=yaw) for yaw in (0.0, 0.8, -0.8)]
    baked = bake(*shots)
    assert (baked.provenance == 1).sum() > 1.15 * (frontal.provenance == 1).sum()
    off = errors(baked, skin)
    assert np.median(off) <= 1
    assert np.quantile(off, 0.95) <= 8
    turned = bake(*shots[::-1])
    assert np.abs(turned.albedo.astype(int) - baked.albedo.astype(int)).max() <= 2
    for place, colour in ((LEFT_MOLE, LEFT_COLOUR), (RIGHT_MOLE, RIGHT_COLOUR)):
        np.testing.assert_allclose(at_landmark(baked.albedo, place), colour, atol=0.05)


def test_same_pictures_give_the_same_bytes(skin, frontal):
    again = bake(photograph(skin))
    for name, picture in frontal.textures().items():
        assert np.array_equal(again.textures()[name], picture)
    assert again.metrics == frontal.metrics


def test_shapes_and_channels(frontal):
    assert frontal.albedo.shape == (SIZE, SIZE, 4)
    assert frontal.orm.shape == (SIZE // 2, SIZE // 2, 3)
    assert frontal.provenance.shape == (SIZE, SIZE)
    assert {a.dtype for a in (frontal.albedo, frontal.orm, frontal.provenance)} == {
        np.dtype(np.uint8)
    }
    topology = mean_head().topology
    lashes = np.zeros(SIZE * SIZE, bool)
    lashes[Texels.of(topology, SIZE, ("lashes",)).index] = True
    alpha = frontal.albedo[..., 3].ravel()
    assert (alpha[~lashes] == 255).all()
    assert 0.1 < (alpha[lashes] > 127).mean() < 0.6
    assert alpha[lashes].min() == 0
    assert (frontal.orm[..., 2] == 0).all()


def test_surfaces_shine_as_they_should(frontal):
    rough = {}
    for part in PART_NAMES:
        texels = Texels.of(mean_head().topology, SIZE // 2, (part,))
        rough[part] = np.median(frontal.orm[..., 1].ravel()[texels.index])
    assert rough["eye_left"] == rough["eye_right"] == min(rough.values())
    assert rough["teeth_upper"] < rough["mouth"] < rough["skin"] < rough["lashes"]


def test_provenance_tells_what_was_seen(frontal):
    topology = mean_head().topology
    skin = np.zeros(SIZE * SIZE, bool)
    skin[Texels.of(topology, SIZE, ("skin",)).index] = True
    seen = frontal.provenance.ravel()
    assert (seen[~skin] == 0).all()
    texels = Texels.of(topology, SIZE, ("skin",))
    back = texels.spread(mean_head().neutral[:, 2]) < -0.02
    assert np.isin(seen[texels.index[back]], (2, 3)).all()
    cheeks = frontal.provenance[..., None].repeat(3, axis=2)
    assert {round(255 * at_landmark(cheeks, place)[0]) for place in (50, 280, 1, 9)} == {1}


def test_gutters_continue_the_islands(frontal):
    """Around an island the colour goes on, so that filtering does not draw an outline."""
    texels = Texels.of(mean_head().topology, SIZE, PART_NAMES)
    covered = np.zeros((SIZE, SIZE), bool)
    covered.ravel()[texels.index] = True
    picture = frontal.albedo[..., :3].astype(int)
    rows, columns = np.nonzero(~covered[1:-1, 1:-1] & covered[:-2, 1:-1])
    step = np.abs(picture[rows + 1, columns + 1] - picture[rows, columns + 1])
    assert len(rows) > 100
    assert np.median(step) <= 3


def test_any_texture_size_works(skin):
    baked = bake(photograph(skin), size=128)
    assert baked.albedo.shape == (128, 128, 4)
    np.testing.assert_allclose(at_landmark(baked.albedo, 1), SKIN, atol=0.08)


@pytest.mark.parametrize("yaw", [1.2, 1.5])
def test_profile_gives_a_texture_too(skin, yaw):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        baked = bake(photograph(skin, yaw=yaw))
    np.testing.assert_allclose(at_landmark(baked.albedo, 50), SKIN, atol=0.12)


@pytest.mark.parametrize("level", [0, 127, 255])
def test_picture_without_any_detail_gives_an_even_texture(skin, level):
    image, fit = photograph(skin)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        baked = bake((np.full_like(image, level), fit))
    assert np.ptp(at_landmark(baked.albedo, 50)) < 0.1


def test_missing_or_unequal_pictures_are_refused(skin):
    image, fit = photograph(skin)
    with pytest.raises(ValueError, match="0 images and 0 fits"):
        bake_textures(mean_head(), [], [])
    with pytest.raises(ValueError, match="1 images and 2 fits"):
        bake_textures(mean_head(), [image], [fit, fit])
