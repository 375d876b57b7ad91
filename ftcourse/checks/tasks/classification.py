"""The checks of the tasks in lesson 3: names of classes from the data, a batch, arguments that keep the best epoch."""

import tempfile
from collections.abc import Mapping
from typing import Any

from .. import tiny
from ..engine import Wrong, require, run, shown
from ..reading import as_list, as_number
from . import new_tasks

tasks = new_tasks("03_text_classification")


@tasks.step("Your turn, names of classes")
def name_labels(answer: Any) -> str:
    """Judge an answer to: Your turn, names of classes."""
    cases = [
        ["returns", "delivery", "delivery", "payment", "returns", "account", "product", "delivery"],
        ["spam", "ham", "spam", "spam"],
        ["us", "US", "world news", "us", "10", "9", "world news"],
    ]
    for labels in cases:
        names, numbers = _names_and_numbers(run(answer, list(labels)), labels)
        for row, (label, number) in enumerate(zip(labels, numbers, strict=True)):
            require(
                names[number] == label,
                f"Row {row} is {label!r}, and its number {number} leads to {names[number]!r}: the number of an example "
                "is the place of its label in the names.",
            )
        require(
            names == sorted(names),
            f"The names come as {shown(names)}: sort them. Else the numbers depend on the order of the rows, or of a "
            "set, and a model that was saved yesterday means another class by them.",
        )
    return "Each class has one name and one number, whatever the classes are and however the rows are ordered."


def _names_and_numbers(pair: Any, labels: list[str]) -> tuple[list[str], list[int]]:
    pair = tuple(pair.values()) if isinstance(pair, Mapping) and len(pair) == 2 and "names" in pair else pair
    require(
        isinstance(pair, (tuple, list)) and len(pair) == 2,
        f"Return two lists, the names and the numbers; this is {shown(pair)}.",
    )
    names, numbers = as_list(pair[0]), as_list(pair[1])
    require(names is not None and numbers is not None, f"Return two lists; these are {shown(pair)}.")
    assert names is not None and numbers is not None
    require(
        not (set(map(str, numbers)) <= set(labels) and numbers and isinstance(numbers[0], str)),
        f"The second list is {shown(numbers)}: the names come first, then a number for each example.",
    )
    require(
        all(isinstance(name, str) for name in names),
        f"The names are {shown(names)}: take them from the labels, as they are written there.",
    )
    found = [as_number(number) for number in numbers]
    require(None not in found, f"The numbers are {shown(numbers)}: a model's loss takes integers, counted from 0.")
    require(
        len(found) == len(labels), f"{len(labels)} labels went in, and {len(found)} numbers came out: one for each."
    )
    require(len(set(names)) == len(names), f"The names are {shown(names)}: each class has its name once.")
    strange = sorted(set(names) - set(labels))
    require(
        not strange,
        f"{strange and strange[0]!r} isn't among the labels {shown(sorted(set(labels)))}: read the names there.",
    )
    missing = sorted(set(labels) - set(names))
    require(not missing, f"The label {missing and missing[0]!r} has no name in {shown(names)}.")
    integers = [int(number) for number in found if number is not None]
    require(
        min(integers) >= 0 and max(integers) < len(names),
        f"The numbers go from {min(integers)} to {max(integers)} for {len(names)} names: "
        + ("count from 0." if min(integers) != 0 else "each is a place among the names, not among the labels."),
    )
    return names, integers


@tasks.step("Your turn, a batch")
def make_batch(answer: Any) -> str:
    """Judge an answer to: Your turn, a batch."""
    import torch

    tokenizer = tiny.tokenizer(pad_last=True)
    for texts, limit in (
        (["a dull film", "the plot is never less than gripping a warm story", "warm"], 8),
        (["warm", "a dull story what film"], 32),
        (["a warm film never less than gripping", "dull", "the plot is a dull story"], 6),
    ):
        padding = tokenizer.pad_token
        batch = run(answer, list(texts), tokenizer, limit, clues=_BATCH_CLUES)
        require(
            tokenizer.pad_token == padding,
            f"Your function made {tokenizer.pad_token!r} the padding token of the tokenizer, which was {padding!r}: a "
            "model knows the one that it was trained with.",
        )
        columns: list[list[list[int]]] = []
        for name in ("input_ids", "attention_mask"):
            found: Any = batch[name] if hasattr(batch, "keys") and name in batch else None
            require(found is not None, f"There is no {name} in what came back ({shown(batch)}): a model takes both.")
            require(
                isinstance(found, torch.Tensor),
                f"{name} is of type {type(found).__name__}: a model takes tensors (return_tensors='pt').",
            )
            require(found.ndim == 2, f"{name} has the shape {tuple(found.shape)}: a row a text, a column a token.")
            columns.append(found.tolist())
        _check_rows(columns[0], columns[1], texts, tokenizer, limit)
    return "Each batch is as wide as its own longest text, no text is longer than max_length, and the mask is right."


_BATCH_CLUES = {
    "expected sequence of length": "The rows differ in length: pad them before they become a tensor.",
    "Unable to create tensor": "The rows differ in length: padding=True fills them up.",
    "No padding token": "Ask the tokenizer that was handed over.",
}


