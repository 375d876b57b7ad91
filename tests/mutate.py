"""Faults put into the exercises' solutions, one at a time: each must be found by the check of its step.

``.venv/bin/python tests/mutate.py [EXERCISE...]`` tries all of them and prints the score and what survived. A survivor
is either a hole in the check, or harmless; the harmless ones are in `EXPLAINED`, with the reason.
"""

import ast
import contextlib
import copy
import io
import sys
import warnings
from collections import Counter
from pathlib import Path

COMPARE = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATE = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}

# Steps whose texts are the learner's own: other words there are no fault, and aren't tried.
OWN_TEXT = {"dialogues", "own_sentences"}

# (step, fault) -> why it is no fault. A fault is named as `mutants` names it.
_DRAWN_ONCE = "next() takes the first split, however many there could be"
_SYMMETRIC = "the measure is the same with truth and guess exchanged"
_TWO_AXES = "axis 1 is the last one, too"
_DEFAULT = "it is what is taken by default"
_CHOICE = "the learner's choice, within what is usual"
_ANY_START = "A may start with random numbers of any sensible size: a fresh adapter adds nothing"
_ALIKE = "only a mean that is exactly the half-width, or exactly zero, would tell"
_NO_CHECKPOINTS = "checkpoints take room, and change nothing else"
_TWICE = "where everything counts twice, the shares are the same"
_ANY_ORDER = "the smaller of two, or the larger, is the same in any order"
EXPLAINED = {
    ("split_films", "left out: n_splits=1"): _DRAWN_ONCE,
    ("split_films", "1 -> 2"): _DRAWN_ONCE,
    ("encode", "left out: truncation=True"): "given max_length alone, the tokenizer cuts and warns",
    ("compute_metrics", "arguments swapped: accuracy_score(labels, guesses)"): _SYMMETRIC,
    ("compute_metrics", "arguments swapped: f1_score(labels, guesses, average='macro')"): _SYMMETRIC,
    ("compute_metrics", "minus lost: -1"): _TWO_AXES,
    ("build_trainer", "left out: save_strategy='no'"): _NO_CHECKPOINTS,
    ("build_trainer", "left out: report_to='none'"): _DEFAULT,
    ("build_trainer", "2 -> 3"): _CHOICE,
    ("build_trainer", "32 -> 33"): _CHOICE,
    ("predict", "minus lost: -1"): _TWO_AXES,
    ("predict", "minus lost: -1 (2)"): _TWO_AXES,
    ("LoRALinear", "operator turned: base.in_features ** 0.5"): _ANY_START,
    ("LoRALinear", "0.5 -> 0"): _ANY_START,
    ("LoRALinear", "0.5 -> 1.5"): _ANY_START,
    (
        "with_peft",
        "left out: task_type='CAUSAL_LM'",
    ): "the adapters are the same; the task adds methods of a PeftModel that the step doesn't use",
    (
        "dialogues",
        "dropped: system = 'You are the desk of Linden Street Library. Answer in one sentence.'",
    ): "the check of the step looks at the dialogues; without system the next cell stops",
    ("write_file", "left out: encoding='utf-8'"): "json.dumps writes ASCII, which nearly every encoding has",
    ("compare", "left out: max_tokens=40"): "the service then ends an answer itself",
    ("compare", "40 -> 41"): _CHOICE,
    ("make_model", "left out: r=16"): _CHOICE,
    ("make_model", "left out: lora_alpha=32"): _CHOICE,
    ("make_model", "left out: target_modules=['query', 'value']"): _DEFAULT + " for a BERT",
    ("make_model", "16 -> 17"): _CHOICE,
    ("make_model", "32 -> 33"): _CHOICE,
    ("draw", "left out: figsize=(5, 3)"): _CHOICE,
    ("draw", "5 -> 6"): _CHOICE,
    ("draw", "3 -> 4"): _CHOICE,
    ("conclusion", "comparison turned: abs(mean) <= half_width"): _ALIKE,
    ("conclusion", "comparison turned: mean > 0"): _ALIKE,
    ("make_line", "1 -> 2 (2)"): "the last text but one is the customer's, which the slice passes over anyway",
    ("most_epochs", "arguments swapped: min(length, max_length)"): _ANY_ORDER,
    ("most_epochs", "1000000 -> 1000001"): "a millionth more makes no whole epoch",
    ("border_f1", "arguments swapped: max(len(true) + len(found), 1)"): _ANY_ORDER,
    ("border_f1", "1 -> 2"): "of a single entity, true or found, none is right in any case",
    ("find_faults", "' ' -> ' x'"): "whatever stands between the words, copies come to the same",
    ("find_leaks", "arguments swapped: max(1, len(text) - 3)"): "the larger of two is the same in any order",
    ("find_leaks", "1 -> 2"): "a short text is cut into the same parts on both sides",
    ("find_suspects", "5 -> 6"): _CHOICE,
    ("gain_over_baseline", "1 -> 2"): "the first of the two commonest is the commonest",
    ("compare_cleaning", "comparison turned: abs(gain) <= half_width"): _ALIKE,
    ("compare_cleaning", "comparison turned: gain > 0"): _ALIKE,
    ("choose_threshold", "2 -> 3"): "any threshold above 1 never says yes",
    ("cut_windows", "arguments swapped: min(size, length)"): _ANY_ORDER,
    ("cut_windows", "arguments swapped: min(start + size, length)"): _ANY_ORDER,
    ("find_spans", "'O' -> 'Ox'"): "of the tag before only what follows its first two letters is looked at",
    ("measure", "1 -> 2"): _TWICE,
    ("measure", "1 -> 2 (2)"): _TWICE,
    ("measure", "1 -> 2 (5)"): "a name that is found or true alone isn't right, and half of 0 is 0",
    ("measure", "arguments swapped: max(count['found'], 1)"): _ANY_ORDER,
    ("measure", "arguments swapped: max(count['true'], 1)"): _ANY_ORDER,
    ("measure", "arguments swapped: max(count['found'] + count['true'], 1)"): _ANY_ORDER,
    ("make_trainer", "left out: save_strategy='no'"): _NO_CHECKPOINTS,
    ("make_trainer", "left out: report_to='none'"): _DEFAULT,
    ("make_trainer", "2 -> 3"): _CHOICE,
    ("make_trainer", "32 -> 33"): _CHOICE,
    ("make_reader", "left out: save_strategy='no'"): _NO_CHECKPOINTS,
    ("make_reader", "left out: report_to='none'"): _DEFAULT,
    ("make_reader", "left out: data_collator=DataCollatorWithPadding(tokenizer)"): _DEFAULT
    + " where it has a tokenizer",
    ("make_reader", "2 -> 3"): _CHOICE,
    ("make_reader", "16 -> 17"): _CHOICE,
    ("label_answer", "pair swapped: return (0, 0)"): "both places are 0",
    ("grade", "arguments swapped: max(exact, float(words == right))"): _ANY_ORDER,
    (
        "grade",
        "arguments swapped: max(f1, 2 * shared / (len(words) + len(right)) if words and right else "
        "float(words == right))",
    ): _ANY_ORDER,
    ("fold_of_each", "left out: dtype=int"): "a fold of 1.0 is the same fold",
    ("recalls", "left out: invalid='ignore'"): "NumPy then warns, and the numbers are the same",
    (
        "say_positive",
        "comparison turned: (1 - share) * cost_of_alarm < share * cost_of_miss",
    ): "where both cost the same, either answer is right",
}


