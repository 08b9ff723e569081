"""The limits of a call: what the person has set, what is left of the day, and `max_usd` of the call itself."""

from collections.abc import AsyncIterator, Callable, Sequence

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput, SpendingRefused
from darkroom.pricing import Estimate, total_estimate
from darkroom.reports.amounts import counted, usd

_ROUNDING_USD = 1e-9


async def check_limits(
    darkroom: Darkroom,
    wanted: Sequence[tuple[int, Estimate]],
    *,
    max_usd: float,
    with_day: bool = True,
    cheaper: Callable[[float], str] = lambda left_usd: "",
    closest: str = "",
) -> None:
    """`wanted`: images and price of each prediction. `with_day` False: what is left of the day is asked elsewhere.

    `cheaper` says what fits into so many US dollars for an image; `closest` is said first of a price that is unknown.

    Raises: InvalidInput for a `max_usd` below 0; SpendingRefused where they may cost more than `max_usd` (0: no limit)
    or one of the person's limits, or where their price is unknown under one.
    """
    if not 0 <= max_usd < float("inf"):  # nor may it be no number
        raise InvalidInput(f"max_usd {max_usd} is not possible. Allowed: US dollars, 0 or more.", field="max_usd")
    total = total_estimate([each for _, each in wanted])
    if not wanted or not (has_limit(darkroom) or max_usd):
        return
    if total.most_usd is None:
        if darkroom.options.allow_unknown_price and not max_usd:
            return
        raise SpendingRefused(_unknown_words(darkroom, closest))
    images = sum(count for count, _ in wanted)
    async for left_usd, words in _rooms(darkroom, max_usd, with_day=with_day):
        if total.most_usd > left_usd + _ROUNDING_USD:
            fitting = _fitting(wanted, left_usd)
            verb = "costs at most" if images == 1 else "cost at most"
            verb = verb if total.is_bound else "billed by run time, counted as"
            ways = ("Ask for fewer images." if fitting else "", cheaper(left_usd / images), "Else ask the user.")
            raise SpendingRefused(
                f"{counted(images, 'image')} {verb} {_more_than(total.most_usd, left_usd)}; {words}: "
                f"{f'at most {fitting}' if fitting else 'not even one'}. Nothing was sent. "
                f"{' '.join(filter(None, ways)) if any(ways[:2]) else 'Ask the user.'}"
            )


def _unknown_words(darkroom: Darkroom, closest: str) -> str:
    first = f"{closest} " if closest else ""
    if darkroom.options.allow_unknown_price or not has_limit(darkroom):
        return (
            f"{first}The price of this model is unknown, so max_usd cannot hold. Nothing was sent. Choose a model with "
            "a known price (list_models shows them), or leave max_usd out if the user agrees to an unknown price."
        )
    return (
        f"{first}The price of this model is unknown and there is a spending limit. Nothing was sent. Choose a model "
        "with a known price (list_models shows them), or ask the user to set DARKROOM_ALLOW_UNKNOWN_PRICE=true."
    )


def _more_than(most_usd: float, left_usd: float) -> str:
    """The sum, with more digits where it would look the same as what is left."""
    shown = usd(most_usd)
    return shown if shown != usd(left_usd) else f"${most_usd:.6f}".rstrip("0")


def _as_given(value: float) -> str:
    """A limit with all its digits, as far as they count."""
    shown = usd(value)
    return shown if abs(float(shown[1:]) - value) <= _ROUNDING_USD else f"${value:.9f}".rstrip("0")


def _fitting(wanted: Sequence[tuple[int, Estimate]], left_usd: float) -> int:
    """How many images cost no more than that; the price of a part that has no bound does not go by its images."""
    fitting, left_usd = 0, left_usd + _ROUNDING_USD
    for images, each in wanted:
        if (most_usd := each.most_usd or 0.0) > left_usd:
            return fitting + (int(max(left_usd, 0.0) * images / most_usd) if each.is_bound else 0)
        fitting, left_usd = fitting + images, left_usd - most_usd
    return fitting


async def _rooms(darkroom: Darkroom, max_usd: float, *, with_day: bool) -> AsyncIterator[tuple[float, str]]:
    """Each limit: how much it leaves in US dollars, and in words."""
    if max_usd:
        yield max_usd, f"max_usd is {_as_given(max_usd)}"
    call_usd = darkroom.options.max_usd_per_call
    if call_usd is not None and not darkroom.gateway.is_sandbox:
        yield call_usd, f"the user's limit for a call is {_as_given(call_usd)} (DARKROOM_MAX_USD_PER_CALL)"
    if with_day and (day := await darkroom.day()):
        yield day.left_usd, f"{day.words} ({day.whose})"


def has_limit(darkroom: Darkroom) -> bool:
    """Whether the person has set one that holds here; the sandbox is free."""
    limits = darkroom.options
    if limits.team_limit and limits.team_limit.is_set:
        return True
    is_set = limits.max_usd_per_call is not None or limits.max_usd_per_day is not None
    return is_set and not darkroom.gateway.is_sandbox
