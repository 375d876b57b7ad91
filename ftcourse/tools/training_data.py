"""The check of a table before a training: what is wrong with which lines, what is left out, and what stays together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..data_checks import REMEDIES, UNUSABLE, normalise, rare_labels
from ..errors import CourseError
from ..tables import class_names

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FEWEST = 3  # rows of a class: one for each of training, validation and test
_UNLIMITED = 10**9  # characters: how much of a text the model reads is counted in tokens
_WHAT_TO_DO = {
    **REMEDIES,
    "duplicate": "Copies stay in one split together; --clean keeps the first of them.",
    "near_duplicate": "They stay in one split together; --clean keeps the first of them.",
    "conflict": "Read them and keep the right one; --clean leaves all of them out.",
    "similar_names": "Give them one name if they mean the same.",
    "few": "Collect more, give the rows another label, or leave them out with --clean.",
}
_TITLES = {
    "wrong_type": "not text", "missing": "missing", "empty": "empty", "encoding": "garbled characters",
    "duplicate": "copies", "near_duplicate": "near-copies", "conflict": "same text, other label",
    "imbalance": "rare class", "similar_names": "similar class names", "few": f"fewer than {FEWEST} rows",
}  # fmt: skip


class Finding(NamedTuple):
    """One kind of fault in a table.

    Attributes:
        kind: short name of the fault.
        places: lines (or rows) that have it, in order; none where it is about the data as a whole.
        reason: what is wrong, of the first line if there are many.
        left_out: whether the rows were left out.
    """

    kind: str
    places: list[int]
    reason: str
    left_out: bool = False

    @property
    def title(self) -> str:
        """What the fault is called."""
        return _TITLES[self.kind]

    @property
    def remedy(self) -> str:
        """What to do about it, a sentence."""
        return "Left out." if self.left_out else _WHAT_TO_DO[self.kind]

    def where(self, place: str = "line") -> str:
        """Return where it is, such as "3 lines: 12, 40, 77".

        Args:
            place: what the rows are counted in, line or row.
        """
        if not self.places:
            return ""
        if len(self.places) == 1:
            return f"{place} {self.places[0]}"
        shown = ", ".join(map(str, self.places[:5]))
        return f"{len(self.places):,} {place}s: {shown}{', …' if len(self.places) > 5 else ''}"


class Prepared(NamedTuple):
    """What `prepare` returns.

    Attributes:
        frame: DataFrame of the rows that can be used, with text, label and group, if any.
        clusters: integer array of shape (rows,): rows with the same number belong into the same split.
        findings: list of `Finding`.
    """

    frame: pd.DataFrame
    clusters: np.ndarray
    findings: list[Finding]


def prepare(frame: pd.DataFrame, clean: bool = False) -> Prepared:
    """Check texts and labels by lesson 7's tools, and find out which rows must not be separated.

    Args:
        frame: DataFrame with text, label and group, if any, as `tables.choose_columns` returns it.
        clean: leave out what can't be used, copies, near-copies, contradictions and classes of fewer than three rows.

    Returns:
        What there is to train on.

    Raises:
        CourseError: if rows can't be used and are not to be left out, naming their lines; or the labels are none.
    """
    place, count = str(frame.index.name or "row"), len(frame)
    _check_names(class_names(frame["label"]), count)
    findings = [finding._replace(left_out=clean) for finding in _faults(frame, UNUSABLE)]
    _refuse(findings, place, clean)
    frame = _without(frame, findings)
    pairs = _near_pairs(frame["text"].tolist())
    findings += [finding._replace(left_out=clean) for finding in _copies(frame, pairs)]
    if clean:
        frame = _without(frame, findings)
        pairs = []  # of those, one at most is left
    counts = frame["label"].value_counts()
    few = [
        Finding("few", frame.index[frame["label"] == name].tolist(), f"{number} of label {name}", clean)
        for name, number in counts.items()
        if number < FEWEST
    ]
    _refuse(few, place, clean)
    frame = _without(frame, few)
    _check_names(class_names(frame["label"]), len(frame))
    return Prepared(frame, _clusters(frame, pairs), [*findings, *few, *_of_all(frame)])


def _check_names(names: Sequence[str], count: int) -> None:
    shown = ", ".join(name if len(name) < 30 else f"{name[:29]}…" for name in names[:5])
    if len(names) < 2:
        raise CourseError(
            f"The rows have {f'the one label {shown}' if names else 'no label'}, and a classifier needs at least two "
            "classes: name the column that has the labels with --label-column."
        )
    if len(names) > max(2, count / FEWEST):
        raise CourseError(
            f"The column with the labels has {len(names):,} different values in {count:,} rows, such as {shown}: these "
            "are no classes. Name another column with --label-column, or sort the values into a few classes first."
        )


def _refuse(findings: Sequence[Finding], place: str, clean: bool) -> None:
    """Stop at rows that can't be used, unless they are to be left out."""
    if findings and not clean:
        said = "; ".join(f"{finding.reason} ({finding.where(place)})" for finding in findings[:10])
        raise CourseError(
            f"There are rows that can't be used: {said}. Mend them in the data, or leave them out with --clean."
        )


