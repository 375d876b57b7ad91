"""How a figure looks and is shown: a palette that everybody can tell apart, and a text beside every picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Okabe and Ito's palette, told apart in the common forms of colour blindness (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK)

GREY = "#7F7F7F"
# One colour means one way of solving the task in all lessons.
METHODS = {
    "always the commoner class": GREY,
    "word counter": BLUE,
    "plain word counter": BLUE,
    "looked up": BLUE,
    "nearest sentence": BLUE,
    "frozen features": GREEN,
    "feature extraction": GREEN,
    "fine-tuned": VERMILION,
    "full fine-tuning": VERMILION,
    "head on the first token": VERMILION,
    "head on the mean": SKY,
    "training on pairs": BLACK,
    "a guess": GREY,
    "pixels alone": BLUE,
    "head only": GREEN,
    "all at once": VERMILION,
    "then the last layers": VERMILION,
    "from scratch": BLACK,
    "LoRA": PURPLE,
    "QLoRA": ORANGE,
}

# Light tints of the palette, on which black letters have a contrast of more than 10 to 1.
TINTS = {"PER": "#9CCBEB", "ORG": "#F6CF86", "LOC": "#92D8C0", "MISC": "#E6BCD3"}
TINTS |= {"TRUTH": TINTS["LOC"], "ANSWER": TINTS["ORG"], "TRUTH = ANSWER": TINTS["LOC"]}


def set_style() -> None:
    """Set seaborn's theme with the course's palette."""
    import seaborn as sns

    rc = {"figure.figsize": (7, 3.6), "figure.dpi": 100, "figure.constrained_layout.use": True}
    sns.set_theme(style="whitegrid", palette=list(PALETTE), rc=rc)


def show(figure: Figure, alt: str) -> None:
    """Show a matplotlib figure in a notebook with its text alternative.

    The text goes with the picture as its ``alt`` metadata, which the HTML export turns into the image's ``alt``
    attribute, and stands beneath it as a caption, because JupyterLab and code hosts drop the metadata.

    Args:
        figure: a matplotlib figure; it is closed afterwards, so that it is not shown twice.
        alt: one or two sentences that say what the figure shows, for a reader who cannot see it.

    Raises:
        ValueError: if `alt` is empty.
    """
    from IPython.display import Markdown, display

    data, metadata = _picture(figure, alt)
    display(data, raw=True, metadata=metadata)
    display(Markdown(f"*Figure: {alt}*"))


def _picture(figure: Figure, alt: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a notebook displays for a figure, data and metadata, and close the figure."""
    import matplotlib.pyplot as plt

    if not alt.strip():
        raise ValueError("A figure needs a text alternative: say in a sentence what it shows.")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    plt.close(figure)
    return {"image/png": small_png(buffer.getvalue()), "text/plain": alt}, {"image/png": {"alt": alt}}


def small_png(picture: bytes, limit: int = 40_000) -> bytes:
    """Return a PNG of at most 256 colours if it was larger than a limit, so that notebooks with photographs stay small.

    Args:
        picture: a PNG.
        limit: in bytes; a smaller picture is returned as it is.
    """
    from PIL import Image

    if len(picture) <= limit:
        return picture
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(256).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def live() -> Callable[[Figure, str], None]:
    """Return a function that shows a figure, and at each further call puts the new one in the place of the last.

    The function takes a figure and its text alternative, as `show` does.
    """
    from IPython.display import DisplayHandle, Markdown

    picture, caption = DisplayHandle(), DisplayHandle()
    put = [picture.display, caption.display]

    def show_again(figure: Figure, alt: str) -> None:
        data, metadata = _picture(figure, alt)
        put[0](data, raw=True, metadata=metadata)
        put[1](Markdown(f"*Figure: {alt}*"))
        put[:] = [picture.update, caption.update]

    return show_again
