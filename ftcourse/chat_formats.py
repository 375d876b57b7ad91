"""Formats of examples that are not chat files: what each is called, and the messages that are in it."""

from collections.abc import Callable
from typing import Any, NamedTuple

Json = dict[str, Any]

SHAREGPT_ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
}


class Format(NamedTuple):
    """A format of examples.

    Attributes:
        name: how people call it.
        keys: which tell it.
        convert: function that returns the chat example that is in one of it; it raises ValueError, TypeError, KeyError
            or AttributeError where it is not well formed.
    """

    name: str
    keys: frozenset[str]
    convert: Callable[[Json], Json]


def _said(role: str, text: Any) -> Json:
    """Return a message, unless its text is none."""
    if not isinstance(text, str):
        raise ValueError(f"what the {role} says is not text")
    return {"role": role, "content": text}


def _as_messages(said: Any, role: str) -> list[Json]:
    """Return what is said as messages: it is a text, or messages already."""
    return list(said) if isinstance(said, list) else [_said(role, said.strip() if isinstance(said, str) else said)]


def _from_preferences(example: Json) -> Json:
    asked = dict(example["input"])
    return asked | {"messages": [*asked["messages"], *example["preferred_output"]]}


def _from_choices(example: Json) -> Json:
    asked = _as_messages(example["prompt"], "user") if "prompt" in example else []
    return {"messages": [*asked, *_as_messages(example["chosen"], "assistant")]}


def _from_prompt(example: Json) -> Json:
    return {"messages": [*_as_messages(example["prompt"], "user"), *_as_messages(example["completion"], "assistant")]}


def _from_conversations(example: Json) -> Json:
    messages = [_said("system", example["system"])] if example.get("system") else []
    for turn in example["conversations"]:
        by = turn.get("from", turn.get("role"))
        if by not in SHAREGPT_ROLES:
            raise ValueError(f"a message is from {by!r}, which is none of {', '.join(SHAREGPT_ROLES)}")
        messages.append(_said(SHAREGPT_ROLES[by], turn.get("value", turn.get("content"))))
    return {"messages": messages}


def _from_instruction(example: Json) -> Json:
    messages = [_said("system", example["system"])] if example.get("system") else []
    for asked, answered in example.get("history") or []:
        messages += [_said("user", asked), _said("assistant", answered)]
    asked = "\n\n".join(filter(None, [example["instruction"], example.get("input")]))
    return {"messages": [*messages, _said("user", asked), _said("assistant", example["output"])]}


FORMATS = (
    Format("DPO, preference pairs", frozenset(("input", "preferred_output")), _from_preferences),
    Format("DPO, preference pairs", frozenset(("chosen", "rejected")), _from_choices),
    Format("prompt and completion", frozenset(("prompt", "completion")), _from_prompt),
    Format("ShareGPT", frozenset(("conversations",)), _from_conversations),
    Format("Alpaca", frozenset(("instruction", "output")), _from_instruction),
)


def find_format(example: Any) -> Format | None:
    """Return the format of an example, or None if it is none of `FORMATS`.

    Args:
        example: what ``json.loads`` made of a line.
    """
    if not isinstance(example, dict) or "messages" in example:
        return None
    return next((one for one in FORMATS if one.keys <= example.keys()), None)
