"""`ftcourse train qa`: from questions with their texts and answers to a reader of texts, by lesson 6's recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data_checks import normalise
from ..errors import CourseError
from ..files import model_path
from ..question_files import scan_questions
from ..questions import FEATURES, check_room
from . import training_report
from .markup import html_table
from .measuring import MODEL, compare_ways, whole_groups
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
)  # fmt: skip
from .training_data import (
    Finding,
    drawn,
    faulty,
    leaks,
    link,
    near_pairs,
    refuse,
    say_findings,
    split_given,
    without,
)  # fmt: skip

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from datasets import Dataset
    from transformers import Trainer

    from .measuring import Statistic

NEAREST = "nearest sentence"
SILENT = "no answer to any"
_SHOWN = 6000  # questions to show in all, about as many as lesson 6 does
_KINDS = ("answered by the text", "not answered by it")


@dataclass(frozen=True)
class QuestionSettings(Settings):
    """What the training of a reader is told besides.

    Attributes:
        validation_data: path of the questions to choose on; None cuts them from the data.
        test_data: path of the questions to measure on; None cuts them from the data.
        max_length: tokens of a window, with its question; longer texts are read in several.
        stride: tokens that neighbouring windows share.
    """

    validation_data: str | None = None
    test_data: str | None = None
    max_length: int = 256
    stride: int = 64


# --- Data ------------------------------------------------------------------------------------------------------------


def _read_file(name: str, clean: bool) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the questions of a file that can be used, and what is wrong with the others."""
    import pandas as pd

    rows = scan_questions(name)
    place = rows[0]["place"]
    findings = faulty(((row["number"], row["fault"]) for row in rows if row["fault"]), Path(name).name, clean)
    refuse(findings, place, clean, "questions")
    kept = [row for row in rows if not row["fault"]]
    if not kept:
        raise CourseError(f"{name} has no question that can be used: mend those that are named without --clean.")
    index = pd.Index([row["number"] for row in kept], name=place)
    return pd.DataFrame([row["example"] for row in kept], index, dtype=object), findings


def _prepare(frame: pd.DataFrame, clean: bool) -> tuple[pd.DataFrame, list[Finding]]:
    """Check questions against one another; return those that can be used, and what was found."""
    asked = frame["question"].map(normalise).map(str) + "\n" + frame["context"].map(normalise).map(str)
    right = frame["answers"].map(lambda answers: str(sorted(set(map(str.strip, answers["text"])))))
    conflict = right.groupby(asked).transform("nunique") > 1
    copies = asked.duplicated() & ~conflict
    said = "question and text are those of an earlier one"
    findings = [
        Finding("duplicate_question", frame.index[copies].tolist(), said, clean),
        Finding("conflict_question", frame.index[conflict].tolist(), "the same question has different answers", clean),
    ]
    frame = without(frame, findings)
    if not frame["answers"].map(lambda answers: len(answers["text"])).sum():
        raise CourseError(
            "No question has an answer: give the column answer, or SQuAD's answers, in some rows at the least."
        )
    return frame, [finding for finding in findings if finding.places]


def _paragraphs(frame: pd.DataFrame) -> np.ndarray:
    """Return a number for each question: the same for questions on one text, or on nearly the same."""
    texts = frame["context"].map(normalise).map(str)
    first = {text: row for row, text in reversed(list(enumerate(texts)))}  # the first question on each text
    rows = list(first.values())
    return link([texts], [(rows[one], rows[other]) for one, other in near_pairs(list(first))])


def _read(settings: QuestionSettings, say: Say) -> Data:
    from ..profiles import load_profile

    recipe = load_profile("06", "local")
    frames: dict[str, pd.DataFrame] = {}
    findings: list[Finding] = []
    for split, name in (
        ("data", settings.data),
        ("validation", settings.validation_data),
        ("test", settings.test_data),
    ):
        if name:
            frame, found = _read_file(name, settings.clean)
            frames[split], findings = frame, [*findings, *found]
            say(f"Read {len(frame):,} questions of {name}")
    place = str(frames["data"].index.name)
    frame, found = _prepare(drawn(frames["data"], settings, say), settings.clean)
    findings += found
    answered = frame["answers"].map(lambda answers: int(bool(answers["text"])))
    frame = frame.assign(cluster=_paragraphs(frame), label=answered)
    given = {
        name: own.rename_axis(place).assign(cluster=_paragraphs(own)) for name, own in frames.items() if name != "data"
    }
    splits = split_given(frame, given, settings, "questions on different texts")
    findings += leaks(splits, given, "context", "texts")
    say_findings(findings, place, say)
    if not any(answers["text"] for answers in splits["train"]["answers"]):
        raise CourseError("No training question has an answer: give more of them, or try another --seed.")
    say(", ".join(f"{len(rows):,} for {name}" for name, rows in splits.items()))
    settings = replace(
        settings,
        model=settings.model or recipe.model,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        batch_size=settings.batch_size or recipe.per_device_train_batch_size,
        epochs=settings.epochs or choose_epochs(len(splits["train"]), _SHOWN, fewest=1),
    )
    rows = {name: rows.to_dict() for name, rows in splits.items()}
    return Data(settings, splits, place, findings, rows, "No text is in two splits." if not given else "")


