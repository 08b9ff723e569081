"""Numbers as words: seconds, money, bytes, clock times, plurals."""

from datetime import UTC, datetime, tzinfo

_LAST_S = 253_370_764_800.0  # 9999-01-01
_BYTE_STEPS = ((1_000_000, "MB"), (1_000, "kB"))


def seconds(value: float) -> str:
    """`0.8 s`, `12 s`, `3 min 20 s`."""
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def usd(value: float) -> str:
    """`$0.003`, `$1.20`: at least cents, and no digits that say nothing. A small sum is never shown as nothing."""
    text = (f"{max(value, 1e-6):.6f}" if 0 < value < 0.00005 else f"{value:.4f}").rstrip("0")
    whole, _, cents = text.partition(".")
    return f"${whole}.{cents.ljust(2, '0')}"


def size(value: int) -> str:
    """`812 bytes`, `120 kB`, `2.5 MB` (decimal units)."""
    for step, unit in _BYTE_STEPS:
        if value >= step:
            amount = value / step
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{value} bytes"


def clock(moment: datetime) -> str:
    """`14:32 UTC`: the same for every reader."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def local(moment_s: float, zone: tzinfo | None = None) -> datetime:
    """Seconds since 1970 by the person's clock; `zone` defaults to the computer's own.

    A time that a calendar has no day for (a gateway may claim any) becomes the nearest that it has.
    """
    return datetime.fromtimestamp(min(max(moment_s, 0.0), _LAST_S), zone).astimezone(zone)


def local_moment(moment_s: float, now_s: float, zone: tzinfo | None = None) -> str:
    """`14:02`, with the date in front where that is not the day of `now_s`."""
    moment, now = local(moment_s, zone), local(now_s, zone)
    return f"{moment:%H:%M}" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M}"


def counted(number: int, noun: str) -> str:
    """`1 image`, `4 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
