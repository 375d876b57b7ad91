"""Every figure has a text alternative."""

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import pytest

from ftcourse import figures


def test_picture_goes_with_its_text_alternative(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda what, **options: shown.append((what, options)))
    figure, _ = plt.subplots()
    figures.show(figure, "A line that rises.")
    (picture, options), (caption, _) = shown
    assert picture["image/png"].startswith(b"\x89PNG") and picture["text/plain"] == "A line that rises."
    assert options["metadata"]["image/png"]["alt"] == "A line that rises."
    assert "A line that rises." in caption.data
    assert not plt.fignum_exists(figure.number)


def test_figure_without_text_is_refused():
    figure, _ = plt.subplots()
    with pytest.raises(ValueError, match="text alternative"):
        figures.show(figure, " ")
    plt.close(figure)
