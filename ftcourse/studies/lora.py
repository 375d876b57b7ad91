"""The studies of lesson 4: full, LoRA and QLoRA, what each setting does, memory, a learning curve."""

import tempfile
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from .. import profiles, records
from ..records import Folder
from .memory import in_own_process, saved_mb

# Chosen on validation dialogues.
LEARNING_RATES = {"full": 1e-4, "lora": 2e-3, "qlora": 2e-3}

# Each is changed alone; beside them one run with all settings as the profile has them.
SWEEP: dict[str, tuple[Any, ...]] = {
    "default": ("",),
    "learning_rate": (2e-4, 6e-4, 6e-3),
    "target_modules": ("q_proj v_proj",),
    "r": (2, 64),
    "lora_alpha": (8, 128),
    "lora_dropout": (0.1,),
}
BATCH_SIZES = (2, 8)  # of the study lora_memory


def lora(
    seeds: Iterable[int] = (0, 1, 2),
    profile: str = "local",
    folder: Folder = None,
    methods: Iterable[str] = tuple(LEARNING_RATES),
) -> None:
    """Fine-tune in each way once a seed: loss, facts right, forgetting, memory, time, size on disk.

    Each run has a process of its own, so that its peak memory is its own.

    Args:
        seeds: one run each a method; a seed also chooses the validation dialogues.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
        methods: keys of `LEARNING_RATES`.
    """
    for seed in seeds:
        for method in methods:
            in_own_process(_run, "lora", f"{method}-seed-{seed}", profile, seed, folder, method)


def lora_sweep(seeds: Iterable[int] = (0,), profile: str = "local", folder: Folder = None) -> None:
    """Change one setting of LoRA at a time, in short runs that are judged on validation dialogues.

    Args:
        seeds: one run each a setting; a seed also chooses the validation dialogues.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    for seed in seeds:
        for setting, values in SWEEP.items():
            for value in values:
                name = f"{setting}-{value}".strip("-").replace(" ", "-").replace("_", "-")
                in_own_process(_try, "lora_sweep", f"{name}-seed-{seed}", profile, seed, folder, setting, value)


def lora_memory(seeds: Iterable[int] = (0,), profile: str = "local", folder: Folder = None) -> None:
    """Train four steps on the longest dialogues in each way, at two sizes of batch: to hold `estimate_memory` against.

    Args:
        seeds: one run each a method and size.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    for seed in seeds:
        for method in LEARNING_RATES:
            for batch_size in BATCH_SIZES:
                run = f"{method}-{batch_size}-seed-{seed}"
                # A small batch has small tensors, and they count, too.
                in_own_process(
                    _weigh, "lora_memory", run, profile, seed, folder, method, batch_size, returned_from=1 << 16
                )


def lora_curve(seeds: Iterable[int] = (0, 1, 2), profile: str = "local", folder: Folder = None) -> None:
    """Fine-tune on fewer dialogues, for about as many steps: how many does it take until the facts are learned?

    Args:
        seeds: one run each a size; a seed also chooses the dialogues.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    for seed in seeds:
        for num_train, num_epochs in profiles.load_profile("04", profile).curve:
            run = f"{num_train}-seed-{seed}"
            in_own_process(_learn, "lora_curve", run, profile, seed, folder, num_train, num_epochs)


def _changed(profile: str, part: str) -> tuple[SimpleNamespace, dict[str, Any]]:
    """Return the profile's settings with the sizes of a study, and the study's other changes, to the training."""
    settings = profiles.load_profile("04", profile)
    changes = dict(getattr(settings, part))
    for size in ("num_train", "num_eval"):
        setattr(settings, size, changes.pop(size, getattr(settings, size)))
    return settings, changes


def _train(
    settings: SimpleNamespace, seed: int, method: str, changes: Mapping[str, Any], longest: int | None = None
) -> tuple[Any, Any, dict[str, float], float, dict[str, Any]]:
    """Fine-tune with some settings changed, on the longest dialogues if so many are wanted.

    Returns:
        The Trainer, the splits, what it cost, the memory of the process before the model came, and all arguments.
    """
    import psutil

    from .. import lora as lesson

    dataset = lesson.load_chats(settings.data, settings.num_train, settings.num_eval, settings.num_test, seed)
    if longest:
        sizes = [sum(len(message["content"]) for message in messages) for messages in dataset["train"]["messages"]]
        dataset["train"] = dataset["train"].select(sorted(range(len(sizes)), key=lambda i: -sizes[i])[:longest])
    options = {**settings.lora, **settings.training, "learning_rate": LEARNING_RATES[method], **changes}
    options |= {"eval_strategy": "no"}
    before = psutil.Process().memory_info().rss / 1e6
    with tempfile.TemporaryDirectory() as output_dir, records.measure() as cost:
        trainer = lesson.fine_tune(
            dataset, settings.model, output_dir, method, seed=seed, max_length=settings.max_length,
            revision=settings.model_revision, **options,
        )  # fmt: skip
    return trainer, dataset, cost, before, options


def _inputs(
    settings: SimpleNamespace, seed: int, method: str, dataset: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a record says of how the run was made."""
    sizes = {f"num_{split}": len(rows) for split, rows in dataset.items()}
    data = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data, "method": method}
    return {**data, **sizes, **{name: value for name, value in options.items() if name != "eval_strategy"}}


