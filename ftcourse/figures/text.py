"""Texts with their parts marked: entities in a sentence, learned tokens, messages of a conversation."""

from collections.abc import Iterator, Sequence
from typing import Any

from .style import TINTS


def _pieces(text: str, entities: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str | None]]:
    """Yield the pieces of a text in order, each with its label, or with None where it is no entity."""
    end = 0
    for entity in entities:
        yield text[end : entity["start"]], None
        yield text[entity["start"] : entity["end"]], entity["label"]
        end = entity["end"]
    yield text[end:], None


def entities_html(text: str, entities: Sequence[dict[str, Any]]) -> str:
    """Return a text as HTML with its entities marked, the label beside each in letters.

    Args:
        text: a string.
        entities: list of dictionaries with start, end (characters of the text) and label, in order, without overlap.
    """
    from html import escape

    def mark(name: str, label: str) -> str:
        style = f"background: {TINTS.get(label, '#DDDDDD')}; color: black; padding: 0.1em 0.3em; border-radius: 0.3em"
        return f'<mark style="{style}">{escape(name)} <b style="font-size: 0.7em">{escape(label)}</b></mark>'

    marked = "".join(mark(piece, label) if label else escape(piece) for piece, label in _pieces(text, entities))
    return f'<p style="line-height: 1.8; white-space: pre-wrap">{marked}</p>'


def show_entities(text: str, entities: Sequence[dict[str, Any]]) -> None:
    """Show a text with its entities marked inline; as plain text, ``[LABEL name]``.

    Args:
        text: a string.
        entities: as `entities_html` takes them.
    """
    from IPython.display import display

    plain = "".join(f"[{label} {piece}]" if label else piece for piece, label in _pieces(text, entities))
    display({"text/html": entities_html(text, entities), "text/plain": plain}, raw=True)


def show_words(words: Sequence[str], spans: Sequence[tuple[int, int, str]], title: str | None = None) -> None:
    """Show a sentence of words with its entities marked inline.

    Args:
        words: list of strings.
        spans: list of (first word, word after the last, label), as `ftcourse.ner.spans` returns it.
        title: what to put before the sentence.
    """
    shift = f"{title}: " if title else ""
    starts = [len(shift) + sum(len(word) + 1 for word in words[:i]) for i in range(len(words) + 1)]
    entities = [{"start": starts[first], "end": starts[last] - 1, "label": label} for first, last, label in spans]
    show_entities(shift + " ".join(words), entities)


def show_labels(tokens: Sequence[str], learned: Sequence[bool]) -> None:
    """Show the tokens of a dialogue, those with a label marked as ``answer``.

    Args:
        tokens: list of strings, as the tokenizer names them.
        learned: for each token whether it has a label.
    """
    from itertools import groupby

    shown = [token.replace("Ġ", "").replace("Ċ", "⏎") or "␣" for token in tokens]
    spans = [list(group) for has_label, group in groupby(range(len(tokens)), lambda i: learned[i]) if has_label]
    show_words(shown, [(span[0], span[-1] + 1, "answer") for span in spans])


def chat_html(messages: Sequence[dict[str, Any]]) -> str:
    """Return a conversation as HTML: the role of each message in bold letters, then its text.

    Args:
        messages: list of dictionaries with role and content.
    """
    from html import escape

    tints = {"user": TINTS["PER"], "assistant": TINTS["LOC"]}
    style = (
        "background: {}; color: black; padding: 0.3em 0.6em; margin: 0.2em; border-radius: 0.3em; white-space: pre-wrap"
    )
    return "".join(
        f'<p style="{style.format(tints.get(message["role"], "#DDDDDD"))}"><b>{escape(message["role"])}</b> '
        f'{escape(message["content"] or "")}</p>' for message in messages
    )  # fmt: skip


def show_chat(messages: Sequence[dict[str, Any]]) -> None:
    """Show a conversation, a box a message with the role in letters; as plain text, a line a message.

    Args:
        messages: as `chat_html` takes them.
    """
    from IPython.display import display

    plain = "\n".join(f"{message['role']}: {message['content']}" for message in messages)
    display({"text/html": chat_html(messages), "text/plain": plain}, raw=True)
