"""Logs how many of the labelled tokens a language model would have got right, in training and in evaluation."""

from typing import Any

import torch
from transformers import Trainer

NAME = "mean_token_accuracy"  # as TRL calls it


class TokenAccuracyTrainer(Trainer):
    """A Trainer that logs the token accuracy since the last log, for a subclass whose `compute_loss` counts.

    It stands in what is logged as ``mean_token_accuracy`` and ``eval_mean_token_accuracy``, and among the metrics of
    `evaluate` and `predict`. Where nothing was counted there is none.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counts: dict[bool, torch.Tensor] = {}  # in training or not: right tokens and all

    def count(self, model: torch.nn.Module, counts: torch.Tensor) -> None:
        """Add the counts of a batch to those of training or of evaluation, whichever mode the model is in.

        Args:
            model: that answered.
            counts: integers of shape (2,): the labelled tokens that it got right, and all.
        """
        self._counts[model.training] = self._counts.get(model.training, 0) + counts

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train as the Trainer does; what an interrupted run has counted is dropped.

        Args:
            *args: positional arguments of the Trainer's method.
            **kwargs: named ones.
        """
        self._counts.clear()
        return super().train(*args, **kwargs)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log as the Trainer does, with the token accuracy beside the loss.

        Args:
            logs: names and values; those with a loss of training get the token accuracy as well.
            *args: further arguments of the Trainer's method.
            **kwargs: the same, by name.
        """
        if "loss" in logs:
            logs |= self._pop(training=True)
        super().log(logs, *args, **kwargs)

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> Any:
        """Evaluate as the Trainer does, with the token accuracy among the metrics.

        Args:
            *args: further arguments of the Trainer's method.
            metric_key_prefix: what the metrics' names begin with.
            **kwargs: further arguments, by name.

        Returns:
            The output of the Trainer's method.
        """
        self._counts.pop(False, None)
        output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
        output.metrics.update(self._pop(training=False, prefix=f"{metric_key_prefix}_"))
        return output

    def _pop(self, training: bool, prefix: str = "") -> dict[str, float]:
        """Return the share since the last time over all processes, under its name, and count anew."""
        counts = self._counts.pop(training, None)
        if counts is None:
            return {}
        right, total = self.accelerator.reduce(counts, reduction="sum").tolist()
        return {f"{prefix}{NAME}": right / total}
