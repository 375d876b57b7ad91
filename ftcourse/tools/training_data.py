"""The check of data before a training: what is wrong with which lines, what is left out, and what stays together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..data_checks import REMEDIES, UNUSABLE, normalise, rare_labels
from ..errors import CourseError
from ..tables import class_names

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from datasets import Dataset, DatasetDict

    from .training import Settings

FEWEST = 3  # rows of a class: one for each of training, validation and test
_UNLIMITED = 10**9  # characters: how much of a text the model reads is counted in tokens
_WHAT_TO_DO = {
    **REMEDIES,
    "duplicate": "Copies stay in one split together; --clean keeps the first of them.",
    "near_duplicate": "They stay in one split together; --clean keeps the first of them.",
    "conflict": "Read them and keep the right one; --clean leaves all of them out.",
    "similar_names": "Give them one name if they mean the same.",
    "few": "Collect more, give the rows another label, or leave them out with --clean.",
    "unusable": "Mend it.",
    "duplicate_sentence": "Without documents, copies stay in one split together; --clean keeps the first of them.",
    "conflict_sentence": "Read them: only another context can make both right. --clean leaves all of them out.",
    "duplicate_question": "Copies stay in one split together; --clean keeps the first of them.",
    "conflict_question": "Read them and keep the right one; --clean leaves all of them out.",
    "few_names": "Collect more, give the names another label, or leave their sentences out with --clean.",
    "duplicate_image": "Copies stay in one split together; --clean keeps the first of them.",
    "conflict_image": "Look at them and keep the right one; --clean leaves all of them out.",
    "few_images": "Collect more, move the images to another class, or leave them out with --clean.",
    "few_documents": "Sentences of one document may be in two splits, which flatters the result: give more documents.",
    "leak": "The result is flattered by them: take them out of one of the files.",
}
_TITLES = {
    "wrong_type": "not text", "missing": "missing", "empty": "empty", "encoding": "garbled characters",
    "duplicate": "copies", "near_duplicate": "near-copies", "conflict": "same text, other label",
    "imbalance": "rare class", "similar_names": "similar class names", "few": f"fewer than {FEWEST} rows",
    "unusable": "can't be used", "duplicate_sentence": "copies",
    "conflict_sentence": "same words, other tags",
    "duplicate_question": "copies", "conflict_question": "same question, other answer",
    "few_names": f"fewer than {FEWEST} names",
    "duplicate_image": "copies", "conflict_image": "same file, other class",
    "few_images": f"fewer than {FEWEST} images",
    "few_documents": "few documents", "leak": "seen in training",
}  # fmt: skip


class Finding(NamedTuple):
    """One kind of fault in data.

    Attributes:
        kind: short name of the fault.
        places: lines (or rows, items, files) that have it, in order; none where it is about the data as a whole.
        reason: what is wrong, of the first line if there are many.
        left_out: whether the rows were left out.
    """

    kind: str
    places: list[Any]
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


def drawn(frame: pd.DataFrame, settings: Settings, say: Callable[[str], None]) -> pd.DataFrame:
    """Return a table, or so many of its rows as are wanted, in their order.

    Args:
        frame: the table.
        settings: with the number and the seed.
        say: called with a line where rows are drawn.
    """
    if not settings.max_rows or len(frame) <= settings.max_rows:
        return frame
    say(f"Drew {settings.max_rows:,} of them")
    return frame.iloc[sorted(frame.reset_index().sample(settings.max_rows, random_state=settings.seed).index)]


def split_given(frame: pd.DataFrame, given: Mapping[str, pd.DataFrame], settings: Settings, items: str) -> DatasetDict:
    """Cut from a table what was not given: train, validation and test, of which no two share a cluster.

    Args:
        frame: with the columns cluster, and label, of which each split shall have its share.
        given: tables that are used as they are, by the name of their split.
        settings: with the shares and the seed.
        items: what the rows are called.

    Returns:
        The three splits, with the place of each row as a column; label is left out.

    Raises:
        CourseError: if there is too little to cut from.
    """
    from datasets import Dataset, DatasetDict

    from ..splits import split_stratified

    def as_dataset(rows: pd.DataFrame) -> Dataset:
        return Dataset.from_dict({str(rows.index.name): rows.index.tolist(), **{k: list(v) for k, v in rows.items()}})

    groups, shares = frame["cluster"].nunique(), [settings.validation_share, settings.test_share]
    if groups < 4 and len(given) < 2:
        raise CourseError(
            f"There are {groups} groups of {items} that may be parted from one another, and the splits need four: give "
            f"more {items}."
        )
    least = [0.0 if name in given else max(share, number / groups)
             for name, share, number in zip(("validation", "test"), shares, (1, 2), strict=True)]  # fmt: skip
    rows = as_dataset(frame)
    splits = DatasetDict(train=rows)
    if any(least):
        splits = split_stratified(rows, "cluster", least[0], least[1], settings.seed)
    columns = [name for name in splits["train"].column_names if name != "label"]  # the place is the first
    for name, own in given.items():
        splits[name] = as_dataset(own[[column for column in columns if column in own]])
    splits = DatasetDict({name: splits[name].select_columns(columns) for name in ("train", "validation", "test")})
    if len(splits["test"]) < 2:
        raise CourseError(f"The test has one of the {items} only, which measures nothing: give more {items}.")
    return splits


def leaks(splits: DatasetDict, given: Iterable[str], column: str, items: str) -> list[Finding]:
    """Return what was given for validation or test and is in training, too.

    Args:
        splits: the three.
        given: names of the splits that were given.
        column: to compare by, strings or lists of words.
        items: what it holds.
    """

    def same(value: str | list[str]) -> str | None:
        return normalise(value if isinstance(value, str) else " ".join(value))

    known, found = set(map(same, splits["train"][column])), []
    for name in given:
        rows = splits[name]
        pairs = zip(rows[rows.column_names[0]], rows[column], strict=True)
        places = [place for place, value in pairs if same(value) in known]
        found.append(Finding("leak", places, f"{items} given for {name} are among those of training, too"))
    return [finding for finding in found if finding.places]


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
    refuse(findings, place, clean)
    frame = without(frame, findings)
    pairs = near_pairs(frame["text"].tolist())
    findings += [finding._replace(left_out=clean) for finding in _copies(frame, pairs)]
    if clean:
        frame = without(frame, findings)
        pairs = []  # of those, one at most is left
    counts = frame["label"].value_counts()
    few = [
        Finding("few", frame.index[frame["label"] == name].tolist(), f"{number} of label {name}", clean)
        for name, number in counts.items()
        if number < FEWEST
    ]
    refuse(few, place, clean)
    frame = without(frame, few)
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


def refuse(findings: Sequence[Finding], place: str, clean: bool, items: str = "rows") -> None:
    """Stop at what can't be used, unless it is to be left out.

    Args:
        findings: of what can't be used.
        place: what is counted, line or row.
        clean: whether it is to be left out.
        items: what it is called.

    Raises:
        CourseError: naming the places.
    """
    if findings and not clean:
        said = "; ".join(f"{finding.reason} ({finding.where(place)})" for finding in findings[:10])
        more = f"; and {len(findings) - 10:,} more kinds of fault" if len(findings) > 10 else ""
        raise CourseError(
            f"There are {items} that can't be used: {said}{more}. Mend them in the data, or leave them out with "
            "--clean."
        )


def faulty(faults: Iterable[tuple[Any, str]], file: str, clean: bool) -> list[Finding]:
    """Return faults of single examples, those of one kind together.

    Args:
        faults: the place of each and what is wrong there, such as "the tag 'x': write it otherwise".
        file: that they are in.
        clean: whether the examples are left out.
    """
    found: dict[str, Finding] = {}
    for place, reason in faults:
        kind = re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "…", reason)  # what is quoted differs from place to place
        found.setdefault(kind, Finding("unusable", [], f"{file} has {reason}", clean)).places.append(place)
    return list(found.values())


def say_findings(findings: Iterable[Finding], place: str, say: Callable[[str], None]) -> None:
    """Say what was found, a line each.

    Args:
        findings: of the data.
        place: what is counted, line or row.
        say: called with each line.
    """
    for finding in findings:
        where = finding.where(place)
        say(f"  {finding.title}{f', {where}' if where else ''}: {finding.reason}. {finding.remedy}")


def without(frame: pd.DataFrame, findings: Iterable[Finding]) -> pd.DataFrame:
    """Return a table without the rows that are left out.

    Args:
        frame: whose index has the places.
        findings: those that say so leave their rows out.
    """
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


def near_pairs(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of positions whose texts are nearly the same, the earlier first.

    Args:
        texts: strings.
    """
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
    return [*found, *alike_names(names)]


