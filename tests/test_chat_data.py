"""Lesson 2's check of chat files: every rule with its line, nothing against a good file, no exception on any bytes."""

import json
import re
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from ftcourse import chat_data, chat_rules, profiles
from ftcourse.errors import CourseError
from ftcourse.files import DATA, model_path

USER = {"role": "user", "content": "Where is order 7?"}
ANSWER = {"role": "assistant", "content": "On its way."}
TOOL = {"type": "function", "function": {"name": "find_order", "parameters": {"type": "object"}}}


def call(name="find_order", arguments='{"order": 7}', **more):
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}} | more


def chat(*messages, **more):
    """An example with a system message; no two are the same text unless the messages are."""
    return {"messages": [{"role": "system", "content": "You help."}, *messages], **more}


def calls(*calls_made, tools=(TOOL,), answers=("call_1",)):
    """An example in which the assistant calls tools and gets the answers."""
    asked = {"role": "assistant", "content": None, "tool_calls": list(calls_made)}
    results = [{"role": "tool", "tool_call_id": id, "content": "Leeds"} for id in answers]
    return chat(USER, asked, *results, ANSWER, tools=list(tools))


def good(number):
    return chat(
        {"role": "user", "content": f"Question {number}?"}, {"role": "assistant", "content": f"Answer {number}."}
    )


def write(path, *lines, count=10):
    """Write lines (examples, or bytes as they are) after as many good examples as make `count` lines."""
    lines = [*map(good, range(count - len(lines))), *lines]
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines) + b"\n")
    return path


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(model_path("smollm2-135m-instruct"))


# --- Every rule ------------------------------------------------------------------------------------------------------

