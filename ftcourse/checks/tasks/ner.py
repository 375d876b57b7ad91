"""The checks of the tasks in lesson 5: tags of words from answers for tokens, F1 of borders, names in characters."""

import math
from collections.abc import Iterator
from typing import Any

from ..engine import require, run, shown
from ..reading import as_list, as_number
from . import new_tasks

tasks = new_tasks("05_ner")


@tasks.step("Your turn, from tokens back to words")
def read_tags(answer: Any) -> str:
    """Judge an answer to: Your turn, from tokens back to words."""
    news = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    notes = ("B-DRUG", "I-DRUG", "B-DOSE", "I-DOSE", "O")  # here O isn't number 0
    for word_ids, answers, names, count in (
        ([None, 0, 0, 1, 2, 3, 3, 3, None], [3, 1, 2, 2, 0, 3, 0, 4, 1], news, 4),
        ([None, 0, 1, 1, 2, 3, None, None, None], [0, 0, 0, 4, 0, 2, 1, 1, 2], notes, 4),  # three alike side by side
        ([None, 0, 1, 1, None], [2, 1, 0, 3, 2], news, 4),  # words 2 and 3 were cut off
        ([None, 1, 3, 3, 4, None], [0, 2, 0, 3, 4, 0], notes, 6),  # nothing is left of words 0, 2 and 5
        ([None, None, None, 0, 0, 0, 1, None], [1, 1, 3, 0, 3, 3, 4, 2], news, 2),  # filled up on the left
        ([0, 1, 1, 2], [4, 0, 1, 2], notes, 3),  # a tokenizer without special tokens
        ([None, 1, 1, None], [3, 2, 0, 3], notes, 2),
    ):
        given = as_list(run(answer, list(word_ids), list(answers), names, count, clues=_TAG_CLUES))
        require(given is not None, "Return a list, the tag of each word.")
        assert given is not None
        _check_tags(given, word_ids, answers, names, count)
    return "Each word has its tag, read where training put it, also where the tokenizer left nothing of a word."


_TAG_CLUES = {
    "list indices must be integers": "The special tokens come from no word: their entry in word_ids is None.",
    "list assignment index": "There are num_words tags, however many tokens came.",
    "is not in list": "A word may have no token at all.",
    "KeyError": "A word may have no token at all.",
    "NoneType": "The special tokens come from no word: their entry in word_ids is None.",
    "StopIteration": "A word may have no token at all.",
}


def _check_tags(given: list[Any], word_ids: list[Any], answers: list[int], names: tuple[str, ...], count: int) -> None:
    said = f"With word_ids {word_ids} and answers {[names[number] for number in answers]}"
    require(
        not all(as_number(tag) is not None for tag in given) or not given,
        f"{said} you return {given}: return tags, which stand in names.",
    )
    special = word_ids.count(None)
    require(
        len(given) == count,
        f"{said} there are {count} words, and you return {len(given)} tags: one for each word, "
        + (
            "also where no token came of it."
            if len(given) == len({*word_ids} - {None})
            else f"not for each of the {len(word_ids)} tokens, {special} of which are special ones."
        ),
    )
    for word, tag in enumerate(given):
        own = [names[number] for place, number in zip(word_ids, answers, strict=True) if place == word]
        wanted = own[0] if own else "O"
        which = f"{said} word {word} has the answers {', '.join(own)}" if own else f"{said} word {word} has no token"
        require(
            tag == wanted or own or tag in names,
            f"{which}, and you return {tag!r}: nothing was found there, which is the tag O.",
        )
        require(tag in names, f"{which}, and you return {tag!r}, which is no tag of {', '.join(names)}.")
        require(
            tag == wanted or tag not in own,
            f"{which}, and you return {tag}: its answer is that of its first token, {wanted}, where training put it.",
        )
        require(
            tag == wanted or not own,
            f"{which}, and you return {tag}, which comes from another place. Go by word_ids: the special tokens take "
            "places, too, and a word may have several.",
        )
        require(
            tag == wanted,
            f"{which}, and you return {tag}: nothing was found there, which is the tag O, whatever its number is.",
        )