def alike_names(names: Iterable[str]) -> list[Finding]:
    """Return a finding for each set of labels that differ in case or spaces only.

    Args:
        names: of the labels.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(normalise(name), []).append(name)
    return [
        Finding("similar_names", [], f"the labels {', '.join(map(repr, sorted(names)))} differ in case or spaces only")
        for names in alike.values()
        if len(names) > 1
    ]


def _clusters(frame: pd.DataFrame, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return a number for each row: the same for rows of one group, of the same text, or nearly the same."""
    return link([frame["text"].map(normalise), *([frame["group"]] if "group" in frame else [])], pairs)


def link(keys: Sequence[Sequence[Any] | pd.Series], pairs: Sequence[tuple[int, int]] = ()) -> np.ndarray:
    """Return a number for each row: the same for rows that share a key, or that are a pair.

    Args:
        keys: each with a value for each row; a missing one is shared with none.
        pairs: of rows, counted from 0.
    """
    import numpy as np
    import pandas as pd
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count, links = len(keys[0]), [np.array(pairs, dtype=int).reshape(-1, 2)]
    size = count
    for key in keys:  # each value is a node of its own, to which its rows are linked
        codes, names = pd.factorize(pd.Series(key, dtype=object))
        links.append(np.column_stack([np.flatnonzero(codes >= 0), codes[codes >= 0] + size]))
        size += len(names)
    first, second = np.concatenate(links).T
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(size, size))
    return pd.factorize(connected_components(graph, directed=False)[1][:count])[0]
