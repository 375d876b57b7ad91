"""Chat files: their rules, the check, reading, counting tokens and splitting.

A chat file is JSONL, one conversation a line. The rules are those of OpenAI's fine-tuning service, those that its users
met in practice, and a few of good sense; `RULES` has them all in one table. Nothing here needs a large library until a
function asks for one, so that anybody may import the limits.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from .chat_formats import FORMATS, find_format
from .errors import CourseError
from .files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

# The limits of the service. It takes them from here.
MIN_EXAMPLES = 10  # of a training file
MAX_BYTES = 512 * 2**20  # of a file
MAX_LENGTH = 512  # tokens of an example; what is longer is cut
MAX_LINE = 4 * 2**20  # bytes of an example: as an object it takes many times the memory
MAX_FINDINGS = 1000  # of a kind; the others are counted

_CONVERT = "Make a chat file of it: ftcourse convert OLD NEW.jsonl."

ROLES = ("system", "user", "assistant", "tool", "developer")
EXAMPLE_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
MESSAGE_KEYS = ("role", "content", "name", "weight", "tool_calls", "tool_call_id", "refusal", "function_call")
_REPLY_KEYS = ("annotations", "audio")  # what a service's replies have besides: no text to learn
_FIRST = ("system", "developer")
_MARK = re.compile(r"<\|\w+\|>")  # such as <|im_end|>
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}


# --- The rules -------------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """What the check looks for.

    Attributes:
        severity: "error" where a service refuses the file; "warning" where it trains, but perhaps not as you meant.
        meaning: what is wrong, a sentence.
        remedy: what to do, a sentence; a finding may say it in more detail.
    """

    severity: str
    meaning: str
    remedy: str


RULES = {
    # The file.
    "too_large": Rule("error", f"The file has more than {MAX_BYTES:,} bytes.", "Leave examples out."),
    "invalid_n_examples": Rule("error", f"The file has fewer than {MIN_EXAMPLES} examples.", "Write more."),
    "byte_order_mark": Rule("error", "The file begins with a byte-order mark.", "Save it as UTF-8 without one."),
    "in_both_files": Rule("error", "The example is in training and validation.", "Remove it from one of them."),
    # A line.
    "not_utf8": Rule("error", "The line is not UTF-8.", "Save the file in the encoding UTF-8."),
    "invalid_json": Rule("error", "The line is not valid JSON.", "Write each example on one line, by json.dumps."),
    "half_a_character": Rule("error", "An escape is half a character.", "Write the character itself."),
    "blank_line": Rule("warning", "The line is blank.", "Remove it."),
    "duplicate": Rule("warning", "The same example is in a line before.", "Remove one."),
    "too_long": Rule("warning", "The end of the answer is cut off.", "Shorten it, or make two of it."),
    # An example and its messages.
    "not_an_object": Rule("error", "The example is not an object.", 'Write an object, {"messages": [...]}.'),
    "no_messages": Rule("error", "The example has no list of messages.", 'Write {"messages": [...]}.'),
    "unknown_key": Rule("error", "An example or a message has an unknown key.", "Remove it, or mend its spelling."),
    "not_a_message": Rule("error", "A message is not an object.", 'Write {"role": ..., "content": ...}.'),
    "unknown_role": Rule("error", "A message has an unknown role.", f"Use one of {', '.join(ROLES)}."),
    "bad_name": Rule("error", "The name in a message is not text.", "Write a word or remove it."),
    "no_text": Rule("error", "The content of a message is not text.", "Write its text as a string."),
    "empty_content": Rule(
        "error",
        "A message is empty (a warning in a system or tool message).",
        "Write what is said, or remove the message.",
    ),
    "control_mark": Rule("warning", "A text has a mark of the model's own format.", "Remove it from the text."),
    "bad_weight": Rule(
        "error", "A weight is not 0 or 1, or not the assistant's.", "Use 1 to train on the message, 0 not to."
    ),
    # The conversation.
    "nothing_to_train": Rule(
        "error", "The example has no answer to train on.", "Give it an answer to learn from, or remove it."
    ),
    "no_user": Rule("warning", "The example has no user message.", "Add what the answer is an answer to."),
    "no_system": Rule("warning", "The example has no system message.", "Add the one that you will use later."),
    "system_not_first": Rule("warning", "The system message is not the first.", "Put it first."),
    "no_last_answer": Rule("warning", "The last message is not an answer.", "End with an answer, or cut it off."),
    # Tools.
    "bad_tools": Rule(
        "error",
        "A tool is not well formed.",
        'Write a list of {"type": "function", "function": {"name": ..., "parameters": {...}}}.',
    ),
    "bad_parallel_tool_calls": Rule("error", "parallel_tool_calls is not a boolean.", "Write true or false."),
    "bad_tool_calls": Rule(
        "error",
        "Tool calls are not well formed, or not the assistant's.",
        'Write a list of {"id": ..., "type": "function", "function": {"name": ..., "arguments": "{...}"}}.',
    ),
    "unknown_tool": Rule(
        "error", "A call is of a tool that the example doesn't have.", "Describe it in the tools of the example."
    ),
    "unmatched_tool_message": Rule(
        "error",
        "A tool message answers no call.",
        "Give it the tool_call_id of a call before it that has no answer yet.",
    ),
    "unanswered_tool_call": Rule(
        "error",
        "A message comes before a tool has answered.",
        "Put the answers before it, as messages of the role tool.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """What is wrong with a chat file, and how to mend it.

    Attributes:
        line: counted from 1; None where it is the file as a whole, or the line is not known.
        severity: "error" or "warning", as `Rule` says it.
        code: key of `RULES`.
        message: what is wrong, a sentence.
        remedy: what to do, a sentence.
    """

    line: int | None
    severity: str
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{f'Line {self.line}: ' if self.line else ''}{self.message} {self.remedy}"


def _finding(code: str, message: str, remedy: str = "", severity: str = "", line: int | None = None) -> Finding:
    """Return a finding with the remedy and the severity of its rule, unless others are given."""
    rule = RULES[code]
    return Finding(line, severity or rule.severity, code, message, remedy or rule.remedy)


def _has_error(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


# --- Forms of the same -----------------------------------------------------------------------------------------------


def _modern_example(example: dict[str, Any]) -> dict[str, Any]:
    """Return an example without null fields, and with tools where it has functions, as they were before tools."""
    example = {key: value for key, value in example.items() if value is not None or key not in EXAMPLE_KEYS[1:]}
    if "functions" in example:
        tools, functions = example.get("tools", []), example.pop("functions")
        functions = functions if isinstance(functions, list) else [functions]
        example["tools"] = [
            *(tools if isinstance(tools, list) else [tools]),
            *({"type": "function", "function": function} for function in functions),
        ]
    if isinstance(example.get("messages"), list):
        example["messages"] = [_modern_message(message) for message in example["messages"]]
    return example


def _modern_message(message: Any) -> Any:
    """Return a message without null fields, and with a tool call where it has a function call."""
    if not isinstance(message, dict):
        return message
    optional = {*MESSAGE_KEYS, *_REPLY_KEYS} - {"role", "content"}
    message = {key: value for key, value in message.items() if value is not None or key not in optional}
    if "function_call" in message and "tool_calls" not in message:
        function = message.pop("function_call")  # its name stands for the id, which was not yet
        id = function.get("name") if isinstance(function, dict) else None
        message["tool_calls"] = [{"id": id, "type": "function", "function": function}]
    if message.get("role") == "function":
        message |= {"role": "tool", "tool_call_id": message.pop("name", None)}
    return message


def message_text(message: dict[str, Any]) -> str:
    """Return what a message says: its content, as one text or in parts, or its refusal.

    Args:
        message: without errors.
    """
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(part[part["type"]] for part in content)
    return content or message.get("refusal") or ""


# --- One example -----------------------------------------------------------------------------------------------------


def validate_example(example: Any, line: int | None = None) -> list[Finding]:
    """Return what is wrong with one example; no exception, whatever it is.

    Args:
        example: what ``json.loads`` made of a line.
        line: its number, for the findings.

    Returns:
        A list of findings, empty if all is well.
    """
    return [replace(finding, line=line) for finding in _check_example(example)]


def _check_example(example: Any) -> Iterator[Finding]:
    if not isinstance(example, dict):
        is_file = isinstance(example, list) and any(isinstance(item, dict) for item in example)
        yield _finding("not_an_object", f"The example is {_kind(example)}.", _CONVERT if is_file else "")
        return
    if other := find_format(example):
        yield _finding("no_messages", f"The example is in another format ({other.name}).", _CONVERT)
        return
    example = _modern_example(example)
    yield from _check_keys(example, EXAMPLE_KEYS, "The example")
    messages = example.get("messages")
    if isinstance(messages, list) and messages:
        yield from _check_messages(messages, example)
    else:
        yield _finding("no_messages", "The example has no list of messages.")


def _check_messages(messages: list[Any], example: dict[str, Any]) -> list[Finding]:
    faults: list[Finding] = []
    for number, message in enumerate(messages, 1):
        faults += _check_message(message, f"Message {number}")
    faults += [*_check_tools(example), *_check_characters(example)]
    if not _has_error(faults):  # else the next checks would speak of what follows from it
        faults += [*_check_conversation(messages), *_check_order(messages, example.get("tools", []))]
    return faults


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


def _check_keys(item: dict[str, Any], known: Sequence[str], name: str) -> Iterator[Finding]:
    for key in item:
        if key not in known:
            remedy = f"Remove it, or mend its spelling: known are {', '.join(known)}."
            yield _finding("unknown_key", f"{name} has the unknown key {reprlib.repr(key)}.", remedy)


def _check_message(message: Any, name: str) -> Iterator[Finding]:
    if not isinstance(message, dict):
        yield _finding("not_a_message", f"{name} is {_kind(message)}.")
        return
    if "audio" in message:
        yield _finding(
            "unknown_key", f"{name} has audio, which is not built here.", "Remove it: text alone is learned."
        )
    yield from _check_keys({key: message[key] for key in message if key not in _REPLY_KEYS}, MESSAGE_KEYS, name)
    if message.get("role") not in ROLES:
        yield _finding("unknown_role", f"{name} has the role {reprlib.repr(message.get('role'))}.")
    if "name" in message and not (isinstance(message["name"], str) and message["name"]):
        yield _finding("bad_name", f"{name} has a name that is {_kind(message['name'])}.")
    yield from _check_content(message, name)
    yield from _check_weight(message, name)
    yield from _check_tool_calls(message, name)


def _check_content(message: dict[str, Any], name: str) -> Iterator[Finding]:
    content, calls, refusal = message.get("content"), message.get("tool_calls"), message.get("refusal")
    if refusal is not None and not (isinstance(refusal, str) and message.get("role") == "assistant"):
        yield _finding("no_text", f"{name} has a refusal that is not the assistant's text.")
    elif isinstance(content, list):
        yield from _check_parts(content, message, name)
    elif not isinstance(content, str) and not (content is None and (calls or refusal)):  # those say enough
        what = _kind(content) if "content" in message else "nothing"
        yield _finding("no_text", f"{name} has {what} for a content.")
    elif not (text := message_text(message)).strip() and not calls:
        severity = "error" if message.get("role") in ("user", "assistant") else "warning"
        yield _finding("empty_content", f"{name} has an empty content.", severity=severity)
    elif mark := _MARK.search(text):
        yield _finding("control_mark", f"{name} has the mark {mark[0]} in its text.")


def _check_parts(parts: list[Any], message: dict[str, Any], name: str) -> Iterator[Finding]:
    known = ("text", "refusal") if message.get("role") == "assistant" else ("text",)
    for number, part in enumerate(parts, 1):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in known:
            what = f"of the type {reprlib.repr(kind)}, which is not built here" if kind else "without a type"
            remedy = 'Write {"type": "text", "text": ...}: text alone is learned.'
            yield _finding("no_text", f"{name} has a part {what}, as number {number} of its content.", remedy)
            return
        if not isinstance(part.get(kind), str):
            yield _finding("no_text", f"{name} has a part without text, as number {number} of its content.")
            return
    yield from _check_content(message | {"content": message_text(message)}, name)


def _check_weight(message: dict[str, Any], name: str) -> Iterator[Finding]:
    if "weight" not in message:
        return
    weight = message["weight"]
    if message.get("role") != "assistant":
        yield _finding("bad_weight", f"{name} has a weight.", "Remove it: only assistant messages are trained on.")
    elif isinstance(weight, bool) or weight not in (0, 1):
        yield _finding("bad_weight", f"{name} has the weight {reprlib.repr(weight)}.")


def _is_trained(message: dict[str, Any]) -> bool:
    return message["role"] == "assistant" and message.get("weight", 1) != 0


def _check_conversation(messages: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    roles = [message["role"] for message in messages]
    if not any(map(_is_trained, messages)):
        why = "only assistant messages of weight 0" if "assistant" in roles else "no assistant message"
        yield _finding("nothing_to_train", f"The example has {why}.")
    if "user" not in roles:
        yield _finding("no_user", "The example has no user message.")
    if not any(role in roles for role in _FIRST):
        yield _finding("no_system", "The example has no system message.")
    elif roles[0] not in _FIRST:
        yield _finding("system_not_first", "The system message is not the first.")
    if roles[-1] != "assistant":
        yield _finding("no_last_answer", f"The last message is the {roles[-1]}'s.")


def _check_characters(example: dict[str, Any]) -> Iterator[Finding]:
    try:
        json.dumps(example, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        yield _finding("half_a_character", "The example has half a character, an escape such as \\ud83d alone.")


# --- Tools -----------------------------------------------------------------------------------------------------------


def _is_named(function: Any) -> bool:
    name = function.get("name") if isinstance(function, dict) else None
    return isinstance(name, str) and bool(_NAME.fullmatch(name))


def _is_call(call: Any) -> bool:
    if not isinstance(call, dict) or not isinstance(call.get("id"), str) or not _is_named(call.get("function")):
        return False
    try:
        return call.get("type") == "function" and isinstance(json.loads(call["function"].get("arguments")), dict)
    except (TypeError, ValueError, RecursionError):
        return False


def _check_tools(example: dict[str, Any]) -> Iterator[Finding]:
    tools = example.get("tools", [])
    for number, tool in enumerate(tools if isinstance(tools, list) else [None], 1):
        if not isinstance(tool, dict) or tool.get("type") != "function" or not _is_named(tool.get("function")):
            yield _finding("bad_tools", f"Tool {number} is not well formed.")
    if not isinstance(example.get("parallel_tool_calls", True), bool):
        yield _finding("bad_parallel_tool_calls", "parallel_tool_calls is not a boolean.")


def _check_tool_calls(message: dict[str, Any], name: str) -> Iterator[Finding]:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if message.get("role") != "assistant":
        yield _finding("bad_tool_calls", f"{name} has tool calls.", "Remove them: only the assistant calls tools.")
    elif not isinstance(calls, list) or not calls or not all(map(_is_call, calls)):
        yield _finding("bad_tool_calls", f"{name} has tool calls that are not well formed.")


def _check_order(messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    known = [tool["function"]["name"] for tool in tools]
    waiting: list[str] = []
    for number, message in enumerate(messages, 1):
        if message["role"] == "tool" and message.get("tool_call_id") not in waiting:
            yield _finding("unmatched_tool_message", f"Message {number} answers no tool call.")
        elif message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
        elif waiting:
            remedy = f"Put the answers to {', '.join(waiting)} before it, as messages of the role tool."
            yield _finding("unanswered_tool_call", f"Message {number} comes before a tool has answered.", remedy)
            waiting = []
        for call in message.get("tool_calls") or []:
            waiting.append(call["id"])
            if call["function"]["name"] not in known:
                remedy = f"Describe {call['function']['name']} in the tools of the example."
                yield _finding("unknown_tool", f"Message {number} calls a tool that the example doesn't have.", remedy)


# --- Files -----------------------------------------------------------------------------------------------------------


def write_chat_file(examples: Iterable[dict[str, Any]], path: str | os.PathLike[str]) -> Path:
    """Write examples as JSONL, one a line.

    Args:
        examples: dictionaries with ``messages``.
        path: where to; the name usually ends in .jsonl. Folders that are missing are made.

    Returns:
        The path.
    """
    return write_atomically(path, "".join(json.dumps(example, ensure_ascii=False) + "\n" for example in examples))


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, Finding | None, Any]]:
    """Read a chat file line by line, so that a large one takes little memory.

    Args:
        path: a JSONL file.

    Yields:
        The number of a line, counted from 1, and either a finding about it (it is blank, not UTF-8 or no JSON) and
        None, or None and its example, of which nothing is checked yet. A byte-order mark is a finding of its own before
        the first line, which is then read without it.

    Raises:
        CourseError: if the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            for line, raw in enumerate(_cut_lines(file), 1):
                if line == 1 and raw.startswith(codecs.BOM_UTF8):
                    yield line, _finding("byte_order_mark", RULES["byte_order_mark"].meaning, line=line), None
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                yield line, *_parse(raw, line)
    except OSError as error:
        raise CourseError(f"Cannot read the chat file {path} ({error.strerror}): check its name and rights.") from error


