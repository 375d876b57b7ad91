"""The training of a job: LoRA on its base, with a checkpoint after each epoch to go on from and to use as a model."""

import csv
import io
import json
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from transformers import AutoTokenizer, TrainerCallback

from .. import lora
from ..chat_data import MAX_LENGTH, plain_messages, read_examples
from ..files import model_path
from . import states
from .states import JobError
from .store import Json, Row, Store, now

BASE_LEARNING_RATE = 2e-3  # what a learning_rate_multiplier of 1 means
LORA = {"r": 16, "lora_alpha": 32}
MICRO_BATCH = 2  # examples at once: a larger batch is summed up from these, which takes less memory
KEPT_CHECKPOINTS = 3

# The names of the metrics: in the Trainer's log, and in the API's events and checkpoints.
METRICS = {
    "loss": "train_loss",
    "mean_token_accuracy": "train_mean_token_accuracy",
    "eval_loss": "valid_loss",
    "eval_mean_token_accuracy": "valid_mean_token_accuracy",
}
# What must be a number: a gradient that is none spoils the weights, also after the last loss that is told.
WATCHED = {"loss": "training loss", "grad_norm": "gradient of the training loss", "eval_loss": "validation loss"}


def train(store: Store, job_id: str) -> None:
    """Fine-tune the base by LoRA, go on from the last checkpoint if there is one, and keep the model.

    Args:
        store: that has the job.
        job_id: id of the job, which runs.

    Raises:
        JobError: if nothing was trained, or if the loss is no number any more.
    """
    row = store.job(job_id)
    folder, chats = store.job_folder(job_id), _read_chats(store, job_id, row.private["source"])
    hyperparameters = resolve(row.object["hyperparameters"], len(chats["train"]))
    store.update("job", job_id, hyperparameters=hyperparameters)
    checkpoints = _checkpoints(folder)
    if checkpoints:
        store.add_event(job_id, f"Going on from step {_step(checkpoints[-1])}.")
        _publish_checkpoints(store, job_id)
    shutil.rmtree(folder / "training", ignore_errors=True)
    adapter = row.private["adapter"]
    at_once = math.gcd(hyperparameters["batch_size"], MICRO_BATCH)
    trainer = lora.fine_tune(
        chats,
        row.private["source"],
        folder / "training",
        **LORA,
        seed=row.object["seed"],
        max_length=MAX_LENGTH,
        callbacks=[_Report(store, job_id)],
        resume_from_checkpoint=str(checkpoints[-1]) if checkpoints else None,
        adapter=str(store.home / adapter) if adapter else None,
        num_train_epochs=hyperparameters["n_epochs"],
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=hyperparameters["batch_size"] // at_once,
        learning_rate=BASE_LEARNING_RATE * hyperparameters["learning_rate_multiplier"],
        weight_decay=0.0,
        per_device_eval_batch_size=8,
        save_strategy="epoch",
        eval_strategy="epoch" if "validation" in chats else "no",
        logging_steps=1,
        disable_tqdm=True,
    )
    if states.current(store, job_id) != states.RUNNING:
        return  # paused: the next trainer goes on
    if trainer.state.global_step == 0:
        raise JobError(
            "no_training_step",
            "The training made no step, so there is no new model. Give it more examples or epochs.",
            "training_file",
        )
    tokens = sum(map(len, trainer.train_dataset["input_ids"])) * hyperparameters["n_epochs"]
    _finish(store, job_id, trainer.model, trainer.state.log_history, tokens)


def _read_chats(store: Store, job_id: str, source: str) -> DatasetDict:
    """Return the dialogues of a job's files, each with the system message that the template would give it."""
    splits = {"training_file": "train", "validation_file": "validation"}
    default = default_system(AutoTokenizer.from_pretrained(model_path(source)))

    def read(path: Path) -> Dataset:
        chats = [plain_messages(example["messages"]) for example in read_examples(path)]
        # Where the assistant speaks first, nothing is before it in which the template could put its own.
        return Dataset.from_list(
            [{"messages": default + chat if chat[0]["role"] == "assistant" else chat} for chat in chats]
        )

    return DatasetDict({splits[name]: read(path) for name, path in store.job_files(job_id).items()})


