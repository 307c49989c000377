import importlib.util
import sys

import numpy as np
import pytest

from face_clips import make_layout, make_samples, random_network
from lifemask import InputError, MissingExtraError, ModelFileError
from lifemask.dynamics import NetworkTexture, _train_start, train_network
from lifemask.dynamics._export import network_bytes
from lifemask.dynamics._network import build_module, network_spec, tile_cells
from lifemask.dynamics._pixels import shuffled
from lifemask.rigging import lint_onnx

LARGEST_FILE = 2_000_000


@pytest.fixture
def short_lessons(monkeypatch):
    """Cut what takes longest where the result need not be good."""
    monkeypatch.setattr(_train_start, "_LESSON_STEPS", 40)
    monkeypatch.setattr(_train_start, "_LESSONS", 256)


@pytest.fixture(scope="module")
def small():
    return make_layout("web")


@pytest.mark.needs("torch")
@pytest.mark.parametrize("profile", ["web", "desktop", "high"])
def test_file_computes_what_torch_computes_and_runs_in_engines(profile):
    import torch

    layout = make_layout(profile)
    network, scaling, model = random_network(layout)
    assert not lint_onnx(model)
    assert len(model) <= LARGEST_FILE
    texture = NetworkTexture(model, layout)
    rng = np.random.default_rng(1)
    for inputs in rng.normal(0, 1, (3, 59)).astype(np.float32):  # beyond the range, too
        with torch.no_grad():
            made = network(torch.from_numpy(scaling.normalized(inputs)[None]))
        wanted = np.clip(shuffled(made.permute(0, 2, 3, 1).numpy())[0] + 0.5, 0, 1)
        wanted[layout.masks() == 0] = 0.5
        found = texture.evaluate(inputs)
        assert np.abs(found - wanted).max() <= 1e-4
        assert found.std() > 0.01


@pytest.mark.needs("torch")
def test_network_that_has_learnt_nothing_changes_nothing(small):
    spec = network_spec(small)
    cells = tile_cells(small)
    network = build_module(spec, cells, 3)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    scaling = random_network(small)[1]
    texture = NetworkTexture(network_bytes(spec, weights, cells, scaling), small)
    assert (texture.evaluate(np.ones(59)) == 0.5).all()


@pytest.mark.needs("torch")
def test_any_input_gives_a_texture(small):
    texture = NetworkTexture(random_network(small, strength=20.0)[2], small)
    outside = small.masks() == 0
    for wild in (np.full(59, 1e38), np.full(59, -np.inf), np.full(59, np.nan)):
        found = texture.evaluate(wild)
        assert found.dtype == np.float32 and found.shape == (128, 128, 3)
        assert found.min() >= 0 and found.max() <= 1
        assert (found[outside] == 0.5).all()
    limit = texture.limits.high
    assert (texture.evaluate(limit) == texture.evaluate(limit * 5)).all()
    with pytest.raises(ValueError, match="59"):
        texture.evaluate(np.zeros(52))


@pytest.mark.needs("torch")
def test_files_of_another_kind_are_refused(small, tmp_path):
    model = random_network(small)[2]
    with pytest.raises(ModelFileError, match="tensors") as refused:
        NetworkTexture(model, make_layout("desktop"))
    assert "--network" in refused.value.hint
    path = tmp_path / "network.onnx"
    path.write_bytes(model)
    assert NetworkTexture(path, small).to_files()["network.onnx"] == model
    for damaged in (
        b"no network",
        model[: len(model) // 2],
        model.replace(b"\n\x0eschema_version\x12\x011", b"\n\x0eschema_version\x12\x019"),
        model.replace(b"input_range", b"input_ranch"),
    ):
        with pytest.raises(ModelFileError):
            NetworkTexture(damaged, small)
    with pytest.raises(ModelFileError):
        NetworkTexture(tmp_path / "none.onnx", small)


@pytest.mark.needs("torch")
def test_training_learns_what_no_straight_line_is_and_shows_it(small, tmp_path):
    samples = make_samples(small, 40)
    done = []
    trained = train_network(
        samples,
        steps=100,
        preview=tmp_path / "pictures",
        progress=lambda stage, fraction: done.append(fraction),
    )
    errors = trained.metrics
    assert errors["taught"] < 0.5 * errors["static"]
    assert errors["network"] <= errors["taught"]
    assert done[-1] == 1.0 and done == sorted(done)
    pictures = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert pictures[:2] == ["preview_1_0050.png", "preview_1_0100.png"]
    texture, shown = NetworkTexture(trained.onnx, small), small.masks() > 128
    unseen = make_samples(small, 60).where(np.arange(45, 60))
    wanted = unseen.targets / (2 * small.scales()) + 0.5
    found = np.stack([texture.evaluate(one) for one in unseen.inputs])
    error = np.abs(found - wanted)[:, shown].mean()
    assert error < 0.3 * np.abs(wanted - 0.5)[:, shown].mean()


class Interruption(Exception):
    pass


@pytest.mark.needs("torch")
def test_interrupted_training_goes_on_to_the_same_bytes(small, tmp_path, short_lessons):
    samples = make_samples(small, 30)
    kept, told = tmp_path / "state.pt", []
    whole = train_network(samples, steps=60, seed=4, progress=lambda _, share: told.append(share))
    assert whole.metrics["steps"] > 0
    for stop in (0.45, 0.98):  # in the first training, in the second

        def interrupt(stage, fraction, stop=stop):
            if fraction > stop:
                raise Interruption

        with pytest.raises(Interruption):
            train_network(samples, steps=60, seed=4, checkpoint=kept, progress=interrupt)
        assert kept.is_file()
    again = []
    rest = train_network(
        samples,
        steps=60,
        seed=4,
        checkpoint=kept,
        progress=lambda stage, fraction: again.append(fraction),
    )
    assert len(again) < len(told) / 2
    assert rest == whole


@pytest.mark.needs("torch")
def test_checkpoints_of_other_trainings_are_not_gone_on_with(small, tmp_path, short_lessons):
    samples, kept = make_samples(small, 13), tmp_path / "state.pt"
    first = train_network(samples, steps=1, seed=5, checkpoint=kept)
    other = train_network(samples, steps=1, seed=6, checkpoint=kept)
    assert other.onnx != first.onnx
    kept.write_bytes(b"damaged")
    assert train_network(samples, steps=1, seed=5, checkpoint=kept) == first


@pytest.mark.needs("torch")
def test_inputs_that_never_moved_have_no_effect(small, short_lessons):
    samples = make_samples(small, 24)
    samples.inputs[:, 50] = 0.01
    texture = NetworkTexture(train_network(samples, steps=10).onnx, small)
    inputs = samples.inputs[3].copy()
    before = texture.evaluate(inputs)
    inputs[50] = 1.0
    assert (texture.evaluate(inputs) == before).all()


@pytest.mark.needs("torch")
def test_samples_that_show_too_little_are_refused(small):
    samples = make_samples(small, 24)
    with pytest.raises(InputError, match="5 frames"):
        train_network(samples.where(np.arange(5)), steps=1)
    samples.weights[:] = 0
    with pytest.raises(InputError, match="well enough"):
        train_network(samples, steps=1)


def test_training_without_torch_says_how_to_get_it(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError) as missing:
        train_network(make_samples(small, 24), steps=1)
    assert "lifemask[train]" in missing.value.hint


def test_importing_dynamics_leaves_torch_alone():
    assert importlib.util.find_spec("lifemask.dynamics") is not None
    import subprocess

    code = "import sys, lifemask.dynamics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