def changes(node):
    """Yield (what is changed, function that changes it) for a node of the syntax tree."""
    yield from _changed_values(node)
    yield from _changed_operators(node)
    yield from _changed_calls(node)
    yield from _dropped_statements(node)


def _changed_values(node):
    match node:
        case ast.Constant(value=bool(value)):
            yield f"{value} -> {not value}", lambda node: setattr(node, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            for other in {value + 1, 0} - {value}:
                yield f"{value} -> {other}", lambda node, other=other: setattr(node, "value", other)
        case ast.Constant(value=str(value)):
            yield f"{value!r} -> {value + 'x'!r}", lambda node: setattr(node, "value", value + "x")


def _changed_operators(node):
    said = ast.unparse(node)
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in COMPARE:
            yield f"comparison turned: {said}", lambda node: node.ops.__setitem__(0, COMPARE[type(operator)]())
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in OPERATE:
            yield f"operator turned: {said}", lambda node: setattr(node, "op", OPERATE[type(operator)]())
        case ast.UnaryOp(op=ast.USub()):
            yield f"minus lost: {said}", lambda node: setattr(node, "op", ast.UAdd())
        case ast.IfExp() | ast.If():
            turned = ast.UnaryOp(ast.Not(), node.test)
            yield f"condition turned: {ast.unparse(node.test)}", lambda node: setattr(node, "test", turned)


def _changed_calls(node):
    match node:
        case ast.Call():
            if len(node.args) > 1:
                swapped = slice(2), node.args[1::-1]
                yield f"arguments swapped: {ast.unparse(node)}", lambda node: node.args.__setitem__(*swapped)
            for number, keyword in enumerate(node.keywords):
                yield f"left out: {ast.unparse(keyword)}", lambda node, number=number: node.keywords.pop(number)
        case ast.Return(value=ast.Tuple()):
            yield f"pair swapped: {ast.unparse(node)}", lambda node: node.value.elts.reverse()


def _dropped_statements(node):
    if isinstance(node, (ast.IfExp, ast.Lambda)):  # their body is an expression
        return
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    for field in ("body", "orelse"):
        for number, statement in enumerate(getattr(node, field, None) or []):
            if not isinstance(statement, kept) and not _is_text(statement):
                place = number, ast.Pass()
                yield (
                    f"dropped: {ast.unparse(statement).splitlines()[0]}",
                    lambda node, field=field, place=place: getattr(node, field).__setitem__(*place),
                )


def _is_text(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def mutants(source, texts_too=True):
    """Yield (name of the fault, source with it); a fault that is possible in several places has a number in its name.

    Args:
        source: of a solution.
        texts_too: change strings, too.
    """
    tree, names = ast.parse(source), Counter()
    texts = {
        id(statement.value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        for statement in node.body
        if _is_text(statement)
    }
    for place, node in enumerate(ast.walk(tree)):
        is_string = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) in texts or (is_string and not texts_too):
            continue
        for number, (name, _) in enumerate(changes(node)):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[place]
            list(changes(target))[number][1](target)
            names[name] += 1
            yield (
                name + (f" ({names[name]})" if names[name] > 1 else ""),
                ast.unparse(ast.fix_missing_locations(changed)),
            )


def survives(name, step, source):
    """Say whether the check of a step calls a source right, in every situation that it can find."""
    from test_exercises import judge

    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            return all(found.outcome == "right" for found in judge(name, step, source))
    except Exception:  # noqa: BLE001 - the cell itself stopped with an error
        return False


def try_all(names, every=1):
    """Return how many faults were tried, and the survivors as (exercise, step, fault).

    Args:
        names: of the exercises.
        every: try one in so many faults.
    """
    from test_exercises import read_steps

    faults = [
        (name, step, fault, source)
        for name in names
        for step, cells in read_steps(name).items()
        for fault, source in mutants(cells["solution"], step not in OWN_TEXT)
    ][::every]
    return len(faults), [(name, step, fault) for name, step, fault, source in faults if survives(name, step, source)]


def main(wanted):
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    from ftcourse.checks import EXERCISES

    tried, survivors = try_all(wanted or EXERCISES)
    for name, step, fault in survivors:
        print(f"{name} {step}: {fault}: {EXPLAINED.get((step, fault), 'NOT EXPLAINED')}")
    print(
        f"{tried - len(survivors)} of {tried} faults found, {1 - len(survivors) / tried:.1%}; {len(survivors)} survived"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
