"""What any Trainer of a learner's must be: its settings, its data, and the pretrained model that it trains."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .engine import require, run, shown

OLD_NAMES = {
    "argument 'evaluation_strategy'": "It is called eval_strategy now.",
    "argument 'tokenizer'": "The Trainer calls it processing_class now; the collator has the tokenizer already.",
    "argument 'no_cuda'": "It is called use_cpu now.",
    "multiple values for keyword argument": "It is in **training as well, which wins: put your choices and training "
    "into one dictionary, {**yours, **training}.",
}
GIVEN: dict[str, Any] = {"max_steps": 4, "learning_rate": 1e-3, "per_device_train_batch_size": 4, "disable_tqdm": True}
_COMPARED = ("input_ids", "label", "labels", "start_positions", "end_positions")


@contextmanager
def quiet() -> Iterator[None]:
    """Show no progress of transformers' meanwhile, so that the verdict of a check is what is read; or decorate one."""
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            logging.enable_progress_bar()


def judge_arguments(args: Any, folder: str) -> None:
    """Require settings by which a pretrained model learns a task and keeps what it knows.

    Args:
        args: ``TrainingArguments`` of the learner's.
        folder: that the checkpoints should go to.
    """
    rate, epochs, size = args.learning_rate, args.num_train_epochs, args.per_device_train_batch_size
    require(
        1e-6 <= rate <= 1e-3,
        f"The learning rate is {rate:g}. Fine-tuning bends pretrained weights a little: between 1e-5 "
        "and 5e-4; more would destroy them, less would leave the new head as it is.",
    )
    require(size >= 1, f"A batch has {size} rows: with none nothing is trained; 8 to 64 are usual.")
    size *= args.gradient_accumulation_steps
    require(size <= 512, f"A step has {size} rows, so that 3,000 sentences make few steps: 8 to 64 are usual.")
    require(0 < epochs <= 10, f"It would train for {epochs:g} epochs: one to five are usual.")
    require(args.max_steps <= 0, f"max_steps={args.max_steps} stops the training, whatever the epochs: leave it out.")
    steps = math.ceil(3000 / size) * epochs
    warmup = args.get_warmup_steps(steps)
    require(
        warmup <= steps / 2,
        f"The warm-up takes {warmup} of about {steps:.0f} steps: the rate would hardly be reached; up to a tenth is "
        "usual.",
    )
    require(args.weight_decay <= 0.3, f"weight_decay is {args.weight_decay:g}: 0 to 0.1 is usual.")
    require(
        args.max_grad_norm <= 0 or args.max_grad_norm >= 0.01,
        f"max_grad_norm is {args.max_grad_norm:g}: every gradient would be cut to nothing; 1 is usual.",
    )
    require(
        args.label_smoothing_factor <= 0.3,
        f"label_smoothing_factor is {args.label_smoothing_factor:g}: the labels would hardly count; 0 to 0.1 is usual.",
    )
    optimiser = str(getattr(args.optim, "value", args.optim))
    require(
        not re.search("sgd|rmsprop|adagrad", optimiser),
        f"optim is {optimiser!r}: with it this learning rate moves nothing. AdamW is what is taken by default.",
    )
    require(Path(args.output_dir) == Path(folder), f"Checkpoints would go to {args.output_dir!r}, not to output_dir.")


def judge_data(trainer: Any, train: Any, test: Any) -> None:
    """Require that the Trainer has both data sets whole, each in its place.

    Args:
        trainer: of the learner's.
        train: rows that it should train on.
        test: rows that it should be judged on.
    """
    require(
        _content(trainer.train_dataset) == _content(train),
        "The Trainer trains on another data set than train_dataset, or on a part of it.",
    )
    require(
        trainer.eval_dataset is not None,
        "The Trainer has no eval_dataset, so you would never see how it does on what it hasn't seen.",
    )
    judged = _content(trainer.eval_dataset)
    require(
        judged == _content(test),
        "The Trainer would be judged on the rows that it trains on: pass eval_dataset, the unseen ones."
        if all(row in _content(train) for row in judged)
        else "The Trainer would be judged on another data set than eval_dataset, or on a part of it.",
    )


def _content(rows: Any) -> list[Any]:
    """Return the tokens and labels of rows, in whatever order they stand."""
    return sorted(
        [getattr(row[name], "tolist", lambda value=row[name]: value)() for name in _COMPARED if name in row]
        for row in rows or []
    )


