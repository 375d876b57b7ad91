"""Lesson 4: quantised weights and memory."""

from collections.abc import Mapping
from typing import Any

from . import style
from .style import BLACK, BLUE


def show_quantised(weights: Any, versions: Mapping[str, Any], size: int = 16) -> None:
    """Show a corner of a weight matrix before and after quantisation, and the values that each kind allows in a block.

    Args:
        weights: float tensor of shape (rows, columns).
        versions: dictionary from the kind to the weights after quantising and unpacking, same shape.
        size: rows and columns of the corner.
    """
    import matplotlib.pyplot as plt

    corner = {"original": weights, **versions}
    limit = float(weights[:size, :size].abs().max())
    figure, all_axes = plt.subplots(2, len(corner), figsize=(2.4 * len(corner), 4.2), height_ratios=[3, 1.3])
    said = []
    for (top, bottom), (name, matrix) in zip(all_axes.T, corner.items(), strict=True):
        top.imshow(matrix[:size, :size].cpu(), cmap="cividis", vmin=-limit, vmax=limit)
        top.set(title=name, xticks=[], yticks=[])
        top.grid(False)
        block = matrix.reshape(-1)[:64].cpu()  # one block of NF4 and FP4
        values = len(block.unique())
        bottom.vlines(block, 0, 1, color=BLUE, linewidth=0.8)
        bottom.set(
            xlabel=f"{values} values in a block",
            yticks=[],
            xlim=(-1.1 * float(block.abs().max()), 1.1 * float(block.abs().max())),
        )
        bottom.tick_params(labelsize=7)
        said.append(f"{name} {values}")
    style.show(
        figure,
        f"A corner of {size} by {size} weights before and after quantisation, and below it the different values among "
        f"64 weights: {', '.join(said)}.",
    )


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
