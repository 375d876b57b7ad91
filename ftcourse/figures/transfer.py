"""Lesson 1: photographs."""

from collections.abc import Sequence
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
