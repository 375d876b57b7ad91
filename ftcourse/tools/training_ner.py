"""`ftcourse train ner`: from sentences with marked names to a model that finds names, by lesson 5's recipe."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data_checks import normalise
from ..entities import LABELS, scan_conll, scan_tagged_json, spans, split_words
from ..errors import CourseError
from ..files import model_path
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
    FEWEST,
    Finding,
    alike_names,
    drawn,
    faulty,
    leaks,
    link,
    refuse,
    say_findings,
    split_given,
    without,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from datasets import DatasetDict
    from transformers import Trainer

    from .measuring import Statistic

LOOKED_UP = "list of the names in training"
_SHOWN = 20_000  # sentences to show in all, about as many as lesson 5 does
_FEW = 1000  # training sentences below which a step takes fewer of them, as in lesson 5's "Your own data"


@dataclass(frozen=True)
class NameSettings(Settings):
    """What the training of a finder of names is told besides.

    Attributes:
        validation_data: path of the sentences to choose on; None cuts them from the data.
        test_data: path of the sentences to measure on; None cuts them from the data.
        max_length: tokens of a sentence that are learnt from.
        document_key: what the objects of a JSONL file call the document of a sentence.
        other_names: how often to repeat the training sentences with other names; None takes what lesson 5 does.
    """

    validation_data: str | None = None
    test_data: str | None = None
    max_length: int = 128
    document_key: str = "document"
    other_names: int | None = None


# --- Data ------------------------------------------------------------------------------------------------------------


def read_file(name: str, document_key: str, clean: bool) -> tuple[pd.DataFrame, list[Finding]]:
    """Read a file of sentences.

    Args:
        name: path of a JSONL file, or of a CoNLL file with any other ending.
        document_key: what the objects of a JSONL file call the document of a sentence.
        clean: leave out the sentences that can't be used.

    Returns:
        A DataFrame with words, tags and document (None where there is none), by the number of the first line; and what
        is wrong with the sentences that are left out.

    Raises:
        CourseError: if the file can't be read, or sentences can't be used and are not to be left out.
    """
    import pandas as pd

    path = Path(name).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise CourseError(f"{name} {what}: give the path of a CoNLL file, or of a .jsonl file with words and tags.")
    lines = path.suffix.lower() in (".jsonl", ".json")
    rows = scan_tagged_json(path, document=document_key) if lines else scan_conll(path)
    findings = faulty((row["fault"] for row in rows if row["fault"]), path.name, clean)
    refuse(findings, "line", clean, "sentences")
    kept = [row for row in rows if not row["fault"]]
    if not kept:
        raise CourseError(
            f"{path.name} has no sentence that can be used: mend the lines that are named without --clean."
        )
    frame = pd.DataFrame(kept).set_index("line")[["words", "tags", "document"]].astype(object)
    documents = frame["document"].map(json.dumps, na_action="ignore")
    frame["document"] = documents if documents.nunique() > 1 else None  # one text is as good as none that is named
    return frame, findings


def _prepare(frame: pd.DataFrame, clean: bool) -> tuple[pd.DataFrame, list[Finding]]:
    """Check sentences against one another; return those that can be used, and what was found."""
    frame, said = frame.copy(), frame["words"].map(lambda words: normalise(" ".join(words)))
    frame["labels"] = frame["tags"].map(lambda tags: [label for *_, label in spans(tags)])
    same = said.map(str) + frame["tags"].map(" ".join)
    conflict = same.groupby(said).transform("nunique") > 1
    copies = same.duplicated() & ~conflict
    findings = [
        Finding(
            "duplicate_sentence", frame.index[copies].tolist(), "words and tags are those of an earlier one", clean
        ),
        Finding("conflict_sentence", frame.index[conflict].tolist(), "the same words have different tags", clean),
    ]
    frame = without(frame, findings)
    counts = frame["labels"].explode().dropna().value_counts()
    for name, number in counts.items():
        if number < FEWEST:
            places = [line for line, labels in frame["labels"].items() if name in labels]
            findings.append(Finding("few_names", places, f"{number} of label {name}", clean))
    few = [finding for finding in findings if finding.kind == "few_names"]
    refuse(few, "line", clean, "labels")
    frame = without(frame, few)
    if not frame["labels"].map(len).sum():
        raise CourseError(
            "No sentence has a name, as all tags are O: give sentences with tags such as B-PER; in a CoNLL file they "
            "stand in the last column."
        )
    found = [finding for finding in findings if finding.places]
    return frame, [*found, *alike_names(sorted(set(frame["labels"].explode().dropna())))]


def _read(settings: NameSettings, say: Say) -> Data:
    from ..profiles import load_profile

    recipe = load_profile("05", "local")
    frames: dict[str, pd.DataFrame] = {}
    findings: list[Finding] = []
    for split, name in (
        ("data", settings.data),
        ("validation", settings.validation_data),
        ("test", settings.test_data),
    ):
        if name:
            frame, found = read_file(name, settings.document_key, settings.clean)
            frames[split], findings = frame, [*findings, *found]
            say(f"Read {len(frame):,} sentences of {name}")
    frame, found = _prepare(drawn(frames["data"], settings, say), settings.clean)
    findings += found
    by_document = frame["document"].notna().any() and frame["document"].nunique() >= 4
    if frame["document"].notna().any() and not by_document:
        number = frame["document"].nunique()
        findings.append(Finding("few_documents", [], f"there are {number} documents, and the splits need four"))
    # Copies are linked only where there are no documents: short lines, such as a place and a date, would chain all.
    said = frame["words"].map(lambda words: normalise(" ".join(words)))
    clusters = _documents(frame) if by_document else link([said])
    counts = frame["labels"].explode().value_counts()
    rarest = frame["labels"].map(lambda labels: min(labels, key=lambda label: (counts[label], label), default=""))
    frame = frame.assign(cluster=clusters, label=rarest)
    given = {name: own.assign(cluster=_documents(own)) for name, own in frames.items() if name != "data"}
    splits = split_given(frame[["words", "tags", "cluster", "label"]], given, settings, "sentences")
    findings += leaks(splits, given, "words", "sentences")
    say_findings(findings, "line", say)
    _check_labels(splits)
    sizes = ", ".join(f"{len(rows):,} for {name}" for name, rows in splits.items())
    say(f"{len(_labels(splits['train']))} labels; {sizes}")
    copies = settings.other_names
    if copies is None:
        copies = recipe.num_copies if _labels(splits["train"]) <= set(LABELS) else 0
    rows = len(splits["train"]) * (1 + copies)
    settings = replace(
        settings,
        model=settings.model or recipe.model,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        batch_size=settings.batch_size or (8 if rows < _FEW else recipe.per_device_train_batch_size),
        epochs=settings.epochs or choose_epochs(rows, _SHOWN, fewest=1),
        other_names=copies,
    )
    groups = "No document is in two splits." if by_document and not given else ""
    return Data(settings, splits, "line", findings, {name: rows.to_dict() for name, rows in splits.items()}, groups)


def _documents(frame: pd.DataFrame) -> np.ndarray:
    """Return a number for each sentence: the same for those of one document; one without any stands alone."""
    alone = {line: f"line {line}" for line in frame.index}
    return link([frame["document"].fillna(alone)])


def _labels(rows: Any) -> set[str]:
    return {label for tags in rows["tags"] for *_, label in spans(tags)}


def _check_labels(splits: DatasetDict) -> None:
    known = _labels(splits["train"])
    for name, rows in splits.items():
        if missing := sorted(_labels(rows) - known):
            raise CourseError(
                f"No training sentence has the label {', '.join(missing)}, which {name} has: give more sentences with "
                "it, try another --seed, or take it out of the tags."
            )
    if not _labels(splits["test"]) or not _labels(splits["validation"]):
        raise CourseError(
            "There is no name in the sentences for validation or in those for the test: give more sentences."
        )


# --- Training and measuring ------------------------------------------------------------------------------------------


def _train(data: Data, folder: Path, say: Say) -> Outcome:
    import pandas as pd

    from ..names import collect_names, look_up
    from ..ner import fold_capitals, predict_words

    settings, splits = data.settings, data.splits
    trainer, cut = _build(data, folder, say)
    fitted = fit(NER, trainer, folder, say)
    model = fold_capitals(trainer.model)  # a plain one, which needs nothing beside its folder
    test = splits["test"]
    say(f"Measuring on {len(test):,} test sentences")
    answers = predict_words(test["words"][:], model, trainer.processing_class, settings.max_length)
    known = collect_names(splits["train"])
    longest = max(map(len, known))
    found = {
        MODEL: [[tag for tag, _ in row] for row in answers],
        LOOKED_UP: [look_up(words, known, longest) for words in test["words"]],
    }
    groups, gold = whole_groups(test["cluster"][:]), test["tags"][:]
    ways = {way: name_measures(gold, tags) for way, tags in found.items()}
    scores, verdicts = compare_ways(ways, len(test), groups, "f1", "points of F1")
    counts = {name: pd.Series([label for tags in rows["tags"] for *_, label in spans(tags)]).value_counts()
              for name, rows in splits.items()}  # fmt: skip
    predictions = pd.DataFrame({
        "line": test["line"][:], "words": test["words"][:], "tags": gold, "answers": found[MODEL],
        "probabilities": [[round(share, 4) for _, share in row] for row in answers],
    })  # fmt: skip
    documents = f" from {len(set(groups)):,} documents" if groups is not None and data.groups else ""
    details = {
        "labels": _by_label(gold, found[MODEL], groups), "cut": cut,
        "sentences": {name: len(rows) for name, rows in splits.items()},
        "same_words": _same_words(test["words"]), "unit": "documents" if documents else "sentences",
    }  # fmt: skip

    def save(target: Path) -> None:
        model.save_pretrained(target)
        trainer.processing_class.save_pretrained(target)

    tested = f"{len(test):,} test sentences{documents}"
    table = pd.DataFrame(counts).fillna(0).astype(int).sort_index()
    return Outcome(data, fitted, table, scores, verdicts, predictions, tested, details, save)


def _build(data: Data, folder: Path, say: Say) -> tuple[Trainer, float]:
    """Return a Trainer as lesson 5 builds it, and the share of training sentences that are cut."""
    from transformers import AutoTokenizer, DataCollatorForTokenClassification

    from .. import ner, train
    from ..entities import tag_names
    from ..names import multiply
    from ..profiles import load_profile
    from ..word_tokens import for_words

    settings, recipe = data.settings, load_profile("05", "local")
    splits = {name: rows.select_columns(["words", "tags"]) for name, rows in data.splits.items()}
    names = tag_names(splits["train"]["tags"])
    train.seed_everything(settings.seed)
    name = found_model(str(settings.model))
    config = recipe.model_config if settings.model == recipe.model else {}
    with loading(settings.model, "finding names"):
        tokenizer = for_words(AutoTokenizer.from_pretrained(model_path(name)))
        model = ner.load_tagger(name, names, new_head=True, **config)
    settle(model, tokenizer, settings)
    tokenizer = ner.see_capitals(model, tokenizer)
    training = multiply(splits["train"], settings.other_names, settings.seed)
    tokenized = {
        split: ner.tokenize_and_align(rows, tokenizer, settings.max_length, names=names)
        for split, rows in {"train": training, "validation": splits["validation"]}.items()
    }
    cut = sum(len(ids) >= settings.max_length for ids in tokenized["train"]["input_ids"]) / len(tokenized["train"])
    if cut:
        say(f"{cut:.1%} of the training sentences reach the {settings.max_length} tokens that are learnt from: see "
            "--max-length")  # fmt: skip
    trainer = build_trainer(
        NER, settings, model, tokenizer, folder, say,
        data_collator=DataCollatorForTokenClassification(tokenizer), train_dataset=tokenized["train"],
        eval_dataset=tokenized["validation"], compute_metrics=functools.partial(ner.compute_metrics, names=names),
    )  # fmt: skip
    return trainer, cut


def name_measures(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> dict[str, Statistic]:
    """Return precision, recall and F1 of whole names as functions of the sentences that are drawn.

    Args:
        gold: the true tags of each sentence.
        found: the tags that were answered.
    """
    import numpy as np

    pairs = [(set(spans(true)), set(spans(tags))) for true, tags in zip(gold, found, strict=True)]
    right, true, told = np.array([[len(a & b), len(a), len(b)] for a, b in pairs]).T

    def share(rows: np.ndarray, of: np.ndarray, times: int = 1) -> float:
        return times * right[rows].sum() / max(1, of[rows].sum())

    return {
        "precision": lambda rows: share(rows, told),
        "recall": lambda rows: share(rows, true),
        "f1": lambda rows: share(rows, true + told, 2),
    }


def _by_label(gold: Sequence[Any], found: Sequence[Any], groups: Any) -> pd.DataFrame:
    """Return what there is to be known of each label of the test, F1 with its interval; and the kinds of mistakes."""
    import numpy as np
    import pandas as pd

    from ..evaluation import bootstrap_interval
    from ..ner import find_errors

    errors, every, rows = find_errors(gold, found), np.arange(len(gold)), {}
    for label in sorted({label for tags in [*gold, *found] for *_, label in spans(tags)}):
        own = [[[tag if tag[2:] == label else "O" for tag in tags] for tags in part] for part in (gold, found)]
        measures = name_measures(*own)
        f1, low, high = bootstrap_interval(measures["f1"], len(gold), groups)
        kinds = [error["kind"] for error in errors if (error["true"] or error["found"])[2] == label]
        rows[label] = {
            "names": sum(len(spans(tags)) for tags in own[0]),
            **{name: statistic(every) for name, statistic in measures.items()},
            "f1": f1, "low": low, "high": high,
            **{kind: kinds.count(kind) for kind in ("boundary", "type", "missed", "spurious")},
        }  # fmt: skip
    return pd.DataFrame(rows).T


def _same_words(sentences: Sequence[list[str]]) -> float:
    """Return the share of sentences whose words are those that their plain text is cut into."""
    return sum([word for word, *_ in split_words(" ".join(words))] == words for words in sentences) / len(sentences)


# --- What is written -------------------------------------------------------------------------------------------------


def marked(words: Sequence[str], tags: Sequence[str]) -> str:
    """Return a sentence with its names in brackets, such as "[LOC Lisbon] beat Braga".

    Args:
        words: of the sentence.
        tags: one a word.
    """
    shown = list(words)
    for start, end, label in spans(tags):
        shown[start], shown[end - 1] = f"[{label} {shown[start]}", f"{shown[end - 1]}]"
        if end - start == 1:
            shown[start] = f"[{label} {words[start]}]"
    return " ".join(shown)


def _describe(outcome: Outcome) -> Parts:
    settings, details, text = outcome.data.settings, outcome.details, training_report.text
    names = list(outcome.counts.index)
    shown = f"{', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
    reached = f"{settings.max_length}; {details['cut']:.1%} of the training sentences reach that"
    sizes = ", ".join(f"{count:,} for {name}" for name, count in details["sentences"].items())
    same = f"{details['same_words']:.1%} of the test sentences"
    return Parts(
        html=[
            "<h2>Labels</h2>", _label_table(outcome), _kind_table(outcome),
            "<h2>Worst mistakes</h2>", _mistakes(outcome),
        ],
        facts=[
            ["Sentences", text(sizes)],
            ["Tokens that are learnt from", reached],
            ["Repeated with other names", f"{settings.other_names} times"],
            ["Words of plain text", text(f"as in the data in {same}")],
        ],
        about=f"Fine-tuned from {settings.model} on {Path(settings.data).name} ({sizes}). It finds names in a text, "
        f"of these labels: {shown}.",
        name=f"Finder of names: {shown}",
        use=["from transformers import pipeline", "",
             'find = pipeline("token-classification", "THIS FOLDER", aggregation_strategy="first")', 'find("a text")'],
        files="The figures are of the way of `ftcourse predict`, which decides the words of a sentence together; "
        "`pipeline` decides each by itself and cuts words in its own way, so that a few answers differ. In the test "
        f"the words are those of the data; as plain text, {same} are cut into the same words. `report.html` has each "
        "label and the worst mistakes; `predictions.jsonl` every test sentence.",
        limits="names in text of another kind may be found worse.",
        record={"sentences": details["sentences"], "labels": details["labels"].round(4).to_dict("index"),
                "same_words": details["same_words"]},
    )  # fmt: skip


def _label_table(outcome: Outcome) -> str:
    rows = [
        [training_report.text(label), f"{outcome.counts['train'].get(label, 0):,}", f"{row['names']:.0f}",
         f"{row['precision']:.1%}", f"{row['recall']:.1%}", f"{row['f1']:.1%} ({row['low']:.0%} to {row['high']:.0%})"]
        for label, row in outcome.details["labels"].iterrows()
    ]  # fmt: skip
    columns = ["Label", "Training names", "Test names", "Right of the found (precision)", "Found of the true (recall)",
               "F1"]  # fmt: skip
    caption = f"Each label, F1 with its 95 % bootstrap interval over {outcome.details['unit']}"
    return html_table(caption, columns, rows, numbers=(1, 2, 3, 4))


def _kind_table(outcome: Outcome) -> str:
    kinds = {"boundary": "Begin or end wrong", "type": "Label wrong", "missed": "Missed", "spurious": "Made up"}
    rows = [
        [training_report.text(label), *(f"{row[kind]:.0f}" for kind in kinds)]
        for label, row in outcome.details["labels"].iterrows()
    ]
    return html_table("Kinds of mistakes", ["Label", *kinds.values()], rows, numbers=range(1, 5))


def _mistakes(outcome: Outcome) -> str:
    """Return the sentences with the most names that are wrong."""
    wrong = []
    for row in outcome.predictions.to_dict("records"):
        odd = set(spans(row["tags"])) ^ set(spans(row["answers"]))
        if odd:
            wrong.append((len(odd), row))
    if not wrong:
        return "<p>There is no mistake in the test sentences.</p>"
    worst = sorted(wrong, key=lambda pair: -pair[0])[: training_report.WORST]
    rows = [
        [str(row["line"]), *(training_report.text(marked(row["words"], row[which])) for which in ("tags", "answers"))]
        for _, row in worst
    ]
    caption = f"The {len(rows)} of {len(wrong):,} sentences with mistakes that have the most of them"
    said = "Read them: are the tags right, and can the names be told from the sentence alone?"
    return f"<p>{said}</p>\n" + html_table(caption, ["Line", "Names in the data", "Answer"], rows)


NER = Kind(
    command="ner",
    title="Names",
    library="transformers",
    pipeline="token-classification",
    measures={"precision": ("precision", ".1%"), "recall": ("recall", ".1%"), "f1": ("F1", ".1%")},
    watched={"precision": ("precision", ".1%"), "recall": ("recall", ".1%"), "f1": ("F1", ".1%"),
             "loss": ("loss", ".3f")},
    chosen="f1",
    judged="f1",
    counted="Names of each label in each split",
    example="texts.txt",
    read=_read,
    train=_train,
    describe=_describe,
    in_lines=True,
)  # fmt: skip
