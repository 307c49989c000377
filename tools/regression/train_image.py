"""Train the network that turns a face crop into coefficients and gaze.

    python tools/regression/train_image.py pictures*.npz

The pictures are those of `pictures.py`: renders of lifemask's own synthetic people, no
photograph. The same seed gives the same network on the same machine. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from lifemask.heads import COEFFICIENT_COUNT, load_head_model
from lifemask.rigging import IMAGE_CROP_SIZE, ImageRegression, check_onnx
from regression.image_network import ImageRegressor, image_onnx_bytes
from regression.network import GAZE_SCALE, gaze_loss
from regression.pictures import CROP_MARGIN, CROP_SIZE, Pictures
from regression.response import MIRRORED_COEFFICIENTS
from regression.scores import Score, channel_scores, summary, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE_MODEL_PATH: Final = (
    Path(__file__).resolve().parents[2]
    / "sdk_python"
    / "lifemask"
    / "data"
    / "image_regression.onnx"
)
STATEMENT: Final = (
    "renders of lifemask's own procedural people (lifemask.evaluation.synthetic, "
    "tools/regression/pictures.py); no photograph, no footage, no generative model"
)

MIDDLE: Final = slice((CROP_SIZE - IMAGE_CROP_SIZE) // 2, (CROP_SIZE + IMAGE_CROP_SIZE) // 2)
"""Rows and columns of the network's crop in a stored one."""

_QUICK: Final = 300
_PEOPLE: Final = 6
_EACH: Final = 8
"""People in a batch, and pictures of each beside one at rest."""

_KNOWN: Final = 0.6
"""Share of people in a batch of whom the picture at rest is known."""

_RATE: Final = 3e-3
_DECAY: Final = 2e-4
_HELD_OUT: Final = 16
"""People, the last ones, that are not trained on."""

_BEYOND: Final = 0.3
_HUBER: Final = 3.0
_GAZE_SHARE: Final = 2.0
"""Weight of the gaze beside the coefficients."""

_PARITY: Final = 1e-4


class Training(NamedTuple):
    """Grey pictures and what they show.

    Attributes:
        crops: `(n, 160, 160)` uint8.
        targets: `(n, 56)` float32: coefficients, scaled gaze.
        person: `(n,)`.
        rest: `(n,)` bool.
    """

    crops: NDArray[np.uint8]
    targets: NDArray[np.float32]
    person: NDArray[np.integer]
    rest: NDArray[np.bool_]

    def of(self, rows: NDArray[np.bool_]) -> Training:
        """Return some of the pictures."""
        return Training(*(part[rows] for part in self))


def load(paths: list[Path]) -> Training:
    """Read pictures; only their grey crops are kept."""
    crops, targets, person, rest = [], [], [], []
    for path in paths:
        pictures = Pictures.load(path)
        crops.append(grey(pictures.crops))
        targets.append(np.c_[pictures.coefficients, GAZE_SCALE * pictures.gaze])
        person.append(pictures.person)
        rest.append(pictures.rest)
    return Training(*(np.concatenate(part) for part in (crops, targets, person, rest)))


