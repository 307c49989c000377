"""People who do not exist, in pictures and clips whose every number is known.

from lifemask.evaluation.synthetic import clip_a
clip = clip_a(7, seconds=4)
clip.write("clip_a.mp4")        # and clip_a.npz
clip.truth.coefficients         # (n, 52)
"""

from lifemask.evaluation.synthetic._clip import SyntheticClip
from lifemask.evaluation.synthetic._evaluate import evaluate_synthetic
from lifemask.evaluation.synthetic._generate import (
    CLIP_SIZE,
    PORTRAIT_SIZE,
    clip_a,
    clip_b,
    still_clip,
    synthetic_portrait,
    waving_clip,
)
from lifemask.evaluation.synthetic._leak import identity_leak
from lifemask.evaluation.synthetic._motion import Motion
from lifemask.evaluation.synthetic._person import SyntheticPerson, synthetic_person
from lifemask.evaluation.synthetic._room import CLEAN, Sensor, brightened, draw_light
from lifemask.evaluation.synthetic._sizes import SIZES, StudySize
from lifemask.evaluation.synthetic._tables import tables
from lifemask.evaluation.synthetic._truth import Truth

__all__ = [
    "CLEAN",
    "CLIP_SIZE",
    "PORTRAIT_SIZE",
    "SIZES",
    "Motion",
    "Sensor",
    "StudySize",
    "SyntheticClip",
    "SyntheticPerson",
    "Truth",
    "brightened",
    "clip_a",
    "clip_b",
    "draw_light",
    "evaluate_synthetic",
    "identity_leak",
    "still_clip",
    "synthetic_person",
    "synthetic_portrait",
    "tables",
    "waving_clip",
]
