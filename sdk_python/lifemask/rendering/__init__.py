"""Pictures and videos of a head, drawn in software: no GPU, the same on every machine."""

from lifemask.rendering._background import studio_background
from lifemask.rendering._framing import frame_head, pose_vertices
from lifemask.rendering._light import STUDIO_LIGHT, Lamp, Light
from lifemask.rendering._renderer import Renderer, render
from lifemask.rendering._shape_grid import GRID_COLUMNS, grid_weights, shape_grid
from lifemask.rendering._sheets import (
    PREVIEW_YAWS,
    TURNTABLE_YAWS,
    contact_sheet,
    preview,
    turntable,
)

__all__ = [
    "GRID_COLUMNS",
    "PREVIEW_YAWS",
    "STUDIO_LIGHT",
    "TURNTABLE_YAWS",
    "Lamp",
    "Light",
    "Renderer",
    "contact_sheet",
    "frame_head",
    "grid_weights",
    "pose_vertices",
    "preview",
    "render",
    "shape_grid",
    "studio_background",
    "turntable",
]