# --- Training and measuring ------------------------------------------------------------------------------------------


def _train(data: Data, folder: Path, say: Say) -> Outcome:
    import numpy as np
    import pandas as pd

    from ..profiles import load_profile
    from ..qa import apply_threshold, nearest_sentence, predict_answers

    settings, splits, test = data.settings, data.splits, data.splits["test"]
    trainer = _build(data, folder, say)
    fitted = fit(QA, trainer, folder, say)
    reading = {"max_length": settings.max_length, "stride": settings.stride,
               "length_penalty": load_profile("06", "local").length_penalty}  # fmt: skip
    model, tokenizer = trainer.model, trainer.processing_class
    threshold = _choose_threshold(splits["validation"], model, tokenizer, reading, say)
    # Whoever loads the folder finds in its configuration how the answers were read.
    model.config.reading = reading | ({} if threshold is None else {"threshold": threshold})
    say(f"Measuring on {len(test):,} test questions")
    found = predict_answers(test.select_columns(list(FEATURES)), model, tokenizer, **reading)
    truths = [answers["text"] for answers in test["answers"]]
    answers = {MODEL: apply_threshold(found, -np.inf if threshold is None else threshold),
               NEAREST: [nearest_sentence(row["question"], row["context"]) for row in test]}  # fmt: skip
    if not all(truths):
        answers[SILENT] = [""] * len(test)
    points = {way: _points(own, truths) for way, own in answers.items()}
    groups = whole_groups(test["cluster"][:])
    scores, verdicts = compare_ways(
        {way: _measures(own) for way, own in points.items()}, len(test), groups, "f1", "points of F1"
    )
    shown = answers[MODEL]
    predictions = pd.DataFrame({
        data.place: test[data.place][:], "question": test["question"][:],
        "right": [" | ".join(dict.fromkeys(texts)) for texts in truths], "answer": shown,
        "start": [row["start"] if text else -1 for row, text in zip(found, shown, strict=True)],
        "f1": points[MODEL]["f1"].round(4), "exact_match": points[MODEL]["exact_match"].astype(int),
        "margin": [round(row["score"] - row["null_score"], 3) for row in found],
    })  # fmt: skip
    has = {name: np.array([bool(own["text"]) for own in rows["answers"]]) for name, rows in splits.items()}
    counts = pd.DataFrame({name: [int(own.sum()), int((~own).sum())] for name, own in has.items()}, index=_KINDS)
    details = {"threshold": threshold, "kinds": _by_kind(test["question"][:], has["test"], points[MODEL])}

    def save(target: Path) -> None:
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)

    texts = f" on {len(set(groups)):,} texts" if groups is not None else ""
    tested = f"{len(test):,} test questions{texts}"
    return Outcome(data, fitted, counts, scores, verdicts, predictions, tested, details, save)


def _build(data: Data, folder: Path, say: Say) -> Trainer:
    """Return a Trainer as lesson 6 builds it."""
    from transformers import AutoTokenizer, DataCollatorWithPadding

    from .. import qa, train
    from ..profiles import load_profile

    settings, recipe = data.settings, load_profile("06", "local")
    train.seed_everything(settings.seed)
    name = found_model(str(settings.model))
    config = recipe.model_config if settings.model == recipe.model else {}
    with loading(settings.model, "answering questions"):
        tokenizer = AutoTokenizer.from_pretrained(model_path(name))
        model = qa.load_reader(name, frozen=recipe.frozen, **config)
    settle(model, tokenizer, settings)
    for rows in data.splits.values():
        names = [f"{data.place} {number}" for number in rows[data.place]]
        check_room(rows["question"][:], tokenizer, settings.max_length, settings.stride, names)
    kept = {}
    for split in ("train", "validation"):
        rows = data.splits[split].select_columns(list(FEATURES))
        windows = qa.make_windows(rows, tokenizer, settings.max_length, settings.stride)
        kept[split] = qa.training_windows(windows, recipe.keep_empty, settings.seed)
    say(f"{len(kept['train']):,} windows of {settings.max_length} tokens to learn from")
    return build_trainer(
        QA, settings, model, tokenizer, folder, say, data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=kept["train"], eval_dataset=kept["validation"], compute_metrics=qa.compute_metrics,
    )  # fmt: skip


def _choose_threshold(rows: Dataset, model: Any, tokenizer: Any, reading: dict[str, Any], say: Say) -> float | None:
    """Return the margin that an answer must exceed, chosen on validation; None where every question has an answer."""
    import numpy as np

    from ..qa import predict_answers, sweep_thresholds

    truths = [answers["text"] for answers in rows["answers"]]
    if all(truths):
        return None
    found = predict_answers(rows.select_columns(list(FEATURES)), model, tokenizer, **reading)
    sweep = sweep_thresholds(found, truths)
    best = sweep["threshold"][sweep["all"].idxmax()]
    say("Chose on validation how sure an answer must be, as not every question has one")
    return float(best) if np.isfinite(best) else None


