"""The head model: linear in identity and coefficients, joints, finer level, loading."""

from __future__ import annotations

import hashlib
import io
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from lifemask import PackageError
from lifemask.geometry import axis_angle_matrix
from lifemask.heads import JOINT_NAMES, gaze_matrix, load_head_model
from meshes import signed_areas, volume

ASSET = resources.files("lifemask").joinpath("data", "head.npz")


@pytest.fixture(scope="module")
def model():
    return load_head_model()


@pytest.fixture
def random():
    return np.random.default_rng(7)


def test_asset_is_small_and_says_what_it_is(model):
    raw = ASSET.read_bytes()
    assert len(raw) <= 8e6
    assert model.topology.asset_sha256 == hashlib.sha256(raw).hexdigest()
    assert model.topology.asset_id == "lifemask-head"
    assert len(model.topology.asset_version.split(".")) == 3
    assert model.meta["licence"] == "CC0-1.0"
    assert model.meta["kept_variance"] >= 0.995
    assert 4500 < len(model.neutral) < 6500


def test_shapes_and_types(model):
    n, k = len(model.neutral), model.mode_count
    assert model.identity_basis.shape == (k, n, 3)
    assert model.expression_deltas.shape == (52, n, 3)
    assert model.joint_basis.shape == (k, 6, 3)
    assert model.joint_weights.shape == (n, 6)
    arrays = (
        model.neutral, model.identity_basis, model.expression_deltas, model.mean_joints,
        model.joint_basis, model.joint_weights,
    )  # fmt: skip
    assert {a.dtype for a in arrays} == {np.dtype(np.float32)}
    assert all(np.isfinite(a).all() for a in arrays)
    for name in ("faces", "faces_uv", "mirror", "landmark_faces", "neck_loop"):
        assert getattr(model.topology, name).dtype == np.int32, name


def test_vertices_are_additive(model, random):
    one, other = random.standard_normal((2, model.mode_count))
    mild, strong = random.uniform(0, 0.5, (2, 52))
    rest = model.vertices().astype(float)

    def moved(identity=None, coefficients=None):
        return model.vertices(identity, coefficients) - rest

    np.testing.assert_allclose(moved(one) + moved(other), moved(one + other), atol=2e-6)
    np.testing.assert_allclose(moved(None, mild) + moved(None, strong), moved(None, mild + strong),
                               atol=2e-6)  # fmt: skip
    np.testing.assert_allclose(moved(one) + moved(None, mild), moved(one, mild), atol=2e-6)
    np.testing.assert_array_equal(rest, model.neutral)


def test_vertices_are_the_callers_own(model):
    rest = model.neutral.copy()
    for vertices in (model.vertices(), model.vertices(coefficients=np.zeros(52))):
        vertices[:] = 0
    np.testing.assert_array_equal(model.neutral, rest)


def test_jacobians_are_what_differences_say(model, random):
    rows = random.choice(len(model.neutral), 200, replace=False)
    identity = random.standard_normal(model.mode_count)
    coefficients = random.uniform(0, 1, 52)
    step = 0.05
    by_identity, by_coefficients = model.jacobian_identity(rows), model.jacobian_coefficients(rows)
    assert by_identity.shape == (200, 3, model.mode_count)
    assert by_coefficients.shape == (200, 3, 52)
    for k in (0, 3, model.mode_count - 1):
        up, down = identity.copy(), identity.copy()
        up[k] += step
        down[k] -= step
        change = model.vertices(up, coefficients)[rows] - model.vertices(down, coefficients)[rows]
        np.testing.assert_allclose(change / (2 * step), by_identity[..., k], atol=2e-6)
    for k in (0, 17, 51):
        up, down = coefficients.copy(), coefficients.copy()
        up[k] += step
        down[k] -= step
        change = model.vertices(identity, up)[rows] - model.vertices(identity, down)[rows]
        np.testing.assert_allclose(change / (2 * step), by_coefficients[..., k], atol=2e-6)
    assert model.jacobian_identity().shape == (len(model.neutral), 3, model.mode_count)
    assert model.jacobian_coefficients().shape == (len(model.neutral), 3, 52)