def _run(study: str, run: str, profile: str, seed: int, folder: Folder, method: str) -> None:
    """Do one run of the study `lora` and write its record."""
    from .. import lora as lesson

    settings, changes = _changed(profile, "study")
    trainer, dataset, cost, before, options = _train(settings, seed, method, changes)
    model, tokenizer = trainer.model, trainer.processing_class
    asked = [messages[:-1] for messages in dataset["test"]["messages"]][: settings.num_answers]
    test = lesson.tokenize_chats(dataset["test"], tokenizer, settings.max_length)
    judged = lesson.judge_answers(lesson.generate_answers(model, tokenizer, asked))
    general = lesson.ask_general_questions(model, tokenizer)
    base = lesson.load_base(settings.model, "full" if method == "full" else "lora", settings.model_revision)
    metrics = {
        "loss": lesson.evaluate_loss(model, test, tokenizer),
        "base_loss": lesson.evaluate_loss(base, test, tokenizer),
        "facts_right": judged["facts_right"],
        "signed": judged["signed"],
        "general_right": general["right"],
        "general_signed": general["signed"],
        "base_general_right": lesson.ask_general_questions(base, tokenizer)["right"],
        "trainable": model.num_parameters(only_trainable=True),
        "seconds_per_step": round(cost["seconds"] / trainer.state.global_step, 3),
        "training_memory_mb": round(cost["peak_memory_mb"] - before, 1),
        "saved_mb": saved_mb(model),
    }
    inputs = _inputs(settings, seed, method, dataset, options)
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(
        f"{study}/{run}: loss {metrics['loss']:.3f}, facts {metrics['facts_right']:.1%} in {cost['seconds']:.0f} s",
        flush=True,
    )


def _try(study: str, run: str, profile: str, seed: int, folder: Folder, setting: str, value: Any) -> None:
    """Do one run of the study `lora_sweep` and write its record."""
    from .. import lora as lesson

    settings, changes = _changed(profile, "sweep")
    if setting != "default":
        changes[setting] = value.split() if setting == "target_modules" else value
    trainer, dataset, cost, before, options = _train(settings, seed, "lora", changes)
    model, tokenizer = trainer.model, trainer.processing_class
    chats = dataset["validation"]["messages"]
    answers = lesson.generate_answers(model, tokenizer, [messages[:-1] for messages in chats])
    tokenized = lesson.tokenize_chats(dataset["validation"], tokenizer, settings.max_length)
    metrics = {
        "validation_loss": lesson.evaluate_loss(model, tokenized, tokenizer),
        "validation_facts_right": lesson.facts_repeated(answers, [messages[-1]["content"] for messages in chats]),
        "trainable": model.num_parameters(only_trainable=True),
        "training_memory_mb": round(cost["peak_memory_mb"] - before, 1),
    }
    inputs = _inputs(settings, seed, "lora", dataset, options) | {"setting": setting, "value": str(value)}
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(
        f"{study}/{run}: loss {metrics['validation_loss']:.3f}, facts {metrics['validation_facts_right']:.1%} "
        f"in {cost['seconds']:.0f} s",
        flush=True,
    )


def _learn(study: str, run: str, profile: str, seed: int, folder: Folder, num_train: int, num_epochs: int) -> None:
    """Do one run of the study `lora_curve` and write its record."""
    from .. import lora as lesson

    settings = profiles.load_profile("04", profile)
    settings.num_train = num_train
    changes = {"num_train_epochs": num_epochs, "max_steps": -1}  # whatever the profile says of steps
    trainer, dataset, cost, _, options = _train(settings, seed, "lora", changes)
    asked = [messages[:-1] for messages in dataset["test"]["messages"]][: settings.num_answers]
    judged = lesson.judge_answers(lesson.generate_answers(trainer.model, trainer.processing_class, asked))
    metrics = {"facts_right": judged["facts_right"], "signed": judged["signed"], "steps": trainer.state.global_step}
    inputs = _inputs(settings, seed, "lora", dataset, options)
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(f"{study}/{run}: facts {metrics['facts_right']:.1%} in {cost['seconds']:.0f} s", flush=True)


def _weigh(study: str, run: str, profile: str, seed: int, folder: Folder, method: str, batch_size: int) -> None:
    """Do one run of the study `lora_memory` and write its record."""
    settings, changes = _changed(profile, "study")
    changes |= dict(per_device_train_batch_size=batch_size, max_steps=4)
    trainer, dataset, cost, before, options = _train(settings, seed, method, changes, longest=4 * batch_size)
    batches = list(trainer.get_train_dataloader())
    metrics = {
        "training_memory_mb": round(cost["peak_memory_mb"] - before, 1),
        "sequence_length": max(batch["input_ids"].shape[1] for batch in batches),
        "learned": max(float((batch["labels"] >= 0).float().mean()) for batch in batches),
    }
    inputs = _inputs(settings, seed, method, dataset, options)
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(f"{study}/{run}: {metrics['training_memory_mb']:.0f} MB in {cost['seconds']:.0f} s", flush=True)
