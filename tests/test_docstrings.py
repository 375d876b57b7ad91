"""What help() says of a function is true: every argument is documented, and nothing that isn't one."""

import importlib
import inspect
import pkgutil

import pytest
from docstring_parser import Style, parse

import ftcourse

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ftcourse.__path__, "ftcourse.")
    # A command of the line documents its arguments where typer shows them, in help=.
    if not module.name.endswith(("__main__", "._modidx", "tools.cli"))
)


def public_functions(module):
    """Yield (name, function) for the public functions, classes and methods that a module defines itself."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            yield from ((f"{name}.{method}", function) for method, function in vars(value).items()
                        if inspect.isfunction(function) and not method.startswith("_"))  # fmt: skip


def faults(function):
    """Yield what is wrong with a docstring."""
    text = inspect.getdoc(function) if function.__doc__ else None
    if not text:
        yield "has no docstring"
        return
    real = [("*" * (p.kind is p.VAR_POSITIONAL) + "**" * (p.kind is p.VAR_KEYWORD) + p.name)
            for p in inspect.signature(function).parameters.values() if p.name not in ("self", "cls")]  # fmt: skip
    said = [parameter.arg_name for parameter in parse(text, style=Style.GOOGLE).params]
    if missing := [name for name in real if name not in said]:
        yield f"says nothing of {', '.join(missing)}"
    if unknown := [name for name in said if name not in real]:
        yield f"documents {', '.join(unknown)}, which it doesn't take"


@pytest.mark.parametrize("name", MODULES)
def test_arguments_are_documented_as_they_are(name):
    problems = [f"{name}.{function} {fault}" for function, value in public_functions(importlib.import_module(name))
                for fault in faults(value)]  # fmt: skip
    assert not problems, "\n".join(problems)


def test_the_comparison_sees_both_kinds_of_fault():
    def right(a, *rest, b=1, **more):
        """Do it.

        Args:
            a: shape (n,).
            *rest: more.
            b: a number.
            **more: others.
        """

    def stale(a, b):
        """Do it.

        Args:
            a: one.
            c: gone.
        """

    def bare(a):
        pass

    assert not list(faults(right))
    assert list(faults(stale)) == ["says nothing of b", "documents c, which it doesn't take"]
    assert list(faults(bare)) == ["has no docstring"]