def default_system(tokenizer: Any) -> list[Json]:
    """Return the system message that a chat template puts before a dialogue without one, in a list; else an empty one.

    Args:
        tokenizer: with a chat template.
    """
    asked, mark = [{"role": "user", "content": "?"}], "SYSTEM"
    bare = tokenizer.apply_chat_template(asked, tokenize=False)
    before, _, after = tokenizer.apply_chat_template(
        [{"role": "system", "content": mark}, *asked], tokenize=False
    ).partition(mark)
    is_put = bare.startswith(before) and bare.endswith(after) and len(bare) > len(before) + len(after)
    return [{"role": "system", "content": bare[len(before) : len(bare) - len(after)]}] if is_put else []


def resolve(hyperparameters: Json, num_examples: int) -> Json:
    """Return the hyperparameters with a number for each "auto".

    Args:
        hyperparameters: as the client gave them.
        num_examples: number of examples in the training file.
    """
    defaults = {"n_epochs": 5, "batch_size": min(4, max(1, num_examples // 8)), "learning_rate_multiplier": 1.0}
    return {name: defaults[name] if value == "auto" else value for name, value in hyperparameters.items()}


class _Report(TrainerCallback):
    """Turns what the Trainer does into events and checkpoints."""

    def __init__(self, store: Store, job_id: str) -> None:
        self.store, self.job_id = store, job_id

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.begun = now()
        self.first = self.told = state.global_step

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._tell(state)  # of the step before: now also an evaluation after it is known

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._tell(state)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if states.current(self.store, self.job_id) != states.RUNNING:  # paused
            control.should_save = control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: Json, **kwargs: Any) -> None:
        for name, meaning in WATCHED.items():
            if not math.isfinite(logs.get(name, 0.0)):
                raise JobError(
                    "loss_not_finite",
                    f"The {meaning} became {logs[name]} at step {state.global_step}. Try a smaller "
                    "learning_rate_multiplier.",
                    "hyperparameters",
                )

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._tell(state)  # whoever goes on from here doesn't
        folder = self.store.job_folder(self.job_id) / "checkpoints"
        folder.mkdir(exist_ok=True)
        whole = folder / f"step-{state.global_step}"
        shutil.rmtree(whole, ignore_errors=True)
        os.rename(Path(args.output_dir) / f"checkpoint-{state.global_step}", whole)
        _publish_checkpoints(self.store, self.job_id)

    def _tell(self, state: Any) -> None:
        """Tell in an event what is known of the step, once."""
        if state.global_step == self.told:
            return
        self.told = state.global_step
        metrics = metrics_at(state.log_history, state.global_step)
        left = (now() - self.begun) / max(state.global_step - self.first, 1) * (state.max_steps - state.global_step)
        with self.store.transaction():
            self.store.update("job", self.job_id, expect=(states.RUNNING,), estimated_finish=now() + int(left))
            self.store.add_event(
                self.job_id,
                f"Step {state.global_step}/{state.max_steps}: training loss={metrics['train_loss']:.2f}",
                data=metrics | {"step": state.global_step, "total_steps": state.max_steps},
            )


def metrics_at(log_history: Sequence[Json], step: int) -> Json:
    """Return the metrics of a step under the names that the API uses.

    Args:
        log_history: what the Trainer has logged.
        step: number of the step, from 1.
    """
    found: Json = {}
    for entry in log_history:
        if entry["step"] == step:
            found |= {new: entry[old] for old, new in METRICS.items() if old in entry}
    return found


# --- Checkpoints -----------------------------------------------------------------------------------------------------


def _step(checkpoint: Path) -> int:
    """Return the step after which a checkpoint was made."""
    return int(checkpoint.name.rpartition("-")[2])


def _checkpoints(folder: Path) -> list[Path]:
    """Return the folders of the whole checkpoints of a job, in order."""
    return sorted((folder / "checkpoints").glob("step-*"), key=_step)


def _publish_checkpoints(store: Store, job_id: str) -> None:
    """Offer the last epochs' checkpoints of a job as models, and drop what is no longer needed."""
    row = store.job(job_id)
    folders = _checkpoints(store.job_folder(job_id))
    logs = {folder: json.loads((folder / "trainer_state.json").read_text(encoding="utf-8")) for folder in folders}
    kept = [folder for folder in folders if logs[folder]["epoch"] == round(logs[folder]["epoch"])][-KEPT_CHECKPOINTS:]
    for folder in kept:
        _publish(store, row, folder, logs[folder]["log_history"])
    for folder in folders[:-1]:
        if folder not in kept:
            with store.transaction():
                store.delete("checkpoint", _checkpoint_id(row, _step(folder)))
                store.delete("model", _checkpoint_name(row, _step(folder)))
            shutil.rmtree(folder)


def _publish(store: Store, row: Row, folder: Path, log_history: Sequence[Json]) -> None:
    """Offer a checkpoint of a job as a model, unless it is one already."""
    step = _step(folder)
    checkpoint: Json = {
        "id": _checkpoint_id(row, step),
        "object": "fine_tuning.job.checkpoint",
        "created_at": now(),
        "fine_tuned_model_checkpoint": _checkpoint_name(row, step),
        "fine_tuning_job_id": row.id,
        "step_number": step,
        "metrics": _checkpoint_metrics(log_history, step),
    }
    with store.transaction():
        if store.get("checkpoint", checkpoint["id"]) is None:
            store.add("checkpoint", checkpoint, row.org, row.id)
            _add_model(store, row, _checkpoint_name(row, step), folder)
            store.update("job", row.id, private={"attempts": 0})  # there is progress


def _checkpoint_id(row: Row, step: int) -> str:
    """Return the id of a job's checkpoint."""
    return f"ftckpt_{row.id.removeprefix('ftjob-')}{step}"


def _checkpoint_name(row: Row, step: int) -> str:
    """Return the name of a job's checkpoint as a model."""
    return f"{row.private['name']}:ckpt-step-{step}"


def _checkpoint_metrics(log_history: Sequence[Json], step: int) -> Json:
    """Return the metrics of a checkpoint: each evaluation is over the whole validation file."""
    metrics = metrics_at(log_history, step) | {"step": step}
    return metrics | {f"full_{name}": value for name, value in metrics.items() if name.startswith("valid_")}


def _add_model(store: Store, row: Row, name: str, folder: Path) -> None:
    """Offer an adapter that a job has made as a model."""
    model = {"id": name, "object": "model", "created": now(), "owned_by": row.org}
    private = {"base": row.private["base"], "folder": folder.relative_to(store.home).as_posix(), "job": row.id}
    store.add("model", model, row.org, private=private)


# --- The end ---------------------------------------------------------------------------------------------------------


def _finish(store: Store, job_id: str, model: Any, log_history: Sequence[Json], trained_tokens: int) -> None:
    """Keep the model and the results of a job that is trained, and let it succeed."""
    row = store.job(job_id)
    folder = store.home / "models" / job_id
    partial = folder.with_name(f".{job_id}")
    for leftover in (partial, folder):  # of a trainer that was killed here
        shutil.rmtree(leftover, ignore_errors=True)
    model.save_pretrained(partial)
    os.rename(partial, folder)
    name = row.private["name"]
    with store.transaction():
        results = store.add_file(io.BytesIO(results_csv(log_history)), "step_metrics.csv", "fine-tune-results", row.org)
        if states.succeed(store, job_id, name, trained_tokens, [results["id"]]):
            _add_model(store, row, name, folder)
        else:  # cancelled or paused at the last moment
            store.delete_file(results["id"])


def results_csv(log_history: Sequence[Json]) -> bytes:
    """Return the metrics of each step as the result file has them.

    Args:
        log_history: what the Trainer has logged.
    """
    text = io.StringIO()
    columns = {
        "train_loss": "train_loss",
        "train_accuracy": "train_mean_token_accuracy",
        "valid_loss": "valid_loss",
        "valid_mean_token_accuracy": "valid_mean_token_accuracy",
    }
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["step", *columns])
    for step in sorted({entry["step"] for entry in log_history if "loss" in entry}):
        metrics = metrics_at(log_history, step)
        writer.writerow([step, *(metrics.get(name, "") for name in columns.values())])
    return text.getvalue().encode()
