"""Landmarks, identity and expression solving, smoothing."""

from lifemask.tracking._faces import (
    FACE_POINT_COUNT,
    LANDMARK_COUNT,
    FaceChoice,
    FaceLandmarks,
    Landmarker,
    measured_channels,
    select_face,
)
from lifemask.tracking._landmarker import FaceLandmarker
from lifemask.tracking._models import MODEL_FILES, ModelFile, find_model, model_cache_directory

__all__ = [
    "FACE_POINT_COUNT",
    "LANDMARK_COUNT",
    "MODEL_FILES",
    "FaceChoice",
    "FaceLandmarker",
    "FaceLandmarks",
    "Landmarker",
    "ModelFile",
    "find_model",
    "measured_channels",
    "model_cache_directory",
    "select_face",
]
