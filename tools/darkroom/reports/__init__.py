"""Every sentence that an assistant reads, and the same facts as data.

A report has `text` (complete by itself: hosts may show nothing else) and `data` (JSON, for programs and the gallery).
"""

from darkroom.reports.charge_words import DayLimit
from darkroom.reports.listing import ListFacts, list_report
from darkroom.reports.model_card import model_report
from darkroom.reports.models import ModelReport, Sought, refused_models, table_report
from darkroom.reports.output_notes import output_notes
from darkroom.reports.plan import Plan, plan_report
from darkroom.reports.prediction import (
    Outcome,
    PredictionReport,
    look_up_refusal,
    of_picture,
    overdue_report,
    prediction_report,
    refusal_report,
    wanted_end,
    with_notes,
    with_preview,
)
from darkroom.reports.prediction_data import AnswerFacts, RepeatedFailure, Whose
from darkroom.reports.price_words import Limits

__all__ = [
    "AnswerFacts",
    "DayLimit",
    "Limits",
    "ListFacts",
    "ModelReport",
    "Outcome",
    "Plan",
    "PredictionReport",
    "RepeatedFailure",
    "Sought",
    "Whose",
    "list_report",
    "look_up_refusal",
    "model_report",
    "of_picture",
    "output_notes",
    "overdue_report",
    "plan_report",
    "prediction_report",
    "refusal_report",
    "refused_models",
    "table_report",
    "wanted_end",
    "with_notes",
    "with_preview",
]
