"""Grounds of hills, woods and towns."""

from darkroom_server.sandbox.painter.scene import Fill, Glow, flat, mix
from darkroom_server.sandbox.painter.terrain import height_at, jagged, land, rolling
from darkroom_server.sandbox.painter.terrain import town as town_row
from darkroom_server.sandbox.painter.terrain import wood as wood_row
from darkroom_server.sandbox.painter.view import Items, View


def hill(view: View) -> Items:
    """Soft ranges one behind the other."""
    items: list[Fill | Glow] = []
    layers = 6
    for layer in range(layers):
        share = layer / (layers - 1)
        skyline = rolling(view.rng, view.ratio, roughness=0.42, octaves=3 + layer // 3)
        level = view.horizon + 0.02 + (0.98 - view.horizon) * 0.82 * share**1.25
        height = 0.018 + 0.028 * share
        items.append(view.band((land(skyline, level, height, view.ratio),), share**0.9))
        if layer == 2:
            items.extend(view.mist(level + 0.03))
        if view.subject and layer == layers - 2:
            x = view.stand()
            items.extend(view.place(view.subject, x, level + height_at(skyline, x) * height, 0.3, share**0.9))
    return tuple(items)


def wood(view: View) -> Items:
    """Ridges of firs in the mist."""
    items: list[Fill | Glow] = [
        view.band((land(jagged(view.rng, view.ratio), view.horizon - 0.02, 0.1, view.ratio),), 0.12, mist=0.7)
    ]
    layers = 5
    for layer in range(layers):
        share = 0.25 + 0.75 * layer / (layers - 1)
        skyline = rolling(view.rng, view.ratio, roughness=0.45, octaves=3)
        level = view.horizon + 0.05 + (0.93 - view.horizon) * (layer / (layers - 1)) ** 1.2
        height = 0.018 + 0.012 * layer
        tree = 0.045 + 0.042 * layer
        items.append(
            view.band(
                (land(skyline, level, height, view.ratio), *wood_row(skyline, level, height, tree, view.rng)), share
            )
        )
        if view.subject and layer == 2:
            x = view.stand()
            items.extend(view.place(view.subject, x, level + height_at(skyline, x) * height + 0.01, 0.24, 0.8))
        if layer < 3:
            items.extend(view.mist(level + 0.045))
    return tuple(items)


def town(view: View) -> Items:
    """Three rows of houses with lit windows."""
    items: list[Fill | Glow] = []
    for height, width, share, level in ((0.4, 0.055, 0.2, 0.1), (0.36, 0.075, 0.48, 0.18), (0.27, 0.1, 0.82, 0.3)):
        houses, windows = town_row(view.rng, view.ratio, view.horizon + level, height, width)
        items.append(view.band(houses, share, mist=0.6))
        if windows:
            lamp = mix(view.palette.light, (255, 214, 140), 0.5)
            items.append(flat(windows, lamp, opacity=0.25 + 0.5 * share if share > 0.3 else 0.2))
        items.extend(view.mist(view.horizon + level + 0.03))
    front = rolling(view.rng, view.ratio, roughness=0.4, octaves=3)
    items.append(view.band((land(front, 0.93, 0.012, view.ratio),), 1.0, mist=0.0))
    if view.subject:
        x = view.stand()
        items.extend(view.place(view.subject, x, 0.935 + height_at(front, x) * 0.012, 0.3, 1.0))
    return tuple(items)
