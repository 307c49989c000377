"""FLAME's layout read from pickles that run nothing, and made a whole head model."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from flame_file import arrays, pickled
from lifemask import InputError
from lifemask.heads import COEFFICIENT_INDEX, load_head_model


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("flame") / "generic_model.pkl"
    path.write_bytes(pickled())
    return path


def test_pickle_and_npz_say_the_same(file, tmp_path):
    np.savez(tmp_path / "flame.npz", **arrays())
    one, other = load_head_model("flame", file), load_head_model("flame", tmp_path / "flame.npz")
    np.testing.assert_allclose(one.neutral, other.neutral, atol=1e-9)
    np.testing.assert_array_equal(one.identity_basis, other.identity_basis)
    np.testing.assert_allclose(one.mean_joints, other.mean_joints)
    assert one.neutral.shape == (5023, 3) and one.mode_count == 300


def test_eyes_turn_about_their_joints(file):
    model = load_head_model("flame", file)
    for part, column in (("eye_left", 4), ("eye_right", 5)):
        run = model.topology.parts[part].vertices
        assert (model.joint_weights[run, column] == 1).all()
        middle = model.neutral[run].mean(axis=0)
        np.testing.assert_allclose(middle, model.mean_joints[column], atol=1e-5)
    assert model.mean_joints[4, 0] > 0 > model.mean_joints[5, 0]


class Evil:
    def __reduce__(self):
        return print, ("this must never run",)


class Opens:
    def __reduce__(self):
        return open, ("/tmp/never", "w")


@pytest.mark.parametrize("bad", [Evil(), Opens(), {"f": Evil()}, [np.zeros(3)], "text", 7])
def test_a_pickle_that_holds_anything_else_is_refused_and_runs_nothing(bad, tmp_path, capsys):
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(pickle.dumps(bad, protocol=2))
    with pytest.raises(InputError, match="FLAME"):
        load_head_model("flame", path)
    assert "never" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes",
    [
        {"v_template": np.zeros((10, 3))},
        {"f": np.full((9976, 3), 5023)},
        {"weights": np.full((5023, 5), np.nan)},
        {"weights": np.zeros((5023, 5))},
        {"v_template": np.array([None] * 5023, dtype=object)},
        {"J_regressor": np.zeros((5, 9))},
    ],
)
def test_wrong_arrays_are_refused(changes, tmp_path):
    path = tmp_path / "generic_model.pkl"
    path.write_bytes(pickled(changes))
    with pytest.raises(InputError, match="FLAME"):
        load_head_model("flame", path)


def test_damaged_files_are_refused(tmp_path, file):
    raw = file.read_bytes()
    for content in (b"", b"x", raw[:5000], raw[: len(raw) // 2]):
        path = tmp_path / "bad.pkl"
        path.write_bytes(content)
        with pytest.raises(InputError, match="FLAME"):
            load_head_model("flame", path)


@pytest.mark.needs("landmarker")
def test_shapes_and_landmarks_are_carried_over_from_the_default_head(file):
    """The file is made of the default head, so what comes over is known."""
    from lifemask.rigging import load_flame

    model, default = load_flame(file), load_head_model()
    skin = default.topology.parts["skin"].vertices.stop
    seen = default.topology.masks["face"][:skin] > 0.5
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkRight"):
        row = COEFFICIENT_INDEX[name]
        want = default.expression_deltas[row, :skin]
        got = model.expression_deltas[row, :skin]
        size = np.linalg.norm(want, axis=1).max()
        error = np.linalg.norm(got - want, axis=1)[seen]
        assert np.median(error) < 0.03 * size and np.quantile(error, 0.95) < 0.25 * size
    points, truth = model.landmark_model().neutral, default.landmark_model().neutral
    # The file's eye joints are means of vertices, before the balls' centres: heads differ by that.
    offset = points - truth
    distance = np.linalg.norm(offset - np.median(offset, axis=0), axis=1)
    assert np.median(distance) < 0.0015
    assert not model.expression_deltas[:, model.topology.parts["eye_left"].vertices].any()