def test_landmark_model_is_the_model_at_the_landmarks(model, random):
    small = model.landmark_model()
    identity, coefficients = random.standard_normal(model.mode_count), random.uniform(0, 1, 52)
    points = (
        small.neutral
        + np.tensordot(identity, small.identity, axes=1)
        + np.tensordot(coefficients, small.expressions, axes=1)
    )
    head = model.head(identity)
    np.testing.assert_allclose(points, head.landmarks(head.vertices(coefficients)), atol=2e-6)
    eyes = small.eye_centres + np.tensordot(identity, small.eye_identity, axes=1)
    np.testing.assert_allclose(eyes, head.joints[4:], atol=1e-6)
    assert small.neutral.dtype == small.identity.dtype == np.float64


def test_modes_are_independent_and_ordered_by_what_they_move(model):
    basis = model.identity_basis.reshape(model.mode_count, -1).astype(float)
    assert np.linalg.matrix_rank(basis) == model.mode_count
    reach = np.linalg.norm(model.identity_basis, axis=2).max(axis=1)
    assert reach.min() > 1e-4
    assert reach.max() < 0.05


def test_random_people_look_like_people(model, random):
    for _ in range(20):
        head = model.head(random.standard_normal(model.mode_count))
        points = head.landmarks(head.neutral)
        width = np.linalg.norm(points[33] - points[263])
        assert 0.07 < width < 0.12
        height = np.linalg.norm(points[10] - points[152])
        assert 0.12 < height < 0.25
        low, high = head.neutral.min(axis=0), head.neutral.max(axis=0)
        assert ((high - low) < [0.28, 0.42, 0.30]).all()
        skin = head.topology.parts["tongue"].faces
        assert volume(head.neutral, head.topology.faces[skin]) > 0


def test_identity_may_be_short_but_not_wrong(model):
    short = model.vertices([1.0, -2.0])
    full = np.zeros(model.mode_count)
    full[:2] = 1.0, -2.0
    np.testing.assert_array_equal(short, model.vertices(full))
    for wrong in (np.zeros(model.mode_count + 1), np.zeros((1, model.mode_count))):
        with pytest.raises(ValueError, match="identity has shape"):
            model.head(wrong)
    with pytest.raises(ValueError, match="coefficients have shape"):
        model.vertices(coefficients=np.zeros(51))


@pytest.mark.parametrize(
    ("yaw", "pitch", "direction"),
    [(0, 0, (0, 0, 1)), (0.5, 0, (1, 0, 1)), (-0.5, 0, (-1, 0, 1)), (0, 0.4, (0, 1, 1)),
     (0, -0.4, (0, -1, 1))],
)  # fmt: skip
def test_gaze_angles_have_the_stated_signs(yaw, pitch, direction):
    turned = gaze_matrix(yaw, pitch) @ [0, 0, 1]
    assert np.array_equal(np.sign(np.round(turned, 12)), direction)
    assert np.arctan2(turned[0], turned[2]) == pytest.approx(yaw)
    assert np.arcsin(turned[1]) == pytest.approx(pitch)


def test_gaze_turns_each_pupil_where_it_is_asked_to(model, random):
    for _ in range(5):
        gaze = random.uniform(-0.5, 0.5, 4)
        head = model.head(random.standard_normal(model.mode_count))
        vertices = head.vertices(gaze=gaze)
        for side, (yaw, pitch) in zip(("left", "right"), gaze.reshape(2, 2), strict=True):
            run = model.topology.parts[f"eye_{side}"].vertices
            joint = head.joints[JOINT_NAMES.index(f"Eye{side.title()}")]
            away = vertices[run.start] - joint
            wanted = [np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]
            np.testing.assert_allclose(away / np.linalg.norm(away), wanted, atol=0.02)
            before = np.linalg.norm(head.neutral[run] - joint, axis=1)
            after = np.linalg.norm(vertices[run] - joint, axis=1)
            np.testing.assert_allclose(after, before, atol=1e-6)
        still = np.ones(len(vertices), bool)
        for side in ("left", "right"):
            still[model.topology.parts[f"eye_{side}"].vertices] = False
        np.testing.assert_allclose(vertices[still], head.neutral[still], atol=1e-7)


