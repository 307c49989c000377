"""Landmarks, identity and expression solving, smoothing."""

from lifemask.tracking._calibration import Calibration
from lifemask.tracking._clip import ClipPrior, solve_clip
from lifemask.tracking._faces import (
    FaceChoice,
    FaceLandmarks,
    Landmarker,
    measured_channels,
    nearest_face,
    parse_face_choice,
    select_face,
)
from lifemask.tracking._fit import PhotoFit, fit_photo, fit_photos, landmark_error
from lifemask.tracking._frame_solver import FrameSolution, FrameSolver
from lifemask.tracking._gaze import gaze_coefficients
from lifemask.tracking._key_frames import choose_key_frames
from lifemask.tracking._landmarker import FaceLandmarker
from lifemask.tracking._lids import blink_scales, lid_gaps, lip_gap
from lifemask.tracking._mirror import MIRRORED
from lifemask.tracking._models import MODEL_FILES, ModelFile, find_model, model_cache_directory
from lifemask.tracking._one_euro import OneEuroFilter, PerformanceSmoother, Smoothing
from lifemask.tracking._performance import TrackedPerformance
from lifemask.tracking._performer import Performer, fit_performer
from lifemask.tracking._projection import guess_pose, interocular_pixels
from lifemask.tracking._regions import (
    FACE_OVAL,
    FACE_POINTS,
    LANDMARK_COUNT,
    OUTER_EYE_CORNERS,
    REGIONS,
)
from lifemask.tracking._rest import shape_at_rest
from lifemask.tracking._segmentation import guided_coefficients, segment_person
from lifemask.tracking._settings import SolveSettings, facing_weights, turned_weights
from lifemask.tracking._shape import LandmarkShape

__all__ = [
    "FACE_OVAL",
    "FACE_POINTS",
    "LANDMARK_COUNT",
    "MIRRORED",
    "MODEL_FILES",
    "OUTER_EYE_CORNERS",
    "REGIONS",
    "Calibration",
    "ClipPrior",
    "FaceChoice",
    "FaceLandmarker",
    "FaceLandmarks",
    "FrameSolution",
    "FrameSolver",
    "LandmarkShape",
    "Landmarker",
    "ModelFile",
    "OneEuroFilter",
    "PerformanceSmoother",
    "Performer",
    "PhotoFit",
    "Smoothing",
    "SolveSettings",
    "TrackedPerformance",
    "blink_scales",
    "choose_key_frames",
    "facing_weights",
    "find_model",
    "fit_performer",
    "fit_photo",
    "fit_photos",
    "gaze_coefficients",
    "guess_pose",
    "guided_coefficients",
    "interocular_pixels",
    "landmark_error",
    "lid_gaps",
    "lip_gap",
    "measured_channels",
    "model_cache_directory",
    "nearest_face",
    "parse_face_choice",
    "segment_person",
    "select_face",
    "shape_at_rest",
    "solve_clip",
    "turned_weights",
]
