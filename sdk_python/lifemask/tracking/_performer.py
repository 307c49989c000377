"""Getting to know a performer: the head and camera that their frames are solved with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lifemask._errors import NoFaceError
from lifemask.heads import load_head_model
from lifemask.tracking._fit import PhotoFit, fit_photos
from lifemask.tracking._key_frames import choose_key_frames
from lifemask.tracking._rest import shape_at_rest
from lifemask.tracking._shape import LandmarkShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lifemask.geometry import Camera
    from lifemask.heads import LandmarkModel
    from lifemask.tracking._faces import FaceLandmarks
    from lifemask.tracking._settings import SolveSettings


@dataclass(frozen=True)
class Performer:
    """Whom the camera sees.

    Attributes:
        shape: Landmark points of the performer's head; where `shape.rest_known`, its neutral
            points are where the detector sees the performer at rest.
        camera: With the focal length that was solved.
        identity: `(n_modes,)` float64; None where the head was given and not fitted.
        fits: Of the key frames; empty where the head was given.
    """

    shape: LandmarkShape
    camera: Camera
    identity: NDArray[np.float64] | None = None
    fits: tuple[PhotoFit, ...] = ()


def fit_performer(
    frames: Sequence[FaceLandmarks | None],
    *,
    model: LandmarkModel | None = None,
    settings: SolveSettings | None = None,
    key_frames: int = 24,
) -> Performer:
    """Fit identity and focal length to the frames that tell most, then find the person's rest.

    From 30 frames on in which the face moves, the neutral points of the performer's shape are
    where the detector sees them at rest, so that a face at rest solves to coefficients near zero.

    Args:
        frames: Landmarks of one person from one camera, None where the face was lost.
        model: Of the head; the default one when left out.
        settings: Weights of the solver.
        key_frames: Most frames that are used.

    Raises:
        NoFaceError: No frame has a face.
    """
    chosen = choose_key_frames(frames, key_frames)
    pictures = [face for i in chosen if (face := frames[i]) is not None]
    if not pictures:
        raise NoFaceError(
            "no face was found in any frame",
            hint="record one sharp, evenly lit face that looks at the camera",
        )
    model = model or load_head_model().landmark_model()
    fits = fit_photos(pictures, model, settings=settings)
    shape = LandmarkShape.from_model(model, fits[0].identity).with_meeting_lids()
    shape = shape_at_rest(frames, shape, fits[0].camera, settings).with_meeting_lids()
    return Performer(shape, fits[0].camera, fits[0].identity, tuple(fits))
