"""Compare key textures with other ways to show the frames of a clip that nobody saw.

    python -m tools.dynamics.key_measure CLIP... [--step 3] [--keep FOLDER]

Builds a head from four fifths of each clip (every fifth block of twelve frames is held out, with a
gap of four), looks the packed atlas up in all frames, fits each method to the training frames and
prints the weighted error in the atlas on the held-out ones, in dB under full scale. Texels that a
frame only guesses do not count.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tools.dynamics.gaze_textures import GazeTextures
from tools.dynamics.mouth_median import mouth_database

from lifemask.avatar import Avatar, build
from lifemask.dynamics import (
    PRIOR_WEIGHT,
    KeyTexture,
    SampleView,
    TextureSamples,
    clip_light_of,
    decode_residual,
    driver_values,
    face_layout,
    fit_key_textures,
    fit_linear,
    texture_samples,
)
from lifemask.dynamics._activation import EVERYWHERE
from lifemask.evaluation._footage import read_footage
from lifemask.evaluation._splits import make_split
from lifemask.evaluation._states import tracked_states
from lifemask.geometry import open_video
from lifemask.heads import Head

Method = Callable[[NDArray[np.float32]], NDArray[np.float32]]

_TEXTURE_SIZE: Final = 1024
_BLOCK: Final = 12
_GAP: Final = 4
_COLUMNS: Final = {
    "mouth": ("mouth",),
    "inside": ("cavity", "teeth", "tongue"),
    "eyes": ("eye_left", "eye_right"),
    "eyeballs": ("eyeball_left", "eyeball_right"),
    "forehead": ("forehead",),
    "face": ("face",),
}


def measure(clip: Path, step: int, folder: Path) -> None:
    """Print one table."""
    samples, head = _samples(clip, step, folder)
    held = _held_out(samples.frames)
    train = samples.where(~_beside(samples.frames))
    test = samples.where(held)
    blank = np.full((samples.layout.size, samples.layout.size, 3), 0.5, np.float32)
    started = time.process_time()
    key = fit_key_textures(train, head)
    seconds = time.process_time() - started
    database = mouth_database(train, head)
    methods: dict[str, Method] = {
        "static": lambda _: blank,
        "key, gains of the paper": paper_gains(key, train).evaluate,
        "key": key.evaluate,
        "key, gaze textures": GazeTextures(train, key).evaluate,
        "key, mouth median": lambda x: database.apply(key.evaluate(x), x),
        "linear": fit_linear(train).evaluate,
    }
    print(
        f"\n{clip.stem}: {len(train)} frames, {len(test)} held out, fit {seconds:.1f} s of one core"
    )
    print(" " * 26 + "".join(f"{name:>10}" for name in (*_COLUMNS, "all")))
    for label, method in methods.items():
        print(f"{label:26}" + "".join(f"{value:10.1f}" for value in errors(method, test)))


def errors(method: Method, test: TextureSamples) -> list[float]:
    """Return the weighted error of each column and of all, dB under full scale."""
    layout = test.layout
    total = {name: np.zeros(2) for name in _COLUMNS}
    masks = layout.masks() / 255.0
    for inputs, target, weight in zip(test.inputs, test.targets, test.weights, strict=True):
        apart = decode_residual(method(inputs), layout) - target.astype(np.float32)
        trust = np.where(weight > PRIOR_WEIGHT, weight / 255.0, 0) * masks
        for name, regions in _COLUMNS.items():
            for region in regions:
                window = layout.region(region).window
                own = trust[window]
                total[name] += [((apart[window] ** 2).mean(axis=2) * own).sum(), own.sum()]
    sums = [*total.values(), np.sum(list(total.values()), axis=0)]
    return [float(-10 * np.log10(max(e, 1e-12) / w)) if w > 0 else np.nan for e, w in sums]


def paper_gains(key: KeyTexture, train: TextureSamples) -> KeyTexture:
    """Return the same keys with the gains of paper 004: the coefficients of each key."""
    drivers = {int(n): x for n, x in zip(train.frames, driver_values(train.inputs), strict=True)}
    regions: dict[str, Any] = {}
    for name, region in key.regions.items():
        gains = np.zeros_like(region.gains)
        for row, frame in zip(gains, region.frames, strict=False):
            row[: EVERYWHERE.start] = drivers[frame][: EVERYWHERE.start]
        regions[name] = dataclasses.replace(region, gains=gains)
    return dataclasses.replace(key, regions=regions)


def _held_out(frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    return frames // _BLOCK % 5 == 4


def _beside(frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    shifts = [_held_out(frames + shift) for shift in range(-_GAP, _GAP + 1)]
    return np.any(shifts, axis=0)


def _samples(clip: Path, step: int, folder: Path) -> tuple[TextureSamples, Head]:
    """Return every so many frames of a clip with the head that its training frames gave."""
    package, kept = folder / f"{clip.stem}.lifemask", folder / f"{clip.stem}_{step}.npz"
    if kept.is_file() and package.is_file():
        return TextureSamples.from_bytes(kept.read_bytes()), Avatar.load(package).head
    footage = read_footage(clip, lambda *_: None)
    split = make_split("blocks", footage.count).limited_to(footage.usable)
    build(clip, package, frames={0: split.train}, texture_size=_TEXTURE_SIZE)
    avatar = Avatar.load(package)
    states = tracked_states(footage, avatar.head, float(avatar.manifest.metrics["focal_length_px"]))
    views = []
    for number, frame in open_video(clip).numbered(set(sorted(states.frames)[::step])):
        state = states.frames[number]
        views.append(
            SampleView(
                frame.image, states.camera, state.pose, state.coefficients, state.gaze, number
            )
        )
    layout = face_layout(avatar.head.topology)
    albedo = avatar.textures["albedo"]
    seen = set(split.train)
    light = clip_light_of(avatar.head, albedo, [v for v in views if v.frame in seen][::2], layout)
    samples = texture_samples(avatar.head, albedo, views, layout, light)
    kept.write_bytes(samples.to_bytes())
    return samples, avatar.head


def main() -> None:
    """Measure the clips on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--step", type=int, default=3, help="take every so many frames")
    parser.add_argument("--keep", type=Path, required=True, help="folder for heads and samples")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    for clip in options.clips:
        measure(clip, options.step, options.keep)


if __name__ == "__main__":
    main()