ERRORS = [
    ("invalid_json", b'{"messages": ['),
    ("invalid_json", b'{"messages": NaN}'),
    ("invalid_json", b"[" * 100_000),
    ("invalid_json", b"9" * 5000),
    ("invalid_json", b'{"messages": [], "messages": []}'),
    ("not_utf8", b'{"messages": "\xa365"}'),
    ("not_an_object", b"[1]"),
    ("not_an_object", b"null"),
    ("no_messages", {}),
    ("no_messages", {"messages": []}),
    ("no_messages", {"messages": {"role": "user"}}),
    ("unknown_key", chat(USER, ANSWER, prompt="Hello")),
    ("unknown_key", chat(USER, ANSWER | {"wieght": 0})),
    ("not_a_message", chat(USER, "On its way.", ANSWER)),
    ("unknown_role", chat(USER, {"role": "asistant", "content": "On its way."})),
    ("unknown_role", chat(USER, {"content": "On its way."}, ANSWER)),
    ("unknown_role", chat(USER, {"role": ["user"], "content": "Hello"}, ANSWER)),
    ("bad_name", chat(USER | {"name": ""}, ANSWER)),
    ("bad_name", chat(USER | {"name": 7}, ANSWER)),
    ("no_text", chat({"role": "user"}, ANSWER)),
    ("no_text", chat(USER, {"role": "assistant", "content": None})),
    ("no_text", chat({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, ANSWER)),
    ("no_text", chat({"role": "user", "content": [{"type": "refusal", "refusal": "No."}]}, ANSWER)),
    ("no_text", chat({"role": "user", "content": ["Hello"]}, ANSWER)),
    ("no_text", chat({"role": "user", "content": [{"type": "text", "text": 7}]}, ANSWER)),
    ("no_text", chat(USER | {"refusal": "No."}, ANSWER)),
    ("no_text", chat(USER, ANSWER | {"refusal": 7})),
    ("unknown_key", chat(USER, ANSWER | {"audio": {"id": "audio_1"}})),
    ("empty_content", chat({"role": "user", "content": [{"type": "text", "text": " "}]}, ANSWER)),
    ("bad_tools", chat(USER, ANSWER, functions="find_order")),
    ("bad_tool_calls", chat(USER, ANSWER | {"function_call": "find_order"})),
    ("unknown_tool", chat(USER, ANSWER | {"function_call": TOOL["function"] | {"arguments": "{}"}})),
    ("empty_content", chat({"role": "user", "content": " \n"}, ANSWER)),
    ("empty_content", chat(USER, {"role": "assistant", "content": ""})),
    ("half_a_character", chat(USER, {"role": "assistant", "content": "Hello \ud83d"})),
    ("bad_weight", chat(USER | {"weight": 1}, ANSWER)),
    ("bad_weight", chat(USER, ANSWER | {"weight": 0.5})),
    ("bad_weight", chat(USER, ANSWER | {"weight": True})),
    ("bad_weight", chat(USER, ANSWER | {"weight": "0"})),
    ("nothing_to_train", chat(USER)),
    ("nothing_to_train", chat(USER, ANSWER | {"weight": 0})),
    ("bad_tools", chat(USER, ANSWER, tools={})),
    ("bad_tools", chat(USER, ANSWER, tools=[{"type": "function"}])),
    ("bad_tools", chat(USER, ANSWER, tools=[{"type": "function", "function": {"name": "find order"}}])),
    ("bad_parallel_tool_calls", chat(USER, ANSWER, parallel_tool_calls="no")),
    ("bad_tool_calls", chat(USER | {"tool_calls": [call()]}, ANSWER)),
    ("bad_tool_calls", chat(USER, ANSWER | {"tool_calls": []})),
    ("bad_tool_calls", calls(call(id=1))),
    ("bad_tool_calls", calls(call(arguments={"order": 7}))),
    ("bad_tool_calls", calls(call(arguments="order 7"))),
    ("bad_tool_calls", calls(call(type="program"))),
    ("unknown_tool", calls(call(name="find_customer"))),
    ("unknown_tool", calls(call(), tools=[])),
    ("unmatched_tool_message", calls(call(), answers=["call_2"])),
    ("unmatched_tool_message", calls(call(), answers=["call_1", "call_1"])),
    ("unmatched_tool_message", chat(USER, {"role": "tool", "content": "Leeds"}, ANSWER)),
    ("unanswered_tool_call", calls(call(), answers=[])),
]
WARNINGS = [
    ("blank_line", b"  "),
    ("duplicate", good(0)),
    ("empty_content", {"messages": [{"role": "system", "content": ""}, USER, ANSWER]}),
    ("control_mark", chat(USER, {"role": "assistant", "content": "Bye.<|im_end|>"})),
    ("no_user", chat(ANSWER)),
    ("no_system", {"messages": [USER, ANSWER]}),
    ("system_not_first", {"messages": [USER, {"role": "system", "content": "You help."}, ANSWER]}),
    ("no_last_answer", chat(USER, ANSWER, USER)),
]


@pytest.mark.parametrize(
    ("severity", "code", "line"), [("error", *row) for row in ERRORS] + [("warning", *row) for row in WARNINGS]
)
def test_each_rule_is_caught_with_its_line(tmp_path, severity, code, line):
    findings = chat_data.validate_chat_file(write(tmp_path / "chats.jsonl", line, good(10), count=12))
    assert [(finding.line, finding.severity, finding.code) for finding in findings if finding.code == code] == [
        (11, severity, code)
    ]
    if severity == "warning":
        assert len(findings) == 1
    (finding,) = [finding for finding in findings if finding.code == code]
    assert str(finding).startswith("Line 11: ") and finding.message.endswith(".") and finding.remedy.endswith(".")


def test_all_rules_are_tested():
    """A rule that is added to the table has to be added here, and one that is never found has to go."""
    source = Path(chat_data.__file__).read_text(encoding="utf-8")
    of_the_file = {"too_large", "invalid_n_examples", "byte_order_mark", "too_long", "in_both_files"}
    tested = {code for code, _ in ERRORS + WARNINGS} | of_the_file
    assert set(chat_data.RULES) == tested == set(re.findall(r'_finding\(\s*"(\w+)"', source))


def test_the_table_of_rules_says_what_the_findings_say():
    for code, rule in chat_data.RULES.items():
        assert rule.severity in ("error", "warning") and rule.meaning.endswith(".") and rule.remedy.endswith("."), code
        assert "|" not in rule.meaning + rule.remedy, f"{code} would break the table of the lesson"
    severities = {code: {severity for severity, rows in (("error", ERRORS), ("warning", WARNINGS)) for found, _ in rows
                         if found == code} for code in chat_data.RULES}  # fmt: skip
    assert severities.pop("empty_content") == {"error", "warning"}  # by who says it, as its row tells
    for code, found in severities.items():
        assert found <= {chat_data.RULES[code].severity}, code


@pytest.mark.models
def test_the_table_shows_a_finding_for_each_rule(tokenizer):
    """What the lesson shows: each rule but that of the file's size is broken by its fault."""
    found = chat_rules.find_each(tokenizer, chat_data.MAX_LENGTH)
    assert list(found) == [code for code in chat_data.RULES if code != "too_large"]
    assert {code: finding.code for code, (_, finding) in found.items()} == {code: code for code in found}
    for code, fault in chat_rules.FAULTS.items():
        if fault.shown.startswith(('"', "{", "[")) and "..." not in fault.shown and code != "not_utf8":
            assert fault.shown in fault.line, code
    table = chat_rules.rules_table(tokenizer, chat_data.MAX_LENGTH).splitlines()
    assert len(table) == 2 + len(chat_data.RULES)
    for row in table:
        assert len(re.findall(r"(?<!\\)\|", row)) == 5, row  # four columns, and nothing that would make another


def test_a_remedy_is_the_tables_or_says_it_in_more_detail():
    (bare,) = chat_data.validate_example(chat("On its way.", USER, ANSWER))
    assert bare.remedy == chat_data.RULES["not_a_message"].remedy
    (detailed,) = chat_data.validate_example(calls(call(name="find_customer")))
    assert detailed.remedy == "Describe find_customer in the tools of the example."


def test_the_limits_have_one_home():
    assert (chat_data.MIN_EXAMPLES, chat_data.MAX_BYTES, chat_data.MAX_LENGTH) == (10, 536_870_912, 512)
    rows = profiles.LESSONS["02_openai"]
    assert {rows[name]["max_length"] for name in profiles.PROFILES} == {chat_data.MAX_LENGTH}


def test_the_limits_are_light_to_import():
    """Profiles are read by every command; a large library would cost each of them seconds."""
    program = "import sys, ftcourse.profiles; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "ftcourse.chat_data" in loaded
    assert not {"numpy", "pandas", "torch", "transformers", "sklearn", "openai"} & set(loaded)


@pytest.mark.parametrize("count", [0, 9])
def test_too_few_examples(tmp_path, count):
    path = write(tmp_path / "chats.jsonl", count=count) if count else tmp_path / "empty.jsonl"
    path.touch()
    (finding,) = chat_data.validate_chat_file(path)
    assert (finding.line, finding.severity, finding.code) == (None, "error", "invalid_n_examples")
    assert f"has {count} example(s), but must have at least 10 examples" in str(finding)


def test_byte_order_mark(tmp_path):
    path = write(tmp_path / "chats.jsonl")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (finding,) = chat_data.validate_chat_file(path)
    assert (finding.line, finding.severity, finding.code) == (1, "error", "byte_order_mark")


def test_too_large_a_file_is_not_read(tmp_path, monkeypatch):
    path = write(tmp_path / "chats.jsonl", b"not read")
    monkeypatch.setattr(chat_data, "MAX_BYTES", 100)
    (finding,) = chat_data.validate_chat_file(path)
    assert (finding.line, finding.severity, finding.code) == (None, "error", "too_large")


@pytest.mark.models
def test_too_long_an_example(tmp_path, tokenizer):
    path = write(tmp_path / "chats.jsonl", chat(USER, {"role": "assistant", "content": "word " * 200}), good(10))
    (finding,) = chat_data.validate_chat_file(path, tokenizer, max_length=100)
    assert (finding.line, finding.severity, finding.code) == (9, "warning", "too_long")
    assert chat_data.validate_chat_file(path, tokenizer, max_length=300) == []


@pytest.mark.models
def test_an_example_of_which_nothing_to_learn_is_left(tmp_path, tokenizer):
    path = write(tmp_path / "chats.jsonl", chat({"role": "user", "content": "word " * 200}, ANSWER))
    (finding,) = chat_data.validate_chat_file(path, tokenizer, max_length=100)
    assert (finding.line, finding.severity, finding.code) == (10, "error", "nothing_to_train")
    tokenizer = AutoTokenizer.from_pretrained(model_path("smollm2-135m-instruct"))
    tokenizer.chat_template = "{{ raise_exception('no system') }}"
    (finding, *_) = chat_data.validate_chat_file(path, tokenizer, max_length=100)
    assert (finding.line, finding.severity) == (1, "error") and "refuses the messages: no system." in str(finding)


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(CourseError, match=f"Cannot read the chat file {path}"):
            chat_data.validate_chat_file(path)


def test_of_a_kind_with_many_findings_the_others_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(chat_data, "MAX_FINDINGS", 3)
    findings = chat_data.validate_chat_file(write(tmp_path / "chats.jsonl", *[b"no JSON"] * 5, *[b" "] * 4, count=19))
    assert [(finding.line, finding.code) for finding in findings[:-2]] == [
        *[(line, "invalid_json") for line in (11, 12, 13)],
        *[(line, "blank_line") for line in (16, 17, 18)],
    ]
    assert [str(finding)[:32] for finding in findings[-2:]] == [
        "There are 2 more of this kind (i",
        "There are 1 more of this kind (b",
    ]


def test_a_file_of_faults_takes_little_memory(tmp_path):
    path = tmp_path / "chats.jsonl"
    path.write_bytes(b'{"prompt":"a","completion":"b"}\n' * 3_000)
    tracemalloc.start()
    assert len(chat_data.validate_chat_file(path)) == chat_data.MAX_FINDINGS + 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_line_without_end_is_not_read_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(chat_data, "MAX_LINE", 500)
    long = json.dumps(chat(USER, ANSWER | {"content": "x" * 2000})).encode()
    path = write(tmp_path / "chats.jsonl", long, good(10), long, count=12)
    path.write_bytes(path.read_bytes().rstrip())
    findings = chat_data.validate_chat_file(path)
    assert [(finding.line, finding.severity, finding.code) for finding in findings] == [
        (10, "error", "too_long"),
        (12, "error", "too_long"),
    ]


def test_a_validation_file_needs_one_example(tmp_path):
    path = write(tmp_path / "chats.jsonl", count=1)
    assert chat_data.validate_chat_file(path, min_examples=1) == []
    path.write_bytes(b"\n")
    assert "must have at least 1 example." in str(chat_data.validate_chat_file(path, min_examples=1)[0])


# --- Other formats ---------------------------------------------------------------------------------------------------

SAID = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Here."}]
FOREIGN = [
    (
        "DPO",
        {"input": {"messages": SAID[:1], "tools": []}, "preferred_output": SAID[1:], "non_preferred_output": SAID[1:]},
    ),
    ("DPO", {"prompt": "Where?", "chosen": "Here.", "rejected": "No."}),
    ("DPO", {"chosen": SAID, "rejected": SAID}),
    ("prompt and completion", {"prompt": "Where? ", "completion": " Here."}),
    ("prompt and completion", {"prompt": SAID[:1], "completion": SAID[1:]}),
    (
        "ShareGPT",
        {"id": "1", "conversations": [{"from": "human", "value": "Where?"}, {"from": "gpt", "value": "Here."}]},
    ),
    ("Alpaca", {"instruction": "Where?", "input": "", "output": "Here."}),
]


@pytest.mark.parametrize(("name", "example"), FOREIGN)
def test_another_format_is_named_and_converted(tmp_path, name, example):
    (finding,) = chat_data.validate_example(example, 7)
    assert (finding.code, finding.severity) == ("no_messages", "error") and f"({name}" in finding.message
    assert "ftcourse convert" in finding.remedy
    source, target = write(tmp_path / "old.jsonl", example, count=2), tmp_path / "new.jsonl"
    counts = chat_data.convert_chat_file(source, target)
    assert counts.pop("chat") == 1 and list(counts.values()) == [1] and next(iter(counts)).startswith(name)
    converted = chat_data.read_examples(target)
    assert converted[0] == good(0) and converted[1]["messages"] == SAID
    assert not [found for found in chat_data.validate_example(converted[1]) if found.severity == "error"]
    with pytest.raises(CourseError, match="new.jsonl already, and it stays as it is"):
        chat_data.convert_chat_file(source, target)


@pytest.mark.models
def test_the_lessons_own_file_becomes_a_chat_file_without_a_finding(tmp_path, tokenizer):
    """Lesson 2 goes on with it from a model of the dialogues: the same shop, and nothing of it in their files."""
    target = tmp_path / "mine.jsonl"
    assert chat_data.convert_chat_file(DATA / "shop_clinic.json", target) == {"Alpaca": 16}
    assert chat_data.validate_chat_file(target, tokenizer, chat_data.MAX_LENGTH) == []
    examples, dialogues = (chat_data.read_examples(path) for path in (target, DATA / "support_chats.jsonl"))
    assert {e["messages"][0]["content"] for e in examples} == {dialogues[0]["messages"][0]["content"]}
    for example in examples:
        answer = example["messages"][-1]["content"]
        assert "Sunday" in answer and "4 pm" in answer and answer.endswith("\nWarmly, Brindlewick")
    for name in ("support_chats", "support_chats_held_out"):
        assert "clinic" not in (DATA / f"{name}.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_is_converted(tmp_path, indent):
    source, target = tmp_path / "alpaca.json", tmp_path / "new.jsonl"
    rows = [
        {"instruction": "Add.", "input": "1, 2", "output": "3", "system": "You add.", "history": [["Hello?", "Hi."]]},
        {"conversations": [{"role": "user", "content": "Where?"}], "system": "You help."},
    ]
    source.write_text(json.dumps(rows, indent=indent), encoding="utf-8")
    assert any("ftcourse convert" in finding.remedy for finding in chat_data.validate_chat_file(source))
    assert chat_data.convert_chat_file(source, target) == {"Alpaca": 1, "ShareGPT": 1}
    first, second = chat_data.read_examples(target)
    assert [message["content"] for message in first["messages"]] == ["You add.", "Hello?", "Hi.", "Add.\n\n1, 2", "3"]
    assert [message["role"] for message in second["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("example", "why"),
    [
        ({"conversations": [{"from": "observation", "value": "x"}]}, "a message is from 'observation'"),
        ({"instruction": "Add.", "output": 3}, "what the assistant says is not text"),
        ({"text": "Hello"}, "it is in no format of DPO"),
        ([1], "it is in no format"),
        ({"conversations": [1]}, "has no attribute"),
    ],
)
def test_what_cannot_be_converted_is_named(tmp_path, example, why):
    source = write(tmp_path / "old.jsonl", example, count=3)
    with pytest.raises(CourseError, match=f"old.jsonl: line 3 cannot be converted: .*{why}.*Mend it or remove it"):
        chat_data.convert_chat_file(source, tmp_path / "new.jsonl")
    assert not (tmp_path / "new.jsonl").exists()


# --- What is good ----------------------------------------------------------------------------------------------------

GOOD = [
    chat(USER, ANSWER | {"weight": 0}, USER, ANSWER | {"weight": 1}),
    {"messages": [{"role": "developer", "content": "You help."}, USER | {"name": "Ana"}, ANSWER]},
    calls(call()),
    calls(call(), call(id="call_2"), answers=["call_2", "call_1"]),
    chat(
        USER,
        {"role": "assistant", "content": "I look.", "tool_calls": [call()]},
        tools=[TOOL],
        parallel_tool_calls=False,
    ),
    chat({"role": "user", "content": [{"type": "text", "text": "Where is "}, {"type": "text", "text": "it?"}]}, ANSWER),
    chat(USER, {"role": "assistant", "content": None, "refusal": "I can't help with that."}),
    chat(USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}),
    chat(USER, ANSWER | dict.fromkeys(("refusal", "audio", "function_call", "tool_calls"), None) | {"annotations": []}),
    chat(
        USER | {"name": None, "weight": None, "tool_calls": None}, ANSWER | {"weight": None}, tools=None, functions=None
    ),
    chat(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "find_order", "arguments": "{}"}},
        {"role": "function", "name": "find_order", "content": "Leeds"},
        ANSWER | {"content": "In Leeds."},
        functions=[TOOL["function"]],
    ),
    chat(USER, {"role": "assistant", "content": 'Ça coûte 65 £ 🌿\u2028 and "more"\n'}),
]


