"""The trainer of one job, a process of its own: ``python -m ftcourse.server.worker HOME JOB``.

It checks the files, waits for its turn, trains, and writes what happens into the store. It can be killed at any moment:
a folder appears under its name only when it is whole, a job ends in one transaction, and the next trainer goes on from
the last checkpoint.
"""

import csv
import io
import json
import logging
import math
import os
import shutil
import sys
import threading
from pathlib import Path

from ..errors import CourseError
from .store import Store, new_id, now

log = logging.getLogger("ftcourse.server.worker")

MAX_LENGTH = 512  # tokens of an example
BASE_LEARNING_RATE = 2e-3  # what a learning_rate_multiplier of 1 means
LORA = dict(r=16, lora_alpha=32)
MICRO_BATCH = 2  # examples at once: a larger batch is summed up from these, which takes less memory
KEPT_CHECKPOINTS = 3


class JobError(Exception):
    """What a job fails with."""

    def __init__(self, code, message, param=None):
        super().__init__(message)
        self.error = {"code": code, "message": message, "param": param}


def main(home, job_id):
    """Do what is next for a job; leave its state in the store."""
    _end_with_parent()
    if hasattr(os, "nice"):
        os.nice(int(os.environ.get("FTCOURSE_TRAINER_NICE", 10)))  # requests come before training
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    store = Store(home)
    try:
        if _status(store, job_id) == "validating_files":
            validate(store, job_id)
        if claim(store, job_id):
            train(store, job_id)
    except JobError as error:
        fail(store, job_id, error.error)
    except Exception as error:
        log.exception("the job failed")
        code = "invalid_training_file" if isinstance(error, CourseError) else "trainer_error"
        fail(store, job_id, {"code": code, "message": f"{type(error).__name__}: {error}", "param": None})


def _end_with_parent():
    """End this process at once when the service ends: its pipe to us breaks."""
    if sys.stdin is None or sys.stdin.isatty():
        return

    def wait():
        sys.stdin.buffer.read()
        os._exit(3)

    threading.Thread(target=wait, daemon=True).start()


def _status(store, job_id):
    return store.get("job", job_id).object["status"]


def fail(store, job_id, error):
    """Let a job fail with a reason."""
    with store.transaction():
        if store.update(
            "job",
            job_id,
            expect=("validating_files", "queued", "running"),
            status="failed",
            error=error,
            finished_at=now(),
            estimated_finish=None,
        ):
            store.add_event(job_id, f"The job failed: {error['message']}", "error")


# --- Validation ------------------------------------------------------------------------------------------------------


def validate(store, job_id):
    """Check the files of a job and put it into the queue, or fail it with the first things that are wrong."""
    from transformers import AutoTokenizer

    from ..chat_data import validate_chat_file

    row = store.get("job", job_id)
    tokenizer = AutoTokenizer.from_pretrained(_base_folder(row.private["source"]))
    paths = _files(store, job_id)
    for param, path in paths.items():
        findings = validate_chat_file(path, tokenizer, MAX_LENGTH)
        if param == "validation_file":  # it needs no number of examples
            findings = [finding for finding in findings if finding.code != "invalid_n_examples"]
        _judge(store, job_id, param, findings)
    if len(paths) == 2:
        shared = _shared_examples(*paths.values())
        if shared:
            raise JobError(
                "invalid_validation_file",
                f"{len(shared)} example(s) of the validation file are in the "
                f"training file too, the first in line {shared[0]}. Remove them from one of the two.",
                "validation_file",
            )
    with store.transaction():
        if store.update("job", job_id, expect=("validating_files",), status="queued"):
            store.add_event(job_id, "Files validated, moving job to queued state")


def _judge(store, job_id, param, findings):
    errors = [finding for finding in findings if finding.severity == "error"]
    warnings = [finding for finding in findings if finding.severity != "error"]
    for finding in warnings[:20]:
        store.add_event(job_id, f"{param}: {finding}", "warn")
    if len(warnings) > 20:
        store.add_event(job_id, f"{param}: {len(warnings) - 20} more warnings.", "warn")
    if errors:
        few = " ".join(map(str, errors[:5])) + (f" And {len(errors) - 5} more." if len(errors) > 5 else "")
        code = "invalid_n_examples" if errors[0].code == "invalid_n_examples" else f"invalid_{param}"
        raise JobError(code, few, param)


def _files(store, job_id):
    folder = store.job_folder(job_id)
    paths = {name: folder / f"{name}.jsonl" for name in ("training_file", "validation_file")}
    return {name: path for name, path in paths.items() if path.exists()}


