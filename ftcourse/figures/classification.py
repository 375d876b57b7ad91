"""Lesson 3: word weights and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import style
from .style import BLUE, VERMILION

if TYPE_CHECKING:
    import numpy as np


def show_weights(names: Sequence[str], weights: np.ndarray, labels: Sequence[str], count: int = 10) -> None:
    """Show the strongest weights of a linear model on both sides.

    Args:
        names: names of the features, shape (features,).
        weights: their weights, shape (features,).
        labels: the two classes, that of the negative weights first.
        count: how many on each side.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    order = np.argsort(weights)
    chosen = [*order[:count], *order[-count:]]
    figure, axes = plt.subplots(figsize=(7, 0.22 * len(chosen)))
    axes.barh(
        [names[i] for i in chosen], weights[chosen], color=[VERMILION if weights[i] < 0 else BLUE for i in chosen]
    )
    axes.tick_params(labelsize=8)
    axes.set(xlabel=f"weight: negative says {labels[0]}, positive says {labels[1]}")
    low, high = (", ".join(names[i] for i in part) for part in (order[:5], order[:-6:-1]))
    style.show(figure, f"Strongest weights. For {labels[0]}: {low}. For {labels[1]}: {high}.")


def show_padding(lengths: Sequence[int] | np.ndarray, batch_size: int) -> dict[str, float]:
    """Show one batch of sentences built in three ways, each row a sentence, dark where there is text.

    Args:
        lengths: number of tokens of each example.
        batch_size: examples a batch.

    Returns:
        A dictionary from the way to its share of real tokens over all batches.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    from ..train import padding_efficiency

    shuffled = np.random.default_rng(0).permutation(lengths)
    ordered = np.sort(shuffled[: 50 * batch_size])[::-1]  # fifty batches are sorted at a time
    middle = len(ordered) // batch_size // 2 * batch_size
    ways: dict[str, tuple[np.ndarray, int | None, dict[str, Any]]] = {
        "padded to 512": (shuffled[:batch_size], 512, dict(pad_to=512)),
        "padded to the batch": (shuffled[:batch_size], None, dict(group_by_length=False)),
        "similar lengths": (ordered[middle : middle + batch_size], None, {}),
    }
    figure, all_axes = plt.subplots(1, 3, figsize=(10, 3), width_ratios=[2, 1, 1])
    efficiency = {}
    for axes, (way, (rows, width, options)) in zip(all_axes, ways.items(), strict=True):
        efficiency[way] = padding_efficiency(lengths, batch_size, **options)
        axes.imshow(
            np.arange(width or rows.max()) < rows[:, None], aspect="auto", cmap="cividis_r", interpolation="none"
        )
        axes.set(title=f"{way}\n{efficiency[way]:.0%} real tokens", xlabel="token", yticks=[])
        axes.grid(False)
    said = ", ".join(f"{way} {share:.0%}" for way, share in efficiency.items())
    style.show(
        figure, f"One batch of {batch_size} sentences built in three ways. Share of real tokens in all batches: {said}."
    )
    return efficiency