def test_neck_rotation_holds_the_head_and_turns_its_base_the_other_way(model):
    head = model.head()
    rotation = np.array([0.1, 0.5, -0.05])
    vertices = head.vertices(neck_rotation=rotation)
    held = head.joint_weights[:, JOINT_NAMES.index("Head")] == 1
    assert held.sum() > 2000
    np.testing.assert_allclose(vertices[held], head.neutral[held], atol=1e-7)
    loop = model.topology.neck_loop
    before, after = (v[loop] - v[loop].mean(axis=0) for v in (head.neutral, vertices))
    turned = axis_angle_matrix(-rotation)
    np.testing.assert_allclose(after, before @ turned.T, atol=1e-6)


def test_a_turned_neck_does_not_fold(model):
    head = model.head()
    skin = model.topology.faces[model.topology.parts["skin"].faces]

    def normals(points: np.ndarray) -> np.ndarray:
        a, b, c = points[skin].astype(float).transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        return normal / np.linalg.norm(normal, axis=1, keepdims=True)

    rest = normals(head.neutral)
    for rotation in ([0, 0.9, 0], [0.5, 0, 0], [0, 0, 0.5]):
        moved = normals(head.vertices(neck_rotation=rotation))
        back = (moved @ axis_angle_matrix(rotation).T * rest).sum(axis=1)
        same = (moved * rest).sum(axis=1)
        assert np.maximum(back, same).min() > 0.3


def test_gaze_and_coefficients_do_not_disturb_each_other(model, random):
    coefficients, gaze = random.uniform(0, 0.6, 52), [0.2, -0.1, 0.25, 0.0]
    both = model.vertices(None, coefficients, gaze=gaze)
    eyes = np.zeros(len(both), bool)
    for side in ("left", "right"):
        eyes[model.topology.parts[f"eye_{side}"].vertices] = True
    looking, speaking = model.vertices(gaze=gaze), model.vertices(None, coefficients)
    np.testing.assert_allclose(both, np.where(eyes[:, None], looking, speaking), atol=1e-7)


def test_finer_level(model, random):
    fine = model.subdivision
    matrix = fine.matrix
    assert 17_000 < matrix.shape[0] < 21_000
    assert matrix.shape[1] == len(model.neutral)
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)).ravel(), 1, atol=1e-6)
    constant = fine.refine(np.full((len(model.neutral), 3), 0.25, np.float32))
    np.testing.assert_allclose(constant, 0.25, atol=1e-6)
    one, other = (model.vertices(random.standard_normal(model.mode_count)) for _ in range(2))
    np.testing.assert_allclose(
        fine.refine(one) + fine.refine(other), fine.refine(one + other), atol=1e-6
    )
    assert fine.quads.max() < matrix.shape[0]
    assert fine.quads.min() >= 0
    assert (np.diff(np.sort(fine.quads, axis=1), axis=1) > 0).all()


def test_finer_surface_follows_the_coarse_one(model):
    from scipy.spatial import cKDTree

    fine = model.subdivision.refine(model.neutral)
    skin = np.unique(model.topology.faces[model.topology.parts["skin"].faces])
    assert np.linalg.norm(fine[skin] - model.neutral[skin], axis=1).max() < 4e-3
    distance = cKDTree(model.neutral).query(fine)[0]
    assert distance.max() < 0.02
    loop = model.topology.neck_loop
    assert np.linalg.norm(fine[loop] - model.neutral[loop], axis=1).max() < 1e-3


def test_finer_atlas_does_not_fold_either(model):
    fine = model.subdivision
    uv = fine.refine_uv(model.topology.uv)
    assert uv.min() > 0
    assert uv.max() < 1
    assert fine.quads_uv.max() == len(uv) - 1 or fine.quads_uv.max() < len(uv)
    triangles = np.concatenate([fine.quads_uv[:, [0, 1, 2]], fine.quads_uv[:, [0, 2, 3]]])
    coarse = np.sign(signed_areas(model.topology.uv, model.topology.faces_uv))
    areas = signed_areas(uv, triangles)
    # Quads bend: a quarter of one may be turned over at most in a few places.
    wrong = min((areas > 0).sum(), (areas < 0).sum()) / len(areas)
    wrong_coarse = min((coarse > 0).sum(), (coarse < 0).sum()) / len(coarse)
    assert wrong < wrong_coarse + 0.02


def arrays() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(ASSET.read_bytes())) as archive:
        return {name: archive[name] for name in archive.files}


def write(path: Path, content: dict[str, np.ndarray]) -> Path:
    np.savez(path, **content)
    return path