def _cut_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, and of one that is too long its beginning."""
    while raw := file.readline(MAX_LINE + 1):
        yield raw
        while len(raw) > MAX_LINE and not raw.endswith(b"\n"):
            raw = file.readline(MAX_LINE + 1)


def _parse(raw: bytes, line: int) -> tuple[Finding | None, Any]:
    """Return the finding about a line that is no JSON, else None, and what the line says."""
    if not raw.strip():
        return _finding("blank_line", "The line is blank.", line=line), None
    if len(raw) > MAX_LINE:
        message = f"The line has more than {MAX_LINE:,} bytes."
        return _finding("too_long", message, "Make many short examples of it, one a line.", "error", line), None
    try:
        text = raw.decode("utf-8")
        return None, json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_twins)
    except UnicodeDecodeError as error:
        return _finding("not_utf8", f"Byte {error.start + 1} is not UTF-8.", line=line), None
    except (ValueError, RecursionError) as error:
        why = f"{error.msg}, character {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        remedy = _CONVERT if line == 1 and raw.lstrip().startswith(b"[") else ""  # a list over many lines
        return _finding("invalid_json", f"This is not valid JSON ({why}).", remedy, line=line), None


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {reprlib.repr(twin)} stands twice in an object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def read_examples(path: str | os.PathLike[str]) -> list[Any]:
    """Return the examples of a file; blank lines and a byte-order mark don't count.

    Args:
        path: a JSONL file.

    Raises:
        CourseError: if the file cannot be read, or naming the first line that is no JSON.
    """
    examples = []
    for _, finding, example in read_lines(path):
        if finding is None:
            examples.append(example)
        elif finding.severity == "error" and finding.code != "byte_order_mark":
            raise CourseError(f"{Path(path).name}: {finding}")
    return examples


def convert_chat_file(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> dict[str, int]:
    """Make a chat file of examples in other formats; of preference pairs it keeps the answer that is preferred.

    Args:
        source: a JSONL file, or a JSON file that is one list.
        target: the new file.

    Returns:
        How many examples there were of each format, by its name; ``"chat"`` for those that were chats already.

    Raises:
        CourseError: if there is a file `target`, the source cannot be read, or naming the first example that isn't
            in a known format.
    """
    if os.path.exists(target):
        raise CourseError(f"There is {target} already, and it stays as it is: name a new file.")
    examples, counts = [], Counter[str]()
    for place, example in _read_any(source):
        known = find_format(example)
        try:
            if not known and not (isinstance(example, dict) and isinstance(example.get("messages"), list)):
                raise ValueError(f"it is in no format of {', '.join(dict.fromkeys(one.name for one in FORMATS))}")
            examples.append(known.convert(example) if known else example)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CourseError(
                f"{Path(source).name}: {place} cannot be converted: {error}. Mend it or remove it, then convert again."
            ) from error
        counts[known.name if known else "chat"] += 1
    write_chat_file(examples, target)
    return dict(counts)


def _read_any(path: str | os.PathLike[str]) -> Iterator[tuple[str, Any]]:
    """Yield the examples of a JSONL file, or of a JSON file that is one list, with the place of each."""
    lines = [(line, finding, example) for line, finding, example in read_lines(path)]
    if lines and (isinstance(lines[0][2], list) or lines[0][1] and lines[0][1].code in ("invalid_json", "too_long")):
        try:
            whole = json.loads(Path(path).read_text(encoding="utf-8-sig"), object_pairs_hook=_refuse_twins)
        except (ValueError, RecursionError):
            whole = None  # then the line is wrong
        if isinstance(whole, list):
            yield from ((f"example {number}", example) for number, example in enumerate(whole, 1))
            return
    for line, finding, example in lines:
        if finding is None:
            yield f"line {line}", example
        elif finding.severity == "error" and finding.code != "byte_order_mark":
            raise CourseError(f"{Path(path).name}: {finding}")


def validate_chat_file(
    path: str | os.PathLike[str], tokenizer: Any = None, max_length: int | None = None, min_examples: int = MIN_EXAMPLES
) -> list[Finding]:
    """Check a chat file by every rule, in memory that doesn't grow with what is wrong with it.

    Args:
        path: a JSONL file.
        tokenizer: the model's, to find examples that are too long; needed with `max_length`.
        max_length: tokens after which the service cuts an example; None doesn't look at the length.
        min_examples: how many the file must have: a training file `MIN_EXAMPLES`, a validation file one.

    Returns:
        A list of findings, those about the whole file first, empty if all is well. Of a kind with more than
        `MAX_FINDINGS` the others are one finding, the last.

    Raises:
        CourseError: if the file cannot be read.
    """
    if os.path.exists(path) and os.path.getsize(path) > MAX_BYTES:
        return [_finding("too_large", f"The file has more than {MAX_BYTES:,} bytes.")]
    findings: list[Finding] = []
    seen: dict[bytes, int] = {}
    kinds: Counter[tuple[str, str]] = Counter()
    count = 0
    for line, unread, example in read_lines(path):
        found = [unread] if unread else _check_line(example, line, seen)
        count += unread is None or unread.code not in ("blank_line", "byte_order_mark")
        if max_length and not unread and not _has_error(found):
            found += _check_length(example, line, tokenizer, max_length)
        for finding in found:
            kinds[finding.code, finding.severity] += 1
            if kinds[finding.code, finding.severity] <= MAX_FINDINGS:
                findings.append(finding)
    more = [
        _finding(code, f"There are {number - MAX_FINDINGS:,} more of this kind ({code}).", severity=severity)
        for (code, severity), number in kinds.items()
        if number > MAX_FINDINGS
    ]
    return _check_count(count, min_examples) + findings + more


def _check_line(example: Any, line: int, seen: dict[bytes, int]) -> list[Finding]:
    """Return the findings about an example; `seen` has the fingerprints of those before it, and gets this one's."""
    try:
        findings = validate_example(example, line)
        if _has_error(findings):
            return findings
        first = seen.setdefault(_fingerprint(example), line)
    except RecursionError:
        return [
            _finding("invalid_json", "This is nested too deeply.", "Write messages as lists of objects.", line=line)
        ]
    if first != line:
        findings.append(_finding("duplicate", f"The same example is in line {first}.", line=line))
    return findings


