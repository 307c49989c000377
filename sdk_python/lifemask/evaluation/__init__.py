"""How much avatars look and move like people: measurements on held-out frames, and a report."""

from lifemask.evaluation._evaluate import Evaluation, evaluate
from lifemask.evaluation._measure import ErrorStatistics, FitMeasurement
from lifemask.evaluation._weights import EVALUATION_FILES, fetch_weights

__all__ = [
    "EVALUATION_FILES",
    "ErrorStatistics",
    "Evaluation",
    "FitMeasurement",
    "evaluate",
    "fetch_weights",
]
