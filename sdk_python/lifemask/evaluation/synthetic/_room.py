"""What surrounds a synthetic person: light, backdrop, shoulders, and the camera's sensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.evaluation.synthetic._noise import drift
from lifemask.geometry import linear_to_srgb, srgb_to_linear
from lifemask.rendering import Lamp, Light

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.geometry import Camera

_SHOWN: Final = 0.36
"""Linear brightness that exposure aims at for a face; half of the way, as cameras do."""


@dataclass(frozen=True)
class Sensor:
    """What a camera adds to a picture.

    Attributes:
        noise: Standard deviation at mid grey, of 255.
        softness: Standard deviation of the blur of lens and demosaicing, pixels.
        shutter: Share of the time between frames in which the picture smears.
        drift: How far exposure and white balance wander, share.
    """

    noise: float = 1.6
    softness: float = 0.45
    shutter: float = 0.35
    drift: float = 0.03


CLEAN: Final = Sensor(0.0, 0.0, 0.0, 0.0)
"""A camera without faults."""


def draw_light(rng: np.random.Generator, skin: NDArray[np.floating]) -> Light:
    """Draw the light of a room: a key lamp, a softer one opposite, walls all around.

    Args:
        rng: Source of chance.
        skin: `(3,)` sRGB of the face, for the camera's exposure.
    """
    side = float(rng.choice([-1.0, 1.0]))
    warm = rng.uniform(-1, 1, 3)
    lamps = [_lamp(rng, side * rng.uniform(5, 65), (5, 50), rng.uniform(0.4, 0.95), warm[0])]
    lamps.append(
        _lamp(rng, -side * rng.uniform(20, 80), (-10, 40), rng.uniform(0.08, 0.3), warm[1])
    )
    for _ in range(3):
        lamps.append(_lamp(rng, rng.uniform(-180, 180), (-15, 60), rng.uniform(0.0, 0.22), warm[2]))
    sky, ground = rng.uniform(0.28, 0.5), rng.uniform(0.12, 0.28)
    light = Light(tuple(lamps), _tinted(sky, -warm[1]), _tinted(ground, warm[2]))
    luminance = float(srgb_to_linear(np.asarray(skin, np.float32)).mean())
    bright = luminance * (sum(sum(lamp.color) / 3 for lamp in lamps[:2]) * 0.6 + sky)
    return brightened(light, float(np.clip((_SHOWN / bright) ** 0.5, 0.6, 2.2)))


def brightened(light: Light, factor: float) -> Light:
    """Return the same light, stronger or weaker."""

    def scale(colour: tuple[float, float, float]) -> tuple[float, float, float]:
        red, green, blue = (factor * value for value in colour)
        return red, green, blue

    lamps = tuple(replace(lamp, color=scale(lamp.color)) for lamp in light.lamps)
    return replace(light, lamps=lamps, sky=scale(light.sky), ground=scale(light.ground))


def _lamp(
    rng: np.random.Generator,
    azimuth: float,
    elevations: tuple[float, float],
    strength: float,
    warm: float,
) -> Lamp:
    around, up = np.radians(azimuth), np.radians(rng.uniform(*elevations))
    direction = (np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up))
    x, y, z = (float(value) for value in direction)
    return Lamp((x, y, z), _tinted(float(strength), warm))


def _tinted(strength: float, warm: float) -> tuple[float, float, float]:
    return strength * (1 + 0.06 * warm), strength, strength * (1 - 0.08 * warm)


def draw_backdrop(
    rng: np.random.Generator, camera: Camera, neck: NDArray[np.floating], chin: float
) -> NDArray[np.uint8]:
    """Draw an out-of-focus room `(height, width, 3)` and the shoulders of the person before it.

    Args:
        rng: Source of chance.
        camera: Whose picture it is.
        neck: `(n, 2)` pixels of the lower end of the neck.
        chin: Height of the chin in the picture, pixels.
    """
    import cv2

    height, width = camera.height, camera.width
    wall = rng.uniform(0.25, 0.8) + 0.04 * rng.standard_normal(3)
    small = wall + 0.08 * rng.standard_normal((9, 7, 1)) + 0.015 * rng.standard_normal((9, 7, 3))
    picture = cv2.resize(small.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(3, 8))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        w, h = rng.uniform(0.05, 0.35) * width, rng.uniform(0.08, 0.5) * height
        colour = wall + 0.2 * rng.standard_normal() + 0.05 * rng.standard_normal(3)
        colour = np.clip(colour, 0.04, 0.97)
        corner, far = (round(x - w / 2), round(y - h / 2)), (round(x + w / 2), round(y + h / 2))
        cv2.rectangle(picture, corner, far, colour.tolist(), -1)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), max(width, height) / 110), np.float32)
    _shoulders(picture, rng, neck, chin)
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def _shoulders(
    picture: NDArray[np.float32],
    rng: np.random.Generator,
    neck: NDArray[np.floating],
    chin: float,
) -> None:
    """Paint a shirt behind the end of the neck, in place."""
    import cv2

    height, width = picture.shape[:2]
    left, right = neck[:, 0].min(), neck[:, 0].max()
    middle, half = (left + right) / 2, (right - left) / 2
    top = float(np.median(neck[:, 1])) - 0.12 * half
    drop = 0.5 * half + 0.1 * abs(top - chin)
    outline = [
        (middle - 1.02 * half, top),
        (middle - 1.7 * half, top + 0.55 * drop),
        (middle - 3.0 * half, top + 1.5 * drop),
        (middle - 3.5 * half, top + 3.2 * drop),
        (middle - 3.6 * half, height + 40),
        (middle + 3.6 * half, height + 40),
        (middle + 3.5 * half, top + 3.2 * drop),
        (middle + 3.0 * half, top + 1.5 * drop),
        (middle + 1.7 * half, top + 0.55 * drop),
        (middle + 1.02 * half, top),
    ]
    shape = np.zeros((height, width), np.float32)
    cv2.fillPoly(shape, [np.round(outline).astype(np.int32)], 1.0)
    shape = cv2.GaussianBlur(shape, (0, 0), max(1.0, half / 40))[..., None]
    cloth = np.clip(rng.uniform(0.1, 0.75) + 0.07 * rng.standard_normal(3), 0.05, 0.9)
    folds = rng.standard_normal((14, 10, 1)).astype(np.float32)
    folds = cv2.resize(folds, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    picture += shape * (cloth * (1 + 0.07 * folds) - picture)


class SensorNoise:
    """Applies a sensor to pictures; the same seed gives the same noise."""

    def __init__(self, sensor: Sensor, seed: int, shape: tuple[int, int]) -> None:
        self._sensor = sensor
        self._seed = seed
        rng = np.random.default_rng([seed, 0x5E45])
        tile = rng.standard_normal((shape[0], shape[1], 3)).astype(np.float32)
        self._grain = np.round(16 * sensor.noise * tile).astype(np.int16)

    def __call__(
        self, picture: NDArray[np.uint8], frame: int, seconds: float, smear: NDArray[np.floating]
    ) -> NDArray[np.uint8]:
        """Return what the sensor makes of a picture.

        Args:
            picture: `(h, w, 3)` uint8.
            frame: Number; each has its own noise.
            seconds: Time, for the drift of exposure.
            smear: `(2,)` pixels that the face moves until the next frame.
        """
        import cv2

        sensor = self._sensor
        if sensor.shutter > 0:
            picture = _smeared(picture, sensor.shutter * smear)
        if sensor.softness > 0:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sensor.softness), np.uint8)
        if sensor.drift > 0:
            picture = self._exposed(picture, seconds)
        if sensor.noise > 0:
            shift = np.random.default_rng([self._seed, frame]).integers(0, self._grain.shape[:2])
            grain = np.roll(self._grain, shift.tolist(), axis=(0, 1))
            noisy = (picture.astype(np.int16) * 16 + grain + 8) >> 4
            picture = np.clip(noisy, 0, 255).astype(np.uint8)
        return picture

    def _exposed(self, picture: NDArray[np.uint8], seconds: float) -> NDArray[np.uint8]:
        levels = srgb_to_linear(np.arange(256, dtype=np.float32) / 255)
        at = np.array([seconds])
        gain = 1 + 2 * self._sensor.drift * drift(at, 4.0, self._seed + 70)[0]
        for channel in range(3):
            tint = 1 + 0.5 * self._sensor.drift * drift(at, 5.0, self._seed + 71 + channel)[0]
            table = np.round(255 * np.clip(linear_to_srgb(levels * gain * tint), 0, 1))
            picture[..., channel] = table.astype(np.uint8)[picture[..., channel]]
        return picture


def _smeared(picture: NDArray[np.uint8], smear: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Blur along a line of the given extent, pixels."""
    import cv2

    length = float(np.linalg.norm(smear))
    if length < 0.7:
        return picture
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    centre, half = (side - 1) / 2, smear / 2
    for t in np.linspace(-1, 1, 4 * side):
        x, y = centre + t * half[0], centre + t * half[1]
        column, row = min(int(x), side - 2), min(int(y), side - 2)
        u, v = x - column, y - row
        kernel[row : row + 2, column : column + 2] += np.outer([1 - v, v], [1 - u, u])
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)
