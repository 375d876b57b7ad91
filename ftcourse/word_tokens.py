"""Tokenizers for words: one that takes words, and capitals for one that doesn't see them."""

from __future__ import annotations

import copy
import json
import string
from typing import TYPE_CHECKING

from tokenizers import Regex, Tokenizer, normalizers

from .errors import CourseError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What can't stand before the first letter of a word: BERT cuts words at blanks and at these.
_INSIDE = r"[^\s\p{P}$+<=>^`|~]"
# A stand-in for each capital that lower case leaves alone, while all the other capitals are lowered. These signs are
# for private use, and the cleaning before has taken out those of the text.
_KEPT = {letter: chr(0xE000 + place) for place, letter in enumerate(string.ascii_uppercase)}


def for_words(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """Return a tokenizer that is fit for sentences cut into words.

    Byte-level tokenizers (GPT-2, RoBERTa) write the blank before a word into its first token. A word that comes by
    itself has no blank, so one is put before it, as it would stand in a text.

    Args:
        tokenizer: any fast tokenizer; it is not changed.

    Raises:
        CourseError: if it isn't a fast one, which alone can say from which word a token came.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise CourseError(
            f"The tokenizer {type(tokenizer).__name__} can't say from which word a token came: load it by "
            "AutoTokenizer.from_pretrained, which takes the fast one where there is one."
        )
    cut = tokenizer.backend_tokenizer.pre_tokenizer
    state = json.loads(cut.__getstate__()) if cut is not None else {}
    steps = state.get("pretokenizers", [state])
    if not any(step.get("type") == "ByteLevel" and not step["add_prefix_space"] for step in steps):
        return tokenizer
    for step in steps:
        if step["type"] == "ByteLevel":
            step["add_prefix_space"] = True
    plain = json.loads(tokenizer.backend_tokenizer.to_str()) | {"pre_tokenizer": state}
    new = copy.deepcopy(tokenizer)
    new._tokenizer = Tokenizer.from_str(json.dumps(plain))
    new.add_prefix_space = new.init_kwargs["add_prefix_space"] = True
    return new


def hides_capitals(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Say whether a tokenizer reads a capital as the small letter.

    Args:
        tokenizer: any tokenizer of transformers.
    """
    return tokenizer.tokenize("Reading") == tokenizer.tokenize("reading")


def with_capitals(tokenizer: PreTrainedTokenizerBase) -> tuple[PreTrainedTokenizerBase, dict[int, int]]:
    """Return a tokenizer that keeps the capital at the beginning of a word, A to Z with or without an accent.

    Each piece of the vocabulary that begins with a small letter gets a twin with a capital, with a number of its own
    behind all others. So a text is cut as before, and a piece at the beginning of a capitalised word is the twin.
    Capitals within a word are lowered as before: *JAPAN* and *Japan* stay one.

    Args:
        tokenizer: of BERT's kind (WordPiece), uncased; it is not changed.

    Returns:
        The new tokenizer, and for the number of each twin that of its small piece. A tokenizer that sees capitals, or
        is of another kind, is returned as it is, without twins.
    """
    from transformers import PreTrainedTokenizerFast

    if not (tokenizer.is_fast and hides_capitals(tokenizer)):
        return tokenizer, {}
    plain = json.loads(tokenizer.backend_tokenizer.to_str())
    old, kind = plain["normalizer"] or {}, plain["model"]
    if kind["type"] != "WordPiece" or old.get("type") != "BertNormalizer":
        return tokenizer, {}
    vocabulary = kind["vocab"]
    first, twins = max(len(tokenizer), *(number + 1 for number in vocabulary.values())), {}
    for piece, number in list(vocabulary.items()):
        if piece and piece[0] in string.ascii_lowercase:
            # A capitalised piece that is there already was never reached, as all was lowered: it becomes the twin.
            twin = vocabulary.setdefault(piece[0].upper() + piece[1:], first)
            first += twin == first
            twins[twin] = number
    plain |= {"truncation": None, "padding": None}  # of the last call, or of the file
    new = Tokenizer.from_str(json.dumps(plain))
    keep = [normalizers.Replace(Regex(f"(?<!{_INSIDE}){letter}"), kept) for letter, kept in _KEPT.items()]
    back = [normalizers.Replace(kept, letter) for letter, kept in _KEPT.items()]
    accents = old["strip_accents"] is not False  # left open, they go with the capitals
    clean = normalizers.BertNormalizer(old["clean_text"], old["handle_chinese_chars"], accents, lowercase=False)
    new.normalizer = normalizers.Sequence([clean, *keep, normalizers.Lowercase(), *back])
    names = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    same = ("model_input_names", "model_max_length", "padding_side", "truncation_side")
    return PreTrainedTokenizerFast(
        tokenizer_object=new, **names, **{name: getattr(tokenizer, name) for name in same}
    ), twins
