"""Answers to the tasks in lesson 5."""

import re
from collections import Counter

import numpy as np

from failure_matrix import Cases
from ftcourse.entities import spans
from ftcourse.ner import score, score_spans

cases = Cases()
names = {"np": np, "spans": spans, "score": score}

# --- From tokens back to words ---------------------------------------------------------------------------------------


@cases.right("read_tags")
def by_the_place_of_the_first_token(word_ids, answers, names, num_words):
    return [names[answers[word_ids.index(word)]] if word in word_ids else "O" for word in range(num_words)]


@cases.right("read_tags")
def filled_from_the_end(word_ids, answers, names, num_words):
    tags = ["O"] * num_words
    for word, answer in reversed(list(zip(word_ids, answers, strict=True))):
        if word is not None:
            tags[word] = names[answer]
    return tags


@cases.right("read_tags")
def with_the_word_before(word_ids, answers, names, num_words):
    tags = np.full(num_words, "O", dtype=object)
    befores = [None, *word_ids[:-1]]
    for word, before, answer in zip(word_ids, befores, answers, strict=True):
        if word not in (None, before):
            tags[word] = names[answer]
    return tags


@cases.wrong(
    "read_tags", r"word 0 has the answers B-PER, I-PER, and you return I-PER: its answer is that of its first token"
)
def the_last_token(word_ids, answers, names, num_words):
    tags = ["O"] * num_words
    for word, answer in zip(word_ids, answers, strict=True):
        if word is not None:
            tags[word] = names[answer]
    return tags


@cases.wrong("read_tags", r"its answer is that of its first token, O, where training put it")
def the_commonest_answer(word_ids, answers, names, num_words):
    found = [[names[a] for w, a in zip(word_ids, answers, strict=True) if w == word] for word in range(num_words)]
    return [Counter(own).most_common(1)[0][0] if own else "O" for own in found]


@cases.wrong("read_tags", r"its answer is that of its first token, O, where training put it")
def the_first_that_is_not_o(word_ids, answers, names, num_words):
    found = [[names[a] for w, a in zip(word_ids, answers, strict=True) if w == word] for word in range(num_words)]
    return [next((tag for tag in own if tag != "O"), "O") for own in found]


@cases.wrong(
    "read_tags", r"there are 4 words, and you return 9 tags: one for each word, not for each of the 9 tokens, 2 of"
)
def a_tag_for_each_token(word_ids, answers, names, num_words):
    return [names[answer] for answer in answers]


@cases.wrong("read_tags", r"there are 4 words, and you return 7 tags")
def special_tokens_left_out_alone(word_ids, answers, names, num_words):
    return [names[answer] for word, answer in zip(word_ids, answers, strict=True) if word is not None]


@cases.wrong("read_tags", r"which comes from another place|its answer is that of its first token")
def as_if_words_were_tokens(word_ids, answers, names, num_words):
    return [names[answer] for answer in answers[:num_words]]


@cases.wrong("read_tags", r"which comes from another place. Go by word_ids: the special tokens take places")
def first_special_token_forgotten(word_ids, answers, names, num_words):
    tags = dict(zip(reversed(word_ids[1:]), reversed(answers[:-1]), strict=True))
    return [names[tags[word]] if word in tags else "O" for word in range(num_words)]


@cases.wrong(
    "read_tags", r"there are 4 words, and you return 2 tags: one for each word, also where no token came of it"
)
def words_with_tokens_alone(word_ids, answers, names, num_words):
    befores = [None, *word_ids[:-1]]
    return [
        names[answer]
        for word, before, answer in zip(word_ids, befores, answers, strict=True)
        if word not in (None, before)
    ]


@cases.wrong(
    "read_tags", r"word 2 has no token, and you return None|word \d has no token, and you return None: nothing was"
)
def none_for_what_is_lost(word_ids, answers, names, num_words):
    first = {}
    for word, answer in zip(word_ids, answers, strict=True):
        first.setdefault(word, names[answer])
    return [first.get(word) for word in range(num_words)]


@cases.wrong("read_tags", r"word 0 has no token, and you return B-DRUG: .*the tag O, whatever its number is")
def number_zero_for_what_is_lost(word_ids, answers, names, num_words):
    first = {}
    for word, answer in zip(word_ids, answers, strict=True):
        first.setdefault(word, answer)
    return [names[first.get(word, 0)] for word in range(num_words)]


@cases.wrong("read_tags", r"you return \[.*return tags, which stand in names|numbers")
def numbers(word_ids, answers, names, num_words):
    return [answers[word_ids.index(word)] if word in word_ids else 0 for word in range(num_words)]


@cases.wrong("read_tags", r"word 0 has no token, and you return B-DOSE: nothing was found there")
def filled_up_at_the_end(word_ids, answers, names, num_words):
    found = words_with_tokens_alone(word_ids, answers, names, num_words)
    return found + ["O"] * (num_words - len(found))