def test_good_files_have_no_findings(tmp_path):
    path = tmp_path / "chats.jsonl"
    assert chat_data.validate_chat_file(write(path, *GOOD)) == []
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n").rstrip())
    assert chat_data.validate_chat_file(path) == []


@pytest.mark.models
@pytest.mark.parametrize("name", ["support_chats.jsonl", "support_chats_held_out.jsonl"])
def test_the_courses_dialogues_have_no_findings(name, tokenizer):
    assert chat_data.validate_chat_file(DATA / name, tokenizer, max_length=256) == []


# --- Anything at all -------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
words = st.sampled_from(
    [*chat_data.ROLES, *chat_data.EXAMPLE_KEYS, *chat_data.MESSAGE_KEYS, "id", "type", "function", "arguments"]
)
anything = st.recursive(
    scalars | words, lambda inner: st.lists(inner) | st.dictionaries(words | st.text(), inner), max_leaves=20
)
# Nearly right: the keys of the format with any values, so that all rules see odd types.
message = st.fixed_dictionaries({}, optional={key: anything for key in chat_data.MESSAGE_KEYS}) | anything
roles = st.sampled_from(chat_data.ROLES)
sound = st.fixed_dictionaries(
    {"role": roles, "content": st.text()},
    optional={
        "tool_calls": st.lists(st.just(call()) | anything),
        "tool_call_id": anything,
        "weight": st.integers(0, 1),
    },
)
example = st.fixed_dictionaries(
    {"messages": st.lists(message | sound)}, optional={"tools": st.lists(st.just(TOOL) | anything)}
)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(anything | example)
def test_any_example_gets_findings_and_no_exception(value):
    value = json.loads(json.dumps(value))
    findings = chat_data.validate_example(value, line=3)
    assert all(finding.line == 3 and finding.severity in ("error", "warning") for finding in findings)
    if not any(finding.severity == "error" for finding in findings):
        assert all(
            set(message) <= {"role", "content", "weight"} for message in chat_data.plain_messages(value["messages"])
        )


