"""What the benchmarks share: the time of each step of a Trainer, and ratios over turns."""

import statistics
import time

from transformers import TrainerCallback


class StepTimes(TrainerCallback):
    """Keep the wall time of every optimiser step, in seconds."""

    def __init__(self):
        self.seconds = []

    def on_step_begin(self, args, state, control, **kwargs):
        self.started = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        self.seconds.append(time.perf_counter() - self.started)


def ratios(values, prefix=""):
    """Return how many times as fast: median, lowest and highest over the turns."""
    return {
        f"{prefix}ratio": statistics.median(values),
        f"{prefix}ratio_lowest": min(values),
        f"{prefix}ratio_highest": max(values),
    }
