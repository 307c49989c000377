"""Blinks that close on this person's eyes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import blink_scales

if TYPE_CHECKING:
    from lifemask.heads import Head


def fit_blinks(head: Head) -> Head:
    """Return the head with its blink shapes scaled so that the lids meet at weight one."""
    points = head.landmarks(head.neutral)
    deltas = np.stack([head.landmarks(delta) for delta in head.expression_deltas])
    shapes = head.expression_deltas.copy()
    for name, scale in blink_scales(points, deltas).items():
        shapes[COEFFICIENT_INDEX[name]] *= np.float32(scale)
    return replace(head, expression_deltas=shapes)
