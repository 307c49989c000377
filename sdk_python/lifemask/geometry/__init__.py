"""Cameras, rotations, rasteriser, colour, image and video files."""

from lifemask.geometry._camera import (
    Camera,
    Pose,
    axis_angle_matrix,
    cross_matrix,
    matrix_axis_angle,
    matrix_quaternion,
    quaternion_matrix,
)
from lifemask.geometry._closest import ClosestPoints, SurfacePoints, closest_barycentric
from lifemask.geometry._colour import linear_to_srgb, srgb_to_linear
from lifemask.geometry._images import read_image, resize_image, write_image
from lifemask.geometry._mesh import Mesh
from lifemask.geometry._mesh_files import MESH_SUFFIXES, read_mesh
from lifemask.geometry._mesh_morphs import add_morph_targets, mesh_to_glb
from lifemask.geometry._openness import sky_visibility
from lifemask.geometry._raster import NEAR, Raster, rasterize, visible_vertices
from lifemask.geometry._surface import vertex_normals
from lifemask.geometry._video import (
    TruncatedVideoWarning,
    VideoFrame,
    VideoReader,
    VideoWriter,
    open_video,
    quiet_opencv,
)

__all__ = [
    "MESH_SUFFIXES",
    "NEAR",
    "Camera",
    "ClosestPoints",
    "Mesh",
    "Pose",
    "Raster",
    "SurfacePoints",
    "TruncatedVideoWarning",
    "VideoFrame",
    "VideoReader",
    "VideoWriter",
    "add_morph_targets",
    "axis_angle_matrix",
    "closest_barycentric",
    "cross_matrix",
    "linear_to_srgb",
    "matrix_axis_angle",
    "matrix_quaternion",
    "mesh_to_glb",
    "open_video",
    "quaternion_matrix",
    "quiet_opencv",
    "rasterize",
    "read_image",
    "read_mesh",
    "resize_image",
    "sky_visibility",
    "srgb_to_linear",
    "vertex_normals",
    "visible_vertices",
    "write_image",
]