def grey(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return luma `(..., h, w)` uint8 of `(..., h, w, 3)`."""
    weights = np.array([77, 150, 29], np.uint16)
    return ((pictures.astype(np.uint16) * weights).sum(axis=-1, dtype=np.uint16) >> 8).astype(
        np.uint8
    )


def augmented(crop: NDArray[np.uint8], mirror: bool, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut the network's crop out of a stored one, a little off, and change its light."""
    import cv2

    angle, grow = rng.normal(0, 0.035), np.exp(rng.normal(0, 0.035))
    scale = grow * IMAGE_CROP_SIZE * CROP_MARGIN / CROP_SIZE
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirror:
        turn = turn @ np.diag([-1.0, 1.0])
    middle = (
        (IMAGE_CROP_SIZE - 1) / 2 + rng.normal(0, 1.6, 2) - turn @ np.full(2, (CROP_SIZE - 1) / 2)
    )
    size = (IMAGE_CROP_SIZE, IMAGE_CROP_SIZE)
    out = cv2.warpAffine(crop, np.c_[turn, middle], size, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.2:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.3))
    levels = np.linspace(0, 1, 256) ** np.exp(0.25 * rng.standard_normal())
    levels = 255 * (0.5 + (levels - 0.5) * np.exp(0.2 * rng.standard_normal()))
    shaded = cv2.LUT(np.asarray(out), np.clip(levels, 0, 255).astype(np.uint8)).astype(np.float32)
    if rng.random() < 0.6:
        corners = np.exp(0.3 * rng.standard_normal((3, 3))).astype(np.float32)
        shaded *= cv2.resize(corners, size, interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        noise = np.empty(size, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(noise, 0, float(rng.uniform(1, 7)))
        shaded += noise
    if rng.random() < 0.1:
        top, left = rng.integers(0, IMAGE_CROP_SIZE, 2)
        shaded[top : top + 22, left : left + 22] = rng.uniform(0, 255)
    return np.clip(shaded, 0, 255).astype(np.uint8)


class Batches:
    """Draws batches: a few people, each at rest once and with some expressions."""

    def __init__(self, data: Training, seed: int) -> None:
        self._data, self._rng = data, np.random.default_rng(seed)
        people = np.unique(data.person)
        self._rest = [np.flatnonzero((data.person == p) & data.rest) for p in people]
        self._rows = [np.flatnonzero(data.person == p) for p in people]
        self._usable = np.array([i for i, rows in enumerate(self._rest) if len(rows)])

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return crops `(6 · 9, 1, 128, 128)`, of each person rest first, and targets."""
        rng, data = self._rng, self._data
        crops, targets = [], []
        for person in rng.choice(self._usable, _PEOPLE, replace=False):
            mirror = bool(rng.random() < 0.5)
            rows = [rng.choice(self._rest[person]), *rng.choice(self._rows[person], _EACH)]
            crops += [augmented(data.crops[row], mirror, rng) for row in rows]
            found = data.targets[rows]
            targets.append(mirrored(found) if mirror else found)
        stacked = torch.from_numpy(np.stack(crops)[:, None]).float() / 255
        return stacked, torch.from_numpy(np.concatenate(targets))


def mirrored(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return targets `(n, 56)` as seen in a mirror."""
    gaze = targets[:, COEFFICIENT_COUNT:][:, [2, 3, 0, 1]] * np.float32([-1, 1, -1, 1])
    return np.concatenate([targets[:, :COEFFICIENT_COUNT][:, MIRRORED_COEFFICIENTS], gaze], axis=1)


def train(data: Training, held_out: Training, steps: int, seed: int) -> ImageRegressor:
    """Return the trained network in evaluation mode.

    Args:
        data: To learn from.
        held_out: Of other people; how well they do is printed and decides nothing.
        steps: How many.
        seed: Of everything random.
    """
    scale = torch.from_numpy(data.targets.std(axis=0) + 0.02)
    network = ImageRegressor(scale).to(memory_format=torch.channels_last)
    batches = Batches(data, seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=steps, pct_start=0.15
    )
    total, start = 0.0, time.process_time()
    for step in range(steps):
        crops, targets = batches.draw()
        error = _loss(network, crops, targets)
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        schedule.step()
        total += error.item()
        if step % 200 == 199:
            spent = time.process_time() - start
            print(f"step {step + 1}: loss {total / 200:.5f}, {spent:.0f} s of CPU", flush=True)
            total = 0.0
        if step % 600 == 599:
            print(summary("held out", _quick_scores(network, held_out)), flush=True)
    return network.eval()


def _quick_scores(network: ImageRegressor, held_out: Training) -> list[Score]:
    """Return scores of strangers, some pictures only."""
    network.eval()
    crops = torch.from_numpy(held_out.crops[:_QUICK, MIDDLE, MIDDLE])[:, None].float() / 255
    with torch.no_grad():
        features = network.features(crops)
        raw = network.raw(features, torch.zeros_like(features), torch.zeros(len(crops), 1))
    network.train()
    guess = raw[:, :COEFFICIENT_COUNT].clamp(0, 1).numpy()
    return channel_scores(guess, held_out.targets[:_QUICK, :COEFFICIENT_COUNT])


def _loss(network: ImageRegressor, crops: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    features = network.features(crops.contiguous(memory_format=torch.channels_last))
    features = features.reshape(_PEOPLE, _EACH + 1, -1)
    rest = features[:, :1].expand(-1, _EACH, -1).reshape(_PEOPLE * _EACH, -1)
    features = features[:, 1:].reshape(_PEOPLE * _EACH, -1)
    known = (torch.rand(_PEOPLE, 1, 1) < _KNOWN).float().expand(-1, _EACH, -1).reshape(-1, 1)
    targets = targets.reshape(_PEOPLE, _EACH + 1, -1)[:, 1:].reshape(_PEOPLE * _EACH, -1)
    raw = network.raw(features, rest, known)
    wanted = targets[:, :COEFFICIENT_COUNT]
    error = _unit_loss(raw[:, :COEFFICIENT_COUNT], wanted, network.scale[:COEFFICIENT_COUNT])
    gaze = gaze_loss(raw[:, COEFFICIENT_COUNT:], targets[:, COEFFICIENT_COUNT:], wanted)
    return error + _GAZE_SHARE * gaze


_BLINKS: Final = [0, 7]


def _unit_loss(raw: torch.Tensor, truth: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return Huber's loss of errors in units of each channel's spread.

    Answers beyond 0 and 1 are cut later and count little; did they count nothing, all channels
    would settle below 0 before the first of them is learnt.
    """
    error = raw - truth
    beyond = ((truth <= 0) & (error < 0)) | ((truth >= 1) & (error > 0))
    error = torch.where(beyond, _BEYOND * error, error) / scale
    return torch.nn.functional.huber_loss(error, torch.zeros_like(error), delta=_HUBER)


def report(data: bytes, held_out: Training) -> None:
    """Print scores on people that were not trained on."""
    model = ImageRegression(data)
    crops = held_out.crops[:, MIDDLE, MIDDLE]
    strangers, known, truth, gaze = [], [], [], []
    for person in np.unique(held_out.person):
        rows = np.flatnonzero((held_out.person == person) & ~held_out.rest)
        rest = crops[(held_out.person == person) & held_out.rest]
        model.calibrate(None)
        answers = [model.run(crop) for crop in crops[rows]]
        strangers += [one.coefficients for one in answers]
        gaze += [one.gaze for one in answers]
        model.calibrate(rest if len(rest) else None)
        known += [model.run(crop).coefficients for crop in crops[rows]]
        truth.append(held_out.targets[rows])
    wanted = np.concatenate(truth)
    columns = {
        title: channel_scores(np.array(guess), wanted[:, :COEFFICIENT_COUNT])
        for title, guess in (("strangers", strangers), ("calibrated", known))
    }
    for title, scores in columns.items():
        print(summary(title, scores))
    seen = wanted[:, _BLINKS].max(axis=1) < 0.5
    off = np.abs(np.array(gaze) - wanted[:, COEFFICIENT_COUNT:] / GAZE_SCALE)[seen]
    print(f"gaze: mean error {np.degrees(off.mean()):.1f} degrees")
    print(table(columns))


def check_parity(data: bytes, network: ImageRegressor, crops: NDArray[np.uint8]) -> None:
    """Compare ONNX Runtime with torch.

    Raises:
        RuntimeError: They differ by more than rounding.
    """
    model, gap = ImageRegression(data), 0.0
    for crop in crops:
        with torch.no_grad():
            features = network.features(torch.from_numpy(crop[None, None]).float() / 255)
            raw = network.raw(features, torch.zeros_like(features), torch.zeros(1, 1))[0]
        wanted = raw[:COEFFICIENT_COUNT].clamp(0, 1).numpy() * model.validity
        gap = max(gap, float(np.abs(model.run(crop).coefficients - wanted).max()))
    print(f"ONNX Runtime differs from torch by {gap:.1e}")
    if gap > _PARITY:
        raise RuntimeError(f"ONNX Runtime differs from torch by {gap}")


def main() -> None:
    """Parse the command line, train, export, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=IMAGE_MODEL_PATH)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    torch.use_deterministic_algorithms(True)
    data = load(arguments.pictures)
    last = data.person > np.unique(data.person)[-_HELD_OUT - 1]
    print(f"{len(data.crops)} pictures, {last.sum()} of them held out", flush=True)
    network = train(data.of(~last), data.of(last), arguments.steps, arguments.seed)
    model = image_onnx_bytes(network, load_head_model().topology, STATEMENT)
    check_onnx(model, "image_regression.onnx")
    check_parity(model, network, data.crops[:16, MIDDLE, MIDDLE])
    arguments.output.write_bytes(model)
    print(f"{arguments.output.name}: {len(model) / 1e6:.2f} MB")
    report(model, data.of(last))


if __name__ == "__main__":
    main()
