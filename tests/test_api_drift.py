"""Every keyword that the course passes to a library binds to the installed signature: drift shows here first."""

import ast
import importlib.util
import inspect
import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARIES = ("transformers", "peft", "datasets", "torch", "torchvision", "timm", "sklearn", "openai", "ftcourse")
FLOOR = 100  # calls that are bound today, rounded down: fewer would mean that the checker has gone blind


def sources():
    """Return the code of the course as a dict, place -> source: one entry a module, one a notebook."""
    found = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("ftcourse", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    for path in sorted((ROOT / "nbs").rglob("*.ipynb")):
        if not {".ipynb_checkpoints", "build"} & set(path.parts):
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            lines = [line for cell in cells if cell["cell_type"] == "code" for line in [*cell["source"], "\n"]]
            lines = ["pass\n" if line.lstrip()[:1] in ("%", "!") else line for line in lines]  # magics
            found[path.relative_to(ROOT).as_posix()] = "".join(lines)
    return found


def check(source, package="ftcourse"):
    """Bind the calls of a source to the installed signatures.

    Returns:
        The number of calls that were bound, and a list of problems, "line 3: ...", in which `TypeError` says what is
        wrong with the call.
    """
    tree = ast.parse(source)
    try:
        known = known_names(tree, package)
    except (AttributeError, ImportError) as error:
        return 0, [str(error)]
    bound, problems = 0, []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        try:
            function = resolve(node.func, known)
            signature = inspect.signature(function)
        except (LookupError, TypeError, ValueError):  # not a library's, or a builtin that has no signature
            continue
        except AttributeError as error:
            problems.append(f"line {node.lineno}: {error}")
            continue
        positional = [None] * sum(not isinstance(argument, ast.Starred) for argument in node.args)
        keywords = {keyword.arg: None for keyword in node.keywords if keyword.arg}
        try:
            signature.bind_partial(*positional, **keywords)
        except TypeError as error:
            problems.append(f"line {node.lineno}: {ast.unparse(node.func)}: {error}")
        bound += 1
    return bound, problems


def known_names(tree, package):
    """Return what the names of a source stand for: modules, classes and functions of `LIBRARIES`, wherever imported.

    A name that is assigned what a class returns, as in `trainer = Trainer(...)`, stands for an instance of the class.
    A name that is given several meanings stands for nothing.
    """
    nodes = list(ast.walk(tree))
    given = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    given.update(node.arg for node in nodes if isinstance(node, ast.arg))
    imported = {name: meaning for node in nodes for name, meaning in imports(node, package)}
    known = {name: meaning for name, meaning in imported.items() if name not in given}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=function)) if given[name] == 1:
                try:
                    made_by = resolve(function, known)
                except (LookupError, AttributeError):
                    continue
                if inspect.isclass(made_by):
                    known[name] = Instance(made_by)
    return known


def imports(node, package):
    """Yield (name, meaning) for what a statement imports from `LIBRARIES`."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.split(".")[0]
            if name.split(".")[0] in LIBRARIES:
                importlib.import_module(alias.name)
                yield alias.asname or name, importlib.import_module(name)
    elif isinstance(node, ast.ImportFrom):
        module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
        if module.split(".")[0] in LIBRARIES:
            for alias in node.names:
                yield alias.asname or alias.name, attribute(importlib.import_module(module), alias.name)


class Instance:
    """An object of a class that is known without being made: its methods are bound, its attributes unknown."""

    def __init__(self, of):
        self.of = of

    def method(self, name):
        found = inspect.getattr_static(self.of, name, None)
        if not inspect.isfunction(found):
            raise LookupError(name)
        return found.__get__(self)


def resolve(node, known):
    """Return the object that a dotted name stands for; LookupError if it is not known."""
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.Attribute):
        value = resolve(node.value, known)
        return value.method(node.attr) if isinstance(value, Instance) else attribute(value, node.attr)
    raise LookupError(ast.unparse(node))


def attribute(value, name):
    """Return `value.name`, importing it if it is a module; AttributeError names the library that has it no more."""
    try:
        return getattr(value, name)
    except AttributeError as error:
        if inspect.ismodule(value):
            try:
                return importlib.import_module(f"{value.__name__}.{name}")
            except ImportError:
                pass
        raise AttributeError(f"{getattr(value, '__name__', value)} has no {name!r}") from error


def test_the_course_binds_to_the_installed_libraries(capsys):
    total, problems = 0, []
    for place, source in sources().items():
        bound, found = check(source, ".".join(Path(place).parent.parts))
        total += bound
        problems += [f"{place}, {problem}" for problem in found]
    with capsys.disabled():
        print(f"\n{total} calls bound to installed signatures")
    assert not problems, "\n".join(problems)
    assert total >= FLOOR


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("from transformers import TrainingArguments as A\nA('x', evaluation_strategy='no')", "evaluation_strategy"),
        ("import transformers\ntransformers.TrainingArguments(no_cuda=True)", "no_cuda"),
        ("def f():\n    from transformers import Trainer as T\n    T(tokenizer=None)", "line 3: T: .*tokenizer"),
        ("from sklearn.linear_model import LogisticRegression as L\nm = L()\nm.fit([], [], weights=1)", "weights"),
        ("import torch.nn as nn\nnn.Linear(3, 4, 5, 6, 7, 8, 9)", "too many positional"),
        ("from torch import nn\nnn.Linear(3, in_features=3)", "multiple values for argument 'in_features'"),
        ("from transformers import pipelines_that_are_gone", "transformers has no 'pipelines_that_are_gone'"),
        ("from transformers.gone import x", "No module named 'transformers.gone'"),
        ("import peft\npeft.get_old_model(1)", "peft has no 'get_old_model'"),
        ("from .train import padding_efficiency\npadding_efficiency([1], 2, shuffle=True)", "shuffle"),
    ],
)
def test_checker_catches_drift(source, message):
    _, problems = check(source)
    assert len(problems) == 1 and re.search(message, problems[0]), problems


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("from transformers import TrainingArguments\nTrainingArguments('x', eval_strategy='no', **rest)", 1),
        ("from datasets import Dataset\nDataset.from_pandas(frame, preserve_index=False)", 1),
        ("from transformers import AutoTokenizer as A\ntokenizer = A.from_pretrained('x', revision='y')", 1),
        ("import torch\nmodel = torch.nn.Linear(3, 4, bias=True)\nmodel.train(mode=False)\nmodel.unknown()", 2),
        ("import torch\ntorch.optim.AdamW(parameters, *rest, lr=1)", 1),
        ("from sklearn.pipeline import Pipeline\ndef f(Pipeline):\n    Pipeline(anything=1)", 0),
        ("import torch\nm = torch.nn.Linear(3, 4)\nm = other()\nm.train(anything=1)", 1),
        ("import json\njson.dumps(1, anything=2)\nlen([])\nx.y(z=1)", 0),
    ],
)
def test_checker_passes_what_fits(source, count):
    assert check(source) == (count, [])
