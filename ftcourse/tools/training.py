"""What every `ftcourse train` does: from data to a model, its card, its figures and its report, in one folder."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import CourseError, first_line
from ..files import write_atomically
from .live import clock
from .training_data import Finding

if TYPE_CHECKING:
    import pandas as pd
    from transformers import Trainer, TrainerCallback

Say = Callable[[str], None]
Measures = Mapping[str, tuple[str, str]]  # from the name of a measure to what it is called and how it is written
EVERY = 30  # seconds between two lines of progress
_SIGN = "report.html"  # only a folder with this file is replaced by --overwrite
_BEGUN = "settings.json"  # only a folder with this file is taken for an interrupted training


@dataclass(frozen=True)
class Settings:
    """What every training is told; an interrupted one can only go on with the same.

    Attributes:
        data: path of the data.
        model: an asset, a folder or a name on the hub; None takes that of the lesson.
        epochs: passes over the training data; None takes what `choose_epochs` says.
        learning_rate: the highest; None takes that of the lesson.
        batch_size: examples a step; None takes that of the lesson.
        seed: of the splits, the head and the shuffling.
        max_rows: draw so many examples at most.
        validation_share: share of the examples to choose on, between 0 and 1.
        test_share: share of the examples to measure on, between 0 and 1.
        clean: leave out what can't or needn't be trained on.
    """

    data: str
    model: str | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    seed: int = 0
    max_rows: int | None = None
    validation_share: float = 0.1
    test_share: float = 0.2
    clean: bool = False


class Data(NamedTuple):
    """What a training reads.

    Attributes:
        settings: with all that was left open filled in.
        splits: by name, train, validation and test.
        place: what the examples are counted in: line, row or item.
        findings: list of `Finding`.
        rows: all of what is in the splits, which JSON can hold: whoever goes on with a training needs the same.
        groups: in a sentence, what is never in two splits; empty for nothing.
    """

    settings: Any
    splits: Any
    place: str
    findings: list[Finding]
    rows: Any
    groups: str = ""


class Fitted(NamedTuple):
    """What comes of the training itself.

    Attributes:
        history: DataFrame with epoch and what was watched on validation, one row an epoch.
        best: the epoch whose model was kept.
        cost: seconds and peak memory.
    """

    history: pd.DataFrame
    best: float
    cost: dict[str, float]


class Outcome(NamedTuple):
    """What came out of a training, for the report, the card and the record.

    Attributes:
        data: what it was trained on.
        fitted: of the training.
        counts: DataFrame of what is counted, one row a class and one column a split.
        scores: DataFrame with each measure and its _low and _high, one row a way.
        verdicts: sentences on the model against each baseline.
        predictions: DataFrame with one row a test example, as the file of predictions has it.
        tested: how many of what were measured, such as "24 test rows".
        details: what only this kind of training has.
        save: function that writes the model into a folder.
    """

    data: Data
    fitted: Fitted
    counts: pd.DataFrame
    scores: pd.DataFrame
    verdicts: list[str]
    predictions: pd.DataFrame
    tested: str
    details: dict[str, Any]
    save: Callable[[Path], None]


class Parts(NamedTuple):
    """What is written about one kind of training only.

    Attributes:
        html: sections of the page between the result and the data, as HTML.
        facts: rows of the table of settings, each a name and a value as HTML.
        about: a sentence or two on what the model does, for its card.
        name: of the model, the heading of its card.
        use: lines of Python that use the model, for its card.
        files: a sentence on what the report and the predictions hold, for the card.
        limits: what else is to be known of its limits, for the card.
        record: what the record keeps besides, which JSON can hold.
    """

    html: list[str]
    facts: list[list[str]]
    about: str
    name: str
    use: list[str]
    files: str
    limits: str
    record: dict[str, Any]


class Kind(NamedTuple):
    """One kind of training.

    Attributes:
        command: its name after `ftcourse train`, and that of its records.
        title: what the report is called.
        library: that loads the model.
        pipeline: the hub's word for the task.
        measures: of the result.
        watched: of the validation after each epoch.
        chosen: of these, the one by which an epoch is chosen; more is better.
        judged: of the measures, the one that the model is compared by.
        counted: caption of the table of counts.
        example: what to give to `ftcourse predict` after the folder.
        read: function from settings and a way to speak to `Data`.
        train: function from `Data`, a folder for checkpoints and a way to speak to `Outcome`.
        describe: function from `Outcome` to `Parts`.
        in_lines: whether the predictions are JSONL rather than CSV.
        resumes: whether it leaves checkpoints to go on from.
    """

    command: str
    title: str
    library: str
    pipeline: str
    measures: Measures
    watched: Measures
    chosen: str
    judged: str
    counted: str
    example: str
    read: Callable[[Any, Say], Data]
    train: Callable[[Data, Path, Say], Outcome]
    describe: Callable[[Outcome], Parts]
    in_lines: bool = False
    resumes: bool = True

    @property
    def predictions_file(self) -> str:
        """Name of the file with the predictions."""
        return "predictions.jsonl" if self.in_lines else "predictions.csv"


def run_training(
    kind: Kind,
    settings: Settings,
    output: str | os.PathLike[str],
    resume: bool = False,
    overwrite: bool = False,
    say: Say = print,
) -> Path:
    """Check data, train a model on them, measure it, and write all that is to be known of it into a folder.

    Args:
        kind: of the training.
        settings: what to train on, and how.
        output: folder for the model, README.md, report.html, the predictions and the record; it is put into place at
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
    check_shares(settings)
    data = kind.read(settings, say)
    kept = json.dumps(asdict(data.settings) | {"command": kind.command, "rows": _fingerprint(data)}, indent=1)
    if resume:
        _check_same(json.loads((work / _BEGUN).read_text(encoding="utf-8")), json.loads(kept))
    else:
        shutil.rmtree(work, ignore_errors=True)
        write_atomically(work / _BEGUN, kept)
    try:
        quieten()
        outcome = kind.train(data, work / "checkpoints", say)
        _write_all(kind, outcome, work / "result")
        _put(work, output)
        for verdict in outcome.verdicts:
            say(verdict)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(kind, work)) from None
    finally:
        if not _newest_checkpoint(work):  # done, or nothing to go on from
            shutil.rmtree(work, ignore_errors=True)
    return output


