"""The log text of a prediction while it runs, with the progress bars that clients read percents from."""

from darkroom_server.sandbox.stored_prediction import StoredPrediction, repeatable_random

_BAR_WIDTH = 10
_LAG = 0.96  # real logs trail behind the work and jump at the end


def log_text(
    stored: StoredPrediction, *, share: float, has_ended: bool, run_s: float, seed: int | None, steps: int, images: int
) -> str:
    """The log at `share` (0 to 1) of the run; models without steps only tell what they do."""
    lines = ["Opening the sandbox's box of colours"]
    if seed is not None:
        lines.append(f"Using seed: {seed}")
    if steps:
        lines += _bars(stored, share if has_ended else share * _LAG, steps, run_s)
    else:
        lines.append("Painting...")
    if has_ended:
        lines.append(f"Painted {images} image{'s' if images != 1 else ''} in {run_s:.2f} s")
    return "\n".join(lines) + "\n"


def _bars(stored: StoredPrediction, share: float, steps: int, run_s: float) -> list[str]:
    """One line for each step that is done, at most a dozen in all."""
    done = int(share * steps)
    pace = steps / max(run_s, 0.05) * (0.97 + 0.06 * repeatable_random(stored.id, "pace"))
    stride = max(1, steps // 12)
    shown = [0, *range(stride, done + 1, stride)]
    if done == steps and shown[-1] != steps:
        shown.append(steps)
    return [_bar(step, steps, pace) for step in shown]


def _bar(step: int, steps: int, pace: float) -> str:
    share = step / steps
    filled = int(share * _BAR_WIDTH)
    bar = ("█" * filled).ljust(_BAR_WIDTH)
    rate = f"{pace:5.2f}it/s" if step else "?it/s"
    left = _clock((steps - step) / pace) if step else "?"
    return f"{share:4.0%}|{bar}| {step}/{steps} [{_clock(step / pace)}<{left}, {rate}]"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
