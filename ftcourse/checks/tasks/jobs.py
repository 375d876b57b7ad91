"""The checks of the tasks in lesson 2: a line of a chat file, the epochs that a budget pays, the best checkpoint."""

import json
import math
from typing import Any

from ..engine import Wrong, require, run, shown
from ..reading import as_number
from . import new_tasks

tasks = new_tasks("02_openai")


@tasks.step("Your turn, a line of the file")
def make_line(answer: Any) -> str:
    """Judge an answer to: Your turn, a line of the file."""
    for system, texts in (
        ("You are the desk of a museum.", ["When do you open?", "At nine."]),
        (
            'You are "The Desk" of a museum.',
            ['Is "Late\nOpening" still on?', "Which day?", "Friday", "Till 9, £3.50 😀"],
        ),
        ("Museum", ["Hello?", "Yes?", " Is C:\\new free?  ", "It's\tfree. ", "Hello?", "Yes?"]),  # texts stand twice
        ("You are the desk of a museum.", ["Bye", "Bye"]),
    ):
        line = run(answer, system, list(texts), clues=_LINE_CLUES)
        _check_messages(_read_line(line), system, texts)
    return "One object on one line, with every word as it was said, and only the last answer is learned."


_LINE_CLUES = {
    "not JSON serializable": "json.dumps takes dictionaries, lists, texts and numbers.",
    "concatenate str": "json.dumps makes a text of the whole example at the end.",
}


def _read_line(line: Any) -> list[Any]:
    """Return the messages in a line of a chat file."""
    require(
        isinstance(line, str),
        f"Return the line as a string; this is of type {type(line).__name__}. json.dumps makes it of a dictionary.",
    )
    require("\n" not in line.strip(), f"A line has no break in it: {shown(line)} would be several lines of the file.")
    require(
        line == line.strip(), f"{shown(line)} ends with a line break or a blank: who writes the file adds the break."
    )
    try:
        example = json.loads(line)
    except ValueError as error:
        why = "quotes and breaks within a text need a mark before them. Leave that to json.dumps."
        if line.startswith("{'") or "': " in line:
            why = "that is how Python prints a dictionary, and JSON has other quotes. json.dumps writes it."
        raise Wrong(f"{shown(line)} is not valid JSON ({error}): {why}") from error
    require(not isinstance(example, str), f"{shown(line)} is a text within a text: call json.dumps once.")
    require(
        isinstance(example, dict) and set(example) == {"messages"},
        f"{shown(line)}: an example is an object with the one key messages.",
    )
    messages = example["messages"]
    require(
        isinstance(messages, list) and all(isinstance(message, dict) for message in messages),
        f"messages is {shown(messages)}: a list of objects, each with role and content.",
    )
    return messages


