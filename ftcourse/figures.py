"""Figures that everybody can read: a colour-blind-safe palette, and a text alternative with every picture."""

import io

# Okabe and Ito's palette, told apart in the common forms of colour blindness (https://jfly.uni-koeln.de/color/).
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, BLACK)


def set_style():
    """Set seaborn's theme with the course's palette."""
    import seaborn as sns

    rc = {"figure.figsize": (7, 3.6), "figure.dpi": 100, "figure.constrained_layout.use": True}
    sns.set_theme(style="whitegrid", palette=list(PALETTE), rc=rc)


def show(figure, alt):
    """Show a matplotlib figure in a notebook with its text alternative.

    The text goes with the picture as its ``alt`` metadata, which the HTML export turns into the image's ``alt``
    attribute, and stands beneath it as a caption, because JupyterLab and code hosts drop the metadata.

    Args:
        figure: a matplotlib figure; it is closed afterwards, so that it is not shown twice.
        alt: one or two sentences that say what the figure shows, for a reader who cannot see it.

    Raises:
        ValueError: if `alt` is empty.
    """
    import matplotlib.pyplot as plt
    from IPython.display import Markdown, display

    if not alt.strip():
        raise ValueError("A figure needs a text alternative: say in a sentence what it shows.")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    plt.close(figure)
    data = {"image/png": buffer.getvalue(), "text/plain": alt}
    display(data, raw=True, metadata={"image/png": {"alt": alt}})
    display(Markdown(f"*Figure: {alt}*"))
