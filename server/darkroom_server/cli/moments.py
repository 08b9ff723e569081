"""Moments as a person types them."""

import re
import time
from datetime import date, datetime, timedelta

import typer

_SPAN = re.compile(r"(\d{1,6})\s*([hdw])")
_SPAN_S = {"h": 3_600, "d": 86_400, "w": 604_800}


def moment(text: str) -> float:
    """Seconds since the epoch of what was given as --since. Raises: typer.BadParameter."""
    word, today = text.strip().lower(), date.today()
    if span := _SPAN.fullmatch(word):
        return time.time() - int(span[1]) * _SPAN_S[span[2]]
    try:
        day = {"today": today, "yesterday": today - timedelta(days=1)}.get(word) or date.fromisoformat(text.strip())
        return datetime(day.year, day.month, day.day).timestamp()
    except (ValueError, OverflowError, OSError):
        allowed = "Allowed: today, yesterday, YYYY-MM-DD, or a time ago such as 12h, 7d, 2w."
        raise typer.BadParameter(f"{text[:40]!r} is no moment. {allowed}", param_hint="--since") from None
