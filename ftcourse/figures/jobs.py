"""Lesson 2: chat files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import style
from .style import BLACK, ORANGE, SKY

if TYPE_CHECKING:
    import pandas as pd


def show_chat_lengths(frame: pd.DataFrame, max_length: int) -> None:
    """Show how many messages and how many tokens the examples have, and where the longest are cut.

    Args:
        frame: DataFrame with the columns messages, tokens and trained, one row an example.
        max_length: tokens after which an example is cut.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), width_ratios=[1, 2])
    counts = frame["messages"].value_counts().sort_index()
    left.bar_label(left.bar([str(count) for count in counts.index], counts))
    left.set(xlabel="messages", ylabel="examples")
    edges = range(0, max(max_length, frame["tokens"].max()) + 10, 10)
    right.hist(frame["tokens"], bins=edges, color=SKY, label="all tokens")
    right.hist(frame["trained"], bins=edges, color=ORANGE, alpha=0.7, hatch="//", label="trained on")
    right.axvline(max_length, color=BLACK, linestyle="--", label="cut here")
    right.set(xlabel="tokens of an example")
    right.legend()
    low, middle, high = frame["tokens"].quantile([0.1, 0.5, 0.9])
    trained = frame["trained"].sum() / frame["tokens"].sum()
    messages = ", ".join(f"{n} messages {count}" for n, count in counts.items())
    style.show(
        figure,
        f"Examples by number of messages: {messages}. A tenth have fewer than {low:.0f} tokens, half fewer than "
        f"{middle:.0f}, a tenth more than {high:.0f}; {trained:.0%} of all tokens are trained "
        f"on. {(frame['tokens'] > max_length).sum()} are cut at {max_length}.",
    )
