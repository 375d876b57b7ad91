"""The training defaults that every lesson shares: fast and right on a laptop's processor, unchanged on a GPU.

Nothing here replaces a class of transformers. `training_arguments` and `build_trainer` return its own
``TrainingArguments`` and ``Trainer``, with the arguments that are easy to get wrong filled in; every one of them can
be overridden. Lesson 3 opens this box.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .batches import plain_model
from .errors import CourseError
from .inputs import as_list, check_number, to_plain
from .loading import load_with_new_head as load_with_new_head  # lessons call it as train's

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

IGNORED = -100  # the label that PyTorch's cross-entropy leaves out


def has_bfloat16() -> bool:
    """Say whether bfloat16 is fast here: a GPU that supports it, or a processor with AVX512-BF16, AMX or ARM's BF16.

    Everywhere else bfloat16 is emulated, which is slower than float32.
    """
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "amx_tile", "bf16", "arm_bf16"))


def choose_dtype() -> torch.dtype:
    """Return the dtype to compute in, ``torch.bfloat16`` or ``torch.float32``.

    Never float16: a processor accepts it silently and is then 20 to 100 times slower.
    """
    import torch

    return torch.bfloat16 if has_bfloat16() else torch.float32


def choose_attention() -> str:
    """Return the attention implementation for short sequences: ``"eager"`` on a processor, ``"sdpa"`` on a GPU.

    On a processor the fused kernel only pays for sequences of several hundred tokens, and with attention dropout it
    falls back to a slower path. Pass the result to ``from_pretrained(attn_implementation=...)``.
    """
    import torch

    return "sdpa" if torch.cuda.is_available() else "eager"


def choose_device() -> str:
    """Return the device to compute on: ``"cuda"`` where there is a GPU, ``"mps"`` on Apple's chips, else ``"cpu"``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def training_arguments(output_dir: str | os.PathLike[str], **overrides: Any) -> TrainingArguments:
    """Return ``transformers.TrainingArguments`` with the course's defaults.

    The defaults: dtype by processor, batches of similar length, linear decay after a tenth of warm-up, no checkpoints
    unless asked for, no reporting to outside services, and a loss of NaN is told as NaN.

    Args:
        output_dir: folder for checkpoints.
        **overrides: any argument of ``TrainingArguments``; it wins over the default.

    Raises:
        CourseError: if an argument does not exist in the installed version, naming it and its replacement where known;
            or if the arguments don't go together.
    """
    from transformers import TrainingArguments

    arguments: dict[str, Any] = dict(
        use_cpu=choose_device() == "cpu",
        bf16=has_bfloat16(),
        train_sampling_strategy="group_by_length",
        per_device_train_batch_size=32,
        per_device_eval_batch_size=64,
        learning_rate=1e-4,
        lr_scheduler_type="linear",
        warmup_steps=0.1,  # a float below 1 is a share of all steps
        weight_decay=0.01,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=20,
        logging_nan_inf_filter=False,  # else a loss that is no number is told as 0
        report_to="none",
        dataloader_pin_memory=choose_device() == "cuda",
        seed=0,
    )
    # A setting from an array or a table would stop the run at its first checkpoint, which is written as JSON.
    arguments.update({name: to_plain(value) for name, value in overrides.items()})
    renamed = {
        "evaluation_strategy": "eval_strategy",
        "group_by_length": 'train_sampling_strategy="group_by_length"',
        "warmup_ratio": "warmup_steps (a float below 1 is a share of all steps)",
        "no_cuda": "use_cpu",
        "logging_dir": "the argument tensorboard_dir of build_trainer",
    }
    for name in overrides:
        if name not in TrainingArguments.__dataclass_fields__:
            remedy = f"It is now {renamed[name]}." if name in renamed else "See the documentation of TrainingArguments."
            raise CourseError(f"TrainingArguments has no argument {name!r} in the installed transformers. {remedy}")
    try:
        return TrainingArguments(output_dir=str(output_dir), **arguments)
    except (TypeError, ValueError) as error:
        raise CourseError(f"These settings don't go together: {error}. Change one that it names.") from error


def build_trainer(
    model: PreTrainedModel | None,
    args: TrainingArguments,
    *,
    trainer_class: type[Trainer] | None = None,
    tensorboard_dir: str | os.PathLike[str] | None = None,
    callbacks: Sequence[TrainerCallback] | None = None,
    **trainer_arguments: Any,
) -> Trainer:
    """Return a ``transformers.Trainer`` that predicts in the order of the data and counts its loss once.

    Two things differ from a Trainer that is built by hand:

    - `evaluate` and `predict` go through the rows as they stand. With ``train_sampling_strategy="group_by_length"``
      the Trainer sorts them by length as it does in training, and returns the predictions in that order, so that they
      belong to other rows than one thinks.
    - Classification heads accept ``num_items_in_batch`` and ignore it (transformers issue 47688), so that accumulating
      over two batches doubles the loss and the gradient. Unless the model's loss uses that number, the Trainer is told
      to divide by the number of accumulated batches itself. The model is not changed.

    Args:
        model: any transformers model; None where `model_init` makes it.
        args: ``TrainingArguments``, for example from `training_arguments`.
        trainer_class: ``Trainer`` or a class derived from it; None stands for ``Trainer``.
        tensorboard_dir: folder to write TensorBoard logs to; None writes none.
        callbacks: further ``TrainerCallback`` objects.
        **trainer_arguments: `train_dataset`, `eval_dataset`, `processing_class`, `compute_metrics` and so on.

    Returns:
        An object of the `trainer_class`, ready for ``train()``.

    Raises:
        CourseError: if there is no model, or the tokenizer can't pad a batch.
    """
    from torch.utils.data import SequentialSampler
    from transformers import Trainer
    from transformers.integrations import TensorBoardCallback

    _check_parts(model, trainer_arguments)
    callbacks = list(callbacks or [])
    if tensorboard_dir is not None:
        from torch.utils.tensorboard import SummaryWriter

        callbacks.append(TensorBoardCallback(SummaryWriter(str(tensorboard_dir))))
    trainer = (trainer_class or Trainer)(model=model, args=args, callbacks=callbacks, **trainer_arguments)
    trainer.model_accepts_loss_kwargs &= _divides_by_num_items(trainer)
    trainer._get_eval_sampler = SequentialSampler  # with several processes, too: they gather in this order
    _show_training_alone(trainer)
    return trainer