def _fingerprint(example: Any) -> bytes:
    """Return what two examples with the same messages have in common, in a few bytes."""
    text = json.dumps(example.get("messages") if isinstance(example, dict) else example, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _check_count(count: int, least: int) -> list[Finding]:
    if count >= least:
        return []
    message = f"The file has {count} example(s), but must have at least {least} example{'s' * (least > 1)}."
    return [_finding("invalid_n_examples", message)]


def _check_length(example: dict[str, Any], line: int, tokenizer: Any, max_length: int) -> list[Finding]:
    from jinja2 import TemplateError

    messages = plain_messages(example["messages"])
    try:
        length = count_tokens(example, tokenizer)[0]
    except TemplateError as error:
        message = f"The model's chat template refuses the messages: {error}."
        return [_finding("unknown_role", message, "Write them as this model knows conversations.", line=line)]
    if length <= max_length:
        return []
    first = next(number for number, message in enumerate(messages) if _is_trained(message))
    before = (
        tokenizer.apply_chat_template(messages[:first], add_generation_prompt=True, return_dict=True) if first else {}
    )
    if len(before.get("input_ids", ())) >= max_length:
        message = f"The example is cut after {max_length} tokens, and its first answer begins after them."
        return [_finding("nothing_to_train", message, "Shorten what comes before the answer.", line=line)]
    message = f"The example has {length} tokens and is cut after {max_length}, so the end of the answer is lost."
    return [_finding("too_long", message, line=line)]


def find_overlap(training_path: str | os.PathLike[str], validation_path: str | os.PathLike[str]) -> list[Finding]:
    """Find the examples of the validation file that are in the training file, too; lines that are no JSON don't count.

    Args:
        training_path: a JSONL file.
        validation_path: another.

    Returns:
        A list of findings with the lines of the validation file, empty if the two share nothing.

    Raises:
        CourseError: if one of the files cannot be read.
    """
    known: dict[bytes, int] = {}
    for line, unread, example in read_lines(training_path):
        if not unread:
            known.setdefault(_fingerprint(example), line)
    findings = []
    for line, unread, example in read_lines(validation_path):
        if not unread and (first := known.get(_fingerprint(example))):
            message = f"The same example is in line {first} of the training file."
            findings.append(_finding("in_both_files", message, line=line))
    return findings


# --- Tokens, cost, splits --------------------------------------------------------------------------------------------


def plain_messages(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages as a template without tools takes them: role, content and weight; calls become JSON text.

    Args:
        messages: of an example without errors.
    """
    plain = []
    for message in map(_modern_message, messages):
        calls = [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls") or []]
        role = "system" if message["role"] == "developer" else message["role"]
        content = "\n".join([*filter(None, [message_text(message)]), *calls])
        plain.append({"role": role, "content": content} | {key: message[key] for key in ("weight",) if key in message})
    return plain


def count_tokens(example: dict[str, Any], tokenizer: Any) -> tuple[int, int]:
    """Count the tokens of an example.

    Args:
        example: without errors.
        tokenizer: of transformers, with a chat template.

    Returns:
        How many tokens it has, and how many of them are trained on: those of the answers, and one for the end of each.
    """
    messages = plain_messages(example["messages"])
    answers = [tokenizer(message["content"])["input_ids"] for message in messages if _is_trained(message)]
    every = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
    return len(every), sum(len(ids) + 1 for ids in answers)


def chat_statistics(examples: Iterable[dict[str, Any]], tokenizer: Any) -> pd.DataFrame:
    """Count the messages and tokens of each example.

    Args:
        examples: without errors.
        tokenizer: of transformers, with a chat template.

    Returns:
        A DataFrame with a row an example and the columns messages, tokens and trained, as `count_tokens` counts them.
    """
    import pandas as pd

    rows = [(len(example["messages"]), *count_tokens(example, tokenizer)) for example in examples]
    return pd.DataFrame(rows, columns=["messages", "tokens", "trained"])


def estimate_cost(
    num_tokens: int, n_epochs: int, price: float | None, tokens_per_second: float | None = None
) -> dict[str, float | None]:
    """Estimate what a job will take.

    Args:
        num_tokens: tokens of the training file.
        n_epochs: how often the service goes through it.
        price: what the service asks for a million tokens: 0 on your own machine, None if you don't know.
        tokens_per_second: how fast it is, if you know.

    Returns:
        A dictionary with tokens (of all epochs), cost and minutes, the last two None if not known.

    Raises:
        CourseError: if a number is negative or there is no epoch.
    """
    if num_tokens < 0 or n_epochs < 1 or (price or 0) < 0:
        raise CourseError(
            f"There is no job of {num_tokens} tokens and {n_epochs} epochs at {price} a million tokens: "
            "give at least 0 tokens, 1 epoch and a price of 0 or more."
        )
    tokens = num_tokens * n_epochs
    minutes = tokens / tokens_per_second / 60 if tokens_per_second else None
    return {"tokens": tokens, "cost": None if price is None else tokens * price / 1e6, "minutes": minutes}


def split_chats(
    examples: Sequence[dict[str, Any]], num_validation: int, seed: int = 0
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Split examples so that what the user says in one is said in no example of the other split.

    Capitals and spaces make no difference between two questions.

    Args:
        examples: without errors.
        num_validation: how many for validation, about: what belongs together stays together.
        seed: of the choice.

    Returns:
        The examples for training and those for validation.
    """
    from sklearn.model_selection import GroupShuffleSplit

    asked = [
        " ".join(" ".join(message_text(m) for m in example["messages"] if m["role"] == "user").lower().split())
        for example in examples
    ]
    splitter = GroupShuffleSplit(n_splits=1, test_size=num_validation / len(examples), random_state=seed)
    training, validation = next(splitter.split(examples, groups=asked))
    return [examples[i] for i in training], [examples[i] for i in validation]
