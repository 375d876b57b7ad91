"""Lesson 3: masked words, attention, word weights and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import style
from .style import BLACK, METHODS, SKY, YELLOW

if TYPE_CHECKING:
    import numpy as np


def show_masking(tokens: Sequence[str], masked: Sequence[int]) -> None:
    """Show how an encoder is pretrained: what it sees of a sentence, and what it has to say.

    Args:
        tokens: of the sentence, in order.
        masked: positions of the tokens that are hidden from the model.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(min(10, 1.1 * len(tokens)), 1.9))
    for place, token in enumerate(tokens):
        hidden = place in masked
        seen = dict(boxstyle="round", facecolor=YELLOW if hidden else "white", edgecolor=BLACK)
        axes.text(place, 0, "[MASK]" if hidden else token, ha="center", va="center", bbox=seen)
        if hidden:
            axes.annotate("", (place, 0.72), (place, 0.24), arrowprops=dict(arrowstyle="->", color=BLACK))
            said = dict(boxstyle="round", facecolor=SKY, edgecolor=BLACK)
            axes.text(place, 0.95, token, ha="center", va="center", bbox=said)
    axes.text(-0.9, 0, "it sees", ha="right", va="center", style="italic")
    axes.text(-0.9, 0.95, "it must say", ha="right", va="center", style="italic")
    axes.set(xlim=(-2.4, len(tokens) - 0.4), ylim=(-0.4, 1.35))
    axes.axis("off")
    sentence = " ".join("[MASK]" if place in masked else token for place, token in enumerate(tokens))
    wanted = ", ".join(tokens[place] for place in masked)
    style.show(figure, f"Masked language modelling. The model sees: {sentence}. It must say what is hidden: {wanted}.")


def show_attention(tokens: Sequence[str], weights: np.ndarray) -> None:
    """Show where each token of a sentence looks, as a map with a row for each token.

    Args:
        tokens: of the sentence, in order.
        weights: attention weights, shape (tokens, tokens); each row sums to one.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    weights = np.asarray(weights)
    figure, axes = plt.subplots(figsize=(0.45 * len(tokens) + 2, 0.4 * len(tokens) + 0.8))
    image = axes.imshow(weights, cmap="cividis", vmin=0, aspect="auto")
    places = range(len(tokens))
    axes.set_xticks(places, tokens, rotation=60, ha="right")
    axes.set_yticks(places, tokens)
    axes.set(xlabel="looks at", ylabel="token")
    axes.grid(False)
    figure.colorbar(image, label="share of its attention")
    names = {",": "comma", ".": "full stop"}
    words = [names.get(token, token) for token in tokens]
    pairs = ", ".join(f"{words[row]} to {words[weights[row].argmax()]}" for row in places)
    style.show(figure, f"Attention of one head, a row for each token. The largest share of each row goes from {pairs}.")


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
    axes.barh([names[i] for i in chosen], weights[chosen], color=METHODS["word counter"])
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
    figure, all_axes = plt.subplots(1, 3, figsize=(11, 3), width_ratios=[2, 1.2, 1.2], layout="constrained")
    efficiency = {}
    for axes, (way, (rows, width, options)) in zip(all_axes, ways.items(), strict=True):
        efficiency[way] = padding_efficiency(lengths, batch_size, **options)
        axes.imshow(
            np.arange(width or rows.max()) < rows[:, None], aspect="auto", cmap="cividis_r", interpolation="none"
        )
        axes.set(
            title=f"{way}: {width or rows.max()} wide\nall batches: {efficiency[way]:.0%} real tokens",
            xlabel="place in the sentence",
            yticks=[],
        )
        axes.grid(False)
    all_axes[0].set_ylabel("sentences")
    said = ", ".join(f"{way} {share:.0%}" for way, share in efficiency.items())
    style.show(
        figure,
        f"Three ways to build a batch of {batch_size} sentences; in the third they are others, of similar length. "
        f"Share of real tokens in all batches: {said}.",
    )
    return efficiency