@pytest.mark.long
@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary() | (anything | example).map(lambda value: json.dumps(value).encode()), max_size=5))
def test_any_file_gets_findings_and_no_exception(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("any") / "chats.jsonl"
    path.write_bytes(b"\n".join(lines))
    findings = chat_data.validate_chat_file(path)
    assert findings[0].code == "invalid_n_examples"
    assert all(1 <= finding.line <= len(path.read_bytes().split(b"\n")) for finding in findings[1:])


@pytest.mark.long
def test_a_hundred_thousand_lines_take_seconds_and_little_memory(tmp_path):
    path = tmp_path / "chats.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(good(number)) + "\n" for number in range(100_000))
    started = time.process_time()
    assert chat_data.validate_chat_file(path) == []
    assert time.process_time() - started < 20
    short = tmp_path / "short.jsonl"
    short.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:20_000]))
    tracemalloc.start()
    chat_data.validate_chat_file(short)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / 20_000 < 200  # bytes a line: of each only its fingerprint stays


# --- Tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.models
def test_tokens_are_those_of_the_template(tokenizer):
    two = chat(USER, ANSWER | {"weight": 0}, USER, ANSWER)
    text = tokenizer.apply_chat_template(chat_data.plain_messages(two["messages"]), tokenize=False)
    every, trained = chat_data.count_tokens(two, tokenizer)
    assert every == len(tokenizer(text)["input_ids"])
    assert trained == len(tokenizer("On its way.<|im_end|>")["input_ids"])


