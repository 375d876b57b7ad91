"""What the benchmarks share: the time of each step of a Trainer, and ratios over turns."""

import statistics
import time
from typing import Any

from transformers import TrainerCallback


class StepTimes(TrainerCallback):
    """Keep the wall time of every optimiser step, in seconds."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note when a step begins."""
        self.started = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep what the step took."""
        self.seconds.append(time.perf_counter() - self.started)


def ratios(values: list[float], prefix: str = "") -> dict[str, float]:
    """Return how many times as fast: median, lowest and highest over the turns."""
    return {
        f"{prefix}ratio": statistics.median(values),
        f"{prefix}ratio_lowest": min(values),
        f"{prefix}ratio_highest": max(values),
    }