def choose_epochs(num_train: int, total: int = 4000, fewest: int = 3) -> int:
    """Return how often to pass over the training data, where nobody says: few are seen oftener, ten times at most.

    Lesson 3's learning curve shows 4,000 sentences in all at each size, and validation chooses the best epoch.

    Args:
        num_train: number of training examples.
        total: how many to show in all.
        fewest: passes at the least.
    """
    return min(10, max(fewest, math.ceil(total / num_train)))


def check_shares(settings: Settings) -> None:
    """Check that there is something to train on, to choose on and to measure on.

    Args:
        settings: with the two shares.

    Raises:
        CourseError: if one of the three has nothing.
    """
    rest = 1 - settings.validation_share - settings.test_share
    if not (settings.validation_share > 0 < settings.test_share and rest >= 0.1):
        raise CourseError(
            f"A validation share of {settings.validation_share} and a test share of {settings.test_share} leave "
            f"{max(rest, 0):.0%} to train on: give two shares above 0, and leave at least 10 % for training."
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


def _fingerprint(data: Data) -> str:
    return hashlib.sha256(json.dumps(data.rows, sort_keys=True).encode()).hexdigest()


def _check_same(before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = [name for name in now if now[name] != before.get(name)]
    if changed:
        said = "; ".join(
            "what is in the data"
            if name == "rows"
            else f"--{name.replace('_', '-')} was {before.get(name)} and is {now[name]}"
            for name in changed
        )
        raise CourseError(
            f"The interrupted training began otherwise: {said}. Go on with what it began with, or begin anew with "
            "--overwrite instead of --resume."
        )


@contextmanager
def loading(
    name: object, task: str, remedy: str = "Give an asset of the course, a folder, or a name on the hub."
) -> Iterator[None]:
    """Say what to do where a model can't be loaded.

    Args:
        name: of the model.
        task: what it is loaded for.
        remedy: a sentence.

    Raises:
        CourseError: in the place of what a library says.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        raise CourseError(f"The model {name} can't be loaded for {task}: {first_line(error)} {remedy}") from error


def settle(model: Any, tokenizer: Any, settings: Any) -> None:
    """Let model and tokenizer agree on padding and on how much is read, and keep it with them.

    Args:
        model: of transformers, with a head.
        tokenizer: its own.
        settings: with model, and max_length, the tokens that are wanted.

    Raises:
        CourseError: if the model doesn't read as many.
    """
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


def _progress(say: Say, watched: Measures) -> TrainerCallback:
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
            if time.monotonic() - self.last > EVERY:
                say(f"  step {state.global_step:,} of {state.max_steps:,}; {self._clock(state)}")

        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **more: Any) -> None:
            say(epoch_line(state.epoch, state.num_train_epochs, metrics, watched, self._clock(state)))

    return Progress()


def epoch_line(epoch: float, epochs: int, metrics: Mapping[str, float], watched: Measures, spent: str) -> str:
    """Return what is said after an epoch.

    Args:
        epoch: that has ended.
        epochs: of all.
        metrics: what was measured on validation, each with eval_ before its name.
        watched: which of these to say.
        spent: how long it took.
    """
    said = ", ".join(f"{title} {metrics[f'eval_{name}']:{form}}" for name, (title, form) in watched.items())
    return f"  epoch {epoch:.0f} of {epochs}: validation {said}; {spent}"


def build_trainer(kind: Kind, settings: Settings, model: Any, tokenizer: Any, folder: Path, say: Say,
                  **parts: Any) -> Trainer:  # fmt: skip
    """Return a Trainer that measures and saves after each epoch, and keeps the best.

    Args:
        kind: of the training.
        settings: of the training, filled in.
        model: to train.
        tokenizer: its own.
        folder: for checkpoints.
        say: called with each line of progress.
        **parts: what else the Trainer takes: data sets, collator, metrics.
    """
    from transformers.trainer_callback import PrinterCallback

    from .. import train

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
        metric_for_best_model=kind.chosen,
        logging_strategy="epoch",
        disable_tqdm=True,
    )
    callbacks = [_progress(say, kind.watched)]
    trainer = train.build_trainer(model, arguments, callbacks=callbacks, processing_class=tokenizer, **parts)
    trainer.remove_callback(PrinterCallback)
    return trainer


def fit(kind: Kind, trainer: Trainer, folder: Path, say: Say) -> Fitted:
    """Train, from the newest checkpoint if there is one, and keep the best epoch.

    Args:
        kind: of the training.
        trainer: as `build_trainer` returns it; its model is then that of the best epoch.
        folder: with the checkpoints.
        say: called with each line of progress.
    """
    import pandas as pd

    from ..records import measure

    checkpoint = _newest_checkpoint(folder.parent)
    if checkpoint:
        say(f"Going on from {checkpoint.name}")
    with measure() as cost:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    names = {"epoch": "epoch", **{f"eval_{name}": name for name in kind.watched}}
    rows = [row for row in trainer.state.log_history if f"eval_{kind.chosen}" in row]
    history = pd.DataFrame(rows)[list(names)].rename(columns=names)
    return Fitted(history, keep_best(kind, history, say), dict(cost))


def keep_best(kind: Kind, history: pd.DataFrame, say: Say) -> float:
    """Return the epoch that is best by what the kind chooses by, and say it.

    Args:
        kind: of the training.
        history: as `Fitted` has it.
        say: called with the line.
    """
    best = float(history["epoch"][history[kind.chosen].idxmax()])
    say(f"Keeping epoch {best:.0f}, whose {kind.watched[kind.chosen][0]} on validation is highest")
    return best


def _write_all(kind: Kind, outcome: Outcome, folder: Path) -> None:
    from ..records import write_record
    from . import training_report

    shutil.rmtree(folder, ignore_errors=True)
    outcome.save(folder)
    settings, parts = outcome.data.settings, kind.describe(outcome)
    record = write_record(
        kind.command,
        f"seed-{settings.seed}",
        folder=folder / "records",
        settings=asdict(settings),
        metrics=outcome.scores.round(4).to_dict("index"),
        cost=outcome.fitted.cost,
        counts=outcome.counts.to_dict("index"),
        findings=[finding._asdict() | {"places": list(map(str, finding.places))} for finding in outcome.data.findings],
        verdicts=outcome.verdicts,
        history=outcome.fitted.history.to_dict("records"),
        best=outcome.fitted.best,
        **parts.record,
    )
    environment = json.loads(record.read_text(encoding="utf-8"))["environment"]
    table = outcome.predictions
    text = (
        table.to_json(orient="records", lines=True, force_ascii=False) if kind.in_lines else table.to_csv(index=False)
    )
    write_atomically(folder / kind.predictions_file, text)
    write_atomically(folder / "README.md", training_report.model_card(kind, outcome, parts, environment))
    write_atomically(folder / _SIGN, training_report.report_page(kind, outcome, parts, environment))


def _put(work: Path, output: Path) -> None:
    """Put the result into place, whole, and remove what it was made of."""
    if output.exists():
        output.rename(work / "replaced")
    (work / "result").rename(output)
    shutil.rmtree(work)


def _how_to_go_on(kind: Kind, work: Path) -> str:
    if not kind.resumes:
        return "Stopped. Nothing was kept: run the command again."
    if _newest_checkpoint(work):
        return "Stopped. The same command with --resume goes on from the last epoch that was finished."
    return "Stopped before the end of the first epoch, so there is nothing to go on from: run the command again."
