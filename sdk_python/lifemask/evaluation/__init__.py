"""How well photos and videos are fitted: measurements, pictures and a report."""

from lifemask.evaluation._evaluate import Evaluation, evaluate
from lifemask.evaluation._measure import ErrorStatistics, FitMeasurement

__all__ = [
    "ErrorStatistics",
    "Evaluation",
    "FitMeasurement",
    "evaluate",
]
