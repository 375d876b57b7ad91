"""`ftcourse train classification`: from a table of texts and labels to a classifier, by lesson 3's recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import tables
from ..errors import CourseError
from ..files import model_path
from . import training_report
from .measuring import COMMONEST, MODEL, class_ways, compare_ways, measure_classes, whole_groups
from .training import (
    Data,
    Kind,
    Outcome,
    Parts,
    Say,
    Settings,
    build_trainer,
    choose_epochs,
    fit,
    found_model,
    loading,
    settle,
)
from .training_data import Prepared, prepare, say_findings

if TYPE_CHECKING:
    import numpy as np
    from datasets import DatasetDict
    from transformers import Trainer

COUNTER = "word counter"


@dataclass(frozen=True)
class TextSettings(Settings):
    """What the training of a classifier is told besides.

    Attributes:
        max_length: tokens of a text that are read.
        text_column: name of the column with the texts.
        label_column: name of the column with the labels.
        group_column: name of a column whose values must not be in two splits.
        subset: configuration of a data set on the hub.
        split: which split of a data set on the hub.
    """

    max_length: int = 128
    text_column: str = "text"
    label_column: str = "label"
    group_column: str | None = None
    subset: str | None = None
    split: str = "train"


def _read(settings: TextSettings, say: Say) -> Data:
    """Read, check and split the data, and say what was found."""
    from ..profiles import load_profile

    recipe = load_profile("03", "local")
    columns = [settings.text_column, settings.label_column, *filter(None, [settings.group_column])]
    table = tables.read_table(settings.data, columns, settings.subset, settings.split)
    frame = tables.choose_columns(table, *columns)
    if settings.max_rows and len(frame) > settings.max_rows:
        frame = frame.sample(settings.max_rows, random_state=settings.seed).sort_index()
    say(f"Read {len(table):,} rows of {settings.data}" + (f", drew {len(frame):,}" if len(frame) < len(table) else ""))
    prepared = prepare(frame, settings.clean)
    place = str(frame.index.name)
    say_findings(prepared.findings, place, say)
    splits = _split(prepared, settings)
    sizes = ", ".join(f"{len(rows):,} for {name}" for name, rows in splits.items())
    say(f"{len(splits['train'].features['label'].names)} classes; {sizes}")
    settings = replace(
        settings,
        model=settings.model or recipe.model,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        batch_size=settings.batch_size or 32,
        epochs=settings.epochs or choose_epochs(len(splits["train"])),
    )
    groups = f"No value of {settings.group_column} is in two splits." if settings.group_column else ""
    rows = {name: rows.to_dict() for name, rows in splits.items()}
    return Data(settings, splits, place, prepared.findings, rows, groups)


def _split(prepared: Prepared, settings: TextSettings) -> DatasetDict:
    from ..splits import split_stratified

    dataset = tables.to_dataset(prepared.frame).add_column("cluster", prepared.clusters.tolist())
    splits = split_stratified(dataset, "cluster", settings.validation_share, settings.test_share, settings.seed)
    names = dataset.features["label"].names
    if missing := [names[label] for label in sorted(set(dataset["label"]) - set(splits["train"]["label"]))]:
        raise CourseError(
            f"No training row has the label {', '.join(missing)}: its rows are in few groups, which went to the other "
            "splits. Give more groups of it, or try another --seed."
        )
    if len(splits["test"]) < 2:
        raise CourseError("The test would have one row only, which measures nothing: give more rows.")
    return splits


def _train(data: Data, folder: Path, say: Say) -> Outcome:
    import pandas as pd

    settings, splits = data.settings, data.splits
    trainer, cut = _build(data, folder, say)
    fitted = fit(CLASSIFICATION, trainer, folder, say)
    say(f"Measuring on {len(splits['test']):,} test rows")
    names = splits["train"].features["label"].names
    scores, verdicts, matrix, classes, predictions = _measure(trainer, splits, names, data.place)
    counts = {name: pd.Series(rows["label"][:]).value_counts() for name, rows in splits.items()}
    table = pd.DataFrame(counts).reindex(range(len(names))).fillna(0).astype(int).set_axis(names)
    details = {"matrix": matrix, "classes": classes, "cut": cut, "settings": settings}

    def save(target: Path) -> None:
        trainer.model.save_pretrained(target)
        trainer.processing_class.save_pretrained(target)

    tested = f"{len(predictions):,} test rows"
    return Outcome(data, fitted, table, scores, verdicts, predictions, tested, details, save)


def _build(data: Data, folder: Path, say: Say) -> tuple[Trainer, float]:
    """Return a Trainer as lesson 3 builds it, and the share of training texts that are cut."""
    from transformers import AutoTokenizer, DataCollatorWithPadding

    from .. import train
    from ..classification import compute_metrics, load_classifier, tokenize

    settings, splits = data.settings, data.splits
    train.seed_everything(settings.seed)
    name, labels = found_model(str(settings.model)), splits["train"].features["label"].names
    with loading(settings.model, "text classification"):
        tokenizer = AutoTokenizer.from_pretrained(model_path(name))
        model = load_classifier(name, labels, new_head=True)
    settle(model, tokenizer, settings)
    tokenized = tokenize(splits, tokenizer, settings.max_length)
    cut = sum(len(ids) >= settings.max_length for ids in tokenized["train"]["input_ids"]) / len(tokenized["train"])
    if cut:
        say(f"{cut:.1%} of the training texts reach the {settings.max_length} tokens that are read: see --max-length")
    trainer = build_trainer(
        CLASSIFICATION, settings, model, tokenizer, folder, say,
        data_collator=DataCollatorWithPadding(tokenizer), train_dataset=tokenized["train"],
        eval_dataset=tokenized["validation"], compute_metrics=compute_metrics,
    )  # fmt: skip
    trainer.test_dataset = tokenized["test"]
    return trainer, cut


def _measure(trainer: Trainer, splits: DatasetDict, names: list[str], place: str) -> tuple[Any, ...]:
    """Return scores, verdicts, matrix, classes and predictions."""
    import numpy as np
    import pandas as pd

    from ..classification import probabilities
    from ..evaluation import evaluate_model

    test = splits["test"]
    loader = trainer.get_test_dataloader(trainer.test_dataset)
    answers, labels, logits = evaluate_model(trainer.model, loader)
    ways = class_ways(labels, {MODEL: answers, **_baselines(splits)}, len(names))
    groups = whole_groups(test["cluster"][:])
    scores, verdicts = compare_ways(ways, len(labels), groups, "accuracy", "points of accuracy")
    shares, rows = probabilities(logits), np.arange(len(labels))
    predictions = pd.DataFrame({
        place: test[place][:],
        "text": test["text"][:],
        "label": [names[label] for label in labels],
        "answer": [names[answer] for answer in answers],
        "probability": shares[rows, answers].round(4),
        "probability_of_label": shares[rows, labels].round(4),
    })  # fmt: skip
    return scores, verdicts, *measure_classes(labels, answers, names), predictions


def _baselines(splits: DatasetDict) -> dict[str, np.ndarray]:
    """Return what the two baselines answer to the test rows; the word counter is left out where there are no words."""
    import numpy as np

    from ..classification import train_baseline

    found = {}
    try:
        counter = train_baseline(splits["train"], splits["validation"])
        found[COUNTER] = np.asarray(counter.predict(splits["test"]["text"][:]))
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
    commonest = np.bincount(splits["train"]["label"]).argmax()
    return found | {COMMONEST: np.full(len(splits["test"]), commonest)}


def _describe(outcome: Outcome) -> Parts:
    settings, details, names = outcome.data.settings, outcome.details, list(outcome.counts.index)
    reached = f"{settings.max_length}; {details['cut']:.1%} of the training texts reach that"
    html = training_report.class_sections(outcome, details["matrix"], details["classes"], "text", "rows")
    return Parts(
        html=html,
        facts=[
            ["Columns", training_report.text(f"{settings.text_column} (text), {settings.label_column} (label)")],
            ["Tokens that are read", reached],
        ],
        about=f"Fine-tuned from {settings.model} on {Path(settings.data).name}: the texts of the column "
        f"{settings.text_column}, the labels of {settings.label_column}. It gives each text one of {len(names)} "
        f"classes, and reads its first {settings.max_length} tokens.",
        name=f"Classifier of texts: {', '.join(names[:10])}{', …' if len(names) > 10 else ''}",
        use=["from transformers import pipeline", "", 'pipeline("text-classification", "THIS FOLDER")("a text")'],
        files="`report.html` has the confusion matrix, each class and the worst mistakes; `predictions.csv` every test "
        "row.",
        limits="texts of another kind may be answered worse.",
        record={"rows": outcome.counts.sum().to_dict(), "confusion": details["matrix"].tolist()},
    )


CLASSIFICATION = Kind(
    command="classification",
    title="Text classification",
    library="transformers",
    pipeline="text-classification",
    measures={"accuracy": ("accuracy", ".1%"), "f1": ("macro F1", ".3f")},
    watched={"accuracy": ("accuracy", ".1%"), "f1": ("macro F1", ".3f"), "loss": ("loss", ".3f")},
    chosen="f1",
    judged="accuracy",
    counted="Rows of each class in each split",
    example="texts.txt",
    read=_read,
    train=_train,
    describe=_describe,
)
