"""The first line of a report: how it ended, or how far it is, and by which model; and whose the latest one is."""

from collections.abc import Sequence

from darkroom.charges import Basis
from darkroom.errors import CreateUnresolved
from darkroom.gateways import quoted
from darkroom.images import ImageState
from darkroom.reports.amounts import counted, local_moment, seconds
from darkroom.reports.details import LONGEST_SENTENCE, prompt_of
from darkroom.reports.next_steps import sentences
from darkroom.reports.prediction_data import RUNNING_WORDS, AnswerFacts, PredictionView, said_by

_PROMPT_LIMIT = 80


def whose(views: Sequence[PredictionView], facts: AnswerFacts) -> str:
    """What "latest" has found where that is not this conversation's own."""
    if facts.conversation == "own":
        return ""
    intent = views[0].intent
    moment = local_moment(intent.intended_at, facts.now_s, facts.zone)
    said = quoted(prompt_of(intent), _PROMPT_LIMIT) or "without a prompt"
    begun = "Not started" if facts.conversation == "other" else "The newest of all, perhaps not started"
    return f"{begun} in this conversation: {moment}, {said} (id '{intent.handle}')."


def headline(views: Sequence[PredictionView], facts: AnswerFacts, outcome: str) -> str:
    model = views[0].intent.model
    asked = sum(view.intent.image_count for view in views)
    if outcome == "succeeded":
        return _made_headline(views, asked)
    if outcome == "running":
        return _running_headline(views, facts, model)
    if outcome == "unresolved":
        return f"Unresolved: {_doubt(views, facts)}"
    if outcome == "failed" and {view.word for view in views} == {"lost"}:
        lost = counted(sum(view.lost_count for view in views), "image")
        return f"Lost: {lost} by {model}{_named(views)}, {sentences()['ended']['lost']}"
    if outcome == "failed":
        return f"{_ended_word(views)}: {model}{_named(views)} made no image."
    if {view.word for view in views} == {"absent"}:
        told = f"Not created: {facts.gateway.title} has no trace of this request, so nothing was billed."
        return f"{told} It may be sent again."
    return f"Refused: {_first_problem(views)}"


def _made_headline(views: Sequence[PredictionView], asked: int) -> str:
    """What was made; that it is saved whole is never said of what is not."""
    who, made = f"{views[0].intent.model}{_named(views)}", sum(view.made_count for view in views)
    images = [image for view in views for image in view.intent.images if image.state is not ImageState.EXPIRED]
    damaged = sum(image.is_damaged for image in images)
    waiting = sum(image.state is ImageState.WANTED and not image.is_damaged for image in images)
    unfetched = sum(image.state is ImageState.REFUSED for image in images)
    flaws = {"damaged": damaged, "not saved yet": waiting, "not fetched": unfetched}
    told = [f"{count} {'is' if count == 1 else 'are'} {flaw}" for flaw, count in flaws.items() if count]
    if made < asked:
        return f"Partial: {made} of {counted(asked, 'image')} by {who}{'; ' if told else ''}{', '.join(told)}."
    if not told or sum(flaws.values()) < made:
        return f"Succeeded: {counted(made, 'image')} by {who}{'; ' if told else ''}{', '.join(told)}."
    if damaged == made:
        return f"Damaged: {counted(made, 'image')} by {who}, made, but without {'its' if made == 1 else 'their'} end."
    return f"Made, but {'not saved yet' if waiting else 'not saved'}: {counted(made, 'image')} by {who}."


def _running_headline(views: Sequence[PredictionView], facts: AnswerFacts, model: str) -> str:
    running = [view for view in views if view.word in RUNNING_WORDS]
    percent = facts.percents.get(running[0].intent.handle)
    share = f", about {percent:.0f} % done" if percent and percent >= 1 else ""
    if running[0].word == "queued":
        return f"Queued after {seconds(facts.waited_s)}, nothing sent yet: {model}. It is sent in its turn."
    if running[0].word == "sending":
        return f"Sent, not yet answered after {seconds(facts.waited_s)}: {model}. The work goes on by itself."
    if len(views) == 1 and _is_hollow(running[0]):
        return f"Finished without a picture so far: {model}{_named(running)}. Darkroom asks the gateway again."
    done = f"{len(views) - len(running)} of {len(views)} predictions are done; " if len(views) > 1 else ""
    waited = f" after {seconds(facts.waited_s)}" if facts.waited_s >= 1 and not facts.is_look_up else ""
    since = _since(running[0], facts) if facts.is_look_up else ""
    return f"Still {running[0].word}{waited}: {done}{model}{_named(running)}{share}{since}. It goes on by itself."


def _since(view: PredictionView, facts: AnswerFacts) -> str:
    """`, started 03:36, 8 min ago; usually 1 s`: when it was sent, and how long its model takes as a rule."""
    began = view.intent.known_at if view.intent.sent_at is None else view.intent.sent_at
    if not began:
        return ""
    usual = f"; usually {_round(facts.typical_s)}" if facts.typical_s else ""
    return (
        f", started {local_moment(began, facts.now_s, facts.zone)}, {_round(max(facts.now_s - began, 0.0))} ago{usual}"
    )


def _round(value: float) -> str:
    """`8 min`, `12 s`."""
    return f"{value / 60:.0f} min" if value >= 120 else f"{max(value, 1):.0f} s"


def _is_hollow(view: PredictionView) -> bool:
    """Whether the gateway has called it finished while no output is to be seen."""
    seen = view.intent.prediction
    return seen is not None and view.word == "processing" and bool(seen.completed_at) and not seen.output


def _named(views: Sequence[PredictionView]) -> str:
    ids = [f"'{view.intent.prediction_id}'" for view in views if view.intent.prediction_id]
    if not ids:
        return ""
    return f" (prediction {ids[0]})" if len(ids) == 1 else f" (predictions {', '.join(ids)})"


def _doubt(views: Sequence[PredictionView], facts: AnswerFacts) -> str:
    """Why nobody can tell whether it was created."""
    view = next(view for view in views if view.word == "unresolved")
    if view.intent.cost_basis is Basis.BILLED:
        return f"its answer was lost, but {facts.gateway.title}'s own log shows that it was carried out and billed."
    if isinstance(view.problem, CreateUnresolved):
        return said_by(view.problem)
    if view.intent.reason:
        return reason_of(view)
    return f"{facts.gateway.title} was sent the create of {view.intent.model}; it was possibly carried out and billed."


def _first_problem(views: Sequence[PredictionView]) -> str:
    problem = next((view.problem for view in views if view.problem), None)
    if problem:
        return said_by(problem)
    return next((reason for view in views if (reason := reason_of(view))), "nothing was sent.")


def reason_of(view: PredictionView) -> str:
    """Our own sentence on why it was not created; the gateway's words in it were cleaned when it was written."""
    return " ".join(view.intent.reason[:LONGEST_SENTENCE].split())


def _ended_word(views: Sequence[PredictionView]) -> str:
    words = {view.word for view in views}
    return next(iter(words)).capitalize() if words in ({"canceled"}, {"aborted"}) else "Failed"
