"""What a reader sees in a figure: the points in view, and which name each of them goes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_NO_MARKER = (None, "None", "", " ", ",")


@dataclass(frozen=True)
class Point:
    """A point in view: where it is in its axes, its colour, and what carries it."""

    axes: Any
    x: float
    y: float
    colour: tuple[float, ...]
    artist: Any


def points_of(figure: Any) -> list[Point]:
    """Return the points of a drawn figure that a reader sees: markers of lines and scattered points, within the view.

    Args:
        figure: of matplotlib, drawn.
    """
    return [
        point for axes in figure.axes if axes.get_visible() for point in (*_markers(axes), *_scattered(axes))
        if _in_view(point)
    ]  # fmt: skip


def _markers(axes: Any) -> Iterator[Point]:
    from matplotlib.colors import to_rgba

    for line in axes.lines:
        if line.get_marker() in _NO_MARKER or not line.get_visible() or line.get_markersize() < 0.5:
            continue
        face = line.get_markerfacecolor()
        colour = to_rgba(line.get_markeredgecolor() if isinstance(face, str) and face == "none" else face)
        if _is_seen(colour, line):
            for x, y in zip(line.get_xdata(orig=False), line.get_ydata(orig=False), strict=True):  # names as places
                yield Point(axes, float(x), float(y), colour[:3], line)


def _scattered(axes: Any) -> Iterator[Point]:
    from matplotlib.collections import PathCollection

    parts: list[Any] = [part for part in axes.collections if isinstance(part, PathCollection) and part.get_visible()]
    for part in parts:
        faces = part.get_facecolors() if len(part.get_facecolors()) else part.get_edgecolors()
        sizes = part.get_sizes()
        for number, (x, y) in enumerate(part.get_offsets()):
            colour = tuple(map(float, faces[number % len(faces)])) if len(faces) else (0.0, 0.0, 0.0, 0.0)
            if _is_seen(colour, part) and (not len(sizes) or sizes[number % len(sizes)] > 0.5):
                yield Point(axes, float(x), float(y), colour[:3], part)


def _is_seen(colour: Sequence[float], artist: Any) -> bool:
    alpha = artist.get_alpha()
    return colour[3] > 0.02 and (alpha is None or not isinstance(alpha, (int, float)) or alpha > 0.02)


def _in_view(point: Point) -> bool:
    (left, right), (low, high) = sorted(point.axes.get_xlim()), sorted(point.axes.get_ylim())
    return left <= point.x <= right and low <= point.y <= high


def names_of(point: Point, figure: Any, names: Sequence[str]) -> set[str]:
    """Return which of some names a reader gives to a point, by a tick, a legend, a title or a word beside it.

    Args:
        point: of the figure.
        figure: that has it, drawn.
        names: to choose from; none is a part of another.
    """
    by_place = _by_ticks(point, names) | _by_legends(point, figure, names) | _by_title(point, names)
    return by_place or _by_words(point, names)


def _named(text: str, names: Sequence[str]) -> set[str]:
    """Return the name in a text; of a text with several of them none is said."""
    found = {name for name in names if name in text.lower()}
    return found if len(found) == 1 else set()


def _by_ticks(point: Point, names: Sequence[str]) -> set[str]:
    found = set()
    for axis, place in ((point.axes.xaxis, point.x), (point.axes.yaxis, point.y)):
        ticks = list(zip(axis.get_ticklocs(), (label.get_text() for label in axis.get_ticklabels()), strict=False))
        if point.axes.axison and axis.get_visible() and any(_named(text, names) for _, text in ticks):
            nearest = min(ticks, key=lambda tick: abs(tick[0] - place))
            found |= _named(nearest[1], names)
    return found


def _by_legends(point: Point, figure: Any, names: Sequence[str]) -> set[str]:
    legends = [axes.get_legend() for axes in figure.axes] + list(figure.legends)
    found = set()
    for legend in legends:
        if legend is None or not legend.get_visible():
            continue
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=False):
            if _colour_of(handle) == _rounded(point.colour) and _marker_of(handle) in (None, _marker_of(point.artist)):
                found |= _named(text.get_text(), names)
    return found


def _rounded(colour: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(float(part), 2) for part in colour[:3])


def _colour_of(handle: Any) -> tuple[float, ...] | None:
    """Return the colour of an entry in a legend."""
    from matplotlib.colors import to_rgba

    for name in ("get_markerfacecolor", "get_facecolor", "get_color"):
        if hasattr(handle, name):
            colour = getattr(handle, name)()
            if isinstance(colour, str) and colour == "none":
                colour = handle.get_markeredgecolor()
            if hasattr(colour, "ndim") and colour.ndim == 2:
                colour = colour[0] if len(colour) else "none"
            return _rounded(to_rgba(colour))
    return None


def _marker_of(artist: Any) -> Any:
    """Return what tells the shape of a marker from another one; None where it isn't known."""
    if hasattr(artist, "get_marker"):
        return None if artist.get_marker() in _NO_MARKER else artist.get_marker()
    paths = artist.get_paths() if hasattr(artist, "get_paths") else []
    return paths[0].vertices.round(3).tobytes() if len(paths) else None


def _by_title(point: Point, names: Sequence[str]) -> set[str]:
    axes = point.axes
    texts = [axes.get_title(place) for place in ("left", "center", "right")] + [axes.get_xlabel(), axes.get_ylabel()]
    return set().union(*(_named(text, names) for text in texts))


def _by_words(point: Point, names: Sequence[str]) -> set[str]:
    """Return the name that is written nearest to a point within its axes."""
    words = [text for text in point.axes.texts if text.get_visible() and _named(text.get_text(), names)]
    if len(words) < 2:
        return set()
    there = point.axes.transData.transform((point.x, point.y))

    def distance(text: Any) -> float:
        box = text.get_window_extent()
        return abs((box.x0 + box.x1) / 2 - there[0]) + abs((box.y0 + box.y1) / 2 - there[1])

    return _named(min(words, key=distance).get_text(), names)
