"""Names: lists of them by kind, other names of the same kind for a sentence, and those that training has seen.

The lists come from Faker (persons, cities and companies by country) and Babel (countries, languages and cities of the
Unicode consortium), and are the same in every run.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from datasets import Dataset, concatenate_datasets

from .entities import spans

LOCALES = [
    "en_US", "en_GB", "en_IE", "en_IN", "en_PK", "en_NG", "en_KE", "en_TH", "de_DE", "fr_FR", "es_ES", "it_IT",
    "pt_BR", "nl_NL", "nl_BE", "pl_PL", "cs_CZ", "sk_SK", "hr_HR", "hu_HU", "ro_RO", "sv_SE", "no_NO", "da_DK",
    "fi_FI", "et_EE", "lt_LT", "lv_LV", "tr_TR", "id_ID", "tw_GH", "zu_ZA", "uz_UZ",
]  # fmt: skip
WITH_COMPANIES = ["en_US", "de_DE", "nl_NL", "sv_SE", "fr_FR", "it_IT", "da_DK", "fi_FI"]
WITH_REAL_CITIES = [
    "de_DE", "en_IN", "es_ES", "pt_PT", "pl_PL", "cs_CZ", "hr_HR", "ro_RO", "sv_SE", "fi_FI", "id_ID", "zu_ZA", "de_AT",
]  # fmt: skip
# Codes of unions, islets and the unknown.
NO_COUNTRY = ["AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UM", "UN", "XA", "XB", "ZZ"]
_COMPANY = re.compile(r"\b(Ltd|Inc|Corp|Co|Plc|PLC|NV|AG|AS|AB|SA|SARL|GmbH|Group|ApS|Oy|Oyj)$")


def _plain(names: Iterable[str | None]) -> list[str]:
    """Return the names without accents, sorted; those that aren't words in Latin letters are left out."""
    folded = {re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name)) for name in names if name}
    return sorted(name for name in folded if re.fullmatch(r"[A-Za-z][A-Za-z' .&-]+", name))


def _from_faker(locales: Iterable[str], provider: str, maker: str, count: int = 60) -> list[str]:
    """Return names drawn from Faker: so many a locale ("de_DE") from a method ("city") of a provider ("address")."""
    from faker import Faker

    names: list[str] = []
    for locale in locales:
        # Only what is needed: all of Faker's providers take a second to load for each country.
        fake = Faker(locale, providers=["faker.providers.person", f"faker.providers.{provider}"], use_weighting=False)
        fake.seed_instance(0)
        names += [getattr(fake, maker)() for _ in range(count)]
    return _plain(names)


def _countries() -> list[str]:
    """Return the English names of countries."""
    from babel import Locale

    names = Locale("en").territories.items()
    return _plain(name.replace("&", "and") for code, name in names if len(code) == 2 and code not in NO_COUNTRY)


def _cities() -> list[str]:
    """Return cities after which time zones are called, as in America/Mexico_City, and those that Faker knows."""
    from babel.core import get_global

    zones = [zone for zone in get_global("zone_territories") if re.match("(Africa|America|Asia|Europe)/", zone)]
    cities = [zone.split("/")[-1].replace("_", " ") for zone in zones]
    return _plain(cities + _from_faker(WITH_REAL_CITIES, "address", "city", 40))


def _nationalities() -> list[str]:
    """Return languages that are called like a nationality, and an *-ian* for each country in *-ia*."""
    from babel import Locale
    from babel.languages import get_official_languages

    english = Locale("en")
    codes = {language for code in english.territories for language in get_official_languages(code)}
    adjective = re.compile(r"[A-Z]\w+(?:an|ish|ese|ch|ic|ai|ek|ak|sh)").fullmatch
    languages = filter(adjective, _plain(english.languages.get(code) for code in codes))
    return sorted({*languages, *(f"{name}n" for name in _countries() if re.fullmatch(r"\w+ia", name))})


@lru_cache
def name_lists() -> dict[str, list[str]]:
    """Return lists of names by kind: first, last, city, country, nationality, company."""
    from_japan = [_from_faker(["ja_JP"], "person", f"{part}_romanized_name") for part in ("first", "last")]
    return {
        "first": _from_faker(LOCALES, "person", "first_name") + from_japan[0],
        "last": _from_faker(LOCALES, "person", "last_name") + from_japan[1],
        "city": _cities(),
        "country": _countries(),
        "nationality": _nationalities(),
        "company": [name for name in _from_faker(WITH_COMPANIES, "company", "company") if _COMPANY.search(name)],
    }


@lru_cache
def _known(kind: str) -> set[str]:
    """Return the names of a kind in lower case."""
    return {name.lower() for name in name_lists()[kind]}