@cases.wrong("read_tags", r"there are 4 words, and you return [23] tags")
def the_same_tag_once(word_ids, answers, names, num_words):
    tags = by_the_place_of_the_first_token(word_ids, answers, names, num_words)
    return [tag for tag, before in zip(tags, [None, *tags[:-1]], strict=True) if tag != before]


@cases.error("read_tags", r"list indices must be integers.*their entry in word_ids is None")
def none_as_a_place(word_ids, answers, names, num_words):
    tags = ["O"] * num_words
    for word, answer in zip(word_ids, answers, strict=True):
        tags[word] = names[answer]
    return tags


@cases.error("read_tags", r"is not in list.*A word may have no token at all")
def every_word_is_looked_for(word_ids, answers, names, num_words):
    return [names[answers[word_ids.index(word)]] for word in range(num_words)]


@cases.wrong("read_tags", r"you return .*its answer is that of its first token|comes from another place")
def first_and_last_place_cut_off(word_ids, answers, names, num_words):
    return by_the_place_of_the_first_token(word_ids, [*answers[1:], 0], names, num_words)


@cases.wrong("read_tags", r"Return a list, the tag of each word")
def a_text(word_ids, answers, names, num_words):
    return " ".join(by_the_place_of_the_first_token(word_ids, answers, names, num_words))


# --- Right borders ---------------------------------------------------------------------------------------------------


def borders(tags):
    return {(start, end) for start, end, _ in spans(tags)}


def counts(gold, predicted):
    pairs = [(borders(tags), borders(others)) for tags, others in zip(gold, predicted, strict=True)]
    return [sum(column) for column in zip(*[(len(a & b), len(a), len(b)) for a, b in pairs], strict=True)]


@cases.right("border_f1")
def with_the_lesson_s_score(gold, predicted):
    sides = [[{(*pair, "X") for pair in borders(tags)} for tags in side] for side in (gold, predicted)]
    return score_spans(*sides)["all"]["f1"]


@cases.right("border_f1")
def from_precision_and_recall(gold, predicted):
    right, true, found = counts(gold, predicted)
    if not right:
        return 0
    precision, recall = right / found, right / true
    return 2 * precision * recall / (precision + recall)


@cases.right("border_f1")
def in_one_long_text(gold, predicted):
    sides = [spans([tag for tags in side for tag in [*tags, "O"]]) for side in (gold, predicted)]
    ends = [[one[:2] for one in side] for side in sides]
    right = sum(pair in ends[1] for pair in ends[0])
    return np.float64(2 * right / (len(ends[0]) + len(ends[1]) or 1))


@cases.wrong("border_f1", r"a right entity may have another label here; its borders count")
def labels_count(gold, predicted):
    return score(gold, predicted)["all"]["f1"]


@cases.wrong("border_f1", r"the borders of all sentences are in one set.*Put the number of the sentence beside them")
def sentences_in_one_set(gold, predicted):
    true, found = (set().union(*map(borders, side)) for side in (gold, predicted))
    return 2 * len(true & found) / max(len(true) + len(found), 1)


@cases.wrong("border_f1", r"that is a mean over sentences: add up the counts of all first")
def mean_over_sentences(gold, predicted):
    return np.mean([with_the_lesson_s_score([one], [other]) for one, other in zip(gold, predicted, strict=True)])


@cases.wrong("border_f1", r"an entity ends with its sentence: take `spans` of each sentence by itself")
def sentences_joined(gold, predicted):
    return with_the_lesson_s_score([sum(gold, [])], [sum(predicted, [])])


@cases.wrong("border_f1", r"that is precision, the share of the found ones")
def precision(gold, predicted):
    right, _, found = counts(gold, predicted)
    return right / max(found, 1)


@cases.wrong("border_f1", r"that is recall, the share of the true ones")
def recall(gold, predicted):
    right, true, _ = counts(gold, predicted)
    return right / max(true, 1)


@cases.wrong("border_f1", r"F1 is the harmonic mean of precision and recall")
def mean_of_both(gold, predicted):
    return (precision(gold, predicted) + recall(gold, predicted)) / 2


@cases.wrong("border_f1", r"a right one is counted on both sides: twice")
def counted_once(gold, predicted):
    right, true, found = counts(gold, predicted)
    return right / max(true + found, 1)


@cases.wrong("border_f1", r"right ones of all different ones; F1 counts a right one twice")
def of_all_different_ones(gold, predicted):
    right, true, found = counts(gold, predicted)
    return right / max(true + found - right, 1)


@cases.wrong("border_f1", r"both borders must be the same, and not only overlap")
def overlap_is_enough(gold, predicted):
    right = sum(
        any(a < end and start < b for start, end in borders(others))
        for tags, others in zip(gold, predicted, strict=True)
        for a, b in borders(tags)
    )
    _, true, found = counts(gold, predicted)
    return 2 * right / max(true + found, 1)


