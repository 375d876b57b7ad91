"""What `ftcourse train` does: from a table to a model, its card, its figures and its report, in one folder."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import tables
from ..errors import CourseError, first_line
from ..files import model_path, write_atomically
from .live import clock
from .measuring import measure_test
from .training_data import Finding, Prepared, prepare

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from datasets import DatasetDict
    from transformers import Trainer, TrainerCallback

Say = Callable[[str], None]
_EVERY = 30  # seconds between two lines of progress
_SIGN = "report.html"  # only a folder with this file is replaced by --overwrite
_BEGUN = "settings.json"  # only a folder with this file is taken for an interrupted training


@dataclass(frozen=True)
class Settings:
    """What a training is told; an interrupted one can only go on with the same.

    Attributes:
        data: path of a file, or the name of a data set on the hub.
        text_column: name of the column with the texts.
        label_column: name of the column with the labels.
        group_column: name of a column whose values must not be in two splits.
        subset: configuration of a data set on the hub.
        split: which split of a data set on the hub.
        model: an asset, a folder or a name on the hub; None takes that of lesson 3.
        epochs: passes over the training rows; None takes what `choose_epochs` says.
        learning_rate: the highest; None takes that of lesson 3.
        batch_size: rows a step.
        max_length: tokens of a text that are read.
        seed: of the splits, the head and the shuffling.
        max_rows: draw so many rows at most.
        validation_share: share of the rows to choose on, between 0 and 1.
        test_share: share of the rows to measure on, between 0 and 1.
        clean: leave out what can't or needn't be trained on.
    """

    data: str
    text_column: str = "text"
    label_column: str = "label"
    group_column: str | None = None
    subset: str | None = None
    split: str = "train"
    model: str | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    batch_size: int = 32
    max_length: int = 128
    seed: int = 0
    max_rows: int | None = None
    validation_share: float = 0.1
    test_share: float = 0.2
    clean: bool = False


class Outcome(NamedTuple):
    """What came out of a training, for the report and the card.

    Attributes:
        settings: `Settings`, with what was chosen for those left open.
        place: what the rows of the data are counted in, line or row.
        findings: list of `Finding` about the data.
        counts: DataFrame of rows, one row a class and one column a split.
        cut: share of the training texts that are longer than what is read.
        scores: DataFrame with accuracy and f1, each with _low and _high, one row a way.
        verdicts: sentences on the model against each baseline.
        matrix: counts, integer array of shape (classes, classes); a row is a true class.
        classes: DataFrame with recall, low, high, precision and f1, one row a class.
        predictions: DataFrame with one row a test row, as predictions.csv has it.
        history: DataFrame with epoch, loss, accuracy and f1 on validation, one row an epoch.
        best: the epoch whose model was kept.
        cost: seconds and peak memory.
    """

    settings: Settings
    place: str
    findings: list[Finding]
    counts: pd.DataFrame
    cut: float
    scores: pd.DataFrame
    verdicts: list[str]
    matrix: np.ndarray
    classes: pd.DataFrame
    predictions: pd.DataFrame
    history: pd.DataFrame
    best: float
    cost: dict[str, float]


def train_classification(
    settings: Settings, output: str | os.PathLike[str], resume: bool = False, overwrite: bool = False, say: Say = print
) -> Path:
    """Check a table, train a classifier on it, measure it, and write all that is to be known of it into a folder.

    Args:
        settings: what to train on, and how.
        output: folder for the model, README.md, report.html, predictions.csv and the record; it is put into place at
            the end, whole. Until then, checkpoints are in a folder beside it whose name ends in ``.part``.
        resume: go on with an interrupted training from its newest checkpoint.
        overwrite: replace the folder of an earlier training, or give up an interrupted one.
        say: called with each line of progress.

    Returns:
        The folder.

    Raises:
        CourseError: if something has to be mended first.
        KeyboardInterrupt: after Ctrl-C, saying how to go on.
    """
    output = Path(os.path.abspath(Path(output).expanduser()))
    work = output.with_name(f"{output.name}.part")
    _check_folders(output, work, resume, overwrite)
    settings, prepared, splits = _read(_complete(settings), say)
    kept = json.dumps(asdict(settings) | {"rows": _fingerprint(prepared)}, indent=1)
    if resume:
        _check_same(json.loads((work / _BEGUN).read_text(encoding="utf-8")), json.loads(kept))
    else:
        shutil.rmtree(work, ignore_errors=True)
        write_atomically(work / _BEGUN, kept)
    try:
        trainer, cut = _build(settings, splits, work / "checkpoints", say)
        outcome = _train_and_measure(trainer, splits, settings, prepared, cut, work, say)
        _write_all(outcome, trainer, work / "result")
        _put(work, output)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(work)) from None
    finally:
        if not _newest_checkpoint(work):  # done, or nothing to go on from
            shutil.rmtree(work, ignore_errors=True)
    return output


def choose_epochs(num_train: int) -> int:
    """Return how often to pass over the training rows, where nobody says: few rows are seen oftener.

    Lesson 3's learning curve shows 4,000 sentences in all at each size, and validation chooses the best epoch.

    Args:
        num_train: number of training rows.
    """
    return min(10, max(3, math.ceil(4000 / num_train)))


def _complete(settings: Settings) -> Settings:
    """Fill in lesson 3's recipe where nothing was said."""
    from ..profiles import load_profile

    recipe = load_profile("03", "local")
    return replace(
        settings, model=settings.model or recipe.model, learning_rate=settings.learning_rate or recipe.learning_rate
    )


