"""Lesson 2: chat files, and the token accuracy of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import style
from .style import BLACK, GREY, ORANGE, SKY

if TYPE_CHECKING:
    import pandas as pd


def show_chat_lengths(frame: pd.DataFrame, max_length: int) -> None:
    """Show how many messages and how many tokens the examples have, and where the longest are cut if any is.

    Args:
        frame: DataFrame with the columns messages, tokens and trained, one row an example.
        max_length: tokens after which an example is cut.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), width_ratios=[1, 2])
    counts = frame["messages"].value_counts().sort_index()
    left.bar_label(left.bar([str(count) for count in counts.index], counts))
    left.set(xlabel="messages", ylabel="examples")
    edges = range(0, frame["tokens"].max() + 10, 10)
    right.hist(frame["tokens"], bins=edges, color=SKY, label="all tokens")
    right.hist(frame["trained"], bins=edges, color=ORANGE, alpha=0.7, hatch="//", label="trained on")
    if frame["tokens"].max() > max_length:  # else the line would squeeze the bars into a corner
        right.axvline(max_length, color=BLACK, linestyle="--", label="cut here")
    right.set(xlabel="tokens of an example", ylabel="examples")
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


def show_token_accuracy(results: pd.DataFrame, window: int = 10) -> None:
    """Show the share of tokens that a job predicted right over its steps, in training and on validation.

    Args:
        results: DataFrame as `ftcourse.jobs.parse_results` returns it: a row a step, with the columns train_accuracy
            and valid_mean_token_accuracy, shares between 0 and 1, NaN where they were not measured.
        window: number of steps that a point of the training curve is the mean of.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    training = 100 * results["train_accuracy"].rolling(window, min_periods=1).mean()
    validation = 100 * results["valid_mean_token_accuracy"].dropna()
    last = f"mean of {window} steps" if len(training) >= window else "mean of the steps so far"
    axes.plot(training.index, training, color=GREY, label=f"training, {last}")
    axes.plot(validation.index, validation, "o-", color=BLACK, label="validation")
    axes.set(xlabel="step", ylabel="tokens predicted right (%)", ylim=(0, 103))
    axes.legend(loc="lower right")
    said = [f"training, {last}, from {training.iloc[0]:.1f}% to {training.iloc[-1]:.1f}%"]
    if len(validation):
        said.append("validation " + ", ".join(f"{share:.1f}% at step {step}" for step, share in validation.items()))
    style.show(figure, f"Tokens predicted right over the steps: {'; '.join(said)}.")
