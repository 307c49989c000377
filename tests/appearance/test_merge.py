"""Merging many views: drift, alignment, outliers, light that stands still while the head turns."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.appearance import Provenance, bake_textures
from lifemask.appearance._alignment import align_views
from lifemask.appearance._atlas import Texels
from lifemask.appearance._glasses import glasses_mask, glasses_score
from lifemask.appearance._lighting import (
    fit_joint_light,
    fit_light,
    harmonics,
    relative_gains,
    weighted_median,
)
from lifemask.appearance._merge import merge_views
from lifemask.appearance._projection import project_picture
from lifemask.appearance._pyramid import blur
from lifemask.appearance._quilting import exemplar, quilt
from lifemask.appearance._skin import plain_skin, skin_tone
from lifemask.appearance._skin_maps import unlit
from lifemask.geometry import Pose, axis_angle_matrix
from lifemask.rendering import Lamp, Light
from staged import PICTURE, known_skin, mean_head, photograph

SIZE = 512
RNG = np.random.default_rng(4)


@pytest.fixture(scope="module")
def texels():
    return Texels.of(mean_head().topology, SIZE, ("skin",))


@pytest.fixture(scope="module")
def pored():
    """A known skin with pores two texels wide."""
    atlas = known_skin().astype(np.float32)
    pores = blur(RNG.standard_normal(atlas.shape[:2]).astype(np.float32), atlas.shape[0] / 700)
    atlas[..., :3] += (10.0 * pores / pores.std())[..., None]
    return np.clip(atlas, 0, 255).astype(np.uint8)


def room(x: float = 0.9, strength: float = 0.8) -> Light:
    soft = (0.4, 0.4, 0.4)
    return Light((Lamp((x, 0.3, 0.6), (strength,) * 3),), soft, soft, occlusion=0.0)


def psnr(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the PSNR of colours whose common level is a matter of exposure."""
    gain = (found * wanted).sum(axis=0) / (found * found).sum(axis=0)
    return float(-10 * np.log10(((found * gain - wanted) ** 2).mean()))


def test_weighted_median_is_the_middle_of_the_weight():
    values = np.array([[1.0], [5.0], [2.0], [9.0]])
    assert weighted_median(values, np.ones_like(values))[0] == 2.0
    assert weighted_median(values, np.array([[0.1], [0.1], [0.1], [5.0]]))[0] == 9.0


def test_known_gains_are_found_from_overlap_only():
    """Five pictures, each of half of the places, so that no two means compare."""
    albedo = RNG.uniform(-1.5, -0.3, (400, 3))
    gains = RNG.uniform(-0.3, 0.3, (5, 3))
    logs = albedo + gains[:, None] + 0.01 * RNG.standard_normal((5, 400, 3))
    weights = np.zeros((5, 400))
    for number in range(5):
        weights[number, 50 * number : 50 * number + 200] = 1
    logs[2, 100:120] += 1.5
    found = np.log(relative_gains(logs, weights))
    np.testing.assert_allclose(found, gains - gains.mean(axis=0), atol=0.02)


def test_picture_without_overlap_keeps_its_level():
    logs = RNG.uniform(-1, 0, (2, 100, 3))
    weights = np.zeros((2, 100))
    weights[0, :50] = weights[1, 50:] = 1
    np.testing.assert_allclose(relative_gains(logs, weights), 1, atol=0.02)


