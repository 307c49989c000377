"""The landmark network of an avatar package, fitted to the person where clips show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.avatar._evidence import Recording
from lifemask.rigging import adapt_regressor, regression_model_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lifemask.avatar._evidence import Source
    from lifemask.avatar._stage_records import Track


def personal_regressor(sources: Sequence[Source], tracks: Sequence[Track]) -> bytes:
    """Return the landmark network as an ONNX file; the generic one without clips.

    Args:
        sources: Inputs of the build.
        tracks: What the solver said of their clips.
    """
    points, coefficients = [], []
    for track in tracks:
        content = sources[track.source].content
        if isinstance(content, Recording):
            points.append(content.clip.points)
            coefficients.append(track.coefficients)
    if not points:
        return regression_model_bytes()
    return adapt_regressor(np.concatenate(points), np.concatenate(coefficients))