def _show_training_alone(trainer: Trainer) -> None:
    """Leave out a notebook's bar and table of what is evaluated after training.

    The table would show the last training loss and the last epoch beside figures of another model or split.
    """
    shown = [one for one in trainer.callback_handler.callbacks if type(one).__name__ == "NotebookProgressCallback"]
    if not shown:
        return
    from transformers.utils.notebook import NotebookProgressCallback

    class TrainingProgress(NotebookProgressCallback):
        def on_prediction_step(self, *given: Any, **more: Any) -> None:
            if self.training_tracker is not None:
                super().on_prediction_step(*given, **more)

        def on_evaluate(self, *given: Any, **more: Any) -> None:
            if self.training_tracker is not None:
                super().on_evaluate(*given, **more)

    trainer.remove_callback(shown[0])
    trainer.add_callback(TrainingProgress())


def _check_parts(model: Any, parts: dict[str, Any]) -> None:
    """Refuse what a Trainer would only stumble over in the middle of its work."""
    make = parts.get("model_init")
    if model is None and (make is None or hasattr(make, "parameters") or not callable(make)):
        raise CourseError(
            f"There is no model to train: pass a model, or a function that makes one as model_init, not {make!r:.60}."
        )
    collator = parts.get("data_collator")
    tokenizer = parts.get("processing_class") if collator is None else getattr(collator, "tokenizer", None)
    if getattr(tokenizer, "pad_token", "") is None:
        raise CourseError(
            "The tokenizer has no padding token, so no batch can be padded: set tokenizer.pad_token = "
            "tokenizer.eos_token and model.config.pad_token_id = tokenizer.pad_token_id."
        )


def _divides_by_num_items(trainer: Trainer) -> bool:
    """Say whether a Trainer's loss is divided by ``num_items_in_batch``; to say no is safe, to say yes wrongly isn't.

    The code of the class tells, and that of the classes that it is derived from. A question-answering head may use the
    number, but its batches have no `labels`, so the Trainer doesn't count them.
    """
    import inspect

    model = plain_model(trainer.model)
    if trainer.args.label_smoothing_factor:
        return False  # the Trainer takes the mean itself
    if getattr(model, "accepts_loss_kwargs", False):
        return True  # its author says so
    loss = getattr(model, "loss_function", None)
    if loss is None or "num_items_in_batch" not in inspect.signature(loss).parameters:
        return False
    for kind in type(model).__mro__:
        try:
            if "forward" in vars(kind) and "self.loss_function(" in inspect.getsource(vars(kind)["forward"]):
                return True
        except (OSError, TypeError):
            continue  # written where its source isn't kept
    return False


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch, so that the same seed on the same machine gives the same numbers.

    The same as ``transformers.set_seed``, without the five seconds that importing its trainer takes.

    Args:
        seed: a whole number from 0 on, below 2^32.

    Raises:
        CourseError: if it is none.
    """
    import random

    import numpy as np
    import torch

    check_number(seed, "seed", 0, 2**32 - 1, whole=True)
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def padding_efficiency(
    lengths: Iterable[int], batch_size: int, *, seed: int = 0, group_by_length: bool = True, pad_to: int | None = None
) -> float:
    """Return the share of processed tokens that are real ones, between 0 and 1.

    Args:
        lengths: number of tokens of each example.
        batch_size: examples a batch.
        seed: of the shuffling.
        group_by_length: batches of similar length, as the Trainer's sampler makes them; else plain shuffling.
        pad_to: fixed length that every example is padded or cut to; None pads to the longest of its batch.

    Returns:
        Real tokens divided by processed tokens.

    Raises:
        CourseError: if `lengths` is empty or has no token, or a batch has no example.
    """
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    lengths = as_list(lengths, "The lengths")
    check_number(batch_size, "batch_size", 1, whole=True)
    if not any(lengths):
        raise CourseError("No lengths were given, so there is no padding to measure: pass the length of each example.")
    if pad_to is not None:
        check_number(pad_to, "pad_to", 1, whole=True)
        return sum(min(length, pad_to) for length in lengths) / (pad_to * len(lengths))
    generator = torch.Generator().manual_seed(seed)
    if group_by_length:
        order = get_length_grouped_indices(lengths, batch_size, generator=generator)
    else:
        order = torch.randperm(len(lengths), generator=generator).tolist()
    batches = [[lengths[i] for i in order[start : start + batch_size]] for start in range(0, len(order), batch_size)]
    return sum(lengths) / sum(max(batch) * len(batch) for batch in batches)
