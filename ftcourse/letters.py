r"""Words and punctuation in any script: Python's ``\w`` knows no vowel marks, no emoji and no C++."""

from __future__ import annotations

import unicodedata
from itertools import groupby


def _characters(*kinds: str) -> str:
    """Return the characters of some categories of Unicode, as ranges for the brackets of a regular expression."""
    found, start = "", 0
    for inside, run in groupby(kind in kinds for kind in _CATEGORIES):
        end = start + len(list(run))
        found += f"\\U{start:08x}-\\U{end - 1:08x}" if inside else ""
        start = end
    return found


_CATEGORIES = [unicodedata.category(chr(code)) for code in range(0x20000)]
_MARKS = _characters("Mn", "Mc", "Me") + "\u200c\u200d"  # joiners belong to a word, too
# Two letters or more, as scikit-learn has it, but with the marks that belong to them; C++ and C#; emoji, one by one.
WORD = rf"\w[\w{_MARKS}]+|\w(?:\+\+|\#)|[{_characters('So')}]"
# What parts words and says nothing itself; in "C#" and "5 %" it does say something.
_PUNCTUATION = {
    code: " "
    for code, kind in enumerate(_CATEGORIES)
    if kind in ("Pd", "Ps", "Pe", "Pi", "Pf", "Po") and chr(code) not in "#%&@"
}


def without_punctuation(text: str) -> str:
    """Return a text with a space for each run of punctuation and spaces.

    Args:
        text: any string.
    """
    return " ".join(text.translate(_PUNCTUATION).split())
