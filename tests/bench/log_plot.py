"""A plot with two logarithmic axes as an SVG that follows the reader's light or dark colours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH_PX, _HEIGHT_PX = 720, 400
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 64, 200, 56, 48
_CLOSE_PX = 24
_STYLE = """text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:15px}
.grid{stroke:#d0d7de}.line{fill:none;stroke-width:2.5}.small{font-size:11px}.paper{fill:#ffffff}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.paper{fill:#0d1117}}"""
# Told apart by shape as well, and readable on both papers.
_COLOURS = ("#0b6fd6", "#c4560b", "#1a7f4b", "#9a4fc4")


@dataclass(frozen=True, slots=True)
class Curve:
    """`values` belong to the plot's places, in order."""

    name: str
    values: Sequence[float]


def svg(title: str, below: str, places: Sequence[float], curves: Sequence[Curve]) -> str:
    """`below` says what the horizontal axis counts."""
    values = [value for curve in curves for value in curve.values]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.log10(places[0]), math.log10(places[-1])

    def x(place: float) -> float:
        share = (math.log10(place) - first) / (last - first)
        return _LEFT_PX + share * (_WIDTH_PX - _LEFT_PX - _RIGHT_PX)

    def y(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return _HEIGHT_PX - _BOTTOM_PX - share * (_HEIGHT_PX - _TOP_PX - _BOTTOM_PX)

    parts = [f'<rect class="paper" width="{_WIDTH_PX}" height="{_HEIGHT_PX}"/>']
    parts.append(_text(_LEFT_PX, 28, title, "title"))
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<path class="grid" d="M{_LEFT_PX} {at:.1f}H{_WIDTH_PX - _RIGHT_PX}"/>')
        parts.append(_text(_LEFT_PX - 8, at + 4, f"{10.0**power:g}", "small", anchor="end"))
    for place in places:
        parts.append(_text(x(place), _HEIGHT_PX - _BOTTOM_PX + 20, f"{place:,.0f}", "small", anchor="middle"))
    parts.append(_text((_LEFT_PX + _WIDTH_PX - _RIGHT_PX) / 2, _HEIGHT_PX - 8, below, anchor="middle"))
    for curve, colour, name_y in zip(curves, _COLOURS, _apart([y(each.values[-1]) for each in curves]), strict=False):
        points = [(x(place), y(value)) for place, value in zip(places, curve.values, strict=True)]
        path = "L".join(f"{left:.1f} {top:.1f}" for left, top in points)
        parts.append(f'<path class="line" stroke="{colour}" d="M{path}"/>')
        for index, ((left, top), value) in enumerate(zip(points, curve.values, strict=True)):
            parts.append(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="4" fill="{colour}"/>')
            is_below_another = any(0 < top - y(each.values[index]) < _CLOSE_PX for each in curves)
            parts.append(_text(left, top + (18 if is_below_another else -9), f"{value:.3g}", "small", anchor="middle"))
        parts.append(f'<circle cx="{_WIDTH_PX - _RIGHT_PX + 24}" cy="{name_y - 4:.1f}" r="4" fill="{colour}"/>')
        parts.append(_text(_WIDTH_PX - _RIGHT_PX + 34, name_y, curve.name))
    size = f'width="{_WIDTH_PX}" height="{_HEIGHT_PX}" viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _apart(tops: Sequence[float]) -> list[float]:
    """The same heights, moved down where two names would stand on each other."""
    moved = [0.0] * len(tops)
    least = 0.0
    for index in sorted(range(len(tops)), key=lambda each: tops[each]):
        moved[index] = least = max(tops[index] + 4, least + 20)
    return moved


def _text(left: float, top: float, words: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
