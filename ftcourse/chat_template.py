"""Messages as a model's chat template writes them, and the place of one of them where the template moves others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import CourseError


def write_chat(messages: Sequence[Mapping[str, Any]], tokenizer: Any, **options: Any) -> str:
    """Write messages as one text with the marks of a model's chat template.

    Args:
        messages: of a dialogue; a field that is None counts as missing, since a Dataset fills its rows with it.
        tokenizer: with a chat template.
        **options: of the template, such as ``add_generation_prompt=True``.

    Returns:
        The text.

    Raises:
        CourseError: if the tokenizer has no template, or its template refuses the messages.
    """
    from jinja2 import TemplateError

    if not getattr(tokenizer, "chat_template", None):
        raise CourseError(
            "The tokenizer has no chat template, so it isn't known how its model marks messages: use a model that was "
            "trained to chat (often called Instruct or Chat), or set tokenizer.chat_template."
        )
    plain = [{name: value for name, value in message.items() if value is not None} for message in messages]
    try:
        return tokenizer.apply_chat_template(plain, tokenize=False, **options)
    except (TemplateError, TypeError) as error:  # a TypeError where a message lacks what the template joins
        roles = ", ".join(str(message.get("role")) for message in plain) or "none"
        raise CourseError(
            f"The chat template refuses messages with the roles {roles}: {error}. Some templates know no system "
            "message or ask for user and assistant in turn: bring the dialogue into that form."
        ) from error


def find_message(messages: Sequence[Mapping[str, Any]], number: int, tokenizer: Any) -> tuple[int, int]:
    """Find a message in the text of its dialogue, whatever the template makes of the others.

    Some templates write a message otherwise when later ones come: those of models that think drop the thoughts of
    earlier answers. So the dialogue is written once more with a sign in the place of the message.

    Args:
        messages: of a dialogue.
        number: of the message, counted from 0.
        tokenizer: with a chat template.

    Returns:
        (start, end) in characters of its content, with the mark that ends it.

    Raises:
        CourseError: if the template doesn't write the message in one piece.
    """
    text = write_chat(messages, tokenizer)
    sign = next(sign for sign in map(chr, range(0x2051, 0x2BFF)) if sign not in text)
    signed = [*messages[:number], {**messages[number], "content": sign}, *messages[number + 1 :]]
    before, *after = write_chat(signed, tokenizer).split(sign)
    if len(after) != 1 or not text.startswith(before) or not text.endswith(after[0]):
        raise CourseError(
            f"The chat template doesn't write message {number} in one piece, so its place isn't known: use a tokenizer "
            "with another template."
        )
    mark = write_chat(signed[: number + 1], tokenizer).split(sign)[-1].rstrip()
    return len(before), len(text) - len(after[0]) + (len(mark) if after[0].startswith(mark) else 0)