def test_loads_from_a_path(tmp_path, model):
    found = load_head_model(path=write(tmp_path / "mine.npz", arrays()))
    np.testing.assert_array_equal(found.neutral, model.neutral)
    assert found.topology.asset_sha256 != model.topology.asset_sha256
    assert load_head_model() is load_head_model()


@pytest.mark.parametrize("missing", ["meta", "neutral", "expression_deltas", "uv", "fine_data"])
def test_missing_array_is_refused(tmp_path, missing):
    content = arrays()
    del content[missing]
    with pytest.raises(PackageError, match="head asset") as caught:
        load_head_model(path=write(tmp_path / "head.npz", content))
    assert caught.value.hint


def broken_meta(content: dict[str, np.ndarray]) -> None:
    content["meta"] = np.frombuffer(b"{not json", np.uint8)


def fewer_shapes(content: dict[str, np.ndarray]) -> None:
    content["expression_deltas"] = content["expression_deltas"][:51]


def lost_part(content: dict[str, np.ndarray]) -> None:
    meta = json.loads(content["meta"].tobytes())
    del meta["parts"]["tongue"]
    content["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)


def lost_mask(content: dict[str, np.ndarray]) -> None:
    content["masks"] = content["masks"][:-1]


def fewer_vertices(content: dict[str, np.ndarray]) -> None:
    content["neutral"] = content["neutral"][:-5]


def foreign_face(content: dict[str, np.ndarray]) -> None:
    content["faces"][3, 1] = len(content["neutral"])


def foreign_uv(content: dict[str, np.ndarray]) -> None:
    content["faces_uv"][3, 1] = len(content["uv"])


def foreign_landmark(content: dict[str, np.ndarray]) -> None:
    content["landmark_faces"][0] = -1


def foreign_mirror(content: dict[str, np.ndarray]) -> None:
    content["mirror"][0] = len(content["neutral"])


def missing_landmark(content: dict[str, np.ndarray]) -> None:
    content["landmark_faces"] = content["landmark_faces"][1:]


def missing_weights(content: dict[str, np.ndarray]) -> None:
    content["joint_weights"] = content["joint_weights"][:, :5]


def not_a_number(content: dict[str, np.ndarray]) -> None:
    content["neutral"][10, 2] = np.nan


def coarse_fine_level(content: dict[str, np.ndarray]) -> None:
    content["fine_indices"][0] = 65_000


def part_outside(content: dict[str, np.ndarray]) -> None:
    meta = json.loads(content["meta"].tobytes())
    meta["parts"]["lashes"]["faces"][1] += 1
    content["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)


DAMAGES = (
    broken_meta, fewer_shapes, lost_part, lost_mask, fewer_vertices, foreign_face, foreign_uv,
    foreign_landmark, foreign_mirror, missing_landmark, missing_weights, not_a_number,
    coarse_fine_level, part_outside,
)  # fmt: skip


@pytest.mark.parametrize("change", DAMAGES)
def test_damaged_content_is_refused(tmp_path, change):
    content = arrays()
    change(content)
    with pytest.raises(PackageError, match="head asset"):
        load_head_model(path=write(tmp_path / "head.npz", content))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an array file",
        b"PK\x03\x04 cut",
        ASSET.read_bytes()[:100_000],
        ASSET.read_bytes()[:-200],
    ],
    ids=["empty", "text", "zip header", "first part", "without its end"],
)
def test_damaged_file_is_refused(tmp_path, data):
    path = tmp_path / "head.npz"
    path.write_bytes(data)
    with pytest.raises(PackageError, match="head asset"):
        load_head_model(path=path)


def test_flipped_bytes_are_refused(tmp_path):
    data = bytearray(ASSET.read_bytes())
    for position in range(500_000, 500_400):
        data[position] ^= 0xFF
    path = tmp_path / "head.npz"
    path.write_bytes(bytes(data))
    with pytest.raises(PackageError, match="head asset"):
        load_head_model(path=path)


def test_pickles_are_never_read(tmp_path):
    content = arrays() | {"meta": np.array([{"a": 1}], dtype=object)}
    write(tmp_path / "head.npz", content)
    with pytest.raises(PackageError, match="head asset"):
        load_head_model(path=tmp_path / "head.npz")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(PackageError, match="head asset"):
        load_head_model(path=tmp_path / "nothing.npz")
