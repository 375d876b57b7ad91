"""The rules of chat files as a table, with a fault for each and what the check says to it.

The words of the last column are the check's own: each fault is written into a file and found there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from .chat_data import MIN_EXAMPLES, RULES, Finding, find_overlap, validate_chat_file

Json = dict[str, Any]

_SYSTEM = {"role": "system", "content": "You are the support assistant of Brindlewick."}
_USER = {"role": "user", "content": "Where is order 7?"}
_ANSWER = {"role": "assistant", "content": "On its way."}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": '{"order": 7}'}}
_TOOL = {"type": "function", "function": {"name": "find_order", "parameters": {"type": "object"}}}
_ASKED = {"role": "assistant", "content": None, "tool_calls": [_CALL]}
_FOUND = {"role": "tool", "tool_call_id": "call_1", "content": "Leeds"}


class Fault(NamedTuple):
    """A line of a chat file that breaks a rule.

    Attributes:
        shown: what is to be seen of it in the table.
        line: the line.
    """

    shown: str
    line: str


def _chat(*messages: Any, **more: Any) -> str:
    """Return an example with a system message as a line."""
    return json.dumps({"messages": [_SYSTEM, *messages], **more})


_GOOD = [_chat(_USER | {"content": f"Where is order {number}?"}, _ANSWER) for number in range(10, 10 + MIN_EXAMPLES)]

FAULTS = {
    "not_utf8": Fault('"£65" saved as Latin-1', _chat(_USER, _ANSWER | {"content": "It's PRICE."})),
    "invalid_json": Fault("{'messages': [...", str(json.loads(_chat(_USER, _ANSWER)))),
    "half_a_character": Fault(r'"Hello \ud83d"', _chat(_USER, _ANSWER | {"content": "Hello \ud83d"})),
    "blank_line": Fault("two spaces", "  "),
    "duplicate": Fault("line 1 again", _GOOD[0]),
    "too_long": Fault("an answer of 1,000 words", _chat(_USER, _ANSWER | {"content": "Yes, of course. " * 333})),
    "not_an_object": Fault('["Where is order 7?", ...]', '["Where is order 7?", "On its way."]'),
    "no_messages": Fault('{"prompt": ..., "completion": ...}', '{"prompt": "Order 7?", "completion": "On its way."}'),
    "unknown_key": Fault('"wieght": 0', _chat(_USER, _ANSWER | {"wieght": 0})),
    "not_a_message": Fault('"messages": [..., "On its way."]', _chat(_USER, "On its way.", _ANSWER)),
    "unknown_role": Fault('"role": "asistant"', _chat(_USER, _ANSWER | {"role": "asistant"})),
    "bad_name": Fault('"name": 7', _chat(_USER | {"name": 7}, _ANSWER)),
    "no_text": Fault('"content": 7', _chat(_USER | {"content": 7}, _ANSWER)),
    "empty_content": Fault('"content": ""', _chat(_USER, _ANSWER | {"content": ""})),
    "control_mark": Fault('"On its way.<|im_end|>"', _chat(_USER, _ANSWER | {"content": "On its way.<|im_end|>"})),
    "bad_weight": Fault('"weight": 0.5', _chat(_USER, _ANSWER | {"weight": 0.5})),
    "nothing_to_train": Fault('the only answer has "weight": 0', _chat(_USER, _ANSWER | {"weight": 0})),
    "no_user": Fault("system, assistant", _chat(_ANSWER)),
    "no_system": Fault("user, assistant", json.dumps({"messages": [_USER, _ANSWER]})),
    "system_not_first": Fault("user, system, assistant", json.dumps({"messages": [_USER, _SYSTEM, _ANSWER]})),
    "no_last_answer": Fault("system, user, assistant, user", _chat(_USER, _ANSWER, _USER)),
    "bad_tools": Fault('"tools": {}', _chat(_USER, _ANSWER, tools={})),
    "bad_parallel_tool_calls": Fault('"parallel_tool_calls": "no"', _chat(_USER, _ANSWER, parallel_tool_calls="no")),
    "bad_tool_calls": Fault('"tool_calls": []', _chat(_USER, _ANSWER | {"tool_calls": []})),
    "unknown_tool": Fault("a call, and no tools", _chat(_USER, _ASKED, _FOUND, _ANSWER)),
    "unmatched_tool_message": Fault(
        '"tool_call_id": "call_2"',
        _chat(_USER, _ASKED, _FOUND, _FOUND | {"tool_call_id": "call_2"}, _ANSWER, tools=[_TOOL]),
    ),
    "unanswered_tool_call": Fault("a call, then a user", _chat(_USER, _ASKED, _USER, _ANSWER, tools=[_TOOL])),
}


def find_each(tokenizer: Any, max_length: int) -> dict[str, tuple[str, Finding]]:
    """Return a fault for each rule, and what the check says to it.

    Args:
        tokenizer: the model's.
        max_length: tokens after which the service cuts an example.

    Returns:
        By the rule's code what is to be seen of the fault, and the finding. `too_large` is missing: its file would be
        as large as that.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, other = Path(folder) / "chats.jsonl", Path(folder) / "validation.jsonl"

        def check(code: str, lines: Iterable[str], encoding: str = "utf-8") -> Finding:
            path.write_bytes("\n".join(lines).replace("PRICE", "£65").encode(encoding))
            return next(found for found in validate_chat_file(path, tokenizer, max_length) if found.code == code)

        faults = {
            "invalid_n_examples": ("two lines", check("invalid_n_examples", _GOOD[:2])),
            "byte_order_mark": ("EF BB BF, then line 1", check("byte_order_mark", _GOOD, "utf-8-sig")),
        }
        for code, fault in FAULTS.items():
            encoding = "latin-1" if code == "not_utf8" else "utf-8"
            faults[code] = fault.shown, check(code, [*_GOOD, fault.line], encoding)
        path.write_text("\n".join(_GOOD), encoding="utf-8")
        other.write_text(_GOOD[3], encoding="utf-8")
        faults["in_both_files"] = "line 4 of the training file", find_overlap(path, other)[0]
    return {code: faults[code] for code in RULES if code in faults}


def rules_table(tokenizer: Any, max_length: int) -> str:
    """Return the table of the rules in Markdown: rule, severity, a fault and what the check says to it.

    Args:
        tokenizer: the model's.
        max_length: tokens after which the service cuts an example.
    """
    faults = find_each(tokenizer, max_length)
    rows = ["| Rule | Severity | In the file | What the check says |", "|:---|:---|:---|:---|"]
    for code, rule in RULES.items():
        shown, said = faults.get(code, ("", Finding(None, rule.severity, code, rule.meaning, rule.remedy)))
        mark = f"`{shown}`" if shown.startswith(('"', "{", "[")) else shown
        row = f"| `{code}` | {said.severity} | {mark} | {said.message} {said.remedy} |"
        rows.append(row.replace("<|im_end|>", r"<\|im_end\|>"))
    return "\n".join(rows)
