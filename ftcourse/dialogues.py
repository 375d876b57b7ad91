"""The dialogues of lessons 2 and 4: reading them, and judging answers by the facts that they state."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

from . import chat_data
from .errors import CourseError
from .files import DATA


def read_chats(path: str | os.PathLike[str]) -> Dataset:
    """Read dialogues from a file in the OpenAI chat format.

    Args:
        path: JSONL file, one ``{"messages": [...]}`` a line.

    Returns:
        A Dataset with the column messages.

    Raises:
        CourseError: naming the first line that is wrong, or if there is no dialogue.
    """
    findings = [finding for finding in chat_data.validate_chat_file(path) if finding.severity == "error"]
    faults = [finding for finding in findings if finding.code != "invalid_n_examples"]  # fewer than ten are enough here
    if faults or not (examples := chat_data.read_examples(path)):
        raise CourseError(f"{Path(path).name}: {(faults or findings)[0]}")
    return Dataset.from_list([{"messages": chat_data.plain_messages(example["messages"])} for example in examples])


def load_chats(
    data: str | os.PathLike[str] = "support_chats",
    num_train: int | None = None,
    num_eval: int | None = None,
    num_test: int | None = None,
    seed: int = 0,
) -> DatasetDict:
    """Load dialogues for training.

    Args:
        data: ``"support_chats"`` for the dialogues of this course, or the path of a JSONL file.
        num_train: number of dialogues to train on; None for all.
        num_eval: number of the file's dialogues to keep for validation, 0 for none; None keeps 20, or a fifth of the
            file where that is less.
        num_test: number of held-out dialogues; None for all. A file of your own has none.
        seed: of the choice of the validation dialogues.

    Returns:
        A DatasetDict with the splits train, validation (unless it is empty) and (of this course's dialogues) test,
        column messages.

    Raises:
        CourseError: naming the first line that is wrong, or if nothing is left to train on.
    """
    ours = data == "support_chats"
    chats = read_chats(DATA / "support_chats.jsonl" if ours else data)
    num_eval = min(20, len(chats) // 5) if num_eval is None else num_eval
    if not 0 <= num_eval < len(chats):
        raise CourseError(
            f"{Path(data).name} has {len(chats)} dialogues, of which {num_eval} can't be kept for validation: pass a "
            f"num_eval from 0 to {len(chats) - 1}."
        )
    splits = DatasetDict(train=chats)
    if num_eval:
        parts = chats.train_test_split(test_size=num_eval, seed=seed)
        splits = DatasetDict(train=parts["train"], validation=parts["test"])
    if ours:
        splits["test"] = read_chats(DATA / "support_chats_held_out.jsonl")
    for name, count in (("train", num_train), ("test", num_test)):
        if name in splits:
            rows = splits[name]
            splits[name] = rows.select(range(min(count or len(rows), len(rows))))
    return splits


def states(answer: str, fact: Mapping[str, Any]) -> bool:
    """Say whether an answer states a fact and does not contradict it.

    Args:
        answer: of a model.
        fact: with the regular expressions `right`, which a right answer matches, and `wrong`, which what is left of it
            must not match.
    """
    rest, found = re.subn(fact["right"], "✓", answer, flags=re.I)
    return found > 0 and not re.search(fact["wrong"], rest, re.I)


def judge_answers(answers: Sequence[str]) -> dict[str, Any]:
    """Judge answers to the held-out dialogues.

    Args:
        answers: in the order of the file; those that are missing at the end aren't judged.

    Returns:
        `facts_right` and `signed`, shares between 0 and 1, and `facts`, a list with one (name of the fact, number of
        the dialogue, is right) for each fact that was asked for.
    """
    judged = [
        (fact["name"], number, states(answers[number], fact))
        for fact in _facts()
        for number in fact["held_out"]
        if number < len(answers)
    ]
    rule = _policies()["sign_off"]["rule"]
    return {
        "facts_right": _share([is_right for _, _, is_right in judged]),
        "signed": _share([bool(re.search(rule, answer, re.I)) for answer in answers]),
        "facts": judged,
    }


def missed_facts(answers: Sequence[str]) -> list[dict[str, Any]]:
    """Return the facts that answers to the held-out dialogues don't state, with what they do instead.

    Args:
        answers: as `judge_answers` takes them.

    Returns:
        A dictionary for each fact, in the order of the dialogues: `number` of the dialogue, `truth` (the sentence of
        the policy) and `how`: "another value" where the answer states a value of the same kind, else "no value".
    """
    missed = [
        {"number": number, "truth": fact["sentence"], "how": _how_missed(answers[number], fact)}
        for fact in _facts()
        for number in fact["held_out"]
        if number < len(answers) and not states(answers[number], fact)
    ]
    return sorted(missed, key=lambda row: row["number"])


def _how_missed(answer: str, fact: Mapping[str, Any]) -> str:
    """Say how an answer misses a fact: does it contradict it?"""
    rest = re.sub(fact["right"], "✓", answer, flags=re.I)
    return "another value" if re.search(fact["wrong"], rest, re.I) else "no value"


def facts_repeated(answers: Sequence[str], references: Sequence[str]) -> float:
    """Judge answers to dialogues of the training file, by which settings can be chosen.

    Args:
        answers: of a model.
        references: the true answers, as many.

    Returns:
        The share of the facts stated by the true answers that the answers state, too, and don't contradict.
    """
    return _share(
        [
            states(answer, fact)
            for answer, reference in zip(answers, references, strict=True)
            for fact in _facts_in(reference)
        ]
    )


def count_facts(references: Sequence[str]) -> int:
    """Return how many facts true answers state.

    Args:
        references: texts.
    """
    return sum(len(_facts_in(reference)) for reference in references)


def _facts_in(reference: str) -> list[dict[str, Any]]:
    """Return the facts that a true answer states."""
    return [fact for fact in _facts() if re.search(fact["right"], reference, re.I)]


def ask_general_questions(
    model: Any, tokenizer: Any, count: int | None = None, max_new_tokens: int = 40
) -> dict[str, Any]:
    """Ask easy questions that have nothing to do with a shop, to see what fine-tuning makes a model forget.

    Args:
        model: a causal language model.
        tokenizer: with a chat template.
        count: number of questions; None for all.
        max_new_tokens: of an answer.

    Returns:
        `right` and `signed`, shares between 0 and 1, `answers`, a list of strings, and `each`, a list of booleans that
        says which of them are right.
    """
    from .lora import generate_answers  # which imports this module

    lines = (DATA / "general_questions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines][:count]
    asked = [[{"role": "user", "content": row["question"]}] for row in rows]
    answers = generate_answers(model, tokenizer, asked, max_new_tokens)
    right = [bool(re.search(row["right"], answer, re.I)) for row, answer in zip(rows, answers, strict=True)]
    return {"right": _share(right), "signed": judge_answers(answers)["signed"], "answers": answers, "each": right}


def load_replay(count: int | None = None) -> Dataset:
    """Return general prompts with the base model's own answers, to be mixed into training so that less is forgotten.

    Args:
        count: number of dialogues; None for all.

    Returns:
        A Dataset with the column messages, as `load_chats` gives it.
    """
    lines = (DATA / "general_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines][:count]
    turns = [[("user", row["prompt"]), ("assistant", row["answer"])] for row in rows]
    return Dataset.from_list([{"messages": [{"role": role, "content": text} for role, text in row]} for row in turns])


def _policies() -> dict[str, Any]:
    """Return the facts and the rules by which answers are judged."""
    return json.loads((DATA / "support_policies.json").read_text(encoding="utf-8"))


def _facts() -> list[dict[str, Any]]:
    """Return the facts of all policies."""
    return [fact for policy in _policies()["policies"] for fact in policy["facts"]]


def _share(right: Sequence[bool]) -> float:
    """Return how many of some judgements are true, between 0 and 1."""
    return sum(right) / max(len(right), 1)
