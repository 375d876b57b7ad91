"""Answers to exercise 5."""

import re
from collections import Counter, defaultdict, namedtuple
from itertools import groupby

import numpy as np
import pandas as pd
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    DataCollatorForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from failure_matrix import Cases
from ftcourse.checks import names as exercise
from ftcourse.ner import align_all_tokens, align_labels, align_off_by_one

cases = Cases()

# --- Labels for tokens -----------------------------------------------------------------------------------------------

cases.value("align", "right", "", "the_lessons_own", align_all_tokens)


@cases.right("align")
def by_a_set_of_words_that_have_begun(word_ids, tags, names):
    begun, labels = set(), np.full(len(word_ids), -100)
    for place, word in enumerate(word_ids):
        if word is not None:
            tag = tags[word]
            labels[place] = names.index(tag if word not in begun else re.sub("^B", "I", tag))
            begun.add(word)
    return labels


@cases.right("align")
def by_groups_of_tokens(word_ids, tags, names):
    for word, group in groupby(word_ids):
        for number, _ in enumerate(group):
            later = number and word is not None and tags[word] != "O"
            yield -100 if word is None else names.index("I" + tags[word][1:] if later else tags[word])


@cases.right("align")
def by_a_frame(word_ids, tags, names):
    frame = pd.DataFrame({"word": pd.array(word_ids, dtype="Int64")})
    frame["later"] = frame["word"].eq(frame["word"].shift()).fillna(False)
    return frame.apply(
        lambda row: (
            -100
            if pd.isna(row["word"])
            else names.index(within(tags[row["word"]]) if row["later"] else tags[row["word"]])
        ),
        axis=1,
    )


def within(tag):
    return tag if tag == "O" else f"I-{tag[2:]}"


def aligned(word_ids, tags, names, later=within, special=-100):
    """Return labels; the arguments say what later tokens and special ones get."""
    befores = [None, *word_ids[:-1]]
    return [
        special if word is None else names.index(later(tags[word]) if word == before else tags[word])
        for word, before in zip(word_ids, befores, strict=True)
    ]


cases.value("align", "wrong", r"a later one of word 0: in this exercise these are learnt", "first_alone", align_labels)
cases.value("align", "wrong", r"one token too early: the first token is a special one", "off_by_one", align_off_by_one)


@cases.wrong("align", r"they stand one token too early|They stand one token too early")
def special_tokens_forgotten(word_ids, tags, names):
    return [*aligned(word_ids, tags, names)[1:], -100]


@cases.wrong("align", r"'B-SIDE-EFFECT' once more: it would say that another name begins")
def the_same_tag_again(word_ids, tags, names):
    return aligned(word_ids, tags, names, later=lambda tag: tag)


@cases.wrong("align", r"has 0, and it is a special one: -100 is the one number")
def zero_for_special_tokens(word_ids, tags, names):
    return aligned(word_ids, tags, names, special=0)


@cases.wrong("align", r"has 2, and it is a special one: -100")
def outside_for_special_tokens(word_ids, tags, names):
    return aligned(word_ids, tags, names, special=names.index("O"))


@cases.wrong("align", r"A label is 'O': give the number at which the tag stands in names")
def tags_for_labels(word_ids, tags, names):
    return ["-100" if word is None else tags[word] for word in word_ids][1:-1]


@cases.wrong("align", r"5 tokens went in and 3 labels came out")
def a_label_a_word(word_ids, tags, names):
    return [names.index(tag) for tag in tags]


@cases.wrong("align", r"first token of word 1, whose tag is 'B-BIB'. Go by the number of the word")
def within_after_the_same_label(word_ids, tags, names):
    labels, before = [], "O"
    for word in word_ids:
        tag = "O" if word is None else tags[word]
        labels.append(-100 if word is None else names.index(within(tag) if tag[2:] == before[2:] else tag))
        before = tag
    return labels


@cases.wrong("align", r"outside all names|first token of word 2")
def words_counted_on(word_ids, tags, names):
    labels, word = [], -1
    for number, before in zip(word_ids, [None, *word_ids], strict=False):
        word += number is not None and number != before
        tag = None if number is None else tags[word]
        labels.append(-100 if tag is None else names.index(within(tag) if number == before else tag))
    return labels


@cases.error("align", r"raised ValueError.*You look for a tag that isn't among the names")
def every_b_replaced(word_ids, tags, names):
    return aligned(word_ids, tags, names, later=lambda tag: tag.replace("B", "I"))


@cases.error(
    "align", r"raised ValueError.*all that stands after the first two letters of its word's tag, whatever letters"
)
def first_b_and_hyphen_replaced(word_ids, tags, names):
    return aligned(word_ids, tags, names, later=lambda tag: tag.replace("B-", "I-", 1))


@cases.error(
    "align", r"raised ValueError.*all that stands after the first two letters of its word's tag, whatever letters"
)
def every_b_and_hyphen_replaced(word_ids, tags, names):
    return aligned(word_ids, tags, names, later=lambda tag: tag.replace("B-", "I-") if tag[0] == "B" else tag)


@cases.wrong("align", r"first token of word 0, whose tag is .*No token stands before it.*begins as None")
def word_before_begins_as_0(word_ids, tags, names):
    labels, before = [], 0
    for word in word_ids:
        labels.append(-100 if word is None else names.index(within(tags[word]) if word == before else tags[word]))
        before = word
    return labels


