"""What is written about a training: a page with its figures, and the card of the model."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .markup import html_page, html_picture, html_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from .training import Kind, Outcome, Parts

WORST = 10  # mistakes on the page
_TEXT = 300  # characters of a text on the page
_CLASSES = 40  # of more classes a matrix can't be read, so their commonest mistakes are listed instead


def report_page(kind: Kind, outcome: Outcome, parts: Parts, environment: dict[str, Any]) -> str:
    """Return the report as one page of HTML.

    Args:
        kind: of the training.
        outcome: what came out.
        parts: what is written about this kind only.
        environment: of the run's record.
    """
    sections = [
        *(f"<p>{text(verdict)}</p>" for verdict in outcome.verdicts),
        f"<p>{text(_measured_on(outcome))}</p>",
        "<h2>Result</h2>",
        _score_table(kind, outcome),
        html_picture(*_score_figure(kind, outcome)),
        *parts.html,
        "<h2>Data</h2>",
        *_data(kind, outcome),
        "<h2>Training</h2>",
        _history(kind, outcome),
        _settings(outcome, parts, environment),
    ]
    return html_page(f"{kind.title}: {Path(outcome.data.settings.data).name}", "\n".join(sections))


def model_card(kind: Kind, outcome: Outcome, parts: Parts, environment: dict[str, Any]) -> str:
    """Return the model's card, Markdown with the head that the hub reads.

    Args:
        kind: of the training.
        outcome: what came out.
        parts: what is written about this kind only.
        environment: of the run's record.
    """
    data, measures = outcome.data, kind.measures
    rows = [
        f"| {way} | {' | '.join(_share(row, name, form) for name, (_, form) in measures.items())} |"
        for way, row in outcome.scores.iterrows()
    ]
    sizes = ", ".join(f"{count:,} {name}" for name, count in outcome.counts.sum().items())
    findings = [f"- {finding.title}: {_found(finding, data.place)}" for finding in data.findings]
    return "\n".join([
        "---",
        f"library_name: {kind.library}",
        f"pipeline_tag: {kind.pipeline}",
        "---",
        f"# {parts.name}",
        "",
        parts.about,
        "",
        "## Use",
        "```python",
        *parts.use,
        "```",
        f"or `ftcourse predict THIS_FOLDER {kind.example}`.",
        "",
        "## How good it is",
        _measured_on(outcome),
        "",
        f"| | {' | '.join(f'{title} (95 % interval)' for title, _ in measures.values())} |",
        f"|---|{'---|' * len(measures)}",
        *rows,
        "",
        *(f"- {verdict}" for verdict in outcome.verdicts),
        "",
        parts.files,
        "",
        "## Data",
        f"{kind.counted}: {sizes}.{f' {data.groups}' if data.groups else ''}",
        *(["", "The check of the data found:", *findings] if findings else ["The check of the data found no fault."]),
        "",
        "## Limits",
        "The figures are of one run with one seed, on test data of the same source as the training data: "
        f"{parts.limits} Whoever uses the model should know the licences of the data and of the model it was made "
        "from, and read its mistakes first.",
        "",
        "## Training",
        f"{data.settings.epochs} epochs, of which epoch {outcome.fitted.best:.0f} was kept; learning rate "
        f"{data.settings.learning_rate:g}; batches of {data.settings.batch_size}; seed {data.settings.seed}; "
        f"{_made_with(environment)}. The whole record is in `records`.",
        "",
    ])  # fmt: skip


def _measured_on(outcome: Outcome) -> str:
    return (
        f"Measured on {outcome.tested} that were used for nothing else, in one run with one seed. "
        "The intervals say what other test data of the same kind could change, not another seed."
    )


def text(value: object) -> str:
    """Return a value as HTML.

    Args:
        value: anything that can be written.
    """
    return html.escape(str(value))


def cut(value: str, length: int = _TEXT) -> str:
    """Return a text that is no longer than there is room for.

    Args:
        value: the text.
        length: characters at most.
    """
    return value if len(value) <= length else f"{value[: length - 1]}…"


def _share(row: Any, name: str, form: str) -> str:
    return f"{row[name]:{form}} ({row[f'{name}_low']:{form}} to {row[f'{name}_high']:{form}})"


def _found(finding: Any, place: str) -> str:
    where = finding.where(place)
    return f"{finding.reason}{f' ({where})' if where else ''}. {finding.remedy}"


def _made_with(environment: dict[str, Any]) -> str:
    versions = environment["versions"]
    return (
        f"transformers {versions['transformers']}, torch {versions['torch']}, {environment['dtype']} on "
        f"{environment['processor']}, {environment['threads']} threads"
    )


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]


def _score_table(kind: Kind, outcome: Outcome) -> str:
    rows = [
        [text(way), *(_share(row, name, form) for name, (_, form) in kind.measures.items())]
        for way, row in outcome.scores.iterrows()
    ]
    titles = [_capital(title) for title, _ in kind.measures.values()]
    return html_table(f"On {outcome.tested}, with 95 % bootstrap intervals", ["", *titles], rows)


def _score_figure(kind: Kind, outcome: Outcome) -> tuple[Figure, str]:
    """Return the judged measure of each way with its interval as a figure, and its text."""
    from matplotlib.figure import Figure

    from ..figures import BLACK, BLUE

    name = kind.judged
    title, form = kind.measures[name]
    scores = 100 * outcome.scores[[name, f"{name}_low", f"{name}_high"]].iloc[::-1]
    figure = Figure(figsize=(7, 0.8 + 0.45 * len(scores)), layout="constrained")
    axes = figure.subplots()
    for row, (way, (value, low, high)) in enumerate(scores.iterrows()):
        colour = BLUE if way == outcome.scores.index[0] else BLACK
        axes.errorbar(value, row, xerr=[[value - low], [high - value]], fmt="o", capsize=4, color=colour)
    axes.set_yticks(range(len(scores)), list(scores.index))
    axes.set(xlabel=f"{title} on the test (%), with 95 % intervals", xlim=(-3, 103), ylim=(-0.6, len(scores) - 0.4))
    axes.grid(axis="x", alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    said = "; ".join(f"{way} {_share(row, name, form)}" for way, row in outcome.scores.iterrows())
    return figure, f"{_capital(title)} of each as dots with their 95 % intervals: {said}."


def class_sections(
    outcome: Outcome,
    matrix: np.ndarray,
    classes: pd.DataFrame,
    item: str,
    items: str,
    picture: Callable[[Any], str] | None = None,
) -> list[str]:
    """Return what the page says of classes: the confusions, each class, and the worst mistakes.

    Args:
        outcome: what came out; its predictions have label, answer, probability and the item.
        matrix: counts, integer array of shape (classes, classes).
        classes: as `measuring.measure_classes` returns it.
        item: column of what was answered, such as text.
        items: what the counts count, such as rows.
        picture: function from a row of the predictions to a picture of it as HTML; None for none.
    """
    return [
        "<h2>Classes</h2>",
        _confusions(outcome, matrix, items),
        _class_table(outcome, classes, items),
        "<h2>Worst mistakes</h2>",
        _mistakes(outcome, item, items, picture),
    ]


def _confusions(outcome: Outcome, matrix: np.ndarray, items: str) -> str:
    """Return the confusion matrix as a picture, or the commonest mistakes where there are too many classes."""
    import matplotlib.pyplot as plt

    from ..figures import confusion_figure

    names = list(outcome.counts.index)
    if len(names) <= _CLASSES:
        figure, alt = confusion_figure(matrix, [cut(name, 20) for name in names])
        picture = html_picture(figure, alt)
        plt.close(figure)
        return f"{picture}\n<p>{text(alt)}</p>"
    cells = [
        (int(count), truth, answer)
        for truth, row in enumerate(matrix)
        for answer, count in enumerate(row)
        if count and truth != answer
    ]
    rows = [[text(names[truth]), text(names[answer]), str(count)] for count, truth, answer in sorted(cells)[::-1][:20]]
    return html_table("The commonest mistakes", ["Truth", "Answer", f"Test {items}"], rows, numbers=(2,))


def _class_table(outcome: Outcome, classes: pd.DataFrame, items: str) -> str:
    rows = []
    for name, row in classes.iterrows():
        recall = f"{row['recall']:.1%} ({row['low']:.0%} to {row['high']:.0%})" if row["count"] else "not in the test"
        count, training = int(row["count"]), outcome.counts.loc[name, "train"]
        rows.append([text(name), f"{training:,}", f"{count:,}", recall, f"{row['precision']:.1%}", f"{row['f1']:.3f}"])
    columns = ["Class", f"Training {items}", f"Test {items}", f"Found of its {items} (recall)",
               "Right when said (precision)", "F1"]  # fmt: skip
    return html_table("Each class, recall with its 95 % Wilson interval", columns, rows, numbers=(1, 2, 4, 5))


def _mistakes(outcome: Outcome, item: str, items: str, picture: Callable[[Any], str] | None) -> str:
    """Return the wrong answers that the model was surest of."""
    wrong = outcome.predictions[outcome.predictions["label"] != outcome.predictions["answer"]]
    if wrong.empty:
        return f"<p>There is no mistake among the test {items}.</p>"
    columns = list(dict.fromkeys([outcome.data.place, item]))  # one where a file is its own place
    rows = [
        [*(text(cut(str(row[column]))) for column in columns), *map(text, (row["label"], row["answer"])),
         f"{row['probability']:.1%}", *([picture(row)] if picture else [])]
        for _, row in wrong.sort_values("probability", ascending=False).head(WORST).iterrows()
    ]  # fmt: skip
    caption = f"The {len(rows)} of {len(wrong):,} mistakes that the model was surest of"
    titles = [*map(_capital, columns), "Label in the data", "Answer", "Probability", *(["Image"] if picture else [])]
    said = f"Read them: is the label right, and can it be told from the {'image' if picture else item} alone?"
    return f"<p>{said}</p>\n" + html_table(caption, titles, rows, numbers=(titles.index("Probability"),))


def _data(kind: Kind, outcome: Outcome) -> list[str]:
    counts, data = outcome.counts, outcome.data
    rows = [[text(name), *(f"{count:,}" for count in row)] for name, row in counts.iterrows()]
    if len(rows) > 1:
        rows.append(["all", *(f"{count:,}" for count in counts.sum())])
    parts = [html_table(kind.counted, ["", *map(str, counts.columns)], rows, range(1, 1 + len(counts.columns)))]
    parts += [f"<p>{text(said)}</p>" for said in [data.groups] if said]
    if not data.findings:
        return [*parts, "<p>The check of the data found no fault.</p>"]
    found = [
        [text(finding.title), *map(text, (finding.reason, finding.where(data.place), finding.remedy))]
        for finding in data.findings
    ]
    return [*parts, html_table("What the check of the data found", ["Kind", "What", "Where", "What to do"], found)]


def _history(kind: Kind, outcome: Outcome) -> str:
    fitted, watched = outcome.fitted, kind.watched
    rows = [
        [f"{row['epoch']:.0f}{' (kept)' if row['epoch'] == fitted.best else ''}",
         *(f"{row[name]:{form}}" for name, (_, form) in watched.items())]
        for _, row in fitted.history.iterrows()
    ]  # fmt: skip
    chosen = watched[kind.chosen][0]
    caption = f"On validation after each epoch; the epoch with the highest {chosen} was kept"
    titles = ["Epoch", *(_capital(title) for title, _ in watched.values())]
    return html_table(caption, titles, rows, numbers=range(1, len(titles)))


def _settings(outcome: Outcome, parts: Parts, environment: dict[str, Any]) -> str:
    settings, cost = outcome.data.settings, outcome.fitted.cost
    rows: Sequence[Sequence[str]] = [
        ["Model", text(settings.model)],
        ["Data", text(settings.data)],
        ["Learning rate", f"{settings.learning_rate:g}"],
        ["Examples a step", str(settings.batch_size)],
        *parts.facts,
        ["Seed", str(settings.seed)],
        ["Cost", f"{cost['seconds']:.0f} s of training, {cost['peak_memory_mb'] / 1000:.1f} GB of memory"],
        ["Made with", text(_made_with(environment))],
    ]
    return html_table("Settings", ["Setting", "Value"], rows)
