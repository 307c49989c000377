"""Shapes and networks that drive a head, and the rules for networks that engines run."""

from lifemask.rigging._offsets import align_to_landmarks
from lifemask.rigging._onnx_lint import OnnxViolation, check_onnx, lint_onnx

__all__ = ["OnnxViolation", "align_to_landmarks", "check_onnx", "lint_onnx"]