@cases.wrong("align", r"A label is -100.0, a float: the loss takes whole numbers")
def labels_as_floats(word_ids, tags, names):
    return np.array(aligned(word_ids, tags, names), dtype=float)


@cases.error("align", r"raised ValueError.*all that stands after the first two letters")
def letters_stripped(word_ids, tags, names):
    return aligned(word_ids, tags, names, later=lambda tag: tag if tag == "O" else "I-" + tag.lstrip("B-"))


@cases.error("align", r"raised ValueError.*all that stands after the first two letters")
def label_cut_at_the_hyphen(word_ids, tags, names):
    return aligned(word_ids, tags, names, later=lambda tag: tag if tag == "O" else "I-" + tag.split("-")[1])


@cases.error("align", r"raised ValueError.*O stays O")
def outside_goes_on_within(word_ids, tags, names):
    return aligned(word_ids, tags, names, later=lambda tag: f"I-{tag[2:] or tag}")


@cases.wrong("align", r"first token of word 0, whose tag is|whose tag is 'B-BIB'")
def number_of_the_next_tag(word_ids, tags, names):
    return aligned(word_ids, tags, [*names[1:], names[0]])


@cases.wrong("align", r"goes on within word 0, whose tag is 'B-SIDE-EFFECT'")
def the_number_after_it(word_ids, tags, names):
    befores = [None, *word_ids[:-1]]
    return [
        -100 if word is None else names.index(tags[word]) + (word == before and tags[word] != "O")
        for word, before in zip(word_ids, befores, strict=True)
    ]


@cases.wrong("align", r"changed tags, which it was given")
def tags_changed(word_ids, tags, names):
    labels = []
    for word in word_ids:
        labels.append(-100 if word is None else names.index(tags[word]))
        if word is not None:
            tags[word] = within(tags[word])
    return labels


@cases.wrong("align", r"Return a list with a number for each token; this is 5")
def how_many_labels(word_ids, tags, names):
    return len(aligned(word_ids, tags, names))


@cases.wrong("align", r"Not all of these are numbers: \[None, 2, 4, 1, None\]")
def none_for_special_tokens(word_ids, tags, names):
    return aligned(word_ids, tags, names, special=None)


@cases.wrong("align", r"it is the first of word 0: there the answer for the word will be read")
def last_token_of_a_word(word_ids, tags, names):
    afters = [*word_ids[1:], None]
    pairs = zip(word_ids, afters, strict=True)
    return [-100 if word is None or word == after else names.index(tags[word]) for word, after in pairs]


@cases.wrong(
    "align", r"that is 'I-BIB'; it goes on within word 1, which is outside all names|within word 0, which is outside"
)
def within_where_nothing_is(word_ids, tags, names):
    return aligned(word_ids, tags, names, later=lambda tag: "I-BIB" if tag == "O" else within(tag))


# --- Names from tags -------------------------------------------------------------------------------------------------


@cases.right("find_spans")
def the_courses_own(tags):
    from ftcourse.entities import spans

    return spans(tags)


@cases.right("find_spans")
def with_an_end_put_behind(tags):
    start, label = None, None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and tag != f"I-{label}":
            yield start, place, label
            start = None
        if start is None and tag != "O":
            start, label = place, tag[2:]


@cases.right("find_spans")
def borders_first(tags):
    befores, afters = ["O", *tags], [*tags[1:], "O"]
    begins = [i for i, (b, t) in enumerate(zip(befores, tags, strict=False)) if t != "O" and t != "I" + b[1:]]
    ends = [i + 1 for i, (t, a) in enumerate(zip(tags, afters, strict=False)) if t != "O" and a != "I" + t[1:]]
    return np.array([(b, e, tags[b][2:]) for b, e in zip(begins, ends, strict=True)], dtype=object).reshape(-1, 3)


Span = namedtuple("Span", "first end label")


@cases.right("find_spans")
def as_named_tuples(tags):
    return [Span(np.int64(start), end, label) for start, end, label in exercise._decode(tags)]


cases.value(
    "find_spans",
    "right",
    r"A name is a list for you, which no set takes; tuples go into one",
    "triples_as_lists",
    lambda tags: list(map(list, exercise._decode(tags))),
)


@cases.wrong("find_spans", r"return a list, of a triple for each name")
def as_a_frame(tags):
    return pd.DataFrame(borders_first(tags), columns=["start", "end", "label"])


@cases.wrong("find_spans", r"a name is \{'end': 1, 'label': 'LAW', 'start': 0\}: give its first word")
def as_dictionaries(tags):
    return [{"start": start, "end": end, "label": label} for start, end, label in exercise._decode(tags)]


def inexact(tags, change):
    return [change(*name) for name in exercise._decode(tags)]


@cases.wrong("find_spans", r"For the tags \['B-LAW', 'O'\].*the second number is the place after the last word")
def last_word_itself(tags):
    return inexact(tags, lambda start, end, label: (start, end - 1, label))


@cases.wrong("find_spans", r"For the tags \['I-LAW'\] you return \[\]: an I- that continues nothing begins a name")
def strays_dropped(tags):
    return exercise._decode(tags, drop=True)


@cases.wrong("find_spans", r"\['B-LAW', 'B-LAW'\].*a B- begins a name also where one of its kind stands before it")
def neighbours_joined(tags):
    return exercise._decode(tags, join=True)


@cases.wrong("find_spans", r"an I- with another label than the name before it begins a name of its own")
def other_labels_swallowed(tags):
    return exercise._decode(tags, swallow=True)


