"""Scenes to SVG: the same image in gradients and paths, without blur, which takes resvg as long as all else."""

from html import escape

from darkroom_server.sandbox.painter.caption import MARK
from darkroom_server.sandbox.painter.scene import Fill, Glow, Polygon, Rgb, Scene

_MIST = 0.02  # what is so soft fades out at its upper and lower edge


def to_svg(scene: Scene, width_px: int, height_px: int, caption: str) -> str:
    """One standalone SVG document; scene units times `height_px`."""
    items = (
        _glow(item, number, height_px) if isinstance(item, Glow) else _fill(item, number, height_px)
        for number, item in enumerate(scene.items)
    )
    words = (
        _text(line, width_px / 2, foot * height_px, size * height_px, 'font-weight="bold" text-anchor="middle"')
        for line, size, foot in scene.lines()
    )
    sky = "".join(_stop(scene.horizon * spot / (len(scene.sky) - 1), color) for spot, color in enumerate(scene.sky))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width_px}" height="{height_px}" '
        f'viewBox="0 0 {width_px} {height_px}"><title>{escape(caption or MARK)}</title>'
        f'<linearGradient id="sky" x2="0" y2="1">{sky}</linearGradient>'
        f'<rect width="100%" height="100%" fill="url(#sky)"/>'
        f"{''.join(items)}{''.join(words)}{_caption(caption, width_px, height_px)}</svg>"
    )


def _color(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _stop(offset: float, color: Rgb, opacity: float = 1.0) -> str:
    return f'<stop offset="{offset:.3f}" stop-color="{_color(color)}" stop-opacity="{opacity:.3f}"/>'


def _glow(item: Glow, number: int, scale: int) -> str:
    stops = "".join(_stop(s, item.color, item.opacity * (1 - s) ** 2.2) for s in (0.0, 0.25, 0.5, 0.75, 1.0))
    x, y, radius = item.x * scale, item.y * scale, item.radius * scale
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="url(#g{number})"/>'
    return f'<radialGradient id="g{number}">{stops}</radialGradient>{circle}'


def _fill(item: Fill, number: int, scale: int) -> str:
    paint, needed = _color(item.top), ""
    edge = 0.0 if item.blur >= _MIST else 1.0
    if item.top != item.bottom or not edge:
        paint = f"url(#f{number})"
        middle = "" if edge else _stop(0.4, item.top) + _stop(0.6, item.bottom)
        stops = _stop(0, item.top, edge) + middle + _stop(1, item.bottom, edge)
        needed = f'<linearGradient id="f{number}" x2="0" y2="1">{stops}</linearGradient>'
    look = f' fill-opacity="{item.opacity:.2f}"' if item.opacity != 1 else ""
    return f'{needed}<path fill="{paint}"{look} d="{"".join(_path(polygon, scale) for polygon in item.polygons)}"/>'


def _path(polygon: Polygon, scale: int) -> str:
    """Always turning the same way, so that overlapping polygons of one path fill and do not cut each other out."""
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True))
    points = polygon if area > 0 else polygon[::-1]
    return "M" + "L".join(f"{x * scale:.1f} {y * scale:.1f}" for x, y in points) + "Z"


def _text(words: str, x: float, y: float, size: float, look: str) -> str:
    place = f'x="{x:.0f}" y="{y:.0f}" font-family="sans-serif" font-size="{size:.0f}"'
    return f'<text {place} fill="#fffcf4" {look}>{escape(words)}</text>'


def _caption(caption: str, width_px: int, height_px: int) -> str:
    size = max(9, round(min(width_px, height_px) * 0.024))
    margin = round(size * 1.1)
    room = int((width_px - margin * 3) / (size * 0.55)) - len(MARK) - 2
    line = caption if len(caption) <= room else caption[: max(0, room - 1)].rsplit(" ", 1)[0] + " …"
    edge = f'stroke="#0c0c14" stroke-opacity="0.4" stroke-width="{size / 6:.1f}" paint-order="stroke"'
    left = _text(line, margin, height_px - margin, size, f'{edge} fill-opacity="0.88"')
    return left + _text(
        MARK, width_px - margin, height_px - margin, size, f'{edge} fill-opacity="0.67" text-anchor="end"'
    )