def _check_folders(output: Path, work: Path, resume: bool, overwrite: bool) -> None:
    started = _newest_checkpoint(work)
    if resume and not started:
        raise CourseError(
            f"There is no interrupted training of {output} that has reached the end of an epoch: leave out --resume."
        )
    if started and not resume and not overwrite:
        raise CourseError(f"An interrupted training is in {work}: go on with --resume, or give it up with --overwrite.")
    if work.exists() and not (work / _BEGUN).is_file():
        raise CourseError(
            f"{work} is in the way of what a training keeps until it is done: move it, or name another "
            "folder with --output."
        )
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / _SIGN).is_file():
        raise CourseError(f"{output} holds something else than a training's result: name another folder with --output.")
    if not overwrite:
        raise CourseError(f"{output} has a model already: name another folder with --output, or say --overwrite.")


def _newest_checkpoint(work: Path) -> Path | None:
    """Return the newest whole checkpoint; the state of the trainer is what is written last."""
    found = list((work / "checkpoints").glob("checkpoint-*/trainer_state.json"))
    return max((path.parent for path in found), key=lambda path: int(path.name.split("-")[1]), default=None)


def _fingerprint(prepared: Prepared) -> str:
    rows = prepared.frame.to_csv() + prepared.clusters.tobytes().hex()
    return hashlib.sha256(rows.encode("utf-8", "surrogatepass")).hexdigest()