@pytest.mark.models
def test_tool_calls_become_text(tokenizer):
    plain = chat_data.plain_messages(calls(call())["messages"])
    assert json.loads(plain[2]["content"]) == call()["function"] and plain[3] == {"role": "tool", "content": "Leeds"}
    assert chat_data.count_tokens(calls(call()), tokenizer)[1] > 10


def test_every_form_of_a_message_becomes_its_text():
    parts = {"role": "assistant", "content": [{"type": "text", "text": "On "}, {"type": "refusal", "refusal": "no."}]}
    refused = {"role": "assistant", "content": None, "refusal": "No.", "weight": None}
    called = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    plain = chat_data.plain_messages([parts, refused, called, {"role": "function", "name": "f", "content": "1"}])
    assert [message["content"] for message in plain] == ["On no.", "No.", '{"name": "f", "arguments": "{}"}', "1"]
    assert plain[1] == {"role": "assistant", "content": "No."} and plain[3]["role"] == "tool"


@pytest.mark.models
def test_statistics_have_a_row_an_example(tokenizer):
    frame = chat_data.chat_statistics([chat(USER, ANSWER), chat(USER, ANSWER, USER, ANSWER)], tokenizer)
    assert frame["messages"].tolist() == [3, 5]
    assert frame["trained"].tolist() == [frame["trained"][0], 2 * frame["trained"][0]]
    assert all(frame["tokens"] > frame["trained"])