def judge_fresh(
    make: Callable[..., Any], arguments: tuple[Any, ...], body: Any, train: Any, test: Any, folder: str
) -> Any:
    """Require a Trainer of a fresh pretrained model that takes what it is given; return one that trains a few steps.

    Args:
        make: function of the learner's that returns a Trainer.
        arguments: of the function, to which `GIVEN` is added for the Trainer that is returned.
        body: the pretrained model, without a head.
        train: rows that it should train on.
        test: rows that it should be judged on.
        folder: that the checkpoints should go to.
    """
    import torch
    from transformers import Trainer

    trainer = run(make, *arguments, clues=OLD_NAMES)
    require(isinstance(trainer, Trainer), f"Return the Trainer itself; this is {shown(trainer)}.")
    judge_arguments(trainer.args, folder)
    trainer = run(make, *arguments, clues=OLD_NAMES, **GIVEN)
    require(isinstance(trainer, Trainer), f"Return the Trainer itself; this is {shown(trainer)}.")
    for name, value in GIVEN.items():
        own = getattr(trainer.args, name)
        require(
            own == value,
            f"{name}={value} was given and the arguments have {own}: pass **training on to TrainingArguments, and let "
            "it win over your own.",
        )
    require(
        trainer.state.global_step == 0,
        "The model was trained already: return the Trainer, which is trained further down.",
    )
    kept, own = body.state_dict(), getattr(trainer.model, "base_model", trainer.model).state_dict()
    others = [name for name, part in own.items() if name in kept and not torch.equal(part.cpu(), kept[name])]
    require(
        not others and set(own) & set(kept),
        "The body of the model isn't the pretrained one: its weights are others than those in the folder. "
        "from_pretrained loads them, from_config doesn't.",
    )
    judge_data(trainer, train, test)
    hush(trainer)
    return trainer


def hush(trainer: Any) -> None:
    """Let a Trainer print no numbers, as it does where it has no bar to show them in.

    Args:
        trainer: of the learner's.
    """
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def judge_batch(batch: Any, rows: Any) -> None:
    """Require that a batch is hardly wider than its longest row.

    Args:
        batch: that a collator made, with input_ids.
        rows: that it made it of.
    """
    width, longest = batch["input_ids"].shape[1], max(map(len, rows["input_ids"]))
    require(
        width < longest + 32,
        f"A batch whose longest row has {longest} tokens is {width} wide: pad to the longest row, or most of the "
        "arithmetic is spent on padding.",
    )


def judge_evaluation(trainer: Any) -> dict[str, float]:
    """Require that a Trainer finds the labels of the rows that it is judged on; return what it measures there.

    Args:
        trainer: of the learner's.
    """
    metrics = run(trainer.evaluate)
    require(
        "eval_loss" in metrics,
        f"Judged on eval_dataset, the Trainer gives no loss: it looks for labels under {shown(trainer.label_names)}. "
        "Leave label_names out, for it knows their names by the model.",
    )
    return dict(metrics)


def judge_training(trainer: Any, head: str, frozen: str | None = None) -> None:
    """Train a few steps and require that everything moves which should, and nothing else.

    Args:
        trainer: from `judge_fresh`.
        head: what the names of the head's weights begin with.
        frozen: a part of the names of the weights that should stay as they are; None for none.
    """
    import torch

    model = trainer.model
    still = [name for name, part in model.named_parameters() if not part.requires_grad]
    wrong = [name for name in still if not frozen or frozen not in name]
    require(
        not wrong,
        f"{len(wrong)} weights are frozen, {', '.join(wrong[:1])} for one: "
        + ("only the word embeddings stay as they are." if frozen else "here the whole model is fine-tuned."),
    )
    before = {name: part.detach().clone() for name, part in model.named_parameters()}
    run(trainer.train)
    judge_evaluation(trainer)
    model = trainer.model  # model_init has made another one
    moved = {name for name, part in model.named_parameters() if not torch.equal(part, before[name])}
    require(
        any(name.startswith(head) for name in moved), "After a few steps the head is as it was: it must be trained."
    )
    require(
        any("encoder.layer.0" in name for name in moved),
        "After a few steps the body is as it was: it must be trained, too.",
    )
    require(
        not frozen or not any(frozen in name for name in moved),
        "After a few steps the word embeddings have moved: freeze them, requires_grad_(False), before the training.",
    )
