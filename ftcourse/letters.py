r"""Words and punctuation in any script: Python's ``\w`` knows no vowel marks, no emoji and no C++."""

from __future__ import annotations

import unicodedata
from itertools import groupby


def _runs() -> list[tuple[str, range]]:
    """Return each run of neighbouring characters of one category of Unicode."""
    runs, start = [], 0
    for kind, run in groupby(map(unicodedata.category, map(chr, range(0x20000)))):
        runs.append((kind, range(start, start + len(list(run)))))
        start = runs[-1][1].stop
    return runs


def _characters(*kinds: str) -> str:
    """Return the characters of some categories, as ranges for the brackets of a regular expression."""
    return "".join(f"\\U{run[0]:08x}-\\U{run[-1]:08x}" for kind, run in _RUNS if kind in kinds)


_RUNS = _runs()
_MARKS = _characters("Mn", "Mc", "Me") + "\u200c\u200d"  # joiners belong to a word, too
# Two letters or more, as scikit-learn has it, but with the marks that belong to them; C++ and C#; emoji, one by one.
WORD = rf"\w[\w{_MARKS}]+|\w(?:\+\+|\#)|[{_characters('So')}]"
# What parts words and says nothing itself; in "C#" and "5 %" it does say something.
_PUNCTUATION = {
    code: " "
    for kind, run in _RUNS
    if kind in ("Pd", "Ps", "Pe", "Pi", "Pf", "Po")
    for code in run
    if chr(code) not in "#%&@"
}


def without_punctuation(text: str) -> str:
    """Return a text with a space for each run of punctuation and spaces.

    Args:
        text: any string.
    """
    return " ".join(text.translate(_PUNCTUATION).split())
