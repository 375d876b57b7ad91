"""What is written about a training: a page with its figures, and the card of the model."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .markup import html_page, html_picture, html_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .training import Outcome

_WORST = 10  # mistakes on the page
_TEXT = 300  # characters of a text on the page
_CLASSES = 40  # of more classes a matrix can't be read, so their commonest mistakes are listed instead


def report_page(outcome: Outcome, environment: dict[str, Any]) -> str:
    """Return the report as one page of HTML.

    Args:
        outcome: what came out.
        environment: of the run's record.
    """
    parts = [
        *(f"<p>{_text(verdict)}</p>" for verdict in outcome.verdicts),
        f"<p>{_text(_measured_on(outcome))}</p>",
        "<h2>Result</h2>",
        _score_table(outcome),
        html_picture(*_score_figure(outcome)),
        "<h2>Classes</h2>",
        _confusions(outcome),
        _class_table(outcome),
        "<h2>Worst mistakes</h2>",
        _mistakes(outcome),
        "<h2>Data</h2>",
        *_data(outcome),
        "<h2>Training</h2>",
        _history(outcome),
        _settings(outcome, environment),
    ]
    return html_page(f"Text classification: {Path(outcome.settings.data).name}", "\n".join(parts))


def model_card(outcome: Outcome, environment: dict[str, Any]) -> str:
    """Return the model's card, Markdown with the head that the hub reads.

    Args:
        outcome: what came out.
        environment: of the run's record.
    """
    settings, scores = outcome.settings, outcome.scores
    rows = [f"| {way} | {_share(row, 'accuracy')} | {_share(row, 'f1')} |" for way, row in scores.iterrows()]
    sizes = ", ".join(f"{count:,} {name}" for name, count in outcome.counts.sum().items())
    findings = [f"- {finding.title}: {_found(finding, outcome.place)}" for finding in outcome.findings]
    return "\n".join([
        "---",
        "library_name: transformers",
        "pipeline_tag: text-classification",
        "---",
        f"# Classifier of texts: {', '.join(outcome.counts.index[:10])}{', …' if len(outcome.counts) > 10 else ''}",
        "",
        f"Fine-tuned from {settings.model} on {Path(settings.data).name}: the texts of the column "
        f"{settings.text_column}, the labels of {settings.label_column}. It gives each text one of "
        f"{len(outcome.counts)} classes, and reads its first {settings.max_length} tokens.",
        "",
        "## Use",
        "```python",
        "from transformers import pipeline",
        "",
        'pipeline("text-classification", "THIS FOLDER")("a text")',
        "```",
        "or `ftcourse predict THIS_FOLDER texts.txt`.",
        "",
        "## How good it is",
        _measured_on(outcome),
        "",
        "| | accuracy (95 % interval) | macro F1 (95 % interval) |",
        "|---|---|---|",
        *rows,
        "",
        *(f"- {verdict}" for verdict in outcome.verdicts),
        "",
        "`report.html` has the confusion matrix, each class and the worst mistakes; `predictions.csv` every test row.",
        "",
        "## Data",
        f"Rows: {sizes}.{_groups(outcome)}",
        *(["", "The check of the data found:", *findings] if findings else ["The check of the data found no fault."]),
        "",
        "## Limits",
        "The figures are of one run with one seed, on rows of the same source as the training rows: texts of another "
        "kind may be answered worse. Whoever uses the model should know the licences of the data and of the model it "
        "was made from, and read its mistakes first.",
        "",
        "## Training",
        f"{settings.epochs} epochs, of which epoch {outcome.best:.0f} was kept; learning rate "
        f"{settings.learning_rate:g}; batches of {settings.batch_size}; seed {settings.seed}; "
        f"{_made_with(environment)}. The whole record is in `records`.",
        "",
    ])  # fmt: skip


def _measured_on(outcome: Outcome) -> str:
    return (
        f"Measured on {len(outcome.predictions):,} test rows that were used for nothing else, in one run with one "
        "seed. "
        "The intervals say what other test rows of the same kind could change, not another seed."
    )


def _groups(outcome: Outcome) -> str:
    column = outcome.settings.group_column
    return f" No value of {column} is in two splits." if column else ""


def _text(value: object) -> str:
    return html.escape(str(value))


def _share(row: Any, name: str) -> str:
    if name == "f1":
        return f"{row['f1']:.3f} ({row['f1_low']:.3f} to {row['f1_high']:.3f})"
    return f"{row[name]:.1%} ({row[f'{name}_low']:.1%} to {row[f'{name}_high']:.1%})"


def _found(finding: Any, place: str) -> str:
    where = finding.where(place)
    return f"{finding.reason}{f' ({where})' if where else ''}. {finding.remedy}"


def _made_with(environment: dict[str, Any]) -> str:
    versions = environment["versions"]
    return (
        f"transformers {versions['transformers']}, torch {versions['torch']}, {environment['dtype']} on "
        f"{environment['processor']}, {environment['threads']} threads"
    )


def _score_table(outcome: Outcome) -> str:
    rows = [[_text(way), _share(row, "accuracy"), _share(row, "f1")] for way, row in outcome.scores.iterrows()]
    return html_table(
        f"On {len(outcome.predictions):,} test rows, with 95 % bootstrap intervals", ["", "Accuracy", "Macro F1"], rows
    )


def _score_figure(outcome: Outcome) -> tuple[Figure, str]:
    """Return accuracies with their intervals as a figure, and its text."""
    from matplotlib.figure import Figure

    from ..figures import BLACK, BLUE

    scores = 100 * outcome.scores[["accuracy", "accuracy_low", "accuracy_high"]].iloc[::-1]
    figure = Figure(figsize=(7, 0.8 + 0.45 * len(scores)), layout="constrained")
    axes = figure.subplots()
    for row, (way, (accuracy, low, high)) in enumerate(scores.iterrows()):
        colour = BLUE if way == outcome.scores.index[0] else BLACK
        axes.errorbar(accuracy, row, xerr=[[accuracy - low], [high - accuracy]], fmt="o", capsize=4, color=colour)
    axes.set_yticks(range(len(scores)), list(scores.index))
    axes.set(xlabel="accuracy on the test rows (%), with 95 % intervals", xlim=(0, 103), ylim=(-0.6, len(scores) - 0.4))
    axes.grid(axis="x", alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    said = "; ".join(f"{way} {_share(row, 'accuracy')}" for way, row in outcome.scores.iterrows())
    return figure, f"Accuracies as dots with their 95 % intervals: {said}."


def _confusions(outcome: Outcome) -> str:
    """Return the confusion matrix as a picture, or the commonest mistakes where there are too many classes."""
    import matplotlib.pyplot as plt

    from ..figures import confusion_figure

    names = list(outcome.counts.index)
    if len(names) <= _CLASSES:
        figure, alt = confusion_figure(outcome.matrix, [_cut(name, 20) for name in names])
        picture = html_picture(figure, alt)
        plt.close(figure)
        return f"{picture}\n<p>{_text(alt)}</p>"
    cells = [
        (int(count), truth, answer)
        for truth, row in enumerate(outcome.matrix)
        for answer, count in enumerate(row)
        if count and truth != answer
    ]
    rows = [
        [_text(names[truth]), _text(names[answer]), str(count)] for count, truth, answer in sorted(cells)[::-1][:20]
    ]
    return html_table("The commonest mistakes", ["Truth", "Answer", "Test rows"], rows, numbers=(2,))


def _class_table(outcome: Outcome) -> str:
    rows = []
    for name, row in outcome.classes.iterrows():
        recall = f"{row['recall']:.1%} ({row['low']:.0%} to {row['high']:.0%})" if row["count"] else "no test row"
        count, training = int(row["count"]), outcome.counts.loc[name, "train"]
        rows.append([_text(name), f"{training:,}", f"{count:,}", recall, f"{row['precision']:.1%}", f"{row['f1']:.3f}"])
    columns = ["Class", "Training rows", "Test rows", "Found of its rows (recall)", "Right when said (precision)", "F1"]
    return html_table("Each class, recall with its 95 % Wilson interval", columns, rows, numbers=(1, 2, 4, 5))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _mistakes(outcome: Outcome) -> str:
    """Return the wrong answers that the model was surest of."""
    wrong = outcome.predictions[outcome.predictions["label"] != outcome.predictions["answer"]]
    if wrong.empty:
        return "<p>There is no mistake among the test rows.</p>"
    rows = [
        [f"{row[outcome.place]}", _text(_cut(row["text"], _TEXT)), *map(_text, (row["label"], row["answer"])),
         f"{row['probability']:.1%}"]
        for _, row in wrong.sort_values("probability", ascending=False).head(_WORST).iterrows()
    ]  # fmt: skip
    caption = f"The {len(rows)} of {len(wrong):,} mistakes that the model was surest of"
    columns = [outcome.place.capitalize(), "Text", "Label in the data", "Answer", "Probability"]
    said = "Read them: is the label right, and can it be told from the text alone?"
    return f"<p>{said}</p>\n" + html_table(caption, columns, rows, numbers=(4,))


def _data(outcome: Outcome) -> list[str]:
    counts = outcome.counts
    rows = [[_text(name), *(f"{count:,}" for count in row)] for name, row in counts.iterrows()]
    rows.append(["all", *(f"{count:,}" for count in counts.sum())])
    parts = [html_table("Rows of each class in each split", ["Class", *map(str, counts.columns)], rows, (1, 2, 3))]
    parts += [f"<p>{_text(said)}</p>" for said in [_groups(outcome).strip()] if said]
    if not outcome.findings:
        return [*parts, "<p>The check of the data found no fault.</p>"]
    found = [
        [_text(finding.title), *map(_text, (finding.reason, finding.where(outcome.place), finding.remedy))]
        for finding in outcome.findings
    ]
    return [*parts, html_table("What the check of the data found", ["Kind", "What", "Where", "What to do"], found)]


def _history(outcome: Outcome) -> str:
    rows = [
        [f"{row['epoch']:.0f}{' (kept)' if row['epoch'] == outcome.best else ''}",
         f"{row['loss']:.3f}", f"{row['accuracy']:.1%}", f"{row['f1']:.3f}"]
        for _, row in outcome.history.iterrows()
    ]  # fmt: skip
    caption = "On the validation rows after each epoch; the epoch with the highest macro F1 was kept"
    return html_table(caption, ["Epoch", "Loss", "Accuracy", "Macro F1"], rows, numbers=(1, 2, 3))


def _settings(outcome: Outcome, environment: dict[str, Any]) -> str:
    settings = outcome.settings
    cost = f"{outcome.cost['seconds']:.0f} s of training, {outcome.cost['peak_memory_mb'] / 1000:.1f} GB of memory"
    rows: Sequence[Sequence[str]] = [
        ["Model", _text(settings.model)],
        ["Data", _text(settings.data)],
        ["Columns", _text(f"{settings.text_column} (text), {settings.label_column} (label)")],
        ["Learning rate", f"{settings.learning_rate:g}"],
        ["Rows a step", str(settings.batch_size)],
        ["Tokens that are read", f"{settings.max_length}; {outcome.cut:.1%} of the training texts reach that"],
        ["Seed", str(settings.seed)],
        ["Cost", cost],
        ["Made with", _text(_made_with(environment))],
    ]
    return html_table("Settings", ["Setting", "Value"], rows)
