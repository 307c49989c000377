"""Personal blendshapes: transfer, lids and lips that meet, rigid teeth, even faces."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from lifemask.heads import (
    COEFFICIENT_INDEX,
    COEFFICIENT_NAMES,
    JOINT_NAMES,
    Head,
    load_head_model,
    mirrored_name,
)
from lifemask.rigging import personal_head, scale_to_pupil_distance, worst_gaps_mm
from lifemask.rigging._personal import transferred_shapes
from lifemask.tracking import LandmarkShape, blink_scales

_SEEDS = (1, 3, 8)


def _someone(seed: int) -> Head:
    model = load_head_model()
    return model.head(0.8 * np.random.default_rng(seed).standard_normal(model.mode_count))


@functools.cache
def _personal(seed: int | None) -> Head:
    return personal_head(load_head_model().head() if seed is None else _someone(seed))


def _pose(head: Head, **weights: float) -> np.ndarray:
    coefficients = np.zeros(52, np.float32)
    for name, weight in weights.items():
        coefficients[COEFFICIENT_INDEX[name]] = weight
    return head.vertices(coefficients).astype(np.float64)


def test_transfer_from_template_to_template_is_exact() -> None:
    head = load_head_model().head()
    off = np.abs(transferred_shapes(head) - head.expression_deltas)
    teeth = head.topology.parts["teeth_lower"].vertices
    # The template's own teeth bend a little under `jawOpen`, a person's do not.
    assert off[:, teeth].max() < 0.0003
    off[COEFFICIENT_INDEX["jawOpen"], teeth] = 0.0
    assert off.max() <= 1e-6


def test_shapes_grow_with_the_head() -> None:
    head = load_head_model().head()
    larger = replace(head, neutral=1.3 * head.neutral, joints=1.3 * head.joints)
    shapes = transferred_shapes(larger)
    shell = head.topology.parts["skin"].vertices
    np.testing.assert_allclose(shapes[:, shell], 1.3 * head.expression_deltas[:, shell], atol=2e-6)


def test_what_no_shape_moves_stays() -> None:
    model, head = load_head_model(), _personal(3)
    still = (model.expression_deltas == 0).all(axis=(0, 2))
    assert not head.expression_deltas[:, still].any()
    for part in ("eye_left", "eye_right", "teeth_upper"):
        assert not head.expression_deltas[:, head.topology.parts[part].vertices].any()


@pytest.mark.parametrize("seed", _SEEDS)
def test_lids_and_lips_meet(seed: int) -> None:
    generic, personal = worst_gaps_mm(_someone(seed)), worst_gaps_mm(_personal(seed))
    for name in ("eye_left", "eye_right", "mouth"):
        assert max(abs(x) for x in personal[name]) <= 0.5
        assert max(abs(x) for x in generic[name]) > 0.6


@pytest.mark.parametrize("seed", _SEEDS)
def test_no_lid_lies_inside_the_eyeball(seed: int) -> None:
    head = _personal(seed)
    lids = head.topology.masks["eyelids"] > 0.5
    for side in ("Left", "Right"):
        centre = head.joints[JOINT_NAMES.index(f"Eye{side}")]
        ball = head.neutral[head.topology.parts[f"eye_{side.lower()}"].vertices] - centre
        radius = float(np.linalg.norm(ball, axis=1).min())
        mine = lids & (np.sign(head.neutral[:, 0]) == np.sign(centre[0]))
        rest = np.linalg.norm(head.neutral[mine] - centre, axis=1)
        for weight in (0.5, 1.0):
            shut = _pose(head, **{f"eyeBlink{side}": weight})[mine]
            depth = np.linalg.norm(shut - centre, axis=1)
            assert (depth - np.minimum(rest, radius)).min() > -0.0002


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.parametrize("name", ["jawOpen", "jawLeft", "jawForward"])
def test_lower_teeth_stay_rigid(seed: int, name: str) -> None:
    head = _personal(seed)
    teeth = head.topology.parts["teeth_lower"].vertices
    before, after = head.neutral[teeth], _pose(head, **{name: 1.0})[teeth]
    some = np.arange(0, len(before), 12)

    def distances(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[some, None] - points[None, some], axis=2)

    assert np.linalg.norm(after - before, axis=1).min() > 0.004
    np.testing.assert_allclose(distances(after), distances(before), atol=1e-6)


def test_even_faces_have_even_shapes() -> None:
    head = _personal(None)
    mirror, flip = head.topology.mirror, np.array([-1, 1, 1], np.float32)
    for name in COEFFICIENT_NAMES:
        one, other = (
            head.expression_deltas[COEFFICIENT_INDEX[n]] for n in (name, mirrored_name(name))
        )
        np.testing.assert_allclose(one, other[mirror] * flip, atol=5e-5, err_msg=name)


def test_lashes_ride_on_the_lids() -> None:
    head = _personal(8)
    topology = head.topology
    run = topology.parts["lashes"].vertices
    roots = topology.masks["lash_tip"][run] < 0.01
    upper = roots & (topology.masks["lash_lower"][run] < 0.5) & (head.neutral[run, 0] > 0)
    lids = topology.masks["eyelids"] > 0.5
    for weight in (0.0, 1.0):
        posed = _pose(head, eyeBlinkLeft=weight)
        away = np.linalg.norm(posed[run][upper, None] - posed[lids], axis=2).min(axis=1)
        assert away.max() < 0.003


def test_tracker_and_avatar_agree_on_what_a_closed_eye_is() -> None:
    shape = LandmarkShape.from_head(_personal(1))
    for side, (upper, lower) in {"Left": (386, 374), "Right": (159, 145)}.items():
        weights = np.zeros(52)
        weights[COEFFICIENT_INDEX[f"eyeBlink{side}"]] = 1.0
        points = shape.points(weights)
        assert abs(points[upper, 1] - points[lower, 1]) < 0.0015


def test_scales_are_bounded_for_a_closed_eye() -> None:
    scales = blink_scales(np.zeros((478, 3)), np.zeros((52, 478, 3)))
    assert all(0.3 < scale < 2.1 for scale in scales.values())


def test_pupils_lie_the_given_distance_apart() -> None:
    head = scale_to_pupil_distance(load_head_model().head(), 0.060)
    assert np.linalg.norm(head.joints[4] - head.joints[5]) == pytest.approx(0.060, rel=1e-5)
    with pytest.raises(ValueError, match="pupil"):
        scale_to_pupil_distance(head, 0.63)


@pytest.mark.slow
@pytest.mark.needs("shared", "landmarker")
def test_lids_and_lips_meet_on_every_portrait() -> None:
    from lifemask.geometry import read_image
    from lifemask.rigging import align_to_landmarks
    from lifemask.tracking import FaceLandmarker, fit_photos
    from needs import SHARED

    model = load_head_model()
    portraits = sorted((SHARED / "data" / "portraits").glob("*.jpg"))
    assert portraits
    with FaceLandmarker() as landmarker:
        for portrait in portraits:
            fits = fit_photos(landmarker.detect(read_image(portrait))[:1], model)
            head = align_to_landmarks(model.head(fits[0].identity), fits)
            head = scale_to_pupil_distance(personal_head(head))
            gaps = worst_gaps_mm(head)
            assert max(abs(one) for pair in gaps.values() for one in pair) <= 0.5, gaps
