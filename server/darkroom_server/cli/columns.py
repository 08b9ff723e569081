"""A table on stdout: fitted to the terminal, or in full where something else reads it."""

import sys
from collections.abc import Sequence

_UNBOUNDED = 100_000


def show_columns(heads: Sequence[str], rows: Sequence[Sequence[str]], *, flexible: Sequence[str] = ()) -> None:
    """Print the rows below their heads; the columns named in `flexible` give way where the terminal is narrow."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold" if is_terminal else "")
    for head in heads:
        gives_way = head in flexible
        table.add_column(head, no_wrap=True, overflow="ellipsis", ratio=1 if gives_way and is_terminal else None)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if is_terminal else _UNBOUNDED, highlight=False, soft_wrap=False).print(table)
