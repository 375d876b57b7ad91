"""Whether a function goes by the order of a set or by `hash`, which for texts change from process to process."""

from __future__ import annotations

import dis
from collections.abc import Callable
from types import CodeType
from typing import Any

PREFIXES = ("", "old ", "new ", "my ")  # put before texts they keep their order, and change their hashes
_CHANGING, _STABLE = {"set", "frozenset", "hash"}, {"md5", "sha1", "sha256", "sha512", "blake2b", "crc32", "adler32"}


def goes_by_hashes(function: Any, split: Callable[[str], Any]) -> bool:
    """Say whether a function's result hangs on hashes that another process would not have.

    A function that makes sets, or hashes, is tried on the same texts with other beginnings: sorted they stay in order,
    so that a result that differs came from their hashes. Digests, such as those of hashlib, are the same everywhere.

    Args:
        function: of the learner.
        split: from what is put before each text to what the function makes of them, as numbers.
    """
    names = _names(function)
    return bool(names & _CHANGING) and not names & _STABLE and any(split(it) != split("") for it in PREFIXES[1:])


def _names(function: Any) -> set[str]:
    """Return the names that a function uses, itself and in those beside it; a written set is ``set``."""
    found, seen, codes = set(), set(), [getattr(function, "__code__", None)]
    beside = getattr(function, "__globals__", {})
    while codes:
        code = codes.pop()
        if code is None or code in seen:
            continue
        seen.add(code)
        found |= set(code.co_names)
        if any(step.opname in ("SET_ADD", "BUILD_SET") for step in dis.get_instructions(code)):
            found.add("set")
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        codes += [getattr(beside.get(name), "__code__", None) for name in code.co_names]
    return found
