"""Every sentence that an assistant reads, and the same facts as data.

A report has `text` (complete by itself: hosts may show nothing else) and `data` (JSON, for programs and the gallery).
"""

from darkroom.reports.models import ModelReport, model_report, table_report
from darkroom.reports.prediction import Outcome, PredictionReport, prediction_report, refusal_report, with_notes
from darkroom.reports.prediction_data import AnswerFacts

__all__ = [
    "AnswerFacts",
    "ModelReport",
    "Outcome",
    "PredictionReport",
    "model_report",
    "prediction_report",
    "refusal_report",
    "table_report",
    "with_notes",
]