def _read_examples(path):
    """Yield the number and the messages of each line of a file that was validated."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, json.loads(line)["messages"]


def _shared_examples(training_path, validation_path):
    known = {json.dumps(messages, sort_keys=True) for _, messages in _read_examples(training_path)}
    return [
        number for number, messages in _read_examples(validation_path) if json.dumps(messages, sort_keys=True) in known
    ]


def _base_folder(source):
    from ..assets import ASSETS, fetch

    return fetch(source) if source in ASSETS else Path(source)


def claim(store, job_id):
    """Let a queued job run if no other one does; return whether this one runs."""
    with store.transaction():
        status = _status(store, job_id)
        if status == "queued" and not any(row.object["status"] == "running" for row in store.all("job")):
            store.update("job", job_id, status="running")
            store.add_event(job_id, "Fine-tuning job started")
            return True
        return status == "running"


# --- Training --------------------------------------------------------------------------------------------------------


def train(store, job_id):
    """Fine-tune the base by LoRA, go on from the last checkpoint if there is one, and keep the model."""
    from datasets import Dataset, DatasetDict

    from .. import lora
    from ..chat_data import plain_messages

    row = store.get("job", job_id)
    folder, paths = store.job_folder(job_id), _files(store, job_id)
    chats = DatasetDict(
        {
            {"training_file": "train", "validation_file": "validation"}[name]: Dataset.from_list(
                [{"messages": plain_messages(messages)} for _, messages in _read_examples(path)]
            )
            for name, path in paths.items()
        }
    )
    hyperparameters = resolve(row.object["hyperparameters"], len(chats["train"]))
    store.update("job", job_id, hyperparameters=hyperparameters)
    checkpoints = _checkpoints(folder)
    if checkpoints:
        store.add_event(job_id, f"Going on from step {_step(checkpoints[-1])}.")
        _publish_checkpoints(store, job_id)
    shutil.rmtree(folder / "training", ignore_errors=True)
    adapter, accuracy = row.private["adapter"], TokenAccuracy()
    at_once = math.gcd(hyperparameters["batch_size"], MICRO_BATCH)
    lora.labelled_loss = accuracy.around(lora.labelled_loss)  # this process does nothing else
    trainer = lora.fine_tune(
        chats,
        str(_base_folder(row.private["source"])),
        folder / "training",
        **LORA,
        seed=row.object["seed"],
        max_length=MAX_LENGTH,
        callbacks=[_report(store, job_id, accuracy)],
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
    if _status(store, job_id) != "running":
        return  # paused: the next trainer goes on
    if trainer.state.global_step == 0:
        raise JobError(
            "no_training_step",
            "The training made no step, so there is no new model. Give it more examples or epochs.",
            "training_file",
        )
    tokens = sum(map(len, trainer.train_dataset["input_ids"])) * hyperparameters["n_epochs"]
    finish(store, job_id, trainer.model, trainer.state.log_history, tokens)


def resolve(hyperparameters, num_examples):
    """Return the hyperparameters with a number for each "auto"."""
    defaults = {"n_epochs": 5, "batch_size": min(4, max(1, num_examples // 8)), "learning_rate_multiplier": 1.0}
    return {name: defaults[name] if value == "auto" else value for name, value in hyperparameters.items()}


def _step(checkpoint):
    return int(checkpoint.name.rpartition("-")[2])


def _checkpoints(folder):
    """Return the folders of the whole checkpoints of a job, in order."""
    return sorted((folder / "checkpoints").glob("step-*"), key=_step)


class TokenAccuracy:
    """Counts, beside the loss that lesson 4 computes, how many tokens the model would have got right."""

    def __init__(self):
        self._counts = {}  # training or not: right ones and all

    def around(self, labelled_loss):
        """Return a function that computes the same loss and counts."""

        def counted(model, input_ids, attention_mask, labels, **kwargs):
            found = []
            head = model.get_output_embeddings()
            hook = head.register_forward_hook(lambda head, args, logits: found.append(logits.detach().argmax(-1)))
            try:
                loss = labelled_loss(model, input_ids, attention_mask, labels, **kwargs)
            finally:
                hook.remove()
            wanted = labels[:, 1:][labels[:, 1:] != -100]
            right, total = self._counts.get(model.training, (0, 0))
            self._counts[model.training] = right + int((found[0] == wanted).sum()), total + len(wanted)
            return loss

        return counted

    def pop(self, training):
        """Return the share since the last time, in training or in evaluation."""
        right, total = self._counts.pop(training)
        return right / total


def _report(store, job_id, accuracy):
    """Return the callback that turns what the Trainer does into events and checkpoints."""
    from transformers import TrainerCallback

    folder = store.job_folder(job_id)

    class Report(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.begun, self.first = now(), state.global_step

        def on_step_end(self, args, state, control, **kwargs):
            if _status(store, job_id) != "running":  # paused
                control.should_save = control.should_training_stop = True

        def on_log(self, args, state, control, logs=None, **kwargs):
            if "loss" in logs:
                if not math.isfinite(logs["loss"]):
                    raise JobError(
                        "loss_not_finite",
                        f"The loss became {logs['loss']} at step {state.global_step}. Try "
                        "a smaller learning_rate_multiplier.",
                        "hyperparameters",
                    )
                state.log_history[-1]["token_accuracy"] = accuracy.pop(True)
                self.step(state)
            elif "eval_loss" in logs:
                state.log_history[-1]["eval_token_accuracy"] = accuracy.pop(False)
                self.step(state)

        def step(self, state):
            metrics = metrics_at(state.log_history, state.global_step)
            left = (now() - self.begun) / max(state.global_step - self.first, 1) * (state.max_steps - state.global_step)
            with store.transaction():
                store.update("job", job_id, expect=("running",), estimated_finish=now() + int(left))
                store.add_event(
                    job_id,
                    f"Step {state.global_step}/{state.max_steps}: training loss={metrics['train_loss']:.2f}",
                    data=metrics | {"step": state.global_step, "total_steps": state.max_steps},
                )

        def on_save(self, args, state, control, **kwargs):
            (folder / "checkpoints").mkdir(exist_ok=True)
            whole = folder / "checkpoints" / f"step-{state.global_step}"
            shutil.rmtree(whole, ignore_errors=True)
            os.rename(Path(args.output_dir) / f"checkpoint-{state.global_step}", whole)
            _publish_checkpoints(store, job_id)

    return Report()


def metrics_at(log_history, step):
    """Return the metrics of a step under the names that the API uses."""
    names = {
        "loss": "train_loss",
        "token_accuracy": "train_mean_token_accuracy",
        "eval_loss": "valid_loss",
        "eval_token_accuracy": "valid_mean_token_accuracy",
    }
    found = {}
    for entry in log_history:
        if entry["step"] == step:
            found |= {new: entry[old] for old, new in names.items() if old in entry}
    return found


def _publish_checkpoints(store, job_id):
    """Offer the last epochs' checkpoints of a job as models, and drop what is no longer needed."""
    row = store.get("job", job_id)
    folders = _checkpoints(store.job_folder(job_id))
    states = {folder: json.loads((folder / "trainer_state.json").read_text(encoding="utf-8")) for folder in folders}
    published = [folder for folder in folders if states[folder]["epoch"] == round(states[folder]["epoch"])]
    for folder in published[-KEPT_CHECKPOINTS:]:
        step = _step(folder)
        checkpoint = {
            "id": _checkpoint_id(row, step),
            "object": "fine_tuning.job.checkpoint",
            "created_at": now(),
            "fine_tuned_model_checkpoint": _checkpoint_name(row, step),
            "fine_tuning_job_id": job_id,
            "step_number": step,
            "metrics": _checkpoint_metrics(states[folder]["log_history"], step),
        }
        with store.transaction():
            if store.get("checkpoint", checkpoint["id"]) is None:
                store.add("checkpoint", checkpoint, row.org, job_id)
                _add_model(store, row, _checkpoint_name(row, step), folder)
                store.update("job", job_id, private={"attempts": 0})  # there is progress
    for folder in folders[:-1]:
        if folder not in published[-KEPT_CHECKPOINTS:]:
            with store.transaction():
                store.delete("checkpoint", _checkpoint_id(row, _step(folder)))
                store.delete("model", _checkpoint_name(row, _step(folder)))
            shutil.rmtree(folder)