@cases.wrong("find_spans", r"\['B-LAW'\] you return \[\]: a name that goes on to the end of the sentence is lost")
def last_name_lost(tags):
    found, start = [], None
    for place, tag in enumerate(tags):
        if start is not None and tag != "I" + tags[start][1:]:
            found.append((start, place, tags[start][2:]))
            start = None
        if start is None and tag != "O":
            start = place
    return found


@cases.wrong("find_spans", r"the label is what stands after B- or I-")
def tag_for_label(tags):
    return inexact(tags, lambda start, end, label: (start, end, tags[start]))


@cases.wrong("find_spans", r"all that stands after the first two letters, further hyphens included")
def label_behind_the_last_hyphen(tags):
    return inexact(tags, lambda start, end, label: (start, end, label.split("-")[-1]))


@cases.wrong("find_spans", r"\['B-LAW', 'I-LAW-SUIT'\].*begins a name of its own")
def label_of_its_beginning(tags):
    found = []
    for place, tag in enumerate(tags):
        if tag[0] == "I" and found and found[-1][1] == place and tag[2:].startswith(found[-1][2]):
            found[-1] = (found[-1][0], place + 1, found[-1][2])
        elif tag != "O":
            found.append((place, place + 1, tag[2:]))
    return found


@cases.wrong(
    "find_spans", r"\['B-LAW-SUIT'\] you return \[\(0, 1, 'LAW'\)\]: the label is all that stands after the first two"
)
def label_before_the_second_hyphen(tags):
    return inexact(tags, lambda start, end, label: (start, end, label.split("-")[0]))


@cases.wrong("find_spans", r"\['B-LAW', 'O'\] you return \[\]: a name may have a single word")
def names_of_two_words_alone(tags):
    return [name for name in exercise._decode(tags) if name[1] > name[0] + 1]


@cases.wrong("find_spans", r"words are counted from 0")
def counted_from_1(tags):
    return inexact(tags, lambda start, end, label: (start + 1, end + 1, label))


@cases.wrong("find_spans", r"give them in the order of the sentence")
def from_the_back(tags):
    return exercise._decode(tags)[::-1]


@cases.wrong("find_spans", r"\d names were expected")
def each_name_once(tags):
    return list({label: (start, end, label) for start, end, label in exercise._decode(tags)}.values())


@cases.wrong("find_spans", r"a name is \(0, 1\): give its first word")
def places_alone(tags):
    return inexact(tags, lambda start, end, label: (start, end))


@cases.wrong("find_spans", r"return a list, of a triple for each name")
def by_label(tags):
    found = defaultdict(list)
    for start, end, label in exercise._decode(tags):
        found[label].append((start, end))
    return dict(found)


@cases.wrong("find_spans", r"changed tags, which it was given")
def an_end_put_behind_for_good(tags):
    tags.append("O")
    return exercise._decode(tags)


# --- The score -------------------------------------------------------------------------------------------------------


@cases.right("measure")
def the_lessons_score(true, found):
    from ftcourse.ner import score_spans

    table = score_spans(*([set(names) for names in side] for side in (true, found)))
    occurring = {"all", *(label for side in (true, found) for names in side for *_, label in names)}
    return {label: row for label, row in table.items() if label in occurring}


@cases.right("measure")
def by_numbered_names(true, found):
    sides = [{(i, *name) for i, names in enumerate(side) for name in names} for side in (true, found)]
    labels = sorted({name[-1] for side in sides for name in side})
    table = {"all": rates(len(sides[0] & sides[1]), *map(len, sides))}
    for label in labels:
        own, other = ({name for name in side if name[-1] == label} for side in sides)
        table[label] = rates(len(own & other), len(own), len(other))
    return table


@cases.wrong("measure", r"a row for each label. The cells below read table\['all'\]\['f1'\].*turn it, \.T")
def row_for_each_label(true, found):
    return pd.DataFrame(by_numbered_names(true, found)).T


@cases.right("measure")
def column_for_each_label(true, found):
    return pd.DataFrame(by_numbered_names(true, found))


@cases.wrong("measure", r"no number for the precision of 'all'.*give a dictionary with precision, recall, f1")
def rows_of_three(true, found):
    return {
        label: tuple(np.float64(rate) for rate in row.values()) for label, row in by_numbered_names(true, found).items()
    }


def rates(right, true, found, nothing=0.0):
    precision, recall = right / found if found else nothing, right / true if true else nothing
    f1 = 2 * right / (true + found) if true + found else nothing
    return {"precision": precision, "recall": recall, "f1": f1}


def counted(true, found, number=True, key=lambda name: name):
    """Return the table that comes of comparing keys of names, with or without the number of their sentence."""
    sides = [{(i * number, *key(name)): name[2] for i, names in enumerate(side) for name in names}
             for side in (true, found)]  # fmt: skip
    labels = {label for side in sides for label in side.values()}
    table = {"all": rates(len(set(sides[0]) & set(sides[1])), *map(len, sides))}
    for label in labels:
        own, other = ({name for name, its in side.items() if its == label} for side in sides)
        table[label] = rates(len(own & other), len(own), len(other))
    return table


@cases.wrong("measure", r"a name with another label is not right")
def labels_left_alone(true, found):
    return counted(true, found, key=lambda name: name[:2])


@cases.wrong("measure", r"a name that ends elsewhere is not right")
def beginnings_compared(true, found):
    return counted(true, found, key=lambda name: name[::2])


@cases.wrong("measure", r"a name that begins elsewhere is not right")
def ends_compared(true, found):
    return counted(true, found, key=lambda name: name[1:])


