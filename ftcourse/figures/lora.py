"""Lesson 4: quantised weights, memory, and what is learned against what is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import style
from .style import BLACK, BLUE, GREY, METHODS

if TYPE_CHECKING:
    import pandas as pd


def show_quantised(weights: Any, versions: Mapping[str, Any]) -> None:
    """Show where the weights of one block lie, before and after quantisation, a line of marks a kind.

    Args:
        weights: float tensor of shape (rows, columns).
        versions: dictionary from the kind to the weights after quantising and unpacking, same shape.
    """
    import matplotlib.pyplot as plt

    blocks = {name: matrix.reshape(-1)[:64].cpu() for name, matrix in {"original": weights, **versions}.items()}
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.55 * len(blocks)))
    said = []
    for row, (name, block) in enumerate(blocks.items()):
        count = len(block.unique())
        axes.vlines(block, row - 0.32, row + 0.32, color=BLACK if name == "original" else BLUE, linewidth=1)
        said.append(f"{name} {count}")
    axes.set_yticks(range(len(blocks)), [f"{name.replace(' ', ': ')} values" for name in said])
    axes.grid(False, axis="y")
    axes.set(xlabel="weight", ylim=(len(blocks) - 0.4, -0.6))
    most = {name: float((block - blocks["original"]).abs().max()) for name, block in blocks.items()}
    moved = ", ".join(f"{name} {shift:.3f}" for name, shift in most.items() if name != "original")
    style.show(
        figure,
        f"The 64 weights of one block before and after quantisation, as marks on a line. Different values among them: "
        f"{', '.join(said)}. The weight that moved furthest moved by: {moved}.",
    )


def show_forgetting(frame: pd.DataFrame, base: float) -> None:
    """Show what ways of fine-tuning learned against what they kept, a point an epoch, joined in their order.

    A method has its colour; a triangle means that replay was mixed in, a disc that it wasn't. Of several seeds the mean
    of each epoch is drawn.

    Args:
        frame: DataFrame with one row a run and epoch: method, learning_rate, replay (a boolean), seed, epoch, and the
            shares validation_facts_right and general_right, between 0 and 1.
        base: share of the general questions that the base model has right; it knows no fact.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4.4))
    axes.axhline(100 * base, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    axes.plot(0, 100 * base, "*", color=BLACK, markersize=12, label="base model")
    said = [f"base model 0% and {base:.0%}"]
    rates = frame.groupby("method")["learning_rate"].transform("max")
    for (method, rate, replay), runs in frame.assign(most=rates).groupby(["method", "learning_rate", "replay"]):
        points = 100 * runs.groupby("epoch")[["validation_facts_right", "general_right"]].mean()
        seeds = runs["seed"].nunique()
        name = f"{method}, rate {rate:g}, {'with' if replay else 'no'} replay ({seeds} seed{'s' * (seeds > 1)})"
        axes.plot(
            points["validation_facts_right"],
            points["general_right"],
            marker="^" if replay else "o",
            linestyle="-" if rate == runs["most"].iloc[0] else ":",
            color=METHODS.get(str(method), BLUE),
            label=name,
        )
        for epoch, (facts, general) in points.iterrows():
            axes.annotate(f"{epoch}", (facts, general), xytext=(5, 4), textcoords="offset points", fontsize=8)
        shares = ", ".join(
            f"epoch {epoch} {facts:.0f}% and {general:.0f}%" for epoch, (facts, general) in points.iterrows()
        )
        said.append(f"{name}: {shares}")
    axes.set(
        xlabel="facts right in the validation dialogues (%)",
        ylabel="general questions right (%)",
        xlim=(-3, 100),
        ylim=(0, 100),
    )
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    style.show(figure, f"Facts right and general questions right after each epoch. {'; '.join(said)}.")


def show_memory(estimates: Mapping[str, Mapping[str, float]], sizes: Mapping[str, float]) -> None:
    """Show what training needs as stacked bars, one a method, with the memory of GPUs as lines.

    The peak may lie before the end of a bar, as not all parts are held at the same moment.

    Args:
        estimates: dictionary from a method to a dictionary of parts in bytes with their `peak`, as
            `ftcourse.lora.estimate_memory` returns it.
        sizes: dictionary from the name of a GPU to its memory in units of 10^9 bytes.
    """
    import matplotlib
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(figsize=(11, 1.6 + 0.5 * len(estimates)))
    left = dict.fromkeys(estimates, 0.0)
    parts = [part for part in next(iter(estimates.values())) if part != "peak"]
    longest = max(sum(own[part] for part in parts) for own in estimates.values())
    hidden = [part for part in parts if max(own[part] for own in estimates.values()) < 0.005 * longest]
    # One hue from dark to light: what is told apart are parts of one thing, not methods.
    for part, colour in zip(parts, matplotlib.colormaps["Blues"](np.linspace(1, 0.25, len(parts))), strict=True):
        values = [estimates[method][part] / 1e9 for method in estimates]
        label = f"{part} (too small to see)" if part in hidden else part
        axes.barh(list(estimates), values, left=list(left.values()), color=colour, edgecolor="white", label=label)
        left = {method: left[method] + value for method, value in zip(estimates, values, strict=True)}
    for name, size in sizes.items():
        axes.axvline(size, color=BLACK, linewidth=0.8, linestyle="--")
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        axes.text(size, -0.68, name, ha="center", va="center", fontsize=8, bbox=box, zorder=5)
    axes.plot([parts["peak"] / 1e9 for parts in estimates.values()], list(estimates), "D", color="white",
              markeredgecolor=BLACK, label="peak")  # fmt: skip
    axes.set(xlabel="GB", ylim=(len(estimates) - 0.5, -0.95))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    peaks = {method: parts["peak"] / 1e9 for method, parts in estimates.items()}
    fits = {
        method: next((name for name, size in sizes.items() if peak < size), "none of these")
        for method, peak in peaks.items()
    }
    said = [f"{method} {peak:.1f} GB (smallest that holds it: {fits[method]})" for method, peak in peaks.items()]
    small = f" Too small to see: {', '.join(hidden)}." if hidden else ""
    small += (
        " Parts: "
        + "; ".join(
            f"{method} " + ", ".join(f"{part} {own[part] / 1e9:.2g} GB" for part in parts)
            for method, own in estimates.items()
        )
        + "."
    )
    style.show(figure, f"Memory of training by part, and the peak: {', '.join(said)}.{small}")
