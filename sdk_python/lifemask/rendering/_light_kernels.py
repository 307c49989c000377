"""Compiled lighting of fragments: wrapped diffuse, GGX highlights, a simple mirrored sky."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

from lifemask.rendering._fragment_kernels import dot, unit

if TYPE_CHECKING:
    from lifemask.rendering._scene import Fragments, Lamps, Materials

    Triple = tuple[float, float, float]

GLASSY, DIM = np.float32(0.2), np.float32(0.7)
"""Roughness below which surroundings are seen sharply, and how much darker than the sky the place
is that a surface mirrors which faces the camera: the viewer, and the room behind."""
DIELECTRIC = np.float32(0.04)
"""Reflectance of skin, teeth and cornea at normal incidence."""
ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)


@numba.njit(cache=True, nogil=True)
def highlight(normal: Triple, view: Triple, lamp: Triple, facing: float, roughness: float) -> float:
    """Return a lamp's GGX reflection (visibility term after Lazarov 2013), times the cosine."""
    if facing <= ZERO:
        return ZERO
    half = unit(view[0] + lamp[0], view[1] + lamp[1], view[2] + lamp[2])
    across, along = max(dot(half, normal), ZERO), dot(half, lamp)
    square = roughness * roughness * roughness * roughness
    spread = across * across * (square - ONE) + ONE
    grazing = max(along * along, np.float32(0.1)) * (np.float32(4.0) * roughness + TWO)
    return DIELECTRIC * square / (spread * spread) / grazing * facing


@numba.njit(cache=True, nogil=True)
def mirrored_sky(normal: Triple, view: Triple, roughness: float) -> tuple[float, float]:
    """Return how strongly the surroundings are mirrored, and from how high (0 to 1)."""
    facing = max(dot(normal, view), ZERO)
    edge = (ONE - facing) * (ONE - facing)
    edge = edge * edge * (ONE - facing)
    strength = DIELECTRIC
    if roughness < GLASSY:
        strength *= ONE - DIM * max(TWO * facing * facing - ONE, ZERO)
    strength += (ONE - roughness) * HALF * edge
    height = HALF + HALF * (TWO * facing * normal[1] - view[1])
    return strength * (ONE - HALF * roughness), height


@numba.njit(cache=True, nogil=True)
def roll_off(linear: float) -> float:
    """Compress what is brighter than 0.8 so that highlights approach 1 instead of clipping."""
    if linear <= np.float32(0.8):
        return linear
    return ONE - np.float32(0.2) * np.float32(math.exp((0.8 - linear) * 5.0))


@numba.njit(cache=True, nogil=True)
def wrapped(facing: float, scatter: float) -> float:
    """Return the diffuse cosine of a lamp, softened past the terminator by scattered light."""
    return max(facing + scatter, ZERO) / (ONE + scatter)


@numba.njit(cache=True, nogil=True)
def light(lamps: Lamps, materials: Materials, fragments: Fragments, count: int) -> None:
    """Replace the albedo of the fragments by the light that they send to the camera, linear."""
    directions, colors, color = lamps.directions, lamps.colors, fragments.color
    scatter, furthest = materials.scatter, materials.scatter.max()
    for n in range(count):
        part, roughness = fragments.part[n], fragments.roughness[n]
        normal = fragments.normal[n, 0], fragments.normal[n, 1], fragments.normal[n, 2]
        view = fragments.toward[n, 0], fragments.toward[n, 1], fragments.toward[n, 2]
        open_sky = fragments.open_sky[n]
        # Lamps are large, so what hides half of the sky hides about a third of them.
        shade = open_sky * (np.float32(1.6) - np.float32(0.6) * open_sky)
        up = open_sky * (HALF + HALF * normal[1])
        down = open_sky - up
        strength, height = mirrored_sky(normal, view, roughness)
        high = strength * open_sky * open_sky * height
        low = strength * open_sky * open_sky * (ONE - height)
        light = (
            up * lamps.sky[0] + down * lamps.ground[0],
            up * lamps.sky[1] + down * lamps.ground[1],
            up * lamps.sky[2] + down * lamps.ground[2],
        )
        gloss = (
            high * lamps.sky[0] + low * lamps.ground[0],
            high * lamps.sky[1] + low * lamps.ground[1],
            high * lamps.sky[2] + low * lamps.ground[2],
        )
        for index in range(directions.shape[0]):
            lamp = directions[index, 0], directions[index, 1], directions[index, 2]
            facing = dot(normal, lamp)
            # Even the light that wraps around farthest does not reach this side.
            if facing < -furthest:
                continue
            lamp_color = colors[index, 0], colors[index, 1], colors[index, 2]
            shine = shade * highlight(normal, view, lamp, facing, roughness)
            light = (
                light[0] + shade * lamp_color[0] * wrapped(facing, scatter[part, 0]),
                light[1] + shade * lamp_color[1] * wrapped(facing, scatter[part, 1]),
                light[2] + shade * lamp_color[2] * wrapped(facing, scatter[part, 2]),
            )
            gloss = (
                gloss[0] + shine * lamp_color[0],
                gloss[1] + shine * lamp_color[1],
                gloss[2] + shine * lamp_color[2],
            )
        specular = materials.specular[part] * lamps.gloss
        color[n, 0] = roll_off(color[n, 0] * light[0] + specular * gloss[0])
        color[n, 1] = roll_off(color[n, 1] * light[1] + specular * gloss[1])
        color[n, 2] = roll_off(color[n, 2] * light[2] + specular * gloss[2])
