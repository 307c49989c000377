"""The generator's public functions: one portrait, Clip A, Clip B, and two test clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.evaluation.synthetic._clip import SyntheticClip, make_clip
from lifemask.evaluation.synthetic._motion import (
    Motion,
    acting,
    posing,
    still,
    turning,
    waving,
)
from lifemask.evaluation.synthetic._person import SyntheticPerson, synthetic_person
from lifemask.evaluation.synthetic._room import Sensor
from lifemask.geometry import Camera

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lifemask.rendering import Light

CLIP_SIZE: Final = (540, 960)
"""Width and height of clips, pixels: a phone held upright."""

PORTRAIT_SIZE: Final = (768, 1024)
_SPAN: Final = 0.30
"""Metres of the scene that a portrait shows across."""


def synthetic_portrait(
    seed: int,
    *,
    person: SyntheticPerson | None = None,
    expression: Mapping[str, float] | None = None,
    yaw: float = 0.0,
    pitch: float = 0.0,
    light: Light | None = None,
    light_seed: int | None = None,
    size: tuple[int, int] = PORTRAIT_SIZE,
    sensor: Sensor | None = None,
) -> SyntheticClip:
    """Return one picture, as a clip of one frame: `portrait.frame(0)`, `portrait.truth`.

    Args:
        seed: Draws whatever is not given: person, camera, light, backdrop, noise.
        person: Who is shown.
        expression: Weights in [0, 1] by coefficient name; neutral when left out.
        yaw: Radians; positive turns the face toward its own left (the right of the picture).
        pitch: Radians; positive raises the face.
        light: That shines.
        light_seed: Draws camera, light, backdrop and noise in place of `seed`, so that the same
            person is seen elsewhere.
        size: Width and height, pixels.
        sensor: Faults of the camera.
    """
    person = person or synthetic_person(seed)
    place = seed if light_seed is None else light_seed
    rng = np.random.default_rng([place, 0xCA3E])
    distance = float(rng.uniform(0.45, 1.1))
    width, height = size
    camera = Camera(width, height, width * distance / (_SPAN * float(rng.uniform(0.85, 1.2))))
    tilt = (0.0, 0.0, float(rng.normal(0, 0.03)))
    return make_clip(
        person,
        posing(expression or {}, yaw, pitch),
        camera,
        distance=distance,
        rate_hz=1.0,
        sensor=sensor or Sensor(),
        seed=place,
        light=light,
        tilt=tilt,
    )


def clip_a(
    seed: int,
    *,
    person: SyntheticPerson | None = None,
    seconds: float = 20.0,
    rate_hz: float = 30.0,
    size: tuple[int, int] = CLIP_SIZE,
    light: Light | None = None,
    sensor: Sensor | None = None,
) -> SyntheticClip:
    """Return Clip A of the capture protocol: neutral, the head turning ±60° and nodding.

    A shorter clip turns faster. The first tenth looks straight ahead.

    Args:
        seed: Draws whatever is not given: person, camera, light, backdrop, motion, noise.
        person: Who is shown.
        seconds: Length.
        rate_hz: Frames a second.
        size: Width and height, pixels.
        light: That shines.
        sensor: Faults of the camera.
    """
    return _phone_clip(seed, turning(seed, seconds, rate_hz), person, rate_hz, size, light, sensor)


def clip_b(
    seed: int,
    *,
    person: SyntheticPerson | None = None,
    seconds: float = 60.0,
    rate_hz: float = 30.0,
    size: tuple[int, int] = CLIP_SIZE,
    light: Light | None = None,
    sensor: Sensor | None = None,
) -> SyntheticClip:
    """Return Clip B: 43 expressions one by one, region by region, then speech; moderate turns.

    Arguments as in `clip_a`; the same seed gives the same person, camera and light. A shorter
    clip shows each expression for a shorter time.
    """
    return _phone_clip(seed, acting(seed, seconds, rate_hz), person, rate_hz, size, light, sensor)


def still_clip(
    seed: int,
    *,
    person: SyntheticPerson | None = None,
    seconds: float = 2.0,
    rate_hz: float = 30.0,
    size: tuple[int, int] = CLIP_SIZE,
    light: Light | None = None,
    sensor: Sensor | None = None,
) -> SyntheticClip:
    """Return a clip in which only the sensor's noise changes; arguments as in `clip_a`."""
    return _phone_clip(seed, still(seconds, rate_hz), person, rate_hz, size, light, sensor)


def waving_clip(
    seed: int,
    *,
    person: SyntheticPerson | None = None,
    seconds: float = 4.0,
    rate_hz: float = 30.0,
    size: tuple[int, int] = CLIP_SIZE,
    light: Light | None = None,
    sensor: Sensor | None = None,
) -> SyntheticClip:
    """Return jaw, brows and head swinging at 1 to 5 Hz, for lag; arguments as in `clip_a`."""
    return _phone_clip(seed, waving(seed, seconds, rate_hz), person, rate_hz, size, light, sensor)


def _phone_clip(
    seed: int,
    motion: Motion,
    person: SyntheticPerson | None,
    rate_hz: float,
    size: tuple[int, int],
    light: Light | None,
    sensor: Sensor | None,
) -> SyntheticClip:
    """Hold a phone at arm's length: a wide lens, and a face that fills half of the width."""
    rng = np.random.default_rng([seed, 0xF01E])
    width, height = size
    camera = Camera(width, height, max(size) * float(rng.uniform(0.85, 1.05)))
    return make_clip(
        person or synthetic_person(seed),
        motion,
        camera,
        distance=float(rng.uniform(0.42, 0.52)),
        rate_hz=rate_hz,
        sensor=sensor or Sensor(),
        seed=seed,
        light=light,
        tilt=(float(rng.normal(0, 0.04)), 0.0, float(rng.normal(0, 0.02))),
    )