@cases.wrong("measure", r"names in two sentences are two names|in its own sentence only")
def sentences_poured_together(true, found):
    return counted(true, found, number=False)


@cases.wrong("measure", r"in its own sentence only")
def lists_poured_together(true, found):
    sides = [Counter(name for names in side for name in names) for side in (true, found)]
    labels = {name[2] for side in sides for name in side}
    table = {}
    for label in ("all", *labels):
        own, other = (Counter({name: n for name, n in side.items() if label in ("all", name[2])}) for side in sides)
        table[label] = rates((own & other).total(), own.total(), other.total())
    return table


@cases.wrong("measure", r"precision and recall are exchanged")
def sides_exchanged(true, found):
    return by_numbered_names(found, true)


@cases.wrong("measure", r"give shares between 0 and 1")
def in_per_cent(true, found):
    return {
        label: {name: 100 * rate for name, rate in row.items()} for label, row in by_numbered_names(true, found).items()
    }


@cases.wrong("measure", r"give it unrounded")
def rounded_rates(true, found):
    return {
        label: {name: round(rate, 2) for name, rate in row.items()}
        for label, row in by_numbered_names(true, found).items()
    }


@cases.wrong("measure", r"a share of nothing is 0, so that it can be compared")
def nan_for_nothing(true, found):
    table = by_numbered_names(true, found)
    for label in table:
        own, other = (sum(label in ("all", name[2]) for names in side for name in names) for side in (true, found))
        table[label] |= {"precision": float("nan")} if not other else {"recall": float("nan")} if not own else {}
    return table


@cases.error("measure", r"ZeroDivisionError.*a share of nothing is 0")
def divided_by_nothing(true, found):
    right = sum(len(set(names) & set(answers)) for names, answers in zip(true, found, strict=True))
    precision, recall = right / sum(map(len, found)), right / sum(map(len, true))
    table = by_numbered_names(true, found)
    return table | {"all": table["all"] | {"precision": precision, "recall": recall}}


@cases.wrong("measure", r"of 'all' is .*count over all sentences and all labels first")
def mean_over_labels(true, found):
    table = by_numbered_names(true, found)
    rows = [row for label, row in table.items() if label != "all"]
    return table | {"all": {name: float(np.mean([row[name] for row in rows])) for name in table["all"]}}


@cases.wrong("measure", r"the precision of 'all' is 1; you say 0.5: count over all sentences first")
def mean_over_sentences(true, found):
    table = by_numbered_names(true, found)
    rows = [by_numbered_names([names], [answers])["all"] for names, answers in zip(true, found, strict=True)]
    return table | {"all": {name: float(np.mean([row[name] for row in rows])) for name in table["all"]}}


@cases.wrong("measure", r"F1 is the harmonic mean of the two, not the plain one")
def plain_mean(true, found):
    table = by_numbered_names(true, found)
    return {label: row | {"f1": (row["precision"] + row["recall"]) / 2} for label, row in table.items()}


@cases.wrong("measure", r"there is no 'LOC' among|there is no 'ORG' among")
def labels_of_the_truth_alone(true, found):
    table = by_numbered_names(true, found)
    return {
        label: row for label, row in table.items() if label in {"all", *(name[2] for names in true for name in names)}
    }


@cases.wrong("measure", r"there is \['ORG'\], a label that occurs in neither|no 'DRUG' among")
def all_labels_of_the_course(true, found):
    return {label: rates(0, 0, 0) for label in ("PER", "ORG", "LOC", "MISC")} | by_numbered_names(true, found)


@cases.wrong(
    "measure", r"the precision of 'PER' is 0; you say 1: of the found names there is none here, and a share of"
)
def one_for_nothing(true, found):
    table = {"all": rates(*(sum(map(len, side)) for side in (pairwise(true, found), true, found)), nothing=1.0)}
    for label in {name[2] for side in (true, found) for names in side for name in names}:
        own = [[[name for name in names if name[2] == label] for names in side] for side in (true, found)]
        table[label] = rates(*(sum(map(len, side)) for side in (pairwise(*own), *own)), nothing=1.0)
    return table


def pairwise(true, found):
    return [set(names) & set(answers) for names, answers in zip(true, found, strict=True)]


@cases.wrong(
    "measure", r"the f1 of 'all' is 1; you say 0.5: precision and recall are right, and F1 is 2 \* 1 / \(1 \+ 1\)"
)
def f1_without_twice(true, found):
    return {label: row | {"f1": row["f1"] / 2} for label, row in by_numbered_names(true, found).items()}


@cases.wrong("measure", r"the f1 of 'all' is 0.6667; you say 0.7071: precision and recall are right, and F1 is 2 \* 1")
def geometric_mean(true, found):
    table = by_numbered_names(true, found)
    return {label: row | {"f1": (row["precision"] * row["recall"]) ** 0.5} for label, row in table.items()}


@cases.wrong("measure", r"is 0.66667; you say 0.6667: give it unrounded")
def rounded_to_four_places(true, found):
    table = by_numbered_names(true, found)
    return {label: {name: round(rate, 4) for name, rate in row.items()} for label, row in table.items()}


@cases.wrong("measure", r"there is no 'all' among .*: that key has the rates of all labels together")
def without_all(true, found):
    return {label: row for label, row in by_numbered_names(true, found).items() if label != "all"} or {"PER": {}}


@cases.wrong("measure", r"there is no number for the precision of 'all'")
def f1_alone(true, found):
    return {label: row["f1"] for label, row in by_numbered_names(true, found).items()}


