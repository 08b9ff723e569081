"""What became of a call, as a person and a script see it: the saved paths, and one exit code for each outcome."""

from typing import cast

from pydantic import JsonValue

from darkroom.reports import Outcome, PredictionReport

_EXIT_CODES = {
    Outcome.SUCCEEDED: 0,
    Outcome.PLANNED: 0,
    Outcome.LISTED: 0,
    Outcome.FAILED: 1,
    Outcome.INVALID: 2,
    Outcome.REFUSED: 3,
    Outcome.RUNNING: 4,
    # Possibly created: for a script that is "ask again later", never "safe to repeat".
    Outcome.UNRESOLVED: 4,
}


def exit_code(report: PredictionReport) -> int:
    """A script that is told 0 finds every image on the disk, or has canceled what it wanted to cancel."""
    if report.is_wanted_end:
        return 0
    if report.outcome is not Outcome.SUCCEEDED:
        return _EXIT_CODES[report.outcome]
    if "wanted" in unsaved_states(report):
        return _EXIT_CODES[Outcome.RUNNING]
    is_whole = len(saved_paths(report)) >= sum(intent.image_count for intent in report.intents)
    return 0 if is_whole and not unsaved_states(report) else _EXIT_CODES[Outcome.FAILED]


def records(report: PredictionReport, name: str) -> list[dict[str, JsonValue]]:
    """The list of objects under `name` in a report's data."""
    return cast("list[dict[str, JsonValue]]", report.data.get(name) or [])


def saved_paths(report: PredictionReport) -> list[str]:
    return [str(image["path"]) for image in records(report, "images") if image["path"]]


def unsaved_states(report: PredictionReport) -> set[str]:
    return {str(image["state"]) for image in records(report, "images") if not image["path"]}