@tasks.step("Your turn, right borders")
def border_f1(answer: Any) -> str:
    """Judge an answer to: Your turn, right borders."""
    for gold, found in (
        (  # the same borders in another sentence; a short sentence and a long one
            [["B-LOC", "O", "B-ORG", "I-ORG", "O", "B-PER"], ["B-PER", "O"], ["O", "O", "B-ORG", "I-ORG"]],
            [["B-ORG", "O", "B-ORG", "O", "O", "B-PER"], ["O", "O"], ["B-PER", "O", "B-LOC", "I-LOC"]],
        ),
        ([["B-PER", "O", "O"], ["O", "O", "B-LOC"]], [["O", "O", "B-LOC"], ["B-PER", "O", "O"]]),
        (  # many found, few of them right; an I- of another label begins a name of its own
            [["B-PER", "I-PER", "O", "B-LOC"], ["O", "O", "O", "B-LOC", "I-LOC"]],
            [["B-PER", "I-LOC", "O", "B-MISC"], ["B-PER", "B-PER", "B-LOC", "B-PER", "O"]],
        ),
        (  # few found, all right but for their labels; an I- after O, and at the beginning, begins a name
            [["O", "B-MISC", "I-MISC", "I-MISC"], ["B-PER", "B-PER", "O", "B-ORG"], ["B-LOC"]],
            [["O", "I-LOC", "I-LOC", "I-LOC"], ["I-LOC", "O", "O", "O"], ["O"]],
        ),
        ([["O", "O"], ["O"]], [["O", "O"], ["O"]]),
        ([["O", "O"], ["O"]], [["B-PER", "O"], ["O"]]),
        ([["B-PER", "O"], ["B-PER"]], [["O", "O"], ["O"]]),
    ):
        value = as_number(run(answer, _copied(gold), _copied(found), clues=_F1_CLUES))
        require(value is not None, "Return one number, F1 over all sentences.")
        assert value is not None
        _check_f1(value, gold, found)
    return "The same borders in the same sentence, counted over all sentences, whatever the labels are."


_F1_CLUES = {
    "ZeroDivisionError": "There may be no entity at all, true or found: F1 is then 0.",
    "division by zero": "There may be no entity at all, true or found: F1 is then 0.",
    "is neither O nor": "spans takes the tags of one sentence: go through the sentences.",
    "unhashable": "Lists can't be in a set: tuples can.",
}


def _copied(sentences: list[list[str]]) -> list[list[str]]:
    return [list(tags) for tags in sentences]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _check_f1(value: float, gold: list[list[str]], found: list[list[str]]) -> None:
    right, true, made = _counts(gold, found)
    wanted = _share(2 * right, true + made)
    require(
        value == 0 or math.isfinite(value) and true + made > 0,
        f"F1 comes out as {value}, with {true} true entities and {made} found ones: where there is none at all, the "
        "task asks for 0.",
    )
    said = (
        f"{true} true entities, {made} found ones, {right} with the borders of a true one: F1 is {wanted:.4f}, and you "
        f"say {value:.4f}"
    )
    for wrong, why in _f1_faults(gold, found):
        require(not math.isclose(value, wrong) or math.isclose(wrong, wanted, abs_tol=1e-9), f"{said}: {why}.")
    require(
        math.isclose(value, wanted, abs_tol=1e-9) or not math.isclose(value, wanted, abs_tol=6e-3),
        f"{said}, which is rounded: return it as it is.",
    )
    require(math.isclose(value, wanted, abs_tol=1e-9), f"{said}: twice the right ones, of the true and the found ones.")


def _counts(gold: list[list[str]], found: list[list[str]]) -> tuple[int, int, int]:
    """Return how many entities have right borders, how many are true and how many were found."""
    true, made = _borders(gold), _borders(found)
    return _hits(true, made), sum(map(len, true)), sum(map(len, made))


def _hits(true: list[set[Any]], made: list[set[Any]]) -> int:
    return sum(len(a & b) for a, b in zip(true, made, strict=True))


def _borders(sentences: list[list[str]]) -> list[set[tuple[int, int]]]:
    from ...entities import spans

    return [{(start, end) for start, end, _ in spans(tags)} for tags in sentences]


def _f1_faults(gold: list[list[str]], found: list[list[str]]) -> Iterator[tuple[float, str]]:
    """Yield what the usual mistakes make of F1, with a sentence on each."""
    from ...entities import overlap, spans

    right, true, made = _counts(gold, found)
    both = list(zip(gold, found, strict=True))
    joined = [_borders([sum(side, [])]) for side in (gold, found)]
    yield (
        _share(2 * _hits(*joined), sum(len(one) for side in joined for one in side)),
        "an entity ends with its sentence: take `spans` of each sentence by itself",
    )
    named = sum(len({*spans(tags)} & {*spans(others)}) for tags, others in both)
    yield _share(2 * named, true + made), "a right entity may have another label here; its borders count"
    together = [set().union(*_borders(side)) for side in (gold, found)]
    yield (
        _share(2 * len(together[0] & together[1]), sum(map(len, together))),
        "the borders of all sentences are in one set: those of one sentence meet those of another. Put the number of "
        "the sentence beside them",
    )
    counts = [_counts([tags], [others]) for tags, others in both]
    each = [_share(2 * hits, one + other) for hits, one, other in counts]
    for size in (len(each), sum(any(own) for own in counts)):  # of all sentences, and of those with entities
        yield _share(sum(each), size), "that is a mean over sentences: add up the counts of all first"
    precision, recall = _share(right, made), _share(right, true)
    yield precision, "that is precision, the share of the found ones"
    yield recall, "that is recall, the share of the true ones"
    yield (precision + recall) / 2, "F1 is the harmonic mean of precision and recall"
    yield _share(right, true + made), "a right one is counted on both sides: twice"
    yield _share(right, true + made - right), "that is right ones of all different ones; F1 counts a right one twice"
    touching = sum(any(overlap(one, other) for other in spans(b)) for a, b in both for one in spans(a))
    yield _share(2 * touching, true + made), "both borders must be the same, and not only overlap"
    bare = [[[tag if tag == "O" else f"{tag[0]}-X" for tag in tags] for tags in side] for side in (gold, found)]
    right, true, made = _counts(*bare)
    yield _share(2 * right, true + made), "without labels B- and I- mean something else: take them off after `spans`"
    begun = [[{(a, b) for a, b, _ in spans(tags) if tags[a][0] == "B"} for tags in side] for side in (gold, found)]
    yield (
        _share(2 * _hits(*begun), sum(len(one) for side in begun for one in side)),
        "an I- that continues nothing begins an entity, as `spans` reads it",
    )
    words = [one == other for pair in both for one, other in zip(*pair, strict=True)]
    yield sum(words) / len(words), "that is the share of right tags, and counts words"
    yield 100 * _share(2 * _counts(gold, found)[0], sum(_counts(gold, found)[1:])), "return a share of 1, and no points"


