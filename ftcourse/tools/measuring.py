"""A trained model measured beside its baselines, by the tools of lesson 9."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Statistic = Callable[["np.ndarray"], float]  # from the rows that are drawn to a number
Ways = Mapping[str, Mapping[str, Statistic]]  # from a way to its measures, the model's first
MODEL = "fine-tuned model"
COMMONEST = "most frequent class"


def compare_ways(
    ways: Ways, count: int, groups: np.ndarray | None, judged: str, points: str
) -> tuple[pd.DataFrame, list[str]]:
    """Measure a model and its baselines with their intervals, and say whether the model is better than each.

    Args:
        ways: the measures of each way, the model first; a measure is a function from rows to a number.
        count: how many rows there are.
        groups: group of each row: whole groups are drawn; None draws single rows.
        judged: the measure that the sentences are about.
        points: what a hundredth of it is called.

    Returns:
        A DataFrame with each measure and its _low and _high, one row a way; and a sentence for each baseline.
    """
    import pandas as pd

    from ..evaluation import bootstrap_interval

    scores: dict[str, dict[str, float]] = {}
    for way, measures in ways.items():
        scores[way] = {}
        for name, statistic in measures.items():
            values = bootstrap_interval(statistic, count, groups)
            scores[way] |= dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
    model, *rivals = ways
    own, verdicts = ways[model][judged], []
    for rival in rivals:
        other = ways[rival][judged]
        gain = bootstrap_interval(lambda rows, other=other: own(rows) - other(rows), count, groups)
        verdicts.append(_verdict(model, rival, points, *(100 * value for value in gain)))
    return pd.DataFrame(scores).T, verdicts


def _verdict(model: str, rival: str, points: str, mean: float, low: float, high: float) -> str:
    """Say in a sentence whether the model is better than a baseline on these test rows."""
    said = f"{mean:+.1f} {points}, 95 % interval {low:+.1f} to {high:+.1f}"
    if low > 0 or high < 0:
        return f"The {model} is {'better' if low > 0 else 'worse'} than the {rival}: {said}."
    return f"No difference between the {model} and the {rival} beyond the noise was seen: {said}."


def whole_groups(clusters: Sequence[int]) -> np.ndarray | None:
    """Return the clusters as groups to draw, or None where each row is one of its own or there is but one.

    Args:
        clusters: number of the cluster of each row.
    """
    import numpy as np

    return np.asarray(clusters) if 1 < len(set(clusters)) < len(clusters) else None


def class_ways(labels: np.ndarray, answers: Mapping[str, np.ndarray], num_classes: int) -> Ways:
    """Return accuracy and macro F1 of several ways to choose a class, as `compare_ways` takes them.

    Args:
        labels: the true classes, integer array of shape (examples,).
        answers: the same of what each way answered.
        num_classes: how many classes there are.
    """

    def measures(found: np.ndarray) -> Mapping[str, Statistic]:
        right = labels == found
        return {
            "accuracy": lambda rows: right[rows].mean(),
            "f1": lambda rows: macro_f1(labels[rows], found[rows], num_classes),
        }

    return {way: measures(found) for way, found in answers.items()}


def measure_classes(labels: np.ndarray, answers: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the confusion matrix, and what there is to be known of each class.

    Args:
        labels: the true classes, integer array of shape (examples,).
        answers: the same of what was answered.
        names: of the classes.

    Returns:
        Counts of shape (classes, classes), a row a true class; and a DataFrame with count, recall, low, high, precision
        and f1, one row a class.
    """
    from sklearn.metrics import classification_report, confusion_matrix

    from ..evaluation import score_slices

    numbers = list(range(len(names)))
    matrix = confusion_matrix(labels, answers, labels=numbers)
    report = classification_report(labels, answers, labels=numbers, output_dict=True, zero_division=0)
    recall = score_slices(answers == labels, {name: labels == number for number, name in enumerate(names)})
    classes = recall.rename(columns={"accuracy": "recall"}).assign(
        precision=[report[str(number)]["precision"] for number in numbers],
        f1=[report[str(number)]["f1-score"] for number in numbers],
    )
    return matrix, classes


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
