"""The gateways: which one, what it can do, and the only code that talks HTTP. Importing this loads no HTTP library."""

from darkroom.gateways.choice import GatewayChoice, checked_key, choose_gateway, name_of_key, named_gateway
from darkroom.gateways.client import GatewayProbe, PredictionClient
from darkroom.gateways.download import OutputFetcher
from darkroom.gateways.envelopes import ListPage, read_prediction
from darkroom.gateways.faults import failure_kind
from darkroom.gateways.keys import Key
from darkroom.gateways.limits import Timeouts
from darkroom.gateways.polling import PollSchedule
from darkroom.gateways.profiles import Gateway, load_gateways
from darkroom.gateways.token_log import LogKind, LogRow, TokenLog, TokenUsage
from darkroom.gateways.words import clean_words, quoted

__all__ = [
    "Gateway",
    "GatewayChoice",
    "GatewayProbe",
    "Key",
    "ListPage",
    "LogKind",
    "LogRow",
    "OutputFetcher",
    "PollSchedule",
    "PredictionClient",
    "Timeouts",
    "TokenLog",
    "TokenUsage",
    "checked_key",
    "choose_gateway",
    "clean_words",
    "failure_kind",
    "load_gateways",
    "name_of_key",
    "named_gateway",
    "quoted",
    "read_prediction",
]