@cases.wrong("measure", r"their order says nothing|the precision of 'all' is")
def name_by_name(true, found):
    pairs = [(one, other) for names, answers in zip(true, found, strict=True)
             for one, other in zip(names, answers, strict=False)]  # fmt: skip
    table = by_numbered_names(true, found)
    for label in table:
        own, other = (sum(label in ("all", name[2]) for names in side for name in names) for side in (true, found))
        table[label] = rates(sum(one == two and label in ("all", one[2]) for one, two in pairs), own, other)
    return table


@cases.wrong("measure", r"changed true, which it was given")
def lists_emptied(true, found):
    table = by_numbered_names(true, found)
    true.clear()
    return table


@cases.wrong("measure", r"Return a dictionary from \"all\" and each label to its rates; this is 1.0")
def f1_of_all(true, found):
    return by_numbered_names(true, found)["all"]["f1"]


# --- The Trainer -----------------------------------------------------------------------------------------------------


def model_of(folder, names, kind=AutoModelForTokenClassification, **config):
    named = {"id2label": dict(enumerate(names)), "label2id": {tag: number for number, tag in enumerate(names)}}
    return kind.from_pretrained(folder, **(named | config))


def trainer_with(
    folder, tokenizer, names, train_dataset, eval_dataset, output_dir, model=None, collator=None, own=None, **training
):
    """Return a Trainer; model, collator and own say how it differs from a right one."""
    return Trainer(
        model=model if model is not None else model_of(folder, names),
        args=TrainingArguments(output_dir, report_to="none", **{"learning_rate": 3e-4, **(own or {}), **training}),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
        data_collator=collator or DataCollatorForTokenClassification(tokenizer),
    )


cases.value("make_trainer", "right", "", "a_trainer_by_hand", trainer_with)


@cases.right("make_trainer")
def with_the_courses_helpers(folder, tokenizer, names, train_dataset, eval_dataset, output_dir, **training):
    from ftcourse import ner, train

    return train.build_trainer(
        ner.load_tagger(f"./{folder}" if folder[0] not in "./~" and folder[1:2] != ":" else folder, names),
        train.training_arguments(output_dir, **training),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
        data_collator=DataCollatorForTokenClassification(tokenizer),
    )


@cases.right("make_trainer")
def made_when_it_is_needed(folder, tokenizer, names, train_dataset, eval_dataset, output_dir, **training):
    args = TrainingArguments(output_dir, report_to="none", **{"warmup_steps": 0.1, "weight_decay": 0.01, **training})
    return Trainer(
        model_init=lambda: model_of(folder, names),
        args=args,
        data_collator=DataCollatorForTokenClassification(tokenizer, pad_to_multiple_of=8),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
    )


@cases.right("make_trainer")
def names_set_in_the_configuration(folder, tokenizer, names, train_dataset, eval_dataset, output_dir, **training):
    config = AutoConfig.from_pretrained(folder, num_labels=len(names))
    config.id2label, config.label2id = dict(enumerate(names)), {tag: names.index(tag) for tag in names}
    model = AutoModelForTokenClassification.from_pretrained(folder, config=config)
    return trainer_with(folder, tokenizer, names, train_dataset, eval_dataset, output_dir, model, **training)


@cases.wrong("make_trainer", r"The model calls its answers LABEL_0, LABEL_1.*names has O, B-DRUG")
def numbers_for_names(folder, tokenizer, names, *args, **training):
    model = AutoModelForTokenClassification.from_pretrained(folder, num_labels=len(names))
    return trainer_with(folder, tokenizer, names, *args, model=model, **training)


@cases.wrong("make_trainer", r"The model knows 2 labels, and there are 5 names")
def names_forgotten(folder, *args, **training):
    model = AutoModelForTokenClassification.from_pretrained(folder)
    return trainer_with(folder, *args, model=model, **training)


@cases.wrong("make_trainer", r"The model knows 9 labels, and there are 5 names")
def labels_of_the_course(folder, *args, **training):
    from ftcourse.entities import TAGS

    return trainer_with(folder, *args, model=model_of(folder, TAGS), **training)


@cases.wrong("make_trainer", r"The model calls its answers B-DOSE")
def names_sorted(folder, tokenizer, names, *args, **training):
    return trainer_with(folder, tokenizer, names, *args, model=model_of(folder, sorted(names)), **training)


@cases.wrong("make_trainer", r"isn't id2label turned round")
def label2id_left_out(folder, tokenizer, names, *args, **training):
    model = AutoModelForTokenClassification.from_pretrained(folder, id2label=dict(enumerate(names)))
    model.config.label2id = {f"LABEL_{number}": number for number in range(len(names))}
    return trainer_with(folder, tokenizer, names, *args, model=model, **training)


@cases.wrong("make_trainer", r"it doesn't answer for every token. The model is one for token classification")
def model_for_whole_texts(folder, tokenizer, names, *args, **training):
    model = model_of(folder, names, AutoModelForSequenceClassification)
    return trainer_with(folder, tokenizer, names, *args, model=model, **training)


@cases.wrong("make_trainer", r"The body of the model isn't the pretrained one")
def random_body(folder, tokenizer, names, *args, **training):
    config = AutoConfig.from_pretrained(folder, num_labels=len(names))
    model = AutoModelForTokenClassification.from_config(config)
    return trainer_with(folder, tokenizer, names, *args, model=model, **training)


