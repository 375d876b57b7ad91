"""The general questions and the prompts for replay: judged by patterns that hold, varied, and apart from each other."""

import json
import re
from itertools import combinations, product
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "ftcourse" / "data"
QUESTIONS, PROMPTS = (
    [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    for name in ("general_questions.jsonl", "general_prompts.jsonl")
)
PATTERNS = {row["question"]: row["right"] for row in QUESTIONS}
TEXTS = [row["prompt"] for row in PROMPTS]

# Words that say how a question is asked, or how an answer should look, and not what it is about.
COMMON = set(
    "a about after an and answer are as at back be before between briefly by call called can comes complete"
    " continue do does explain for from give has have how i in into is it its keep kind like list live lives made"
    " many me mean means most much my name of on one or people please say sentence sentences short that the there"
    " this three to two used usually was we what when where which who whose why with word words write you your".split()
)


def words(text, without=frozenset()):
    return set(re.findall(r"[\w']+", text.lower())) - without


def overlap(a, b):
    """Return the share of common words in all words of two sets."""
    return len(a & b) / max(len(a | b), 1)


def is_right(question, answer):
    """Judge an answer as `ask_general_questions` does."""
    return bool(re.search(PATTERNS[question], answer, re.I))


def is_number(pattern):
    """Say whether a pattern matches a number, which a text may hold for many reasons."""
    return pattern.startswith("(?<![\\w.,-])")


@pytest.mark.parametrize(("name", "texts"), [("questions", list(PATTERNS)), ("prompts", TEXTS)])
def test_the_files_hold_what_their_cards_say(name, texts):
    card = (DATA / f"general_{name}.md").read_text(encoding="utf-8")
    assert f"{len(texts)} short English {name}" in card and len(set(texts)) == len(texts) >= 90
    for text in texts:
        assert text == text.strip() and text[-1] in '.?!"' and len(text) <= 110, text


def test_questions_have_patterns_and_prompts_have_answers():
    assert len(QUESTIONS) == len(PATTERNS) == 200 and all(set(row) == {"question", "right"} for row in QUESTIONS)
    assert all(set(row) == {"prompt", "answer"} and row["answer"].strip() for row in PROMPTS)


@pytest.mark.parametrize("question", PATTERNS)
def test_no_pattern_matches_its_own_question_or_nothing(question):
    for said in (question, "", "I don't know.", "Sorry, I cannot help with that."):
        assert not is_right(question, said), said


def test_no_two_questions_or_prompts_are_nearly_alike():
    alike = [(a, b) for a, b in combinations(PATTERNS, 2) if overlap(words(a), words(b)) >= 0.75]
    assert not alike
    for texts in (PATTERNS, TEXTS):  # what they are about, whatever the form
        same = [(a, b) for a, b in combinations(texts, 2) if overlap(words(a, COMMON), words(b, COMMON)) >= 0.8]
        assert not same


def test_nothing_is_about_a_shop():
    shop = r"\b(?:shops?|stores?|orders?|deliver\w*|parcels?|refunds?|customers?|prices?|buy|sell|Brindlewick)\b"
    found = [text for text in (*PATTERNS, *TEXTS, *PATTERNS.values()) if re.search(shop, text, re.I)]
    assert not found


def test_no_prompt_asks_for_what_a_question_asks_for():
    shared = [
        (text, question)
        for text, (question, pattern) in product(TEXTS, PATTERNS.items())
        if not is_number(pattern) and re.search(pattern, text, re.I)
    ]
    assert not shared
    near = [
        (text, question)
        for text, question in product(TEXTS, PATTERNS)
        if overlap(words(text, COMMON), words(question, COMMON)) >= 0.5
    ]
    assert not near


def test_no_answer_to_a_prompt_states_what_a_question_asks_for():
    stated = [
        (row["answer"], question)
        for row, question in product(PROMPTS, PATTERNS)
        if is_right(question, row["answer"])
        and 2 * len(words(question, COMMON) & words(f"{row['prompt']} {row['answer']}", COMMON))
        >= max(len(words(question, COMMON)), 1)
    ]
    assert not stated


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        (
            "What is 10 minus 3?",
            ["7", "It's **7**.", "10 - 3 = 7.", "Seven!", "10 minus 3 equals 7, since 7 + 3 = 10."],
            ["17", "7.5", "-7", "1,7", "seventy", "twenty-seven", "77", "7 * 3 = 21", "3 * 7 = 21"],
        ),
        (
            "How many months are in a year?",
            ["A year has 12 months.", "Twelve.", "There are 12: January, February and so on."],
            ["1 year is 365 * 12 = 312 months.", "112", "12.5", "365 days"],
        ),
        (
            "What is the chemical formula of water?",
            ["H2O", "H₂O", "$H_2O$", "H_{2}O", "It is h2o."],
            ["HO2", "H2O2", "CH2O", "CO2", "hydrogen"],
        ),
        ("Complete: Once upon a ...", ["time", "Once upon a time, there was a knight."], ["A long time ago.", "Once."]),
        ("Who was the first president of the United States?", ["George Washington."], ["He lived in Washington, D.C."]),
        ("What is the capital of France?", ["Paris.", "**Paris**", "paris, of course"], ["Parisian", "Lyon"]),
    ],
)
def test_patterns_take_the_forms_of_a_right_answer_and_refuse_wrong_ones(question, right, wrong):
    assert [answer for answer in right if not is_right(question, answer)] == []
    assert [answer for answer in wrong if is_right(question, answer)] == []
