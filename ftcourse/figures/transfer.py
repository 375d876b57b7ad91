"""Lesson 1: photographs, and which layers are trained when."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import style


def show_images(images: Sequence[Any], titles: Sequence[str], alt: str, columns: int = 8) -> None:
    """Show images in rows, each with a title above it.

    Args:
        images: PIL images, or arrays of shape (height, width, 3) between 0 and 1.
        titles: one an image.
        alt: the text alternative, as `show` takes it.
        columns: images a row.
    """
    import matplotlib.pyplot as plt

    rows = -(-len(images) // columns)
    lines = max(title.count("\n") + 1 for title in titles)
    figure, all_axes = plt.subplots(rows, columns, figsize=(1.15 * columns, (1 + 0.18 * lines) * rows), squeeze=False)
    for axes in all_axes.flat:
        axes.axis("off")
    for axes, image, title in zip(all_axes.flat, images, titles, strict=False):  # the last row may be short
        axes.imshow(image)
        axes.set_title(title if len(title) < 18 or "\n" in title else title[:16] + "…", fontsize=8, pad=2)
    style.show(figure, alt)


def show_unfreezing(plans: Mapping[str, Sequence[int]], groups: Sequence[str]) -> None:
    """Show which layer groups are trained in which epoch, a panel a plan.

    Args:
        plans: from the name of a plan to the number of trained groups in each epoch, counted from the head.
        groups: names of the layer groups, from the input to the head.
    """
    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = {"frozen": style.METHODS["frozen features"], "trained": style.METHODS["fine-tuned"]}
    figure, all_axes = plt.subplots(1, len(plans), figsize=(2.3 * len(plans), 2.9), sharey=True, squeeze=False)
    said = []
    for axes, (name, counts) in zip(all_axes.flat, plans.items(), strict=True):
        trained = np.array([[row >= len(groups) - count for count in counts] for row in range(len(groups))])
        axes.pcolormesh(trained, cmap=ListedColormap(list(colours.values())), vmin=0, vmax=1, edgecolors="white")
        axes.set(title=name, xlabel="epoch")
        axes.set_xticks(np.arange(len(counts)) + 0.5, range(1, len(counts) + 1))
        axes.set_yticks(np.arange(len(groups)) + 0.5, groups, fontsize=8)
        axes.grid(False)
        said.append(f"{name} {', '.join(map(str, counts))}")
    marks = [Patch(color=colour, label=label) for label, colour in colours.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    figure.set_layout_engine("constrained")
    alt = (
        f"How many of {len(groups)} layer groups, counted from the head, are trained in each epoch: {'; '.join(said)}."
    )
    style.show(figure, alt)
