"""A trained classifier of texts measured beside its baselines, by the tools of lesson 9."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from datasets import DatasetDict
    from torch.utils.data import DataLoader
    from transformers import PreTrainedModel

MODEL = "fine-tuned model"
COUNTER = "word counter"
COMMONEST = "most frequent class"


def measure_test(
    model: PreTrainedModel, loader: DataLoader, splits: DatasetDict
) -> tuple[pd.DataFrame, list[str], np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Measure a model and its baselines on the test rows by lesson 9's tools.

    Args:
        model: the fine-tuned model.
        loader: of the tokenised test rows, in their order.
        splits: the data with text, label and cluster.

    Returns:
        scores, verdicts, matrix, classes and predictions, as `training.Outcome` has them.
    """
    import numpy as np
    import pandas as pd
    from sklearn.metrics import classification_report, confusion_matrix

    from ..classification import probabilities
    from ..evaluation import evaluate_model, score_slices

    answers, labels, logits = evaluate_model(model, loader)
    names, clusters = splits["train"].features["label"].names, np.asarray(splits["test"]["cluster"][:])
    groups = clusters if len(set(clusters)) < len(clusters) else None  # whole groups are drawn if there are any
    ways = {MODEL: answers, **_baselines(splits)}
    scores = pd.DataFrame({way: _score(labels, guess, len(names), groups) for way, guess in ways.items()}).T
    verdicts = [_verdict(labels, answers, guess, way, groups) for way, guess in ways.items() if way != MODEL]
    numbers = list(range(len(names)))
    matrix = confusion_matrix(labels, answers, labels=numbers)
    report = classification_report(labels, answers, labels=numbers, output_dict=True, zero_division=0)
    recall = score_slices(answers == labels, {name: labels == number for number, name in enumerate(names)})
    classes = recall.rename(columns={"accuracy": "recall"}).assign(
        precision=[report[str(number)]["precision"] for number in numbers],
        f1=[report[str(number)]["f1-score"] for number in numbers],
    )
    shares, rows = probabilities(logits), np.arange(len(labels))
    place = next(column for column in ("line", "row") if column in splits["test"].column_names)
    predictions = pd.DataFrame({
        place: splits["test"][place][:],
        "text": splits["test"]["text"][:],
        "label": [names[label] for label in labels],
        "answer": [names[answer] for answer in answers],
        "probability": shares[rows, answers].round(4),
        "probability_of_label": shares[rows, labels].round(4),
    })  # fmt: skip
    return scores, verdicts, matrix, classes, predictions


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


def macro_f1(labels: np.ndarray, answers: np.ndarray, num_classes: int) -> float:
    """Return macro-averaged F1 over the classes that occur, as scikit-learn's, fast enough for a bootstrap.

    Args:
        labels: integer array of shape (examples,).
        answers: the same of what was answered.
        num_classes: how many classes there are.
    """
    import numpy as np

    matrix = np.bincount(labels * num_classes + answers, minlength=num_classes**2).reshape(num_classes, num_classes)
    either = matrix.sum(0) + matrix.sum(1)
    return float((2 * np.diag(matrix)[either > 0] / either[either > 0]).mean())


def _score(labels: np.ndarray, answers: np.ndarray, num_classes: int, groups: np.ndarray | None) -> dict[str, float]:
    """Return accuracy and macro F1 with the ends of their 95 % intervals."""
    from ..evaluation import bootstrap_interval

    right = labels == answers
    ends = ("", "_low", "_high")
    accuracy = bootstrap_interval(lambda rows: right[rows].mean(), len(labels), groups)
    f1 = bootstrap_interval(lambda rows: macro_f1(labels[rows], answers[rows], num_classes), len(labels), groups)
    named = (("accuracy", accuracy), ("f1", f1))
    return {f"{name}{end}": value for name, values in named for end, value in zip(ends, values, strict=True)}


def _verdict(labels: np.ndarray, answers: np.ndarray, others: np.ndarray, rival: str, groups: np.ndarray | None) -> str:
    """Say in a sentence whether the model is better than a baseline on these test rows."""
    from ..evaluation import bootstrap_interval

    gain = (answers == labels).astype(float) - (others == labels)
    mean, low, high = (100 * value for value in bootstrap_interval(lambda rows: gain[rows].mean(), len(labels), groups))
    said = f"{mean:+.1f} points of accuracy, 95 % interval {low:+.1f} to {high:+.1f}"
    if low > 0 or high < 0:
        return f"The {MODEL} is {'better' if low > 0 else 'worse'} than the {rival}: {said}."
    return f"No difference between the {MODEL} and the {rival} beyond the noise was seen: {said}."