def kind_of(label: str, name: str) -> str | None:
    """Say what kind of name it is.

    Args:
        label: of the name: ``PER``, ``ORG``, ``LOC`` or ``MISC``; no list knows others.
        name: such as ``"Lisbon"``.

    Returns:
        ``"person"``, ``"country"``, ``"city"``, ``"nationality"`` or ``"company"``; None if no list says it.
    """
    if label == "PER":
        return "person"
    if label == "ORG" and _COMPANY.search(name):
        return "company"
    allowed = {"LOC": ["country", "city"], "ORG": ["city"], "MISC": ["nationality"]}.get(label, [])
    known = next((kind for kind in allowed if name.lower() in _known(kind)), None)
    return known or ("city" if label == "LOC" and " " not in name else None)


def other_name(label: str, words: Sequence[str], rng: random.Random, others: Sequence[str] = ()) -> list[str]:
    """Return the words of another name of the same kind, in capitals where the name was.

    A person keeps the shape of the name. Where the kind isn't known, either the places and nationalities in the name
    are replaced, or the whole gives way to one of `others`.

    Args:
        label: of the name.
        words: of the name.
        rng: a ``random.Random``, which is drawn from.
        others: names with the same label, for a name whose kind isn't known.
    """
    name = " ".join(words)
    kind = kind_of(label, name)
    if kind == "person":
        new = _other_person(words, rng)
    elif kind:
        new = rng.choice(name_lists()[kind])
    elif others and rng.random() < 0.5:
        new = rng.choice(others)
    else:
        new = " ".join(_other_place(word, rng) for word in words)
    new = new.upper() if name.isupper() else new.lower() if name.islower() else new
    return new.split()


def _other_person(words: Sequence[str], rng: random.Random) -> str:
    """Return a new surname, and a new first name unless it is an initial; what stands between is kept."""
    *before, _ = words
    if before and not before[0].endswith("."):
        before[0] = rng.choice(name_lists()["first"])
    return " ".join([*before, rng.choice(name_lists()["last"])])


def _other_place(word: str, rng: random.Random) -> str:
    """Return another city, country or nationality for a word that is one, and any other word as it is."""
    kind = next((kind for kind in ("city", "country", "nationality") if word.lower() in _known(kind)), None)
    return rng.choice(name_lists()[kind]) if kind else word


def replace_names(
    words: Sequence[str], tags: Sequence[str], rng: random.Random, others: Mapping[str, Sequence[str]] | None = None
) -> tuple[list[str], list[str]]:
    """Return a sentence with other names, as its words and their tags.

    Args:
        words: of the sentence.
        tags: one a word.
        rng: a ``random.Random``, which is drawn from.
        others: for each label names with it, for those whose kind isn't known; None for none.
    """
    new_words: list[str] = []
    new_tags: list[str] = []
    end = 0
    for start, stop, label in spans(tags):
        name = other_name(label, words[start:stop], rng, (others or {}).get(label, ()))
        new_words += [*words[end:start], *name]
        new_tags += ["O"] * (start - end) + [f"B-{label}"] + [f"I-{label}"] * (len(name) - 1)
        end = stop
    return [*new_words, *words[end:]], new_tags + ["O"] * (len(words) - end)


def multiply(dataset: Dataset, copies: int, seed: int = 0) -> Dataset:
    """Return the sentences, followed by copies of them with other names.

    Args:
        dataset: with the columns words and tags.
        copies: how many times to repeat every sentence; 0 gives the data set itself.
        seed: of the names.
    """
    rng = random.Random(seed)
    others: dict[str, list[str]] = {}
    for row in dataset:
        for start, end, label in spans(row["tags"]):
            others.setdefault(label, []).append(" ".join(row["words"][start:end]))
    pairs = [replace_names(row["words"], row["tags"], rng, others) for _ in range(copies) for row in dataset]
    if not pairs:
        return dataset
    new_words, new_tags = zip(*pairs, strict=True)
    more = Dataset.from_dict({"words": new_words, "tags": new_tags}, features=dataset.features)
    return concatenate_datasets([dataset, more])


def collect_names(dataset: Dataset) -> dict[tuple[str, ...], str]:
    """Return the names in a data set, as words in lower case, each with its commonest label.

    Args:
        dataset: with the columns words and tags.
    """
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for row in dataset:
        for start, end, label in spans(row["tags"]):
            counts.setdefault(tuple(word.lower() for word in row["words"][start:end]), Counter())[label] += 1
    return {name: labels.most_common(1)[0][0] for name, labels in counts.items()}


def look_up(words: Sequence[str], known: Mapping[tuple[str, ...], str], longest: int = 6) -> list[str]:
    """Return tags for the names that are known, the longest match first: the baseline of lesson 5.

    Args:
        words: of a sentence.
        known: what `collect_names` returned.
        longest: words of a name at most.
    """
    lower, tags, i = [word.lower() for word in words], [], 0
    while i < len(words):
        size = next((n for n in range(longest, 0, -1) if tuple(lower[i : i + n]) in known and i + n <= len(words)), 0)
        label = known.get(tuple(lower[i : i + size]))
        tags += [f"B-{label}"] + [f"I-{label}"] * (size - 1) if size else ["O"]
        i += max(size, 1)
    return tags
