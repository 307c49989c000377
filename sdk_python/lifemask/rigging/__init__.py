"""Shapes and networks that drive a head, and the rules for networks that engines run."""

from lifemask.rigging._contacts import worst_gaps_mm
from lifemask.rigging._examples import (
    Refinement,
    TrackedClip,
    refine_from_clips,
    shape_metrics,
    solved_again,
)
from lifemask.rigging._face_regressor import FaceAnswer, FaceRegressor, LiveRegression
from lifemask.rigging._image_regressor import (
    IMAGE_CROP_SIZE,
    IMAGE_FEATURES,
    IMAGE_SCHEMA,
    IMAGE_UNSEEN,
    IMAGE_UNSURE,
    IMAGE_VALIDITY,
    ImageAnswer,
    ImageRegression,
    face_crop,
    image_model_bytes,
)
from lifemask.rigging._mesh_landmarks import PLAIN_SKIN, PaintedMesh, draw_mesh, look_at
from lifemask.rigging._normalize import LandmarkNormalizer
from lifemask.rigging._offsets import align_to_landmarks
from lifemask.rigging._onnx_lint import OnnxViolation, check_onnx, lint_onnx
from lifemask.rigging._other_heads import load_flame, load_other_head
from lifemask.rigging._personal import personal_head
from lifemask.rigging._refine import outline_pictures, refine_shape
from lifemask.rigging._regressor import (
    REGRESSION_SCHEMA,
    REGRESSION_UNSEEN,
    REGRESSION_UNSURE,
    REGRESSION_VALIDITY,
    BlendshapeRegressor,
    LandmarkAnswer,
    normalize_landmarks,
    regression_model_bytes,
)
from lifemask.rigging._regressor_adapt import adapt_regressor
from lifemask.rigging._rest_head import settle_at_rest
from lifemask.rigging._rig import RiggedMesh, rig_mesh
from lifemask.rigging._scale import (
    MEAN_PUPIL_DISTANCE,
    PUPIL_DISTANCES,
    scale_between,
    scale_to_pupil_distance,
)
from lifemask.rigging._scan import ScanFit, Similarity, fit_scan
from lifemask.rigging._topology_map import TopologyMap, topology_map

__all__ = [
    "IMAGE_CROP_SIZE",
    "IMAGE_FEATURES",
    "IMAGE_SCHEMA",
    "IMAGE_UNSEEN",
    "IMAGE_UNSURE",
    "IMAGE_VALIDITY",
    "MEAN_PUPIL_DISTANCE",
    "PLAIN_SKIN",
    "PUPIL_DISTANCES",
    "REGRESSION_SCHEMA",
    "REGRESSION_UNSEEN",
    "REGRESSION_UNSURE",
    "REGRESSION_VALIDITY",
    "BlendshapeRegressor",
    "FaceAnswer",
    "FaceRegressor",
    "ImageAnswer",
    "ImageRegression",
    "LandmarkAnswer",
    "LandmarkNormalizer",
    "LiveRegression",
    "OnnxViolation",
    "PaintedMesh",
    "Refinement",
    "RiggedMesh",
    "ScanFit",
    "Similarity",
    "TopologyMap",
    "TrackedClip",
    "adapt_regressor",
    "align_to_landmarks",
    "check_onnx",
    "draw_mesh",
    "face_crop",
    "fit_scan",
    "image_model_bytes",
    "lint_onnx",
    "load_flame",
    "load_other_head",
    "look_at",
    "normalize_landmarks",
    "outline_pictures",
    "personal_head",
    "refine_from_clips",
    "refine_shape",
    "regression_model_bytes",
    "rig_mesh",
    "scale_between",
    "scale_to_pupil_distance",
    "settle_at_rest",
    "shape_metrics",
    "solved_again",
    "topology_map",
    "worst_gaps_mm",
]