@cases.error("make_trainer", r"this collator doesn't pad them: there is one for token classification")
def collator_for_texts(folder, tokenizer, *args, **training):
    return trainer_with(folder, tokenizer, *args, collator=DataCollatorWithPadding(tokenizer), **training)


@cases.wrong("make_trainer", r"The labels of padding are \[0\]: they must be -100")
def padding_is_outside(folder, tokenizer, *args, **training):
    collator = DataCollatorForTokenClassification(tokenizer, label_pad_token_id=0)
    return trainer_with(folder, tokenizer, *args, collator=collator, **training)


@cases.wrong("make_trainer", r"A batch whose longest row has 8 tokens is 64 wide: pad to the longest row")
def padded_to_a_fixed_length(folder, tokenizer, *args, **training):
    collator = DataCollatorForTokenClassification(tokenizer, padding="max_length", max_length=64)
    return trainer_with(folder, tokenizer, *args, collator=collator, **training)


@cases.wrong("make_trainer", r"gives no loss: it looks for labels under \['label'\]. Leave label_names out")
def labels_by_another_name(*args, **training):
    return trainer_with(*args, own={"label_names": ["label"]}, **training)


@cases.wrong("make_trainer", r"no tokenizer, and would save none with the model")
def tokenizer_not_handed_over(folder, tokenizer, *args, **training):
    collator = DataCollatorForTokenClassification(tokenizer)
    return trainer_with(folder, None, *args, collator=collator, **training)


@cases.wrong("make_trainer", r"weights are frozen, bert\..*here the whole model is fine-tuned")
def body_frozen(folder, tokenizer, names, *args, **training):
    model = model_of(folder, names)
    model.base_model.requires_grad_(False)
    return trainer_with(folder, tokenizer, names, *args, model=model, **training)


@cases.wrong("make_trainer", r"judged on the rows that it trains on")
def judged_on_training(folder, tokenizer, names, train_dataset, eval_dataset, *args, **training):
    return trainer_with(folder, tokenizer, names, train_dataset, train_dataset, *args, **training)


@cases.wrong("make_trainer", r"trains on another data set than train_dataset")
def sides_of_the_trainer_swapped(folder, tokenizer, names, train_dataset, eval_dataset, *args, **training):
    return trainer_with(folder, tokenizer, names, eval_dataset, train_dataset, *args, **training)


@cases.wrong("make_trainer", r"no eval_dataset")
def nothing_to_judge_on(folder, tokenizer, names, train_dataset, eval_dataset, *args, **training):
    return trainer_with(folder, tokenizer, names, train_dataset, None, *args, **training)


@cases.wrong("make_trainer", r"max_steps=4 was given and the arguments have -1: pass \*\*training on")
def training_not_passed_on(*args, **training):
    return trainer_with(*args)


@cases.wrong("make_trainer", r"learning_rate=0.001 was given and the arguments have 0.0003")
def own_rate_wins(*args, **training):
    return trainer_with(*args, **training | {"learning_rate": 3e-4})


@cases.wrong("make_trainer", r"learning rate is 0.1\..*would destroy them")
def rate_of_training_from_scratch(*args, **training):
    return trainer_with(*args, own={"learning_rate": 0.1}, **training)


@cases.wrong("make_trainer", r"Checkpoints would go to 'elsewhere'")
def folder_written_down(folder, tokenizer, names, train_dataset, eval_dataset, output_dir, **training):
    return trainer_with(folder, tokenizer, names, train_dataset, eval_dataset, "elsewhere", **training)


@cases.wrong("make_trainer", r"trained already")
def trained_before_it_is_returned(*args, **training):
    trainer = trainer_with(*args, **training)
    if training:
        trainer.train()
    return trainer


@cases.wrong("make_trainer", r"Return the Trainer itself")
def model_and_trainer(folder, tokenizer, names, *args, **training):
    model = model_of(folder, names)
    return model, trainer_with(folder, tokenizer, names, *args, model=model, **training)


# --- The mistakes ----------------------------------------------------------------------------------------------------

TRUE = [[(0, 2, "PER"), (4, 5, "LOC")], [], [(1, 2, "ORG"), (3, 4, "MISC")], [(0, 1, "LOC")]]
FOUND = [[(0, 2, "PER"), (4, 6, "LOC")], [(2, 3, "PER")], [(1, 2, "LOC")], [(0, 1, "LOC")]]
given = {"find_mistakes": [{"true_names": TRUE, "found_names": FOUND}]}


def with_data(outcome, message=""):
    """Decorate an answer to the step, which also gets a reader's names."""

    def register(answer):
        cases.value("find_mistakes", outcome, message, answer.__name__, answer, TRUE, FOUND)
        return answer

    return register


def shares(one, other):
    return max(one[0], other[0]) < min(one[1], other[1])


def listed(true, found, kinds=("missed", "type", "boundary", "spurious"), shares=shares, first=0):
    """Return the mistakes; the arguments say how they differ from right ones."""
    missed, kind, boundary, spurious = kinds
    mistakes = []
    for number, (names, answers) in enumerate(zip(true, found, strict=True), first):
        for name in (name for name in names if name not in answers):
            others = [other for other in answers if shares(name, other)]
            same = any(other[2] == name[2] for other in others)
            mistakes.append((number, boundary if same else kind if others else missed, name))
        mistakes += [(number, spurious, one) for one in answers if not any(shares(one, name) for name in names)]
    return mistakes


with_data("right", r"1 missed, 1 boundary, 1 type, 1 spurious")(listed)