def _check_rows(rows: list[list[int]], mask: list[list[int]], texts: list[str], tokenizer: Any, limit: int) -> None:
    require(len(rows) == len(texts), f"{len(texts)} texts went in and {len(rows)} rows came out.")
    wanted = tokenizer(texts, truncation=True, max_length=limit)["input_ids"]
    width, widest = len(rows[0]), max(map(len, wanted))
    require(
        width <= limit,
        f"With max_length {limit} the batch is {width} tokens wide: longer texts are to be cut, with truncation=True "
        "and max_length.",
    )
    require(
        width <= widest,
        f"The batch is {width} tokens wide, and its longest text has {widest}: pad to the longest of the batch "
        "(padding=True), or the model computes on padding alone.",
    )
    require(width == widest, f"The batch is {width} tokens wide where {widest} fit: a text was cut too early.")
    for number, (row, flags, tokens) in enumerate(zip(rows, mask, wanted, strict=True)):
        real = [token for token, flag in zip(row, flags, strict=True) if flag]
        padding = [token for token, flag in zip(row, flags, strict=True) if not flag]
        require(
            len(row) == len(tokens) or len(padding) > 0,
            f"The attention_mask of row {number} is 1 everywhere, and {width - len(tokens)} of its tokens are padding: "
            "the model would read them as text.",
        )
        require(
            real == tokens,
            f"Row {number} holds {' '.join(tokenizer.convert_ids_to_tokens(real))!r} for {texts[number]!r}: each row "
            "has the tokens of its own text, in the order of the texts, with [CLS] and [SEP] around them.",
        )
        strange = [token for token in padding if token != tokenizer.pad_token_id]
        require(
            not strange,
            f"Row {number} is filled up with {strange and strange[0]}, which is the token "
            f"{tokenizer.convert_ids_to_tokens(strange[0] if strange else 0)!r} here: padding is "
            "tokenizer.pad_token_id, and that isn't 0 for every model.",
        )


@tasks.step("Your turn, the best epoch")
def keep_best(answer: Any) -> str:
    """Judge an answer to: Your turn, the best epoch."""
    from transformers import TrainingArguments

    with tempfile.TemporaryDirectory() as folder:
        for name in ("one", "two"):
            path = f"{folder}/{name}"
            arguments = run(answer, path, clues=_ARGUMENT_CLUES)
            require(isinstance(arguments, TrainingArguments), f"Return TrainingArguments; this is {shown(arguments)}.")
            _check_arguments(arguments)
            require(
                str(arguments.output_dir) == path,
                f"The checkpoints would go to {shown(arguments.output_dir)}: hand output_dir on.",
            )
    return "Measured and saved after each epoch; the run ends with the checkpoint of the highest validation accuracy."


_ARGUMENT_CLUES = {
    "evaluation_strategy": "Today it is called eval_strategy.",
    "save and eval strategy to match": "What is to be kept must have been measured: save and measure at the same "
    "times, save_strategy like eval_strategy.",
    "requires an eval": "Nothing is measured during the run: set eval_strategy.",
}


def _check_arguments(arguments: Any) -> None:
    names = (getattr(arguments, name) for name in ("eval_strategy", "save_strategy"))
    measured, saved = (str(getattr(name, "value", name)) for name in names)  # a word may be set afterwards
    require(measured != "no", "Nothing is measured during the run: eval_strategy is 'no', its default.")
    require(
        measured == "epoch",
        f"It measures by {measured}, every {shown(arguments.eval_steps)}: the task asks for once an epoch.",
    )
    require(
        arguments.load_best_model_at_end,
        "load_best_model_at_end is False: the run ends with its last weights, the best or not.",
    )
    require(
        saved in ("epoch", "best"),
        f"save_strategy is {saved!r}: what is kept must have been saved when it was measured, once an epoch.",
    )
    metric = arguments.metric_for_best_model
    require(
        metric not in (None, "loss", "eval_loss"),
        f"*Best* goes by {metric or 'loss'}: without metric_for_best_model the lowest loss is kept, and the task asks "
        "for the highest accuracy.",
    )
    require(
        metric in ("accuracy", "eval_accuracy"),
        f"*Best* goes by {metric!r}: what compute_metrics returns is called 'accuracy'.",
    )
    require(
        arguments.greater_is_better, "greater_is_better is False: the epoch with the lowest accuracy would be kept."
    )
    require(
        arguments.eval_delay == 0,
        f"eval_delay is {arguments.eval_delay}, and not every epoch would be measured: leave it at 0, also after "
        "set_evaluate, which makes it None.",
    )
    require(
        arguments.max_steps < 0 and arguments.num_train_epochs > 1,
        f"With num_train_epochs={arguments.num_train_epochs:g} and max_steps={arguments.max_steps} the run may end "
        "within its first epoch: several epochs are asked for, and max_steps stays at -1.",
    )
    if arguments.save_total_limit == 0:
        raise Wrong("save_total_limit=0 keeps no checkpoint: leave it out, or take 1.")
