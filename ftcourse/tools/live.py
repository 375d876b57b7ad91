"""What is seen while notebooks run: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


_EVERY = 30  # seconds between two lines about a running notebook where there is no terminal


@contextmanager
def show_progress(console: Console) -> Iterator[tuple[Callable, Callable]]:
    """Show running notebooks on a rich console.

    Args:
        console: where to show them.

    Yields:
        Two functions for `runner.run_lessons`: `done` and `tick`.
    """
    if not console.is_terminal:
        yield (lambda record: show_end(console, record)), _plain_tick(console)
        return
    from rich.live import Live

    live = Live(console=console, auto_refresh=False, transient=True)

    def tick(running: list[SimpleNamespace]) -> None:
        live.start()  # not before: fetching the assets comes first and shows its own progress
        live.update(_table(running), refresh=True)

    try:
        yield (lambda record: show_end(console, record)), tick
    finally:
        live.stop()


def _plain_tick(console: Console) -> Callable:
    shown: dict[str, Any] = {}

    def tick(running: list[SimpleNamespace]) -> None:
        for job in running:
            if job.lesson not in shown:
                _print(console, f"{job.lesson}: started")
            elif time.monotonic() - shown[job.lesson] >= _EVERY:
                _print(console, f"{job.lesson}: {_place(job)}, {job.title[:60]}, {_spent(job)}, {job.memory:,} MB")
            else:
                continue
            shown[job.lesson] = time.monotonic()

    return tick


def _table(running: list[SimpleNamespace]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, expand=True, padding=(0, 1))
    for options in ({"style": "bold"}, {}, {"ratio": 1}, {"justify": "right"}, {"justify": "right"}):
        table.add_column(no_wrap=True, overflow="ellipsis", **options)
    for job in running:
        table.add_row(*map(Text, (job.lesson, _place(job), job.title, _spent(job), f"peak {job.peak:,} MB")))
    return table


def _place(job: SimpleNamespace) -> str:
    return f"cell {job.cell} of {job.cells}" if job.cell else "starting"


def _spent(job: SimpleNamespace) -> str:
    return clock(time.monotonic() - job.started)


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, such as "2:05".

    Args:
        seconds: how long.
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"


def show_end(console: Console, record: dict[str, Any]) -> None:
    """Print how a notebook ended; for one that failed, the cell, its source and the error.

    Args:
        console: where to show it.
        record: of the run, as `runner.run_lessons` makes it.
    """
    cost = f"in {record['seconds']:.0f} s, peak memory {record['peak_memory_mb']:,} MB"
    if record["status"] == "skipped":
        _print(console, f"{record['lesson']}: already done {cost} (use --fresh to run it again)")
    elif record["status"] == "passed":
        _print(console, f"{record['lesson']}: passed {cost}", style="green")
    else:
        place = f"in cell {record['cell']} of {record['cells']}" if record["cell"] else "before its first cell"
        _print(console, f"{record['lesson']}: failed {cost}, {place}:", "red")
        _print(console, "\n".join(f"    {line}" for line in record["source"].splitlines()[:40]))
        _print(console, "\n".join([*record["traceback"], *record.get("log", ())]), style="dim")
        _print(console, record["error"], style="red")
        _print(console, f"The notebook, as far as it got: {record['notebook']}")


def _print(console: Console, text: str, style: str | None = None) -> None:
    if text:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