def _checkpoint_id(row, step):
    return f"ftckpt_{row.id.removeprefix('ftjob-')}{step}"


def _checkpoint_name(row, step):
    return f"{row.private['name']}:ckpt-step-{step}"


def _checkpoint_metrics(history, step):
    metrics = metrics_at(history, step) | {"step": step}
    whole = {f"full_{name}": value for name, value in metrics.items() if name.startswith("valid_")}
    return metrics | whole  # each evaluation is over the whole validation file


def _add_model(store, row, name, folder):
    model = {"id": name, "object": "model", "created": now(), "owned_by": row.org}
    private = {"base": row.private["base"], "folder": folder.relative_to(store.home).as_posix(), "job": row.id}
    store.add("model", model, row.org, private=private)


def finish(store, job_id, model, log_history, trained_tokens):
    """Keep the model and the results of a job that is trained, and let it succeed."""
    row = store.get("job", job_id)
    folder = store.home / "models" / job_id
    partial = folder.with_name(f".{job_id}")
    for leftover in (partial, folder):  # of a trainer that was killed here
        shutil.rmtree(leftover, ignore_errors=True)
    model.save_pretrained(partial)
    os.rename(partial, folder)
    name = row.private["name"]
    with store.transaction():
        results = store.add_file(io.BytesIO(results_csv(log_history)), "step_metrics.csv", "fine-tune-results", row.org)
        if store.update(
            "job",
            job_id,
            expect=("running",),
            status="succeeded",
            fine_tuned_model=name,
            finished_at=now(),
            estimated_finish=None,
            trained_tokens=trained_tokens,
            result_files=[results["id"]],
        ):
            _add_model(store, row, name, folder)
            store.add_event(job_id, f"New fine-tuned model created: {name}")
            store.add_event(job_id, "The job has successfully completed")
        else:  # cancelled or paused at the last moment
            store.delete("file", results["id"])
            store.content(results["id"]).unlink()
    shutil.rmtree(store.job_folder(job_id) / "training", ignore_errors=True)


def results_csv(log_history):
    """Return the metrics of each step as the result file has them."""
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


if __name__ == "__main__":
    sys.modules["bitsandbytes"] = None  # nothing is quantised here, and peft would spend seconds on reading it
    main(*sys.argv[1:])
