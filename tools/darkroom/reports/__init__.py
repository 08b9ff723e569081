"""Every sentence that an assistant reads, and the same facts as data.

A report has `text` (complete by itself: hosts may show nothing else) and `data` (JSON, for programs and the gallery).
"""

from darkroom.reports.charge_words import DayLimit as DayLimit
from darkroom.reports.listing import ListFacts as ListFacts
from darkroom.reports.listing import list_report as list_report
from darkroom.reports.model_card import model_report as model_report
from darkroom.reports.models import ModelReport as ModelReport
from darkroom.reports.models import Sought as Sought
from darkroom.reports.models import refused_models as refused_models
from darkroom.reports.models import table_report as table_report
from darkroom.reports.output_notes import output_notes as output_notes
from darkroom.reports.plan import Quote as Quote
from darkroom.reports.plan import plan_report as plan_report
from darkroom.reports.prediction import Outcome as Outcome
from darkroom.reports.prediction import PredictionReport as PredictionReport
from darkroom.reports.prediction import look_up_refusal as look_up_refusal
from darkroom.reports.prediction import of_picture as of_picture
from darkroom.reports.prediction import overdue_report as overdue_report
from darkroom.reports.prediction import prediction_report as prediction_report
from darkroom.reports.prediction import refusal_report as refusal_report
from darkroom.reports.prediction import wanted_end as wanted_end
from darkroom.reports.prediction import with_notes as with_notes
from darkroom.reports.prediction import with_preview as with_preview
from darkroom.reports.prediction_data import AnswerFacts as AnswerFacts
from darkroom.reports.prediction_data import RepeatedFailure as RepeatedFailure
from darkroom.reports.prediction_data import Whose as Whose
from darkroom.reports.price_words import Limits as Limits