@with_data("right")
def with_sets_of_words(true, found):
    return listed(true, found, shares=lambda one, other: not set(range(*one[:2])).isdisjoint(range(*other[:2])))


Mistake = namedtuple("Mistake", "number kind name")


@with_data("right")
def backwards_as_named_tuples(true, found):
    return (Mistake(row, kind, Span(*name)) for row, kind, name in reversed(listed(true, found)))


@with_data("wrong", r"A mistake is {'kind': 'missed', .*: give the number of the sentence, the kind, and the name")
def mistakes_as_dictionaries(true, found):
    return [Mistake(*mistake)._asdict() for mistake in listed(true, found)]


@with_data("wrong", r"Return a list with a triple for each mistake")
def mistakes_as_a_frame(true, found):
    return pd.DataFrame(listed(true, found), columns=["sentence", "kind", "name"])


@with_data("wrong", r"In sentence 0, with the names.*is 'type' for you.*has its label, and that decides")
def first_that_shares_a_word(true, found):
    mistakes = []
    for row, kind, name in listed(true, found):
        other = next((one for one in found[row] if shares(name, one)), name)
        mistakes.append((row, "type" if kind == "boundary" and other[2] != name[2] else kind, name))
    return mistakes


@with_data(
    "wrong", r"answers \[\(0, 1, 'PER'\), \(1, 3, 'LOC'\)\].* is 'type' for you.*has its label, and that decides"
)
def last_that_shares_a_word(true, found):
    mistakes = []
    for row, kind, name in listed(true, found):
        other = next((one for one in reversed(found[row]) if shares(name, one)), name)
        mistakes.append((row, "type" if kind == "boundary" and other[2] != name[2] else kind, name))
    return mistakes


@with_data("wrong", r"\(0, 2, 'PER'\) is 'type', and you note the answer that shares a word: name the true one")
def answers_for_names(true, found):
    return [
        (row, kind, next((one for one in found[row] if shares(name, one)), name))
        for row, kind, name in listed(true, found)
    ]


@with_data("wrong", r"isn't among your mistakes: a sentence may have several")
def one_a_sentence(true, found):
    return list({mistake[0]: mistake for mistake in listed(true, found)}.values())


@with_data("wrong", r"a name that is exactly right is no mistake")
def right_ones_too(true, found):
    return [(row, "boundary", name) for row, names in enumerate(true) for name in names]


@with_data("wrong", r"isn't among your mistakes: a name that was found where there is none is spurious")
def names_alone(true, found):
    return [mistake for mistake in listed(true, found) if mistake[1] != "spurious"]


@with_data("wrong", r"isn't among your mistakes: a name where nothing was found is missed")
def answers_alone(true, found):
    return [mistake for mistake in listed(true, found) if mistake[1] == "spurious"]


@with_data("wrong", r"is noted for sentence 1: sentences are counted from 0")
def counted_from_one(true, found):
    return listed(true, found, first=1)


@with_data("wrong", r"is 'boundary' for you: it stands there with another label")
def labels_not_looked_at(true, found):
    return listed(true, found, kinds=("missed", "boundary", "boundary", "spurious"))


@with_data("wrong", r"is 'missed' for you: it stands there with another label")
def exact_or_missed(true, found):
    return listed(true, found, kinds=("missed", "missed", "missed", "spurious"))


@with_data("wrong", r"names side by side share no word")
def ends_counted_in(true, found):
    return listed(true, found, shares=lambda one, other: max(one[0], other[0]) <= min(one[1], other[1]))


@with_data("wrong", r"you note .* as 'spurious': it stands there with another label")
def every_other_answer_spurious(true, found):
    return [
        *(mistake for mistake in listed(true, found) if mistake[1] != "spurious"),
        *((row, "spurious", one) for row, some in enumerate(found) for one in some if one not in true[row]),
    ]


@with_data("wrong", r"a sentence may have several, and each name is a mistake of its own")
def once_for_each_answer(true, found):
    kept, seen = [], set()
    for row, kind, name in listed(true, found):
        other = next((one for one in found[row] if shares(name, one)), name)
        if (row, other) not in seen:
            kept.append((row, kind, name))
        seen.add((row, other))
    return kept


@with_data("wrong", r"is 'type' for you|is 'missed' for you|sentence is compared with its own answers only|noted as")
def compared_with_all_sentences(true, found):
    every = [name for names in found for name in names]
    return [(row, kind, name) for row, kind, name in listed(true, [every] * len(true)) if kind != "spurious"] + [
        mistake for mistake in listed(true, found) if mistake[1] == "spurious"
    ]


@with_data("wrong", r"The kind of a mistake is 'miss': it is one of missed, boundary, type, spurious")
def kinds_in_other_words(true, found):
    return listed(true, found, kinds=("miss", "label", "border", "extra"))


@with_data("wrong", r"Return a list with a triple for each mistake")
def counts_of_kinds(true, found):
    return Counter(kind for _, kind, _ in listed(true, found))


@with_data("wrong", r"A mistake is .*: give the number of the sentence")
def kind_and_name(true, found):
    return [(kind, name) for _, kind, name in listed(true, found)] or [("missed", (0, 1, "PER"))]


@with_data("wrong", r"changed found, which it was given")
def answers_taken_away(true, found):
    mistakes = listed(true, found)
    for names, answers in zip(true, found, strict=True):
        answers[:] = [one for one in answers if one not in names]
    return mistakes


