"""What the service and its trainers share: each ends with the process that started it."""

import os
import threading
from collections.abc import Callable


def when_parent_ends(act: Callable[[], object]) -> None:
    """Call a function when the process that started this one ends: standard input, a pipe from it, ends with it.

    Args:
        act: the function; it is called in a thread of its own.
    """

    def wait() -> None:
        while os.read(0, 1024):  # not sys.stdin: a thread that holds its lock aborts the interpreter at the end
            pass
        act()

    threading.Thread(target=wait, daemon=True).start()