@cases.wrong("border_f1", r"without labels B- and I- mean something else: take them off after")
def labels_taken_off_first(gold, predicted):
    bare = [[[re.sub("-.*", "-X", tag) for tag in tags] for tags in side] for side in (gold, predicted)]
    return score(*bare)["all"]["f1"]


@cases.wrong("border_f1", r"that is the share of right tags, and counts words")
def share_of_right_tags(gold, predicted):
    pairs = [pair for tags, others in zip(gold, predicted, strict=True) for pair in zip(tags, others, strict=True)]
    return sum(one == other for one, other in pairs) / len(pairs)


@cases.wrong("border_f1", r"which is rounded: return it as it is")
def rounded(gold, predicted):
    return round(with_the_lesson_s_score(gold, predicted), 2)


@cases.wrong("border_f1", r"return a share of 1, and no points")
def points(gold, predicted):
    return 100 * with_the_lesson_s_score(gold, predicted)


@cases.error("border_f1", r"ZeroDivisionError.*There may be no entity at all, true or found: F1 is then 0")
def divided_by_nothing(gold, predicted):
    right, true, found = counts(gold, predicted)
    return 2 * right / (true + found)


@cases.wrong("border_f1", r"F1 comes out as nan, with 0 true entities and 0 found ones.*the task asks for 0")
def nan_for_nothing(gold, predicted):
    right, true, found = counts(gold, predicted)
    with np.errstate(all="ignore"):
        return np.float64(2 * right) / (true + found)


@cases.wrong("border_f1", r"F1 comes out as 1(\.0)?, with 0 true entities and 0 found ones")
def one_for_nothing(gold, predicted):
    right, true, found = counts(gold, predicted)
    return 2 * right / (true + found) if true + found else 1


@cases.error("border_f1", r"ZeroDivisionError.*There may be no entity at all, true or found")
def found_may_be_none(gold, predicted):
    right, true, found = counts(gold, predicted)
    return 2 * (right / found) * (right / true) / (right / found + right / true) if right else right / found


@cases.wrong("border_f1", r"an I- that continues nothing begins an entity, as `spans` reads it")
def an_i_after_o_is_no_name(gold, predicted):
    bare = [[[*tags] for tags in side] for side in (gold, predicted)]
    for tags in (tags for side in bare for tags in side):
        for start, end, _ in spans(tags):
            if tags[start][0] == "I":
                tags[start:end] = ["O"] * (end - start)
    return with_the_lesson_s_score(*bare)


@cases.wrong("border_f1", r"Return one number, F1 over all sentences")
def one_for_each_sentence(gold, predicted):
    return [with_the_lesson_s_score([one], [other]) for one, other in zip(gold, predicted, strict=True)]


# --- Names in characters ---------------------------------------------------------------------------------------------


@cases.right("tag_characters")
def word_by_word(words, entities):
    tags, before = [], None
    for _, first, last in words:
        own = next((entity for entity in entities if entity[0] < last and first < entity[1]), None)
        tags.append("O" if own is None else f"{'I' if own == before else 'B'}-{own[2]}")
        before = own
    return tags


@cases.right("tag_characters")
def by_sets_of_characters(words, entities):
    tags = ["O" for _ in words]
    for start, end, label in entities:
        inside = [n for n, (_, first, last) in enumerate(words) if set(range(first, last)) & set(range(start, end))]
        for place in inside:
            tags[place] = ("B-" if place == inside[0] else "I-") + label
    return tags


@cases.right("tag_characters")
def by_the_owner_of_each_character(words, entities):
    owners = {place: number for number, (start, end, _) in enumerate(entities) for place in range(start, end)}
    begun = set()
    for _, first, last in words:
        own = next((owners[place] for place in range(first, last) if place in owners), None)
        yield "O" if own is None else f"{'I' if own in begun else 'B'}-{entities[own][2]}"
        begun.add(own)


@cases.wrong("tag_characters", r"the word 'Lisbon-based' at 4 gets O, and it shares characters with 'Lisbon'")
def whole_words_alone(words, entities):
    tags = ["O"] * len(words)
    for start, end, label in entities:
        inside = [n for n, (_, first, last) in enumerate(words) if start <= first and last <= end]
        for place in inside:
            tags[place] = ("B-" if place == inside[0] else "I-") + label
    return tags


@cases.wrong("tag_characters", r"the word 'un-Rome-like' at \d+ gets O, and it shares characters with 'Rome'")
def one_border_within_the_name(words, entities):
    tags = ["O"] * len(words)
    for start, end, label in entities:
        place = "B"
        for number, (_, first, last) in enumerate(words):
            if start <= first < end or start < last <= end:
                tags[number], place = f"{place}-{label}", "I"
    return tags