def turned_normals(count: int, yaws: list[float]) -> np.ndarray:
    normals = RNG.standard_normal((4 * count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals = normals[normals[:, 2] > 0.35][:count]
    return np.stack([normals @ axis_angle_matrix([0, yaw, 0]).T for yaw in yaws])


def test_light_that_stands_still_is_told_from_skin_that_turns():
    """Skin that is darker on one side looks like light in one picture, not in five."""
    normals = turned_normals(1500, [-0.9, -0.45, 0.0, 0.45, 0.9])
    albedo = np.where(normals[2, :, 0] > 0, 0.55, 1.0)[:, None] * [0.5, 0.35, 0.3]
    coefficients = np.array([1.0, 0.1, 0.15, -0.3, 0, 0, 0, 0, 0])
    colours = np.stack([(harmonics(n) @ coefficients)[:, None] * albedo for n in normals])
    weights = (normals[..., 2] > 0.3).astype(float)
    lights, _ = fit_joint_light(colours, normals, weights, [0] * 5)
    alone = fit_light(colours[2], normals[2])
    wanted = harmonics(normals[2]) @ coefficients
    off = [
        np.abs(light.shading(normals[2]).mean(axis=1) / (wanted / wanted.mean()) - 1).mean()
        for light in (lights[2], alone)
    ]
    assert off[0] < 0.75 * off[1]


def test_albedo_is_nearer_to_the_truth_without_light(texels, pored):
    shot = photograph(pored, light=room())
    view = project_picture(*shot, mean_head(), texels)
    (albedo,), _ = unlit([view], plain_skin(texels), [0])
    chosen = (view.trust > 0.6) & (plain_skin(texels) > 0.8)
    wanted = truth(pored, texels)[chosen]
    assert psnr(albedo[chosen], wanted) > psnr(view.colours[chosen], wanted) + 3


def truth(atlas: np.ndarray, texels: Texels) -> np.ndarray:
    from lifemask.geometry import resize_image

    small = resize_image(np.ascontiguousarray(atlas[..., :3]), texels.size, texels.size)
    return small.reshape(-1, 3)[texels.index] / 255


def test_exposure_and_white_balance_drift_is_taken_out(texels, pored):
    shots = [photograph(pored, yaw=yaw) for yaw in (0.0, 0.2, -0.2)]
    drift = np.array([[1, 1, 1], [0.8, 0.85, 1.0], [1.1, 1.0, 0.85]])
    drifted = [
        (np.clip(image * gain, 0, 255).astype(np.uint8), fit)
        for (image, fit), gain in zip(shots, drift, strict=True)
    ]
    plain = plain_skin(texels)
    views = [project_picture(*shot, mean_head(), texels) for shot in drifted]
    albedos, largest = unlit(views, plain, [0, 1, 2])
    everywhere = (np.min([v.trust for v in views], axis=0) > 0.6) & (plain > 0.8)
    before = np.ptp([v.colours[everywhere].mean(axis=0) for v in views], axis=0).max()
    after = np.ptp([a[everywhere].mean(axis=0) for a in albedos], axis=0).max()
    assert before > 0.08
    assert after < 0.15 * before
    assert largest > 0.1


def shifted_shots(atlas: np.ndarray) -> list:
    """Photographs whose fits are a little off, as fits are."""
    from dataclasses import replace

    shots = [photograph(atlas)]
    for yaw, off in ((0.06, 0.0012), (-0.06, -0.0012), (0.1, 0.0010), (-0.1, -0.0010)):
        image, fit = photograph(atlas, yaw=yaw)
        moved = Pose(fit.pose.rotation, fit.pose.translation + np.array([off, 0.5 * off, 0]))
        shots.append((image, replace(fit, pose=moved)))
    return shots


def merged(texels: Texels, shots: list, *, align: bool) -> np.ndarray:
    views = [project_picture(*shot, mean_head(), texels) for shot in shots]
    if align:
        views, shift = align_views(texels, views, [image for image, _ in shots])
        assert shift > 0
    albedos = [view.colours for view in views]
    tone = skin_tone(albedos, views, plain_skin(texels))
    return merge_views(texels, views, albedos, tone, [1.0] * len(views)).colour


def fine_structure(colour: np.ndarray, texels: Texels) -> np.ndarray:
    grey = colour.mean(axis=2)
    return (grey - blur(grey, 2.0)).ravel()[texels.index]


def test_alignment_keeps_pores_that_a_blind_merge_smears(texels, pored):
    shots = shifted_shots(pored)
    views = [project_picture(*shot, mean_head(), texels) for shot in shots]
    shown = (np.min([v.trust for v in views], axis=0) > 0.9) & (plain_skin(texels) > 0.8)
    fine = [
        fine_structure(merged(texels, chosen, align=align), texels)[shown]
        for chosen, align in ((shots[:1], False), (shots, False), (shots, True))
    ]
    alone, blind, aligned = fine
    assert blind.std() < 0.75 * alone.std()
    assert aligned.std() > 1.2 * blind.std()
    # They are the pores of the reference, not noise.
    assert np.corrcoef(aligned, alone)[0, 1] > 0.75


def test_what_one_picture_alone_shows_is_an_outlier(texels):
    """A highlight that sits on the cheek in one of five pictures does not stay in the skin."""
    atlas = known_skin()
    shots = [photograph(atlas, yaw=yaw) for yaw in (0.0, 0.05, -0.05, 0.1, -0.1)]
    image, fit = shots[0]
    x, y = np.round(fit.landmarks.pixels[50]).astype(int)
    image = image.copy()
    image[y - 6 : y + 6, x - 6 : x + 6] = 250
    clean = merged(texels, shots, align=False)
    shining = merged(texels, [(image, fit), *shots[1:]], align=False)
    assert np.abs(shining - clean).max() < 0.06


def test_quilt_covers_what_is_needed_with_pieces_of_the_exemplar():
    source = blur(RNG.standard_normal((128, 128)).astype(np.float32), 1.5)[..., None]
    needed = np.zeros((160, 160), bool)
    needed[20:140, 30:150] = True
    pieces = exemplar(source, np.ones((128, 128), bool))
    one, two = (quilt([pieces], np.ones((160, 160)), needed, seed) for seed in (0, 1))
    assert one[needed].std() == pytest.approx(float(source.std()), rel=0.2)
    values = np.unique(source)
    assert np.isin(one[needed], values).all()
    assert np.array_equal(one, quilt([pieces], np.ones((160, 160)), needed, 0))
    assert not np.array_equal(one, two)
    # Seams are cut where they show least: steps are hardly larger than inside of the exemplar.
    steps, usual = (np.abs(np.diff(p[..., 0], axis=1)) for p in (one[24:136, 34:146], source))
    assert np.quantile(steps, 0.99) < 1.6 * np.quantile(usual, 0.99)


def test_quilt_without_exemplars_is_flat():
    nothing = exemplar(np.ones((64, 64, 3), np.float32), np.zeros((64, 64), bool))
    assert not quilt([nothing], np.ones((40, 40)), np.ones((40, 40), bool)).any()


def test_labels_say_what_the_footage_carries(pored):
    """The same photograph carries a small atlas, and not a large one."""
    image, fit = photograph(pored)
    small, large = (bake_textures(mean_head(), [image], [fit], size=s) for s in (256, 2048))
    assert small.metrics["texture_upsampled"] is False
    assert large.metrics["texture_upsampled"] is True
    ratio = small.metrics["texture_pixels_per_texel"] / large.metrics["texture_pixels_per_texel"]
    assert ratio == pytest.approx(8, rel=0.02)
    assert set(np.unique(small.provenance)) == {0, 1, 2, 3}
    assert set(np.unique(large.provenance)) == {0, 2, 3, 4}
    assert (small.provenance == Provenance.SEEN).mean() == pytest.approx(
        (large.provenance == Provenance.UPSAMPLED).mean(), abs=0.01
    )
    for texture in large.textures().values():
        assert texture.dtype == np.uint8


def with_glasses(image: np.ndarray, face) -> np.ndarray:
    import cv2

    worn = image.copy()
    points = face.pixels
    apart = float(np.linalg.norm(points[33] - points[263]))
    centres = [points[[33, 133]].mean(axis=0), points[[362, 263]].mean(axis=0)]
    for centre in centres:
        axes = (round(0.26 * apart), round(0.22 * apart))
        at = tuple(np.round(centre + np.array([0, 0.04 * apart])).astype(int).tolist())
        cv2.ellipse(worn, at, axes, 0, 0, 360, (40, 40, 45), max(2, round(0.025 * apart)))
    ends = [
        np.round(c + np.array([s * 0.25 * apart, 0])).astype(int)
        for c, s in zip(centres, (1, -1), strict=True)
    ]
    thick = max(2, round(0.03 * apart))
    cv2.line(worn, *(tuple(e.tolist()) for e in ends), (40, 40, 45), thick)
    return worn


def test_glasses_are_noticed_and_their_rims_left_out(texels):
    image, fit = photograph(known_skin())
    worn = with_glasses(image, fit.landmarks)
    assert glasses_score(image, fit.landmarks) < 1 < glasses_score(worn, fit.landmarks)
    rim = np.abs(worn.astype(int) - image).max(axis=2) > 60
    assert (glasses_mask(worn, fit.landmarks)[rim] > 0.3).mean() > 0.6
    baked, bare = (bake_textures(mean_head(), [i], [fit], size=SIZE) for i in (worn, image))
    assert baked.metrics["glasses"] is True
    assert bare.metrics["glasses"] is False
    plain = plain_skin(texels) > 0.8
    off = np.abs(baked.albedo[..., :3].astype(int) - bare.albedo[..., :3]).max(axis=2)
    rest = off.ravel()[texels.index][plain]
    view = project_picture(worn, fit, mean_head(), texels)
    covered = (np.abs(view.colours - truth(known_skin(), texels)).max(axis=1) > 0.2)[plain]
    covered &= (view.trust > 0.5)[plain]
    assert covered.sum() > 200
    assert np.median(rest[covered]) < 12


def test_skin_of_any_brightness_and_picture_size_is_finite(pored):
    for light in (None, room(strength=2.5), room(strength=0.05)):
        image, fit = photograph(pored, light=light, yaw=0.4)
        baked = bake_textures(mean_head(), [image], [fit], size=256)
        assert np.isfinite([v for v in baked.metrics.values() if not isinstance(v, bool)]).all()
        assert baked.albedo[..., :3].std() > 5
    assert PICTURE > 0
