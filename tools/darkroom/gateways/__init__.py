"""The gateways: which one, what it can do, and the only code that talks HTTP.

What is named here is loaded when it is first used: a server starts without the client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkroom.gateways.choice import GatewayChoice, checked_key, choose_gateway, name_of_key, named_gateway
    from darkroom.gateways.client import GatewayProbe, PredictionClient
    from darkroom.gateways.download import OutputFetcher
    from darkroom.gateways.envelopes import read_prediction
    from darkroom.gateways.faults import failure_kind
    from darkroom.gateways.keys import Key
    from darkroom.gateways.list_pages import ListPage
    from darkroom.gateways.polling import PollSchedule
    from darkroom.gateways.profiles import Gateway, load_gateways
    from darkroom.gateways.route import Timeouts
    from darkroom.gateways.token_log import LogKind, LogRow, TokenLog, TokenUsage
    from darkroom.gateways.words import clean_words, quoted

# fmt: off
__all__ = [
    "Gateway", "GatewayChoice", "GatewayProbe", "Key", "ListPage", "LogKind", "LogRow", "OutputFetcher", "PollSchedule",
    "PredictionClient", "Timeouts", "TokenLog", "TokenUsage", "checked_key", "choose_gateway", "clean_words",
    "failure_kind", "load_gateways", "name_of_key", "named_gateway", "quoted", "read_prediction",
]
# fmt: on

_NAMES_OF = {
    "choice": "GatewayChoice checked_key choose_gateway name_of_key named_gateway",
    "client": "GatewayProbe PredictionClient",
    "download": "OutputFetcher",
    "envelopes": "read_prediction",
    "list_pages": "ListPage",
    "faults": "failure_kind",
    "keys": "Key",
    "route": "Timeouts",
    "polling": "PollSchedule",
    "profiles": "Gateway load_gateways",
    "token_log": "LogKind LogRow TokenLog TokenUsage",
    "words": "clean_words quoted",
}
_PLACES = {name: f"darkroom.gateways.{module}" for module, names in _NAMES_OF.items() for name in names.split()}

if not TYPE_CHECKING:  # so that type checkers still see a name that is not there

    def __getattr__(name):
        if name not in _PLACES:
            raise AttributeError(f"module 'darkroom.gateways' has no attribute {name!r}")
        return getattr(import_module(_PLACES[name]), name)
