"""The last line of an answer: what the assistant should do now; it is made of sentences.toml."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from darkroom.charges import Basis
from darkroom.images import ImageState
from darkroom.reports.amounts import clock, local_moment, usd
from darkroom.reports.prediction_data import RUNNING_WORDS, AnswerFacts, PredictionView


@cache
def sentences() -> dict[str, dict[str, str]]:
    """The sentences of sentences.toml by table and name."""
    return tomllib.loads(Path(__file__).with_name("sentences.toml").read_text(encoding="utf-8"))


def next_step(views: Sequence[PredictionView], facts: AnswerFacts, outcome: str) -> str:
    """What the assistant should do now; empty where nothing is left to do."""
    steps = sentences()["next"]
    if facts.conversation != "own":
        return steps["named"].format(ids=f"'{views[0].intent.handle}'") if facts.conversation == "other" else ""
    if running := [f"'{view.intent.handle}'" for view in views if view.word in RUNNING_WORDS]:
        return steps["running"].format(again=call_again(", ".join(running), facts.wait_s))
    if doubtful := next((view for view in views if view.word == "unresolved"), None):
        unbilled = "unlisted" if facts.gateway.has_token_log is False else "logged"
        lost = "billed" if doubtful.intent.cost_basis is Basis.BILLED else unbilled
        if lost == "logged" and doubtful.intent.cost_usd == 0:
            lost = "absent"
        step = steps["listed" if facts.gateway.has_list else lost]
        log_id = doubtful.intent.gateway_request_id
        moment = local_moment(doubtful.intent.at, facts.now_s, facts.zone)
        names = {
            "at": f"{moment}{f' (log id {log_id})' if log_id else ''}",
            "id": doubtful.intent.handle,
            "request_id": doubtful.intent.request_id,
            "gateway": facts.gateway.name,
        }
        return step.format(**names)
    images = [image for view in views for image in view.intent.images]
    if wanted := [image for image in images if image.state is ImageState.WANTED]:
        ends = [image.expires_at for image in wanted if image.expires_at and image.expires_at.timestamp() > facts.now_s]
        until = f" until {clock(max(ends))}" if ends else ""
        return steps["unattended" if facts.is_unattended else "wanted"].format(id=views[0].intent.handle, until=until)
    if outcome == "succeeded" and any(view.missing_count for view in views):
        return _completing(views, facts)
    if any(image.is_damaged for image in images):
        return steps["damaged"]
    return steps["lost"] if {view.word for view in views} == {"lost"} else ""


def call_again(ids: str, wait_s: float) -> str:
    """How to wait on; not longer than the person lets a call wait."""
    steps = sentences()["next"]
    return steps["again"].format(ids=ids, wait=int(wait_s)) if wait_s >= 1 else steps["again_soon"].format(ids=ids)


def _completing(views: Sequence[PredictionView], facts: AnswerFacts) -> str:
    """How the images that are missing can be made, and what they would cost at most."""
    first, short = views[0].intent, [view for view in views if view.missing_count]
    prices = [
        None if view.intent.estimate_usd is None else view.intent.estimate_usd / max(view.intent.image_count, 1)
        for view in short
    ]
    known = [price * view.missing_count for price, view in zip(prices, short, strict=True) if price is not None]
    price = f", about {usd(sum(known))}" if len(known) == len(short) and sum(known) else ""
    was_given = first.request_id and not first.request_id.startswith("auto-")
    has_seed = isinstance(seed := first.request.get("seed"), int) and seed >= 0
    beside = f"{', another seed' if has_seed else ''}{', a new request_id' if was_given else ''}"
    count = sum(view.missing_count for view in short)
    return sentences()["next"]["partial"].format(beside=beside, count=count, price=price)
