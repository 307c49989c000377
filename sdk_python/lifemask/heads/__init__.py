"""Head data and the models that turn identity and expression into vertices."""

from lifemask.heads._eyes import IRIS_ANGLE, PUPIL_ANGLE
from lifemask.heads._head import PART_NAMES, Head, Part, Topology, gaze_matrix
from lifemask.heads._model import HEAD_KINDS, IRIS_FIRST, HeadModel, LandmarkModel, load_head_model
from lifemask.heads._names import (
    COEFFICIENT_COUNT,
    COEFFICIENT_INDEX,
    COEFFICIENT_NAMES,
    JOINT_NAMES,
    JOINT_PARENTS,
    mirrored_name,
)
from lifemask.heads._subdivision import Subdivision

__all__ = [
    "COEFFICIENT_COUNT",
    "COEFFICIENT_INDEX",
    "COEFFICIENT_NAMES",
    "HEAD_KINDS",
    "IRIS_ANGLE",
    "IRIS_FIRST",
    "JOINT_NAMES",
    "JOINT_PARENTS",
    "PART_NAMES",
    "PUPIL_ANGLE",
    "Head",
    "HeadModel",
    "LandmarkModel",
    "Part",
    "Subdivision",
    "Topology",
    "gaze_matrix",
    "load_head_model",
    "mirrored_name",
]
