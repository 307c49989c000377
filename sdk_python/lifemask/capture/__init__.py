"""Frame types and the sources that produce them."""

from lifemask.capture._frames import (
    ImageFrame,
    ImageSource,
    PerformanceFrame,
    PerformanceSource,
    TrackingState,
    all_channels_valid,
)
from lifemask.capture._image_sources import PhotoSource, VideoSource, WebcamSource
from lifemask.capture._script_motion import DOUBT, SMILE, SURPRISE, VISEMES
from lifemask.capture._scripted import ScriptedPerformance

__all__ = [
    "DOUBT",
    "SMILE",
    "SURPRISE",
    "VISEMES",
    "ImageFrame",
    "ImageSource",
    "PerformanceFrame",
    "PerformanceSource",
    "PhotoSource",
    "ScriptedPerformance",
    "TrackingState",
    "VideoSource",
    "WebcamSource",
    "all_channels_valid",
]
