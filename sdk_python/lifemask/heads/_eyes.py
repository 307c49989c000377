"""Where iris and pupil lie on the eyeball of the head asset."""

from __future__ import annotations

import math
from typing import Final

IRIS_ANGLE: Final = math.asin(5.9 / 14.7)
"""Polar angle of the limbus, radians: a visible iris of 11.8 mm on a ball of 14.7 mm radius."""

PUPIL_ANGLE: Final = 0.36 * IRIS_ANGLE
"""Polar angle of the pupil's rim at rest, radians."""