def _check_messages(messages: list[Any], system: str, texts: list[str]) -> None:
    from ...chat_data import validate_example

    roles = [message.get("role") for message in messages]
    require(
        roles and roles[0] in ("system", "developer"),
        f"The first message has the role {roles and roles[0]!r}: the system message comes first.",
    )
    require(
        len(messages) == 1 + len(texts),
        f"{len(texts)} texts and the system message went in, and {len(messages)} messages came out: one for each.",
    )
    wanted = ["user", "assistant"] * (len(texts) // 2)
    require(
        roles[1:] == wanted,
        f"The roles are {', '.join(map(str, roles))}: after the system message come {', '.join(wanted)}, as the "
        "customer is the user and the shop the assistant, which learns to write its texts.",
    )
    for message, text in zip(messages, [system, *texts], strict=True):
        found = message.get("content")
        require(found == text, f"The text {text!r} became {found!r}: it stays as it was said, quotes and breaks too.")
    early = messages[2:-1:2]
    for message in messages:
        weight = message.get("weight")
        require(
            weight is None or (type(weight) in (int, float) and weight in (0, 1)),
            f"A weight is {weight!r}: it is a number, 1 to learn the message and 0 not to.",
        )
        require(
            "weight" not in message or message["role"] == "assistant",
            f"A message of the {message['role']} has a weight, and a service refuses that: only assistant messages do.",
        )
        require(
            not any(message is one for one in early) or weight == 0,
            f"The answer {message.get('content')!r} is not the last one and would be learned: give it the weight 0.",
        )
    require(
        messages[-1].get("weight", 1) == 1,
        f"The last answer, {texts[-1]!r}, has the weight 0: it is the one to learn, whatever was said before.",
    )
    findings = [finding for finding in validate_example({"messages": messages}) if finding.severity == "error"]
    require(not findings, f"A service would refuse the example: {findings and findings[0]}")


@tasks.step("Your turn, how many epochs?")
def most_epochs(answer: Any) -> str:
    """Judge an answer to: Your turn, how many epochs?"""
    for lengths, limit, price, budget in (
        ([90, 1500, 300, 60] * 100, 512, 25.0, 10.0),
        ([2100, 40, 780, 1024, 130] * 40, 1024, 3.0, 1.36),
        ([400, 600] * 500, 4096, 2.0, 13.0),
        ([700] * 1000, 512, 8.0, 4.0),
        ([130, 250], 200, 1.5, 12.0),
    ):
        found = as_number(run(answer, list(lengths), limit, price, budget, clues=_EPOCH_CLUES))
        require(found is not None, "Return one number, how many epochs the budget pays.")
        assert found is not None
        require(
            math.isfinite(found), f"For a budget of {budget:g} you say {found} epochs: it pays for a number of them."
        )
        _check_epochs(found, lengths, limit, price, budget)
    return "All tokens that are left after the cut, in every epoch, and no epoch that the budget doesn't cover."


_EPOCH_CLUES = {"ZeroDivisionError": "Is the price of an epoch rounded to nothing on the way?"}


def _check_epochs(found: float, lengths: list[int], limit: int, price: float, budget: float) -> None:
    cut = [min(length, limit) for length in lengths]

    def pays(tokens: float, per: float = 1e6) -> float:
        return budget / (tokens * price / per)

    exact = pays(sum(cut))
    right = math.floor(exact)
    said = (
        f"{len(lengths):,} examples have {sum(lengths):,} tokens, and {sum(cut):,} are left after a cut at {limit:,}. "
        f"At {price:g} a million and with a budget of {budget:g} you say {found:g} epochs"
    )
    wholes = [tokens for tokens in lengths if tokens <= limit]
    for wrong, why in (
        (pays(sum(lengths)), "the service cuts long examples first, and bills what is left"),
        (pays(sum(wholes) or math.inf), "a long example is cut and not left out"),
        (pays(len(lengths) * max(cut)), "an example is billed with its own tokens, not with those of the longest"),
        (pays(len(lengths) * limit), "an example is billed with its own tokens, not with the most that it may have"),
        (pays(min(sum(lengths), limit)), "the limit is that of one example, not of the file"),
        (pays(sum(cut), 1e3), "the price is for a million tokens, neither for one nor for a thousand"),
        (pays(sum(cut) / len(cut)), "that is the price of a single example"),
        (pays(len(lengths)), "tokens are billed, not examples"),
    ):
        require(math.floor(wrong) == right or found not in (wrong, math.floor(wrong)), f"{said}: {why}.")
    require(found == math.floor(found), f"{said}: an epoch is whole, so cut off what is behind the point.")
    require(
        found <= right,
        f"{said}, and {found:g} cost {found * sum(cut) * price / 1e6:.4g}, more than the budget: round down, to 0 if "
        "not even one can be paid.",
    )
    require(
        found == right, f"{said}, and {right} cost {right * sum(cut) * price / 1e6:.4g}, which the budget still pays."
    )


@tasks.step("Your turn, the best checkpoint")
def best_step(answer: Any) -> str:
    """Judge an answer to: Your turn, the best checkpoint."""
    import pandas as pd

    for steps, measured, rise in (
        (range(1, 13), {4: 1.41, 8: 1.278, 12: 1.38}, 0.01),
        (range(1, 16), {3: 1.9, 6: 1.1, 9: 1.46, 12: 1.43, 15: 1.51}, 0.01),  # the lowest has no checkpoint any more
        (range(10, 130, 10), {30: 1.2, 60: 1.1, 90: 1.15, 120: 1.1}, 0.01),  # a row for every ten steps; two equal
        (range(1, 10), {3: 1.284, 6: 1.281, 9: 1.3}, 0.01),
        (range(5, 8), {5: 2.5, 7: 11.0}, -0.01),
    ):
        losses = [measured.get(step, math.nan) for step in steps]
        table = pd.DataFrame(
            {
                "train_loss": [abs(0.7 - 0.07 * place) + 0.1 for place in range(len(losses))],
                "train_accuracy": [0.4 + rise * place for place in range(len(losses))],
                "valid_loss": losses,
                "valid_mean_token_accuracy": [0.5 + rise * step if step in measured else math.nan for step in steps],
            },
            index=pd.Index(steps, name="step"),
        )
        found = as_number(run(answer, table.copy(), clues=_STEP_CLUES))
        require(found is not None, "Return one number, the step.")
        assert found is not None
        _check_step(found, table, list(measured)[-3:])
    return "The lowest validation loss among the checkpoints that there are, and its step."


_STEP_CLUES = {
    "KeyError": "The steps are the index; the columns are those that the result file has above.",
    "cannot convert float NaN": "The lowest loss came out as NaN: leave out the steps at which nothing was measured.",
    "Encountered all NA": "Leave out the steps at which nothing was measured first, and then take the last three.",
    "out of bounds": "The steps are the index, and a place among the rows is another number.",
}


def _check_step(found: float, table: Any, kept: list[int]) -> None:
    steps, loss = list(table.index), table["valid_loss"].dropna()
    last = loss[kept]
    right = last.idxmin()
    said = (
        f"Validation losses {', '.join(f'{value:g} at step {step}' for step, value in loss.items())}: you say {found:g}"
    )
    require(
        found == right or found not in kept or last[found] > last[right],
        f"{said}: of two equal losses the earlier step is to be chosen, {right}.",
    )
    for wrong, why in (
        (steps.index(right), "that is the place of the row, counted from 0: the steps are the index"),
        (list(loss.index).index(right), "that is the place among the epochs: the steps are the index"),
        (list(loss.index).index(right) + 1, "that is the number of the epoch: the steps are the index"),
        (list(last.index).index(right), "that is the place among the last three: the steps are the index"),
        (loss.idxmin(), "that epoch was the best, and the service keeps the checkpoints of the last three alone"),
        (last.idxmax(), "that loss is the highest"),
        (
            table["train_loss"].idxmin(),
            "that is the lowest training loss, which falls also where examples are learned by heart",
        ),
        (
            table["valid_mean_token_accuracy"].idxmax(),
            "that is the step of the highest token accuracy, and the last one; the validation loss is lower at another",
        ),
    ):
        require(found != wrong or wrong == right, f"{said}: {why}.")
    require(found not in last.tolist(), f"{said}: that is the loss. Return the step at which it was measured.")
    require(
        found in steps and found not in table.index[table["valid_loss"].isna()],
        f"{said}: nothing was measured there, and there is no checkpoint of it.",
    )
    require(
        found in kept,
        f"{said}: the service keeps the checkpoints of the last three epochs alone, {', '.join(map(str, kept))}.",
    )
    require(found == right, f"{said}: the lowest of the last three is at step {right}.")