@cases.wrong("tag_characters", r"'pro-Bank' at \d+ gets I-ORG: it is the first word of 'Bank of Fiji'")
def b_where_the_places_agree(words, entities):
    tags = ["O"] * len(words)
    for start, end, label in entities:
        for place, (_, first, last) in enumerate(words):
            if start < last and first < end:
                tags[place] = ("B-" if first == start or first < start < end < last else "I-") + label
    return tags


@cases.wrong(
    "tag_characters", r"the word '\.' at \d+ gets 'B-LOC'|the word .* gets 'I-LOC', and it shares no character"
)
def end_is_taken_in(words, entities):
    return word_by_word(words, [(start, end + 1, label) for start, end, label in entities])


@cases.wrong("tag_characters", r"and it shares no character with a name|it is the first word of")
def beginning_is_taken_in(words, entities):
    return word_by_word(words, [(start - 1, end, label) for start, end, label in entities])


@cases.wrong("tag_characters", r"the word 'Kerr' at 5 gets O, and it shares characters")
def last_character_is_lost(words, entities):
    tags = ["O"] * len(words)
    for start, end, label in entities:
        for place, (_, first, last) in enumerate(words):
            if start <= first and last < end:
                tags[place] = ("B-" if first == start else "I-") + label
    return tags


@cases.wrong("tag_characters", r"the word 'Fiji' at 12 gets .*the same word elsewhere isn't meant")
def by_the_words_themselves(words, entities):
    text = list(" " * (max(last for *_, last in words) + 1))
    for word, first, last in words:
        text[first:last] = word
    known = [(set("".join(text[start:end]).split()), label) for start, end, label in entities]
    tags, before = [], None
    for word, _, _ in words:
        own = next((one for one in known if word in one[0]), None)
        tags.append("O" if own is None else f"{'I' if own is before else 'B'}-{own[1]}")
        before = own
    return tags


@cases.wrong("tag_characters", r"the word 'Kerr' at 5 gets B-PER: 'Anna Kerr' has begun before it")
def b_everywhere(words, entities):
    return [tag.replace("I-", "B-") for tag in word_by_word(words, entities)]


@cases.wrong("tag_characters", r"the word 'Anna' at 0 gets I-PER: it is the first word of 'Anna Kerr'")
def i_everywhere(words, entities):
    return [tag.replace("B-", "I-") for tag in word_by_word(words, entities)]


@cases.wrong(
    "tag_characters", r"gets I-PER: it is the first word of 'Bo Kerr', and B- begins a name, also beside another"
)
def neighbours_become_one(words, entities):
    tags = word_by_word(words, entities)
    befores = ["O", *tags[:-1]]
    return [
        f"I-{tag[2:]}" if tag[2:] and tag[2:] == before[2:] else tag for tag, before in zip(tags, befores, strict=True)
    ]


@cases.wrong("tag_characters", r"the word 'Anna' at 0 gets 'PER': a tag is B- or I- and the label PER")
def labels_alone(words, entities):
    return [tag[2:] or "O" for tag in word_by_word(words, entities)]


@cases.wrong("tag_characters", r"there are \d+ words, and you return \d+ tags.*O outside of all names")
def words_of_names_alone(words, entities):
    return [tag for tag in word_by_word(words, entities) if tag != "O"]


@cases.wrong("tag_characters", r"gets O, and it shares characters with")
def names_taken_in_order(words, entities):
    left, tags, begun = list(entities), [], False
    for _, first, last in words:
        while left and left[0][1] <= first:
            left, begun = left[1:], False
        inside = bool(left) and left[0][0] < last and first < left[0][1]
        tags.append(f"{'I' if begun else 'B'}-{left[0][2]}" if inside else "O")
        begun = inside
    return tags


@cases.wrong("tag_characters", r"gets O, and it shares characters with|'Anna' at 0 gets O")
def zero_is_no_place(words, entities):
    return word_by_word(words, [(start or 10**6, end, label) for start, end, label in entities])


@cases.error("tag_characters", r"KeyError.*The border of a name may lie within a word")
def borders_looked_up(words, entities):
    starts = {first: place for place, (_, first, _) in enumerate(words)}
    ends = {last: place for place, (_, _, last) in enumerate(words)}
    tags = ["O"] * len(words)
    for start, end, label in entities:
        for place in range(starts[start], ends[end] + 1):
            tags[place] = ("B-" if place == starts[start] else "I-") + label
    return tags


@cases.error("tag_characters", r"unpack.*A word comes with its place")
def two_of_three(words, entities):
    return ["O" if not entities else f"B-{label}" for word, label in words]


@cases.wrong("tag_characters", r"Return a list, a tag for each word")
def a_dictionary(words, entities):
    return dict(zip([word for word, _, _ in words], word_by_word(words, entities), strict=True))
