"""Clips for tests: the portrait that ships, moved, covered, turned dark, and worse."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

import lifemask
from lifemask.avatar._capture_clip import Clip
from lifemask.geometry import VideoWriter, read_image, resize_image
from lifemask.heads import load_head_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"
SIZE = 320


@functools.cache
def portrait(size: int = SIZE) -> NDArray[np.uint8]:
    return resize_image(read_image(PORTRAIT), size, size)


def moving(count: int, size: int = SIZE, phase: float = 0.0) -> list[NDArray[np.uint8]]:
    """Return frames in which the portrait drifts to and fro."""
    frames = []
    for i in range(count):
        shift = 6 * np.sin(0.4 * i + phase)
        grow = 1 + 0.01 * np.sin(0.23 * i)
        matrix = np.array([[grow, 0, shift], [0, grow, 0.5 * shift]])
        frames.append(
            np.asarray(
                cv2.warpAffine(portrait(size), matrix, (size, size), borderMode=cv2.BORDER_REFLECT)
            )
        )
    return frames


def film(path: Path, frames: Iterable[NDArray[np.uint8]], rate_hz: float = 25.0) -> Path:
    frames = list(frames)
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width, height, rate_hz) as video:
        for frame in frames:
            video.write(frame)
    return path


def blurred(image: NDArray[np.uint8], length: int = 15) -> NDArray[np.uint8]:
    """Return a picture as a camera sees it that moves sideways."""
    return np.asarray(cv2.blur(image, (length, 1)))


def with_hand(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the portrait with a hand in the colour of its own skin over one cheek and the nose."""
    size = image.shape[0]
    picture = image.copy()
    skin = np.median(image[int(0.5 * size) : int(0.6 * size), int(0.35 * size) :][:, :40], (0, 1))
    for k in range(4):
        start = (int(0.30 * size), int((0.50 + 0.055 * k) * size))
        end = (int(0.52 * size), int((0.46 + 0.055 * k) * size))
        cv2.line(picture, start, end, (skin * 0.45).tolist(), int(0.065 * size))
        cv2.line(picture, start, end, (skin * 1.1).clip(0, 255).tolist(), int(0.05 * size))
    return picture


def made_clip(count: int, **changes: NDArray) -> Clip:
    """Return observations of a still frontal face, made up; `changes` replace arrays."""
    neutral = load_head_model().landmark_model().neutral
    pixels = 900.0 * neutral * (1, -1, -1)
    pixels = pixels - pixels.mean(axis=0) + (200, 200, 0)
    rng = np.random.default_rng(5)
    skin = rng.normal(-1.5, 0.2, (468, 3))
    colours = skin + rng.normal(0, 0.02, (count, 468, 3))
    arrays = {
        "numbers": np.arange(count, dtype=np.int32),
        "times": np.arange(count) / 25.0,
        "points": np.repeat(pixels[None].astype(np.float32), count, axis=0),
        "scores": np.zeros((count, 52), np.float32),
        "sharpness": np.full(count, 0.01, np.float32),
        "luminance": np.full(count, 0.2, np.float32),
        "colours": colours.astype(np.float16),
        "dark": np.zeros(count, np.bool_),
        "others": np.where(np.arange(count) % 40, -1, 0).astype(np.float32),
    }
    return Clip(400, 400, 25.0, count, False, **(arrays | changes))
