"""What has changed in a model since its file was written, and what that does to a call."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from darkroom.gateways.model_answers import NotTold
from darkroom.live_models.directory import Answer
from darkroom.registry import Model, ModelInput
from darkroom.registry.live_schema import Description

# The old file refuses what the gateway allows; lets through what it refuses; says something that is not so any more.
Effect = Literal["wrongly refuses", "422", "silent"]
PRICE_MAY_BE_OLD = "the price may be old"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; `input` is empty for the model as a whole."""

    input: str
    words: str
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One model beside its gateway. `note`: what is new and no drift. `problem`: why it could not be compared."""

    model: str
    changes: tuple[Change, ...] = ()
    note: str = ""
    problem: str = ""


def compare(model: Model, answer: Answer) -> Checked:
    if isinstance(answer, NotTold):
        has_no_version = answer.words == "it has no version"
        if not answer.is_missing and not has_no_version:
            return Checked(model=model.name, problem=answer.words)
        words = "has no version any more" if has_no_version else "is gone"
        return Checked(model=model.name, changes=(Change("", words, "422"),))
    changes, version = tuple(_changes(model, answer)), answer.version
    notes: list[str] = []
    if model.run_by == "version" and version not in ("", model.version):
        notes.append(f"a newer version is {version[:8]}")
    if price_may_be_old(model, changes):
        notes.append(f"{PRICE_MAY_BE_OLD}, for what it goes by has changed")
    return Checked(model=model.name, changes=changes, note="; ".join(notes))


def price_may_be_old(model: Model, changes: Iterable[Change]) -> bool:
    """Whether something has changed that the price goes by."""
    if (price := model.price) is None:
        return False
    names = {price.count_input, price.output_mp_input, *price.count_when}.union(*(tier.when for tier in price.tiers))
    return any(change.input in names for change in changes if change.input)


def input_changes(model: Model, live: Model) -> Iterator[Change]:
    """What has changed in the inputs."""
    now = live.inputs_by_name
    for name, item in model.inputs_by_name.items():
        if name not in now:
            yield Change(name, "is gone", "422")
        else:
            yield from _input_changes(item, now[name])
    for name in now.keys() - model.inputs_by_name.keys():
        if now[name].required:
            yield Change(name, "is new and required", "422")
        elif not now[name].deprecated:
            yield Change(name, "is new", "wrongly refuses")


def _changes(model: Model, found: Description) -> Iterator[Change]:
    if found.is_official is not None and found.is_official != (model.run_by == "model"):
        kind = "official" if found.is_official else "run by version"
        yield Change("", f"is {kind} now", "422")
    # "unknown" and objects say nothing of one output or several.
    if found.output in ("uri", "uri_list") and found.output != model.output.kind:
        yield Change("", f"gives {found.output} instead of {model.output.kind}", "silent")
    yield from input_changes(model, found.model)


def _input_changes(old: ModelInput, new: ModelInput) -> Iterator[Change]:
    rows: list[tuple[bool, str, Effect]] = [
        (new.type not in ("any", old.type), f"is of type {new.type} instead of {old.type}", "422"),
        (new.required and not old.required, "is required now", "422"),
        (old.required and not new.required, "is not required any more", "wrongly refuses"),
        *_value_rows(old, new),
        *_range_rows(old, new),
        (
            old.default != new.default and not new.required and not new.secret,
            f"is {new.default!r} by default instead of {old.default!r}",
            "silent",
        ),
        (new.deprecated and not old.deprecated, "is deprecated", "silent"),
    ]
    yield from (Change(old.name, words, effect) for is_so, words, effect in rows if is_so)


def _value_rows(old: ModelInput, new: ModelInput) -> list[tuple[bool, str, Effect]]:
    if not old.enum_complete or not new.enum_complete:
        is_known = bool(new.enum) and new.enum_complete
        return [(is_known, f"takes {len(new.enum)} values that are known now", "silent")]
    if not new.enum or not old.enum:
        return [
            (bool(old.enum), "takes any value", "wrongly refuses"),
            (bool(new.enum), f"takes {len(new.enum)} values only", "422"),
        ]
    more = [value for value in new.enum if value not in old.enum]
    fewer = [value for value in old.enum if value not in new.enum]
    return [
        (bool(more), f"also takes {_listed(more)}", "wrongly refuses"),
        (bool(fewer), f"does not take {_listed(fewer)}", "422"),
    ]


def _range_rows(old: ModelInput, new: ModelInput) -> Iterator[tuple[bool, str, Effect]]:
    for end, sign in (("min", 1), ("max", -1)):
        before, after = getattr(old, end), getattr(new, end)
        is_wider = after is None or (before is not None and (after - before) * sign < 0)
        yield before != after, f"has {end} {after} instead of {before}", "wrongly refuses" if is_wider else "422"


def _listed(values: Sequence[JsonValue]) -> str:
    return ", ".join(str(value)[:40] for value in values[:5]) + (" …" if len(values) > 5 else "")
