"""Other names for a sentence: the same kinds, in every run; and names that are looked up."""

import random

import pytest
from datasets import Dataset

from ftcourse import entities, names
from ftcourse.files import DATA


@pytest.mark.long
def test_replacing_names_keeps_everything_else():
    rng = random.Random(0)
    data = entities.read_sentences(DATA / "ner_sentences.txt")
    changed = 0
    for row in data:
        words, tags = names.replace_names(row["words"], row["tags"], rng)
        entities.check_examples([words], [tags])
        pairs = ((row["words"], row["tags"]), (words, tags))
        before, after = [[word for word, tag in zip(*pair, strict=True) if tag == "O"] for pair in pairs]
        assert before == after
        assert [span[2] for span in entities.spans(tags)] == [span[2] for span in entities.spans(row["tags"])]
        changed += words != row["words"]
    assert changed > len(data) / 2


def test_kinds_stay_apart_and_capitals_stay():
    rng = random.Random(0)
    assert names.kind_of("LOC", "Ghana") == "country" and names.kind_of("MISC", "World Cup") is None
    nationalities = names.name_lists()["nationality"]
    assert all(" ".join(names.other_name("MISC", ["Thai"], rng)) in nationalities for _ in range(20))
    assert names.other_name("MISC", ["World", "Cup"], rng) == ["World", "Cup"]
    swapped = {" ".join(names.other_name("MISC", ["WORLD", "CUP"], rng, ["Tour de France"])) for _ in range(40)}
    assert swapped == {"WORLD CUP", "TOUR DE FRANCE"}
    assert names.other_name("PER", ["D.", "Ince"], rng)[0] == "D."
    assert all(" ".join(names.other_name("LOC", ["PERU"], rng)).isupper() for _ in range(20))
    assert all(" ".join(names.other_name("PER", ["tom", "ford"], rng)).islower() for _ in range(20))


def test_name_lists_are_the_same_every_time_and_disjoint_where_it_matters():
    lists = names.name_lists()
    names.name_lists.cache_clear()
    assert lists == names.name_lists()
    assert all(len(some) >= 60 and all(name.isascii() for name in some) for some in lists.values())
    assert not set(lists["nationality"]) & set(lists["country"])


@pytest.mark.long
def test_multiplied_sentences_depend_on_the_seed_alone():
    data = entities.load_entities()["train"].select(range(50))
    assert names.multiply(data, 0) is data
    first, again, other = (names.multiply(data, 2, seed=seed) for seed in (1, 1, 2))
    assert first.to_dict() == again.to_dict() != other.to_dict()
    assert len(first) == 150 and first.select(range(50)).to_dict() == data.to_dict()


def test_look_up_takes_the_longest_name():
    known = {("new", "york"): "LOC", ("new", "york", "mets"): "ORG", ("york",): "LOC"}
    assert names.look_up(["York", "beat", "New", "York", "Mets", "in", "New", "York"], known) == [
        "B-LOC", "O", "B-ORG", "I-ORG", "I-ORG", "O", "B-LOC", "I-LOC",
    ]  # fmt: skip


def test_a_name_is_collected_with_its_commonest_label():
    pairs = [entities.parse_sentence(line) for line in ("[LOC Leeds] won", "[ORG LEEDS] won", "[ORG Leeds] lost")]
    data = Dataset.from_list([{"words": words, "tags": tags} for words, tags in pairs])
    assert names.collect_names(data) == {("leeds",): "ORG"}