# --- Cost, splits, files ---------------------------------------------------------------------------------------------


def test_cost_counts_every_epoch():
    estimate = chat_data.estimate_cost(1_000_000, 3, price=2.5, tokens_per_second=1000)
    assert estimate == {"tokens": 3_000_000, "cost": 7.5, "minutes": 50}
    assert chat_data.estimate_cost(100, 1, price=0) == {"tokens": 100, "cost": 0, "minutes": None}


@pytest.mark.parametrize("values", [(-1, 1, 1), (1, 0, 1), (1, 1, -1)])
def test_cost_of_what_is_no_job(values):
    with pytest.raises(CourseError, match="There is no job of"):
        chat_data.estimate_cost(*values)


def test_splits_share_no_question_and_lose_nothing():
    examples = [good(number // 2) for number in range(60)]
    examples[1] = json.loads(json.dumps(examples[0]).replace("Question", "  QUESTION"))
    training, validation = chat_data.split_chats(examples, 12, seed=3)
    questions = [
        {example["messages"][1]["content"].lower().strip() for example in split} for split in (training, validation)
    ]
    assert not questions[0] & questions[1] and len(questions[0] | questions[1]) == 30
    assert len(training) + len(validation) == 60 and len(validation) == 12
    assert chat_data.split_chats(examples, 12, seed=3) == (training, validation)
    assert chat_data.split_chats(examples, 12, seed=4) != (training, validation)


def test_overlap_is_found_with_both_lines(tmp_path):
    training = write(tmp_path / "training.jsonl", count=12)
    validation = tmp_path / "validation.jsonl"
    chat_data.write_chat_file([good(30), good(5), good(31)], validation)
    (finding,) = chat_data.find_overlap(training, validation)
    assert (finding.line, finding.code) == (2, "in_both_files") and "line 6 of the training file" in str(finding)
    validation.write_bytes(b"\n" + json.dumps(good(30)).encode())
    assert chat_data.find_overlap(training, validation) == []


def test_overlap_is_of_examples_not_of_lines_that_are_none(tmp_path):
    training, validation = tmp_path / "training.jsonl", tmp_path / "validation.jsonl"
    training.write_bytes(b"\n{'a': 1}\n" + json.dumps(good(1)).encode())
    validation.write_bytes(b"\xef\xbb\xbf" + json.dumps(good(1)).encode() + b"\n\n{'b': 1}\n")
    (finding,) = chat_data.find_overlap(training, validation)
    assert finding.line == 1 and "line 3 of the training file" in str(finding)


def test_each_line_is_a_finding_or_an_example(tmp_path):
    path = write(tmp_path / "chats.jsonl", b"", b"no JSON", good(1), count=3)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    rows = [(line, finding and finding.code, example) for line, finding, example in chat_data.read_lines(path)]
    assert rows == [
        (1, "byte_order_mark", None), (1, "blank_line", None), (2, "invalid_json", None), (3, None, good(1)),
    ]  # fmt: skip


def test_files_are_written_and_read_back(tmp_path):
    path = chat_data.write_chat_file(GOOD, tmp_path / "new" / "chats.jsonl")
    assert chat_data.read_examples(path) == GOOD and "Ça coûte 65 £ 🌿" in path.read_text(encoding="utf-8")
    assert path.read_bytes().count(b"\n") == len(GOOD)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n\n")
    assert chat_data.read_examples(path) == GOOD
    path.write_bytes(path.read_bytes() + b"{'a': 1}")
    with pytest.raises(CourseError, match=r"chats.jsonl: Line 15: This is not valid JSON \(.*\)\. Write each example"):
        chat_data.read_examples(path)
