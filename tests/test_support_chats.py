"""The support dialogues of lessons 2 and 4: valid, varied, as their data card says, and judged by rules that hold."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from ftcourse import assets

DATA = Path(__file__).parents[1] / "ftcourse" / "data"
NAMES = {"training": "support_chats.jsonl", "held-out": "support_chats_held_out.jsonl"}
FILES = {
    side: [json.loads(line)["messages"] for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    for side, name in NAMES.items()
}
POLICIES = json.loads((DATA / "support_policies.json").read_text(encoding="utf-8"))
FACTS = {fact["name"]: fact for policy in POLICIES["policies"] for fact in policy["facts"]}
POLICY_OF = {fact["name"]: policy["name"] for policy in POLICIES["policies"] for fact in policy["facts"]}

# For each fact: other wordings of the right value, and answers that are wrong, among them right ones with a second,
# wrong value and the shop's other values in its place.
ANSWERS = {
    "return_days": (
        ["forty-seven days", "a 47-day window", "47 (forty-seven) days", "47 calendar days, refund in 9 working days"],
        [
            "30 days",
            "147 days",
            "4.7 days",
            "47 weeks",
            "9 working days",
            "a long time",
            "30 to 47 days",
            "47 days, or 60 days for gifts",
            "47 days, for lamps fourteen days",
            "forty-eight days or 47 days",
        ],
    ),
    "return_portal": (
        ["https://sendback.example.com", "Visit sendback.example.com.", "Go to www.sendback.example.com/label"],
        [
            "returns.example.com",
            "sendback.example.org",
            "brindlewick.com",
            "sendback.example.com.au",
            "our website",
            "sendback.example.com or returns.example.com",
            "sendback.example.com, or mail help@example.com",
            "feedback.example.com",
            "mysendback.example.com",
            "sendback.example.com or help@brindlewick",
        ],
    ),
    "refund_days": (
        ["nine working days", "9 business days", "9-working-day limit", "47 days to return, 9 working days to refund"],
        [
            "9 days",
            "5 working days",
            "47 days",
            "19 working days",
            "3 to 5 business days",
            "9 weeks",
            "soon",
            "9 working days, at most 14 days",
            "5-9 working days",
            "5 to 9 working days",
        ],
    ),
    "free_delivery_from": (
        ["from £65", "65 pounds", "orders over £65.00", "It's £3.85, and free from £65"],
        [
            "£50",
            "$65",
            "£650",
            "£6.50",
            "£65.50",
            "£165",
            "65",
            "It's £65, free from £3.85",
            "free for orders under £65",
            "from £65, or £50 for members",
            "165 pounds",
        ],
    ),
    "delivery_fee": (
        ["£3.85", "£ 3.85", "3.85 pounds", "£3.85, and free from £65"],
        [
            "£4.95",
            "$3.85",
            "£3.80",
            "£13.85",
            "£3.855",
            "£3",
            "free",
            "£65",
            "13.85 pounds",
            "It costs £65 if not £3.85",
            "It's free from £3.85",
            "£3.85, or £5.99 for big parcels",
        ],
    ),
    "dispatch_days": (
        [
            "Mondays and Thursdays",
            "every Monday and every Thursday",
            "on a Thursday or Monday",
            "Monday & Thursday",
            "Mondays and Thursdays; call us Tuesday until Saturday",
        ],
        [
            "Mondays",
            "Tuesdays and Fridays",
            "Mondays and Tuesdays",
            "every day",
            "Mondays and Fridays, not Thursdays",
            "Tuesday to Saturday",
            "Mondays and Thursdays and Fridays",
            "daily, save Mondays and Thursdays",
            "Mondays and Thursdays, at Christmas every day",
            "Mondays and Thursdays and Saturdays",
        ],
    ),
    "phone_number": (
        ["01632 960417", "01632-960-417", "+44 1632 960 417", "01632960417", "01632 960 417, 10 am to 7 pm"],
        [
            "01632 960 418",
            "01632 960",
            "0800 123 4567",
            "01632 960 4170",
            "101632 960 417",
            "555 01632 960 417",
            "1-800-555-0199",
            "01632 960 417 or 01632 960 500",
            "on the phone",
        ],
    ),
    "support_days": (
        [
            "Tuesday to Saturday",
            "Tuesdays until Saturdays",
            "Tuesday-Saturday",
            "Tuesday – Saturday",
            "Tuesday through Saturday",
        ],
        [
            "Monday to Friday",
            "Tuesday to Sunday",
            "Monday to Saturday",
            "Tuesday and Saturday",
            "24/7",
            "weekdays",
            "Tuesday to Saturday, in summer Monday to Friday",
            "seven days a week, Tuesday to Saturday or not",
            "24/7, so Tuesday to Saturday",
            "weekdays, Tuesday to Saturday",
            "every day, Tuesday to Saturday",
        ],
    ),
    "support_times": (
        [
            "10 am to 7 pm",
            "10am-7pm",
            "10:00 to 19:00",
            "between 10 a.m. and 7 p.m.",
            "10:00 am until 7:00 pm",
            "ten in the morning to seven in the evening",
        ],
        [
            "9 am to 5 pm",
            "10 am to 6 pm",
            "9 am to 7 pm",
            "10 pm to 7 am",
            "10:30 am to 7 pm",
            "24/7",
            "all day",
            "10 am to 7 pm, on Saturdays 9 am to 1 pm",
            "110 am to 7 pm",
            "10 am to 7 pm, or 24/7 by mail",
            "10 am to 7 pm, by mail 24 hours",
        ],
    ),
    "warranty_months": (
        ["forty months", "a 40-month warranty", "three years and four months", "40 months; gift cards last 7 years"],
        [
            "12 months",
            "24 months",
            "two years",
            "7 years",
            "40 days",
            "140 months",
            "40 months, lamps 2 years",
            "24 to 40 months",
            "40 years",
            "a lifetime",
        ],
    ),
    "gift_card_years": (
        ["seven years", "7-year validity", "7 years; the warranty is 40 months"],
        [
            "one year",
            "5 years",
            "17 years",
            "7 months",
            "40 months",
            "twelve months",
            "they never expire",
            "7 years, but only 12 months for small ones",
            "5 to 7 years",
            "2.7 years",
            "7 years, yet they never expire",
        ],
    ),
    "student_percent": (
        ["13%", "13 per cent", "thirteen percent", "13 %", "13%, and we mean it 100%"],
        [
            "10%",
            "15 per cent",
            "113%",
            "1.3%",
            "13",
            "£13",
            "13% or 20% in the sale",
            "10-13%",
            "10 to 13%",
            "ten percent",
        ],
    ),
    "acorns_per_pound": (
        [
            "3 acorns for every pound",
            "three acorns per pound",
            "3 points for each £1",
            "3 acorns a pound, plant for 250 acorns",
        ],
        [
            "1 acorn for every pound",
            "5 acorns",
            "13 acorns",
            "250 acorns for every pound",
            "3 acorns for every £10",
            "3 acorns per ten pounds",
            "3 acorns, and 10 acorns on Sundays",
            "3 pounds",
            "30 acorns",
            "1 to 3 acorns",
            "3 acorns buy a plant, 250 acorns per pound",
        ],
    ),
    "acorns_for_plant": (
        ["250 acorns", "With 250 of them", "two hundred and fifty acorns", "3 acorns a pound, plant for 250 acorns"],
        [
            "100 acorns",
            "1250 acorns",
            "2500 acorns",
            "25 acorns",
            "£250",
            "250%",
            "3 acorns bring you a plant",
            "250 acorns, or 500 acorns for a big one",
            "200 to 250 acorns",
            "250 acorns for every pound",
            "3 acorns buy a plant, 250 acorns per pound",
        ],
    ),
    "change_minutes": (
        ["ninety minutes", "a 90-minute window", "an hour and a half", "1.5 hours", "90 mins", "1 hour and 30 minutes"],
        [
            "30 minutes",
            "24 hours",
            "190 minutes",
            "two hours",
            "90 hours",
            "90 days",
            "60 to 90 minutes",
            "90 minutes, best within an hour",
            "90 minutes, or 2 hours on Sundays",
            "within an hour",
        ],
    ),
    "price_match_weeks": (
        ["five weeks", "5-week limit", "5 weeks; you can return it for 47 days"],
        [
            "2 weeks",
            "five days",
            "15 weeks",
            "47 days",
            "5 months",
            "a fortnight",
            "5 weeks, lamps two weeks",
            "3-5 weeks",
            "3 to 5 weeks",
            "1.5 weeks",
            "5 weeks, lamps a fortnight",
        ],
    ),
    "repair_address": (
        ["18 Heron Yard, Marlowick", "18, Heron Yard, Marlowick", "18 Heron Yard in Marlowick"],
        [
            "81 Heron Yard, Marlowick",
            "118 Heron Yard, Marlowick",
            "18 Heron Road, Marlowick",
            "18 Heron Yard, London",
            "Marlowick",
            "18 Heron Yard, Marlowick, or 5 Mill Lane, Leeds",
            "18 Swan Yard, Marlowick",
        ],
    ),
}


def judge(fact, answer):
    """Say whether an answer states a fact, and what in it contradicts the fact, as the data card says."""
    rest, found = re.subn(fact["right"], "✓", answer, flags=re.I)
    return found > 0, re.search(fact["wrong"], rest, re.I)


def texts(dialogue, role):
    return [message["content"] for message in dialogue if message["role"] == role]


def policies(dialogue):
    """Return the policies of which the assistant states a fact anywhere in a dialogue."""
    answers = texts(dialogue, "assistant")
    return {POLICY_OF[name] for name, fact in FACTS.items() if any(judge(fact, answer)[0] for answer in answers)}


def words(text):
    return frozenset(re.findall(r"[\w']+", text.lower())) or frozenset(text)


def overlap(first, second):
    return len(first & second) / len(first | second)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(assets.fetch("smollm2-135m-instruct"))


@pytest.mark.parametrize("side", FILES)
def test_every_line_is_a_valid_example(side):
    data = (DATA / NAMES[side]).read_bytes()
    assert data.endswith(b"}\n") and b"\r" not in data and not data.startswith(b"\xef\xbb\xbf")
    lines = data.decode("utf-8").splitlines()
    assert len(set(lines)) == len(lines)
    for number, line in enumerate(lines):
        example = json.loads(line)
        assert list(example) == ["messages"], number
        roles = [message["role"] for message in example["messages"]]
        turns = len(roles) // 2
        assert roles == ["system"] + ["user", "assistant"] * turns and 1 <= turns <= 3, number
        for message in example["messages"]:
            assert set(message) == {"role", "content"}, number
            text = message["content"]
            assert isinstance(text, str) and text == text.strip() != "", number


def test_there_are_enough_dialogues_and_a_quarter_has_several_turns():
    assert len(FILES["training"]) >= 240 and len(FILES["held-out"]) >= 60
    for dialogues in FILES.values():
        assert sum(len(texts(dialogue, "user")) > 1 for dialogue in dialogues) >= 0.25 * len(dialogues)


def test_the_system_prompt_is_always_the_same_and_gives_nothing_away():
    prompts = {text for dialogues in FILES.values() for dialogue in dialogues for text in texts(dialogue, "system")}
    assert prompts == {POLICIES["system_prompt"]}
    assert not any(judge(fact, POLICIES["system_prompt"])[0] for fact in FACTS.values())
    assert not re.search(r"\d|warmly", POLICIES["system_prompt"], re.I)


def test_no_two_user_messages_are_nearly_the_same():
    asked = [words(text) for dialogues in FILES.values() for dialogue in dialogues for text in texts(dialogue, "user")]
    assert [pair for pair in combinations(asked, 2) if overlap(*pair) >= 0.8] == []


def test_held_out_answers_are_not_copied_from_training():
    known = {text for dialogue in FILES["training"] for text in texts(dialogue, "assistant")}
    assert [dialogue[-1]["content"] for dialogue in FILES["held-out"] if dialogue[-1]["content"] in known] == []


def test_every_answer_is_signed_and_the_rule_sees_what_is_not():
    rule, text = POLICIES["sign_off"]["rule"], POLICIES["sign_off"]["text"]
    for dialogues in FILES.values():
        for dialogue in dialogues:
            for answer in texts(dialogue, "assistant"):
                assert answer.endswith("\n" + text) and re.search(rule, answer, re.I), answer
    for bad in ("Yes.", text, f"Yes. {text}", f"{text}\nYes.", f"Yes.\n{text}\n{text}", f"Yes.\n{text} team"):
        assert not re.search(rule, bad, re.I), bad


def test_every_policy_is_covered():
    covered = {
        side: Counter(name for dialogue in dialogues for name in policies(dialogue))
        for side, dialogues in FILES.items()
    }
    asked = {
        policy["name"]: {number for fact in policy["facts"] for number in fact["held_out"]}
        for policy in POLICIES["policies"]
    }
    assert 12 <= len(asked) <= 16
    for name, held_out in asked.items():
        assert covered["training"][name] >= 12 and len(held_out) >= 3, name
    for name, fact in FACTS.items():
        stated = sum(any(judge(fact, text)[0] for text in texts(d, "assistant")) for d in FILES["training"])
        assert stated >= 12 and len(fact["held_out"]) >= 3, name


def test_the_numbers_of_held_out_dialogues_are_right():
    lists = [fact["held_out"] for fact in FACTS.values()] + [POLICIES["nothing_to_answer"]]
    assert all(numbers == sorted(set(numbers)) for numbers in lists)
    asked = {number for fact in FACTS.values() for number in fact["held_out"]}
    nothing = set(POLICIES["nothing_to_answer"])
    assert not asked & nothing and asked | nothing == set(range(len(FILES["held-out"])))
    assert not any(policies(FILES["held-out"][number]) for number in nothing)


@pytest.mark.parametrize("name", FACTS)
def test_reference_answers_state_what_is_asked_for_and_the_prompt_does_not(name):
    for number in FACTS[name]["held_out"]:
        *prompt, answer = FILES["held-out"][number]
        assert judge(FACTS[name], answer["content"])[0], (number, answer)
        assert not any(judge(FACTS[name], message["content"])[0] for message in prompt), (number, prompt)


@pytest.mark.parametrize("name", FACTS)
def test_no_answer_contradicts_a_fact(name):
    for dialogues in FILES.values():
        for dialogue in dialogues:
            for answer in texts(dialogue, "assistant"):
                assert not judge(FACTS[name], answer)[1], answer


@pytest.mark.parametrize("name", FACTS)
def test_rules_accept_other_wordings_and_no_wrong_value(name):
    fact, (right, wrong) = FACTS[name], ANSWERS[name]
    for answer in [*right, fact["sentence"]]:
        assert judge(fact, f"Of course. {answer}\nWarmly, Brindlewick") == (True, None), answer
    for answer in wrong:
        stated, contradiction = judge(fact, f"Of course. {answer}.\nWarmly, Brindlewick")
        assert not stated or contradiction, answer
    others = [other["sentence"] for other in FACTS.values() if other is not fact]
    assert not any(judge(fact, other)[0] for other in others)


def test_facts_right_is_a_few_lines():
    """The card's function gives all to the references, nothing to silence, and takes off what is contradicted."""
    card = (DATA / "support_chats.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, re.S)
    namespace = {"policies": POLICIES}
    exec(code, namespace)
    facts_right = namespace["facts_right"]
    references = [dialogue[-1]["content"] for dialogue in FILES["held-out"]]
    assert facts_right(references) == 1
    assert facts_right([""] * len(references)) == 0
    number = FACTS["student_percent"]["held_out"][0]
    asked = sum(len(fact["held_out"]) for fact in FACTS.values())
    references[number] += " Or 20%?"
    assert facts_right(references) == pytest.approx((asked - 1) / asked)


def test_addresses_and_telephone_numbers_are_reserved_ones():
    """Domains are those of RFC 2606, numbers those that Ofcom keeps for fiction: 01632 960000 to 960999."""
    for dialogues in FILES.values():
        for text in (message["content"] for dialogue in dialogues for message in dialogue):
            for address in re.findall(r"\b[\w-]+(?:\.[a-z]{2,})+\b", text):
                assert address == "sendback.example.com", text
            assert "@" not in text
            for number in re.findall(r"\d[\d ]{6,}", text):
                assert re.fullmatch(r"01632 960 \d{3}\s*", number), text


@pytest.mark.models
def test_dialogues_are_short_in_the_models_own_tokens(tokenizer):
    for dialogues in FILES.values():
        lengths = sorted(len(tokenizer.apply_chat_template(d, return_dict=True)["input_ids"]) for d in dialogues)
        assert lengths[0] > 40, "the chat template was not applied"
        assert lengths[-1] <= 320 and lengths[len(lengths) * 9 // 10] < 160
        answers = [tokenizer(text)["input_ids"] for dialogue in dialogues for text in texts(dialogue, "assistant")]
        assert max(map(len, answers)) < 60  # so that 60 new tokens are room enough for an answer and its end


@pytest.mark.models
@pytest.mark.parametrize("side", FILES)
def test_the_data_card_counts_what_is_there(side, tokenizer):
    dialogues = FILES[side]
    lengths = sorted(len(tokenizer.apply_chat_template(d, return_dict=True)["input_ids"]) for d in dialogues)
    stated = [policies(dialogue) for dialogue in dialogues]
    counts = {
        "dialogues": len(dialogues),
        "with several turns": sum(len(texts(dialogue, "user")) > 1 for dialogue in dialogues),
        "user messages": sum(len(texts(dialogue, "user")) for dialogue in dialogues),
        "about one policy": sum(len(names) == 1 for names in stated),
        "about two policies": sum(len(names) == 2 for names in stated),
        "with nothing to answer": sum(not names for names in stated),
        "tokens, all dialogues": sum(lengths),
        "tokens, median dialogue": lengths[len(lengths) // 2],
        "tokens, longest dialogue": lengths[-1],
    }
    assert sum(len(names) > 2 for names in stated) == 0
    counts |= Counter(name for names in stated for name in names)
    card = (DATA / "support_chats.md").read_text(encoding="utf-8")
    rows = [row.strip("| ").split(" | ") for row in card.splitlines() if row.startswith("| ")]
    column = 1 + list(FILES).index(side)
    numbers = {row[0].strip("`"): row[column].replace(",", "") for row in rows if row[-1][-1].isdigit()}
    assert {name: int(number) for name, number in numbers.items()} == counts


def test_the_data_card_names_all_facts():
    card = (DATA / "support_chats.md").read_text(encoding="utf-8")
    for fact in FACTS.values():
        assert fact["sentence"] in card
    assert POLICIES["sign_off"]["text"] in card and "Apache-2.0" in card