def _check_same(before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = [name for name in now if now[name] != before.get(name)]
    if changed:
        said = "; ".join(
            "the rows of the data"
            if name == "rows"
            else f"--{name.replace('_', '-')} was {before.get(name)} and is {now[name]}"
            for name in changed
        )
        raise CourseError(
            f"The interrupted training began otherwise: {said}. Go on with what it began with, or begin anew with "
            "--overwrite instead of --resume."
        )


def _read(settings: Settings, say: Say) -> tuple[Settings, Prepared, DatasetDict]:
    """Read, check and split the data, and say what was found."""
    columns = [settings.text_column, settings.label_column, *filter(None, [settings.group_column])]
    table = tables.read_table(settings.data, columns, settings.subset, settings.split)
    frame = tables.choose_columns(table, *columns)
    if settings.max_rows and len(frame) > settings.max_rows:
        frame = frame.sample(settings.max_rows, random_state=settings.seed).sort_index()
    say(f"Read {len(table):,} rows of {settings.data}" + (f", drew {len(frame):,}" if len(frame) < len(table) else ""))
    prepared = prepare(frame, settings.clean)
    place = str(frame.index.name)
    for finding in prepared.findings:
        where = finding.where(place)
        say(f"  {finding.title}{f', {where}' if where else ''}: {finding.reason}. {finding.remedy}")
    splits = _split(prepared, settings)
    sizes = ", ".join(f"{len(rows):,} for {name}" for name, rows in splits.items())
    say(f"{len(splits['train'].features['label'].names)} classes; {sizes}")
    return replace(settings, epochs=settings.epochs or choose_epochs(len(splits["train"]))), prepared, splits


def _split(prepared: Prepared, settings: Settings) -> DatasetDict:
    from ..splits import split_stratified

    rest = 1 - settings.validation_share - settings.test_share
    if not (settings.validation_share > 0 < settings.test_share and rest >= 0.1):
        raise CourseError(
            f"A validation share of {settings.validation_share} and a test share of {settings.test_share} leave "
            f"{max(rest, 0):.0%} to train on: give two shares above 0, and leave at least 10 % for training."
        )
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


def _build(settings: Settings, splits: DatasetDict, folder: Path, say: Say) -> tuple[Trainer, float]:
    """Return a Trainer as lesson 3 builds it, and the share of training texts that are cut."""
    from transformers import AutoTokenizer, DataCollatorWithPadding
    from transformers.trainer_callback import PrinterCallback

    from .. import train
    from ..classification import compute_metrics, load_classifier, tokenize

    quieten()
    train.seed_everything(settings.seed)
    name, labels = found_model(str(settings.model)), splits["train"].features["label"].names
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_path(name))
        model = load_classifier(name, labels, new_head=True)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"The model {settings.model} can't be loaded for text classification: {first_line(error)} Give an asset "
            "of the course, a folder, or a name on the hub."
        ) from error
    _settle(model, tokenizer, settings)
    tokenized = tokenize(splits, tokenizer, settings.max_length)
    cut = sum(len(ids) >= settings.max_length for ids in tokenized["train"]["input_ids"]) / len(tokenized["train"])
    if cut:
        say(f"{cut:.1%} of the training texts reach the {settings.max_length} tokens that are read: see --max-length")
    say(f"Training {settings.model} for {settings.epochs} epochs, learning rate {settings.learning_rate:g}")
    arguments = train.training_arguments(
        folder,
        seed=settings.seed,
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=settings.batch_size,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,  # and the best
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        logging_strategy="epoch",
        disable_tqdm=True,
    )
    trainer = train.build_trainer(
        model,
        arguments,
        callbacks=[_progress(say)],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=tokenized["train"],
        eval_dataset=tokenized["validation"],
        compute_metrics=compute_metrics,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.test_dataset = tokenized["test"]
    return trainer, cut


def _settle(model: Any, tokenizer: Any, settings: Settings) -> None:
    """Let model and tokenizer agree on padding and on how much is read, and keep it with them."""
    from ..batches import pad_alike, readable

    longest = readable(settings.max_length, tokenizer, model)
    if settings.max_length > longest:
        raise CourseError(f"{settings.model} reads {longest} tokens at most: give a --max-length of {longest} or less.")
    pad_alike(tokenizer, model)
    tokenizer.model_max_length = settings.max_length  # `ftcourse predict` and pipelines cut there, too


def quieten() -> None:
    """Switch off what the libraries say about their own progress: this command says its own."""
    import datasets
    from transformers.utils import logging

    datasets.disable_progress_bars()
    logging.disable_progress_bar()


def found_model(name: str) -> str | Path:
    """Return a model's name as `files.model_path` takes it: on a command line, a folder needs no slash.

    Args:
        name: an asset, a folder or a name on the hub.
    """
    from ..assets import ASSETS

    return Path(name) if name not in ASSETS and Path(name).expanduser().is_dir() else name


def _progress(say: Say) -> TrainerCallback:
    """Return a callback that says a line after each epoch, and between them where an epoch takes long."""
    from transformers import TrainerCallback

    class Progress(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            self.started = self.last = time.monotonic()
            self.first = state.global_step

        def _clock(self, state: Any) -> str:
            self.last, spent = time.monotonic(), time.monotonic() - self.started
            left = spent / max(1, state.global_step - self.first) * (state.max_steps - state.global_step)
            return f"{clock(spent)} so far" + (f", about {clock(left)} to go" if left else "")

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if time.monotonic() - self.last > _EVERY:
                say(f"  step {state.global_step:,} of {state.max_steps:,}; {self._clock(state)}")

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **more: Any) -> None:
            say(
                f"  epoch {state.epoch:.0f} of {state.num_train_epochs}: validation accuracy "
                f"{metrics['eval_accuracy']:.1%}, macro F1 {metrics['eval_f1']:.3f}, loss {metrics['eval_loss']:.3f}; "
                f"{self._clock(state)}"
            )

    return Progress()


def _train_and_measure(
    trainer: Trainer, splits: DatasetDict, settings: Settings, prepared: Prepared, cut: float, work: Path, say: Say
) -> Outcome:
    import pandas as pd

    from ..records import measure

    checkpoint = _newest_checkpoint(work)
    if checkpoint:
        say(f"Going on from {checkpoint.name}")
    with measure() as cost:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    names = {"epoch": "epoch", "eval_loss": "loss", "eval_accuracy": "accuracy", "eval_f1": "f1"}
    history = pd.DataFrame([row for row in trainer.state.log_history if "eval_loss" in row])[list(names)].rename(
        columns=names
    )
    best = float(history["epoch"][history["f1"].idxmax()])
    say(f"Keeping epoch {best:.0f}, whose macro F1 on validation is highest. Measuring on {len(splits['test']):,} rows")
    measured = measure_test(trainer.model, trainer.get_test_dataloader(trainer.test_dataset), splits)
    classes = splits["train"].features["label"].names
    counts = {name: pd.Series(rows["label"][:]).value_counts() for name, rows in splits.items()}
    table = pd.DataFrame(counts).reindex(range(len(classes))).fillna(0).astype(int).set_axis(classes)
    place = str(prepared.frame.index.name)
    return Outcome(settings, place, prepared.findings, table, cut, *measured, history, best, dict(cost))


def _write_all(outcome: Outcome, trainer: Trainer, folder: Path) -> None:
    from ..records import write_record
    from . import training_report

    shutil.rmtree(folder, ignore_errors=True)
    trainer.model.save_pretrained(folder)
    trainer.processing_class.save_pretrained(folder)
    record = write_record(
        "classification",
        f"seed-{outcome.settings.seed}",
        folder=folder / "records",
        settings=asdict(outcome.settings),
        metrics=outcome.scores.round(4).to_dict("index"),
        cost=outcome.cost,
        rows=outcome.counts.sum().to_dict(),
        findings=[finding._asdict() | {"places": list(map(int, finding.places))} for finding in outcome.findings],
        verdicts=outcome.verdicts,
        confusion=outcome.matrix.tolist(),
        history=outcome.history.to_dict("records"),
    )  # fmt: skip
    environment = json.loads(record.read_text(encoding="utf-8"))["environment"]
    write_atomically(folder / "predictions.csv", outcome.predictions.to_csv(index=False))
    write_atomically(folder / "README.md", training_report.model_card(outcome, environment))
    write_atomically(folder / _SIGN, training_report.report_page(outcome, environment))


def _put(work: Path, output: Path) -> None:
    """Put the result into place, whole, and remove what it was made of."""
    if output.exists():
        output.rename(work / "replaced")
    (work / "result").rename(output)
    shutil.rmtree(work)


def _how_to_go_on(work: Path) -> str:
    if _newest_checkpoint(work):
        return "Stopped. The same command with --resume goes on from the last epoch that was finished."
    return "Stopped before the end of the first epoch, so there is nothing to go on from: run the command again."