def _points(answers: Sequence[str], truths: Sequence[list[str]]) -> dict[str, np.ndarray]:
    """Return the exact match and the F1 of each question."""
    import numpy as np

    from ..qa import score

    rows = [score([answer], [texts]) for answer, texts in zip(answers, truths, strict=True)]
    return {name: np.array([row[name] for row in rows]) for name in ("exact_match", "f1")}


def _measures(points: dict[str, np.ndarray]) -> dict[str, Statistic]:
    def mean(own: np.ndarray) -> Statistic:
        return lambda rows: own[rows].mean()

    return {name: mean(own) for name, own in points.items()}


def _by_kind(questions: Sequence[str], has_answer: np.ndarray, points: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return how many questions there are, and how well they are answered, by kind and by first word."""
    import numpy as np
    import pandas as pd

    words = np.array([question.split()[0].lower().strip("?,.'\"") for question in questions])
    names, numbers = np.unique(words, return_counts=True)
    commonest = [name for _, name in sorted(zip(-numbers, names, strict=True))[:8]]
    parts = {_KINDS[0]: has_answer, _KINDS[1]: ~has_answer} | {
        f"begins with “{name}”": words == name for name in commonest
    }
    rows = {
        name: {"questions": own.sum(), **{measure: values[own].mean() for measure, values in points.items()}}
        for name, own in parts.items()
        if own.any()
    }
    return pd.DataFrame(rows).T


# --- What is written -------------------------------------------------------------------------------------------------


def _describe(outcome: Outcome) -> Parts:
    settings, details, text = outcome.data.settings, outcome.details, training_report.text
    threshold = details["threshold"]
    silence = "it answers every question" if threshold is None else (
        f"it gives no answer where the margin isn't above {threshold:.3f}, which was chosen on validation")  # fmt: skip
    return Parts(
        html=["<h2>Questions</h2>", _kind_table(outcome), "<h2>Worst mistakes</h2>", _mistakes(outcome)],
        facts=[
            ["Tokens of a window", f"{settings.max_length}, of which neighbours share {settings.stride}"],
            ["Where the text has no answer", text(silence)],
        ],
        about=f"Fine-tuned from {settings.model} on {Path(settings.data).name}. It answers a question by a stretch of "
        f"the text that is given with it; {silence}.",
        name="Reader that answers questions about a text",
        use=[
            "from transformers import AutoModelForQuestionAnswering, AutoTokenizer", "",
            "from ftcourse.qa import answer_question", "",
            'model = AutoModelForQuestionAnswering.from_pretrained("THIS FOLDER")',
            'tokenizer = AutoTokenizer.from_pretrained("THIS FOLDER")',
            'answer_question("a question", "a text", model, tokenizer, **model.config.reading)',
        ],
        files="`config.json` has as `reading` how answers are chosen; transformers has no pipeline for this any more. "
        "`report.html` has the kinds of questions and the worst mistakes; `predictions.csv` every test question.",
        limits="texts and questions of another kind may be answered worse.",
        record={"threshold": threshold, "kinds": details["kinds"].round(4).to_dict("index")},
    )  # fmt: skip


def _kind_table(outcome: Outcome) -> str:
    rows = [
        [training_report.text(name), f"{row['questions']:.0f}", f"{row['exact_match']:.1%}", f"{row['f1']:.1%}"]
        for name, row in outcome.details["kinds"].iterrows()
    ]
    return html_table("Test questions by kind and by their commonest first words",
                      ["Questions", "Number", "Exact match", "F1"], rows, numbers=(1, 2, 3))  # fmt: skip


def _mistakes(outcome: Outcome) -> str:
    """Return the wrong answers that the model was surest of."""
    table = outcome.predictions
    wrong = table[table["f1"] < 0.5]
    if wrong.empty:
        return "<p>There is no answer that is more wrong than right.</p>"
    text, cut, place = training_report.text, training_report.cut, outcome.data.place
    rows = [
        [str(row[place]), *(text(cut(row[name]) or "(none)") for name in ("question", "right", "answer")),
         f"{row['f1']:.2f}", f"{row['margin']:.1f}"]
        for _, row in wrong.sort_values("margin", ascending=False).head(training_report.WORST).iterrows()
    ]  # fmt: skip
    caption = f"The {len(rows)} of {len(wrong):,} mostly wrong answers that the model was surest of"
    said = "Read them: is the answer in the data right, and the only one?"
    columns = [place.capitalize(), "Question", "In the data", "Answer", "F1", "Margin"]
    return f"<p>{said}</p>\n" + html_table(caption, columns, rows, numbers=(4, 5))


QA = Kind(
    command="qa",
    title="Question answering",
    library="transformers",
    pipeline="question-answering",
    measures={"exact_match": ("exact match", ".1%"), "f1": ("F1", ".1%")},
    watched={"exact": ("windows right", ".1%"), "loss": ("loss", ".3f")},
    chosen="exact",
    judged="f1",
    counted="Questions in each split",
    example="questions.csv",
    read=_read,
    train=_train,
    describe=_describe,
)