def _without(frame: pd.DataFrame, findings: Iterable[Finding]) -> pd.DataFrame:
    places = {place for finding in findings if finding.left_out for place in finding.places}
    return frame[~frame.index.isin(places)]


def _faults(frame: pd.DataFrame, kinds: Iterable[str]) -> list[Finding]:
    """Return what `quality.validate_training_data` finds of some kinds, one finding for each field and kind."""
    from ..quality import validate_training_data

    items, names = frame[["text", "label"]].to_dict("records"), class_names(frame["label"])
    issues = validate_training_data(items, names, "text", "label", min_input=1, max_length=_UNLIMITED)
    found: dict[tuple[str, str], Finding] = {}
    for issue in issues:
        if issue.kind in kinds:
            reason = f"{issue.field or 'the row'} {issue.reason}".replace("is None", "is missing")
            finding = found.setdefault((str(issue.field), issue.kind), Finding(issue.kind, [], reason))
            finding.places.append(frame.index[issue.index])
    return list(found.values())


def _near_pairs(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of positions whose texts are nearly the same, the earlier first."""
    from ..quality import find_near_duplicates

    # Of punctuation alone nothing is left to compare, so that all such texts would be copies of one another.
    rows = [row for row, text in enumerate(texts) if any(map(str.isalnum, text))]
    pairs = find_near_duplicates([texts[row] for row in rows])
    return [(rows[first], rows[second]) for first, second in zip(pairs["first"], pairs["second"], strict=True)]


def _copies(frame: pd.DataFrame, pairs: Sequence[tuple[int, int]]) -> list[Finding]:
    """Return copies, contradictions and near-copies; a row is in one of the three only."""
    same = frame["text"].map(normalise)
    labels = frame.groupby(same)["label"].transform("nunique")
    copies = same.duplicated() & (labels == 1)
    near = {second for first, second in pairs if same.iloc[first] != same.iloc[second]}
    near_places = [frame.index[row] for row in sorted(near) if not copies.iloc[row] and labels.iloc[row] == 1]
    found = [
        Finding("duplicate", frame.index[copies].tolist(), "text and label are those of an earlier row"),
        Finding("conflict", frame.index[labels > 1].tolist(), "the same text has different labels"),
        Finding("near_duplicate", near_places, "the text is nearly that of an earlier row"),
    ]
    return [finding for finding in found if finding.places]


def _of_all(frame: pd.DataFrame) -> list[Finding]:
    """Return what is to be said of texts and classes that can be used."""
    found = _faults(frame, ("encoding",))
    names = class_names(frame["label"])
    for issue in rare_labels(frame[["label"]].to_dict("records"), "label", names, min_balance=0.2):
        found.append(Finding("imbalance", [], issue.reason.replace(" items ", " rows ")))
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(normalise(name), []).append(name)
    found += [
        Finding("similar_names", [], f"the labels {', '.join(map(repr, sorted(names)))} differ in case or spaces only")
        for names in alike.values()
        if len(names) > 1
    ]
    return found


def _clusters(frame: pd.DataFrame, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return a number for each row: the same for rows of one group, of the same text, or nearly the same."""
    import numpy as np
    import pandas as pd
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count, links = len(frame), [np.array(pairs, dtype=int).reshape(-1, 2)]
    size = count
    keys = [frame["text"].map(normalise), *([frame["group"]] if "group" in frame else [])]
    for key in keys:  # each text and each group is a node of its own, to which its rows are linked
        codes, names = pd.factorize(key)
        links.append(np.column_stack([np.flatnonzero(codes >= 0), codes[codes >= 0] + size]))
        size += len(names)
    first, second = np.concatenate(links).T
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(size, size))
    return pd.factorize(connected_components(graph, directed=False)[1][:count])[0]
