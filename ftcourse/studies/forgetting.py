"""The study of lesson 4 on forgetting: what each way learns and forgets, epoch by epoch, with and without replay."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import profiles, records
from ..records import Folder
from .memory import in_own_process

if TYPE_CHECKING:
    from transformers import TrainerCallback

# Name: method, learning rate, and whether the base model's own answers to general prompts are mixed in.
SETTINGS: dict[str, tuple[str, float, bool]] = {
    "lora": ("lora", 2e-3, False),
    "lora-replay": ("lora", 2e-3, True),
    "full": ("full", 1e-4, False),
    "full-replay": ("full", 1e-4, True),
    "lora-low": ("lora", 6e-4, False),
    "lora-low-replay": ("lora", 6e-4, True),
}
NUM_EPOCHS = 3


def lora_forgetting(
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    profile: str = "local",
    folder: Folder = None,
    settings: Sequence[str] = tuple(SETTINGS),
) -> None:
    """Fine-tune once a seed and setting; after each epoch ask the shop's questions and the general ones.

    Args:
        seeds: one run each a setting; a seed also chooses the validation dialogues.
        profile: whose model, data and sizes to use.
        folder: of the records; by default the repository's ``results/``.
        settings: keys of `SETTINGS`.
    """
    for seed in seeds:
        for name in settings:
            in_own_process(_run, "lora_forgetting", f"{name}-seed-{seed}", profile, seed, folder, name)


def _run(study: str, run: str, profile: str, seed: int, folder: Folder, name: str) -> None:
    """Do one run and write its record."""
    from datasets import concatenate_datasets

    from .. import lora as lesson
    from ..dialogues import load_replay

    settings = profiles.load_profile("04", profile)
    method, learning_rate, replay = SETTINGS[name]
    num_eval = settings.sweep.get("num_eval", settings.num_eval)  # more than a training needs: they choose
    dataset = lesson.load_chats(settings.data, settings.num_train, num_eval, settings.num_test, seed)
    num_train, num_replay = len(dataset["train"]), 0
    if replay:
        general = load_replay(settings.num_train)
        num_replay = len(general)
        dataset["train"] = concatenate_datasets([dataset["train"], general])
    options = {
        **settings.lora,
        **settings.training,
        "learning_rate": learning_rate,
        "num_train_epochs": NUM_EPOCHS,
        "eval_strategy": "no",
    }
    history: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as output_dir, records.measure() as cost:
        trainer = lesson.fine_tune(
            dataset, settings.model, output_dir, method, seed=seed, max_length=settings.max_length,
            revision=settings.model_revision, callbacks=[_asks_after_each_epoch(dataset, settings, history)], **options,
        )  # fmt: skip
    metrics = {key: value for key, value in history[-1].items() if not isinstance(value, (str, list))}
    inputs = {
        "profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data, "method": method,
        "num_train": num_train, "num_replay": num_replay, "num_validation": len(dataset["validation"]),
        "num_test": len(dataset["test"]), "num_steps": trainer.state.global_step,
        **{key: value for key, value in options.items() if key != "eval_strategy"},
    }  # fmt: skip
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder, history=history)
    print(f"{study}/{run}: facts {metrics['facts_right']:.1%}, general {metrics['general_right']:.1%}", flush=True)


def _asks_after_each_epoch(dataset: Any, settings: Any, history: list[dict[str, Any]]) -> TrainerCallback:
    """Return a callback that asks all questions after each epoch and adds a dictionary of what came out."""
    from transformers import TrainerCallback

    from .. import lora as lesson

    class Asks(TrainerCallback):
        """Asks the questions of the validation dialogues, of the held-out ones, and the general ones."""

        def on_epoch_end(self, args: Any, state: Any, control: Any, **objects: Any) -> None:
            model, tokenizer = objects["model"], objects["processing_class"]
            validation = dataset["validation"]["messages"]
            answers = lesson.generate_answers(model, tokenizer, [messages[:-1] for messages in validation])
            held_out = [messages[:-1] for messages in dataset["test"]["messages"]][: settings.num_answers]
            judged = lesson.judge_answers(lesson.generate_answers(model, tokenizer, held_out))
            general = lesson.ask_general_questions(model, tokenizer, settings.num_answers)
            tokenized = lesson.tokenize_chats(dataset["validation"], tokenizer, settings.max_length)
            history.append(
                {
                    "epoch": round(state.epoch),
                    "validation_loss": lesson.evaluate_loss(model, tokenized, tokenizer),
                    "validation_facts_right": lesson.facts_repeated(
                        answers, [messages[-1]["content"] for messages in validation]
                    ),
                    "facts_right": judged["facts_right"],
                    "signed": judged["signed"],
                    "general_right": general["right"],
                    "general_signed": general["signed"],
                    "general_each": "".join("01"[right] for right in general["each"]),
                }
            )
            model.train()

    return Asks()