cases.value(
    "find_mistakes", "wrong", r"The true names should be a list with a list of names", "no_data", listed, None, FOUND
)
cases.value(
    "find_mistakes",
    "wrong",
    r"There are 4 true sentences and 3 answered ones",
    "a_sentence_lost",
    listed,
    TRUE,
    FOUND[:3],
)

# --- Sentences of one's own ------------------------------------------------------------------------------------------

OWN = [(f"Fry {dish} in a {tool} {number}".split(), ["O", "B-DISH", "I-DISH", "O", "O", "B-TOOL", "O"])
       for number, (dish, tool) in enumerate(zip(["fish cakes", "two eggs"] * 4, ["pan", "wok", "pot", "tin"] * 2,
                                                 strict=True))]  # fmt: skip
OWN_NAMES = ["O", "B-DISH", "I-DISH", "B-TOOL", "I-TOOL"]


def own(outcome, message, name, sentences=OWN, names=tuple(OWN_NAMES)):
    cases.value("own_sentences", outcome, message, name, sentences, names)


def changed(words=None, tags=None, number=2):
    """Return the sentences with one of them changed."""
    return [
        (kept[0] if words is None else words, tags or kept[1]) if row == number else kept
        for row, kept in enumerate(OWN)
    ]


def dataset():
    from datasets import Dataset

    return Dataset.from_list([{"words": words, "tags": tags} for words, tags in OWN])


own("right", r"8 sentences with 16 names: 8 of DISH, 8 of TOOL\.$", "pairs")
own("right", r"8 sentences", "named_tuples", [namedtuple("Row", "tokens labels")(*row) for row in OWN], OWN_NAMES[::-1])
own(
    "wrong",
    r"Sentence 0 is {'tags'.*give a pair, .* as the cells further down take them",
    "dictionaries",
    [dict(zip(("words", "tags"), row, strict=True)) for row in OWN],
)
own("wrong", r"Write a list of sentences", "a_data_set", dataset())
own("wrong", r"Write a list of sentences", "a_frame", pd.DataFrame(OWN, columns=["words", "tags"]))
own("wrong", r"Sentence 2 is .*give a pair, a list of words", "words_as_an_array", changed(words=np.array(OWN[2][0])))
own("wrong", r"own_names is a list of tags; this is array", "names_as_an_array", names=np.array(OWN_NAMES))
own("wrong", r"There are 3 sentences: write eight or more", "three_sentences", OWN[:3])
own("wrong", r"is there more than once", "one_sentence_eight_times", OWN[:1] * 8)
own(
    "wrong", r"Sentence 2, .*has 6 words and 7 tags", "a_word_too_few", changed(words="Fry fish cakes in a pan".split())
)
own(
    "wrong",
    r"Sentence 2 has the tag 'DISH' at 'fish'",
    "labels_for_tags",
    changed(tags=["O", "DISH", "DISH", *"OO", "TOOL", "O"]),
)
own(
    "wrong", r"Sentence 2 has I-DISH at 'fish' after O: the first word of a name has B-", "another_scheme",
    changed(tags=["O", "I-DISH", "I-DISH", "O", "O", "B-TOOL", "O"]),
)  # fmt: skip
own(
    "wrong", r"Sentence 2 has I-TOOL at 'cakes' after B-DISH", "another_label_within",
    changed(tags=["O", "B-DISH", "I-TOOL", "O", "O", "B-TOOL", "O"]),
)  # fmt: skip
own(
    "wrong", r"PER is a label of the course: choose others", "labels_of_the_course",
    [(words, [tag.replace("DISH", "PER") for tag in tags]) for words, tags in OWN],
)  # fmt: skip
own(
    "wrong", r"The labels are DISH: choose two or more", "one_label",
    [(words, [*tags[:5], "O", "O"]) for words, tags in OWN],
)  # fmt: skip
own(
    "wrong", r"Of the label KNIFE there is 1: each label needs three names or more", "a_rare_label",
    changed(tags=["O", "B-DISH", "I-DISH", "O", "O", "B-KNIFE", "O"]),
)  # fmt: skip
own("wrong", r"own_names has no B-TOOL", "a_label_forgotten", names=OWN_NAMES[:3])
own("wrong", r"own_names has no I-TOOL: .*a later token needs it also", "no_tag_for_later_tokens", names=OWN_NAMES[:4])
own("wrong", r"own_names has no O", "outside_forgotten", names=OWN_NAMES[1:])
own("wrong", r"own_names has B-LOC, which no label", "a_label_too_many", names=[*OWN_NAMES, "B-LOC", "I-LOC"])
own("wrong", r"own_names has a tag twice", "a_tag_twice", names=[*OWN_NAMES, "O"])
own("wrong", r"own_names has no B-DISH", "labels_for_names", names=["O", "DISH", "TOOL"])
own(
    "wrong",
    r"Sentence 0 is 'Fry fish.*give a pair, a list of words and a list of tags",
    "plain_texts",
    ["Fry fish cakes"] * 8,
)
own("wrong", r"Sentence 2 has the word 'fish cakes': a word is a string without blanks", "names_as_words",
    changed(words=["Fry", "fish cakes", "in", "a", "big", "pan", "2"]))  # fmt: skip
own("wrong", r"Sentence 2 has no words", "an_empty_sentence", [*OWN[:2], ([], []), *OWN[3:]])
own("wrong", r"own_names is a list of tags; this is 'O B-DISH", "names_in_one_string", names=" ".join(OWN_NAMES))
own("wrong", r"Write a list of sentences, each with its words and tags", "one_string", "Fry fish cakes in a pan .")