@tasks.step("Your turn, names in characters")
def tag_characters(answer: Any) -> str:
    """Judge an answer to: Your turn, names in characters."""
    from ...entities import split_words

    for text, marked in (
        ("Anna Kerr left for Lisbon.", [("Anna Kerr", "PER"), ("Lisbon", "LOC")]),
        ("Of the two, Fiji chose the Bank of Fiji (BOF).", [("Bank of Fiji", "ORG"), ("BOF", "ORG")]),
        (
            "Get Ann Lee Bo Kerr Rome Fiji tickets",
            [("Fiji", "LOC"), ("Bo Kerr", "PER"), ("Rome", "LOC"), ("Ann Lee", "PER")],
        ),
        (
            "The Lisbon-based pro-Bank of Fiji side is un-Rome-like",
            [("Lisbon", "LOC"), ("Bank of Fiji", "ORG"), ("Rome", "LOC")],
        ),
        ("Stop the ibuprofen 400 mg, then ibuprofen-free weeks", [("400 mg", "DOSE")]),
        ("Nothing to see, Ann.", []),
        ("In Rome( Kerr )met$Lee$", [(" Kerr ", "PER"), ("Lee", "PER"), ("Rome", "LOC")]),
    ):
        entities = []
        for name, label in marked:
            start = text.rindex(name)  # of a name that stands twice the last is meant
            entities.append((start, start + len(name), label))
        words = split_words(text)
        given = as_list(run(answer, list(words), list(entities), clues=_CHARACTER_CLUES))
        require(given is not None, "Return a list, a tag for each word.")
        assert given is not None
        _check_words(given, text, words, entities)
    return "Every word that shares a character with a name has its tag, and every name begins with one B-."


_CHARACTER_CLUES = {
    "is not in list": "The border of a name may lie within a word: look whether the two share a character.",
    "KeyError": "The border of a name may lie within a word: look whether the two share a character.",
    "unpack": "A word comes with its place: (word, start, end). An entity is (start, end, label).",
    "StopIteration": "The border of a name may lie within a word: look whether the two share a character.",
}


def _check_words(given: list[Any], text: str, words: list[tuple[str, int, int]], entities: list[Any]) -> None:
    said = f"In {text!r} with {[(text[start:end], label) for start, end, label in entities]}"
    require(
        len(given) == len(words),
        f"{said} there are {len(words)} words, and you return {len(given)} tags: {shown(given)}. Each word gets one, O "
        "outside of all names.",
    )
    for (word, first, last), tag in zip(words, given, strict=True):
        own = [one for one in entities if one[0] < last and first < one[1]]
        if not own:
            require(
                tag == "O",
                f"{said} the word {word!r} at {first} gets {tag!r}, and it shares no character with a name: it is O. "
                "A name ends before its end, and the same word elsewhere isn't meant.",
            )
            continue
        start, end, label = own[0]
        begins = not any(start < stop <= first for _, _, stop in words)
        wanted = f"{'B' if begins else 'I'}-{label}"
        name = text[start:end]
        require(
            tag != "O",
            f"{said} the word {word!r} at {first} gets O, and it shares characters with {name!r}. Nothing else is "
            "asked: a name may begin or end within a word, or beside one.",
        )
        require(
            tag in (f"B-{label}", f"I-{label}"),
            f"{said} the word {word!r} at {first} gets {tag!r}: a tag is B- or I- and the label {label}.",
        )
        require(
            tag == wanted,
            f"{said} the word {word!r} at {first} gets {tag}: "
            + (
                f"it is the first word of {name!r}, and B- begins a name, also beside another."
                if begins
                else f"{name!r} has begun before it, and B- would begin another name."
            ),
        )
