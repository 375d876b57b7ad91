"""The checks of exercise 4: compare full fine-tuning with LoRA."""

import re
from typing import Any

from . import pictures, tiny
from .engine import Exercise, Wrong, require, run, shown
from .intervals import explain_half_width, student_interval
from .reading import as_dict, as_number, as_numbers, as_records, fields

exercise = Exercise("4_comparison", "Compare full fine-tuning with LoRA")
BETTER = {"full": "full is better", "lora": "LoRA is better", None: "no difference seen"}
_RUNS = {
    "full": (0.71, 0.78, 0.74, 0.69, 0.75),
    "lora": (0.73, 0.79, 0.77, 0.70, 0.745),
}  # of five seeds, invented to try functions on


def _runs(scores: Any = None) -> Any:
    """Return run records in an order that is not that of the seeds."""
    scores = scores or _RUNS
    rows = {
        method: [{"method": method, "seed": seed, "accuracy": value} for seed, value in enumerate(scores[method])]
        for method in scores
    }
    return [row for pair in zip(rows["lora"][::-1], rows["full"][1:] + rows["full"][:1], strict=True) for row in pair]


@exercise.step("Step 1, two models")
def make_model(answer: Any) -> str:
    """Judge an answer to: Step 1, two models."""
    import torch

    ids = torch.tensor([[2, 5, 6, 7, 3]])
    start = tiny.encoder()
    before = start(input_ids=ids).logits.detach()
    models = {}
    for method in ("full", "lora"):
        models[method] = run(
            answer,
            tiny.encoder,
            method,
            clues={"odules": "target_modules takes the names that the layers have in this model, query and value."},
        )
        require(
            isinstance(models[method], torch.nn.Module),
            f"For {method!r} return a model; this is {shown(models[method])}.",
        )
    full, lora = models["full"], models["lora"]
    frozen = [name for name, part in full.named_parameters() if not part.requires_grad]
    require(
        not frozen,
        f"For 'full', {len(frozen)} weights are frozen, {', '.join(frozen[:1])} for one: full fine-tuning trains all.",
    )
    kept = {name: tuple(part.shape) for name, part in start.named_parameters()}
    require(
        {name: tuple(part.shape) for name, part in full.named_parameters()} == kept,
        "For 'full' the model has adapters, or other parts of its own: the method isn't looked at.",
    )
    require(
        not {id(part) for part in full.parameters()} & {id(part) for part in lora.parameters()},
        "The two models share weights: training one would train the other. Call load() for each.",
    )
    _compare_trained_parts(lora, start)
    for method, model in models.items():
        change = (model.eval()(input_ids=ids).logits - before).abs().max().item()
        require(
            change < 1e-5,
            f"Before training, the model for {method!r} differs from the one that load() gives by up to "
            f"{change:.3f}: both methods must start from the same weights.",
        )
    _compare_adapters(lora, start, ids, before)
    few, all_of_them = (
        sum(part.numel() for part in model.parameters() if part.requires_grad) for model in (lora, full)
    )
    return f"Full trains {all_of_them:,} numbers of the tiny model, LoRA {few:,}, and both start from the same weights."


def _compare_trained_parts(model: Any, start: Any) -> None:
    """Require that adapters on the asked layers are trained, and the head, and nothing else, however they are made."""
    import torch
    from peft import PeftModel

    trained = {name: part for name, part in model.named_parameters() if part.requires_grad}
    layers = [name for name, part in start.bert.named_modules(prefix="bert") if isinstance(part, torch.nn.Linear)]
    on = {name: next((layer for layer in layers if f".{layer}." in f".{name}"), "") for name in trained}
    of_load = [
        name
        for name, part in trained.items()
        if any(part.shape == old.shape and torch.equal(part, old) for old in start.bert.parameters())
    ]
    placed = {layer for name, layer in on.items() if layer and name not in of_load}
    require(placed, "For 'lora' no adapter is trained: the two methods would be the same, or nothing be learned.")
    require(
        any("classifier" in name for name in trained),
        "For 'lora' the new head is frozen at its random start: say task_type="
        '"SEQ_CLS", and peft trains the head beside the adapters.',
    )
    others = [name for name in trained if "classifier" not in name and (name in of_load or not on[name])]
    require(
        not others,
        f"For 'lora', {len(others)} weights of the body are trained, {', '.join(others[:1])} for one: only adapters "
        "and the head are.",
    )
    wanted = {layer for layer in layers if layer.rpartition(".")[2] in ("query", "value")}
    kinds, missing = sorted({layer.rpartition(".")[2] for layer in placed}), sorted(wanted - placed)
    require(
        placed <= wanted and len(kinds) == 2, f"Adapters are on {', '.join(kinds)}; asked for were query and value."
    )
    require(
        not missing,
        f"{len(missing)} of {len(wanted)} layers called query and value have no adapter, {', '.join(missing[:1])} for "
        "one: all of them get one.",
    )
    peft = [part for part in model.modules() if isinstance(part, PeftModel)]
    require(
        len(peft) < 2 and all(len(part.peft_config) == 1 for part in peft),
        "For 'lora' the model has adapters twice: call get_peft_model once.",
    )
    task = next(
        (getattr(one.task_type, "value", one.task_type) for part in peft for one in part.peft_config.values()), None
    )
    require(task in (None, "SEQ_CLS"), f"task_type is {task!r}: a classifier of texts is 'SEQ_CLS'.")
    for layer in sorted(wanted):
        module, count = (
            start.get_submodule(layer),
            sum(part.numel() for name, part in trained.items() if on[name] == layer),
        )
        require(
            count % (module.in_features + module.out_features) == 0,
            f"What is trained beside {layer} are {count} numbers, no pair of matrices A and B: LoRA's has "
            f"r x (in + out), a multiple of {module.in_features + module.out_features}.",
        )


def _compare_adapters(model: Any, start: Any, ids: Any, before: Any) -> None:
    """Require that every trained number gets a gradient and that adapters, once trained, change what is said."""
    import torch

    generator = torch.Generator().manual_seed(0)
    trained = {name: part for name, part in model.named_parameters() if part.requires_grad}
    with torch.no_grad():
        for name, part in trained.items():
            if "classifier" not in name:
                part.normal_(generator=generator)
    out = model(input_ids=ids).logits
    require((out - before).abs().max().item() > 1e-3, "Trained adapters would have no effect: is lora_alpha above 0?")
    out.square().sum().backward()
    still = [name for name, part in trained.items() if part.grad is None or not part.grad.any()]
    require(
        not still,
        f"For 'lora', {len(still)} of the trained parts get no gradient, {', '.join(still[:1])} for one: something is "
        "detached, or not used.",
    )


@exercise.step("Step 2, a fair study")
def run_study(answer: Any) -> str:
    """Judge an answer to: Step 2, a fair study."""
    methods, seeds, budget, calls = ("full", "lora"), (3, 4, 5), {"num_train": 100, "num_train_epochs": 2}, []

    def train_and_score(method: Any, seed: Any, **given: Any) -> Any:
        calls.append((method, seed, given))
        return 0.7 + 0.01 * seed + (method == "lora") * 0.005 + 0.001 * len(calls)

    came = run(answer, train_and_score, methods, seeds, dict(budget))
    runs = _records(came)
    pairs = [(method, seed) for method, seed, _ in calls]
    for method, seed, given in calls:
        require(
            given == budget,
            f"The run {method}, seed {seed}, had {given} where the budget is {budget}: with unequal budgets the "
            "comparison says which one had more, not which is better.",
        )
    wanted = [(method, seed) for method in methods for seed in seeds]
    missing = [pair for pair in wanted if pair not in pairs]
    require(
        not missing,
        f"{len(missing)} runs are missing, {_words(missing)} for one: one seed is an anecdote, and both methods "
        "need the same seeds.",
    )
    twice = sorted({pair for pair in pairs if pairs.count(pair) > 1 or pair not in wanted})
    require(
        not twice,
        f"The run {_words(twice)} was not asked for, or made more than once: trying again until it is good flatters.",
    )
    require(
        len(runs) == len(calls),
        f"{len(calls)} runs were made and {len(runs)} are in the records: keep them all, the bad ones, too.",
    )
    truth = {
        (method, seed): 0.7 + 0.01 * seed + (method == "lora") * 0.005 + 0.001 * n
        for n, (method, seed, _) in enumerate(calls, 1)
    }
    for row in runs:
        key = (row["method"], row["seed"])
        require(key in truth, f"A record is of {key}, which was not run.")
        require(
            abs((as_number(row["accuracy"]) or 0.0) - truth[key]) < 1e-9,
            f"The run {_words([key])} gave {truth[key]:.4f}; its record says "
            f"{row['accuracy']}. A record holds what its own run gave, as it is.",
        )
        require(
            budget.items() <= row.items(),
            f"A record has {', '.join(row)}; note the budget in it, too, so that a reader sees that it was the same.",
        )
    require(len({(row["method"], row["seed"]) for row in runs}) == len(runs), "Two records are of the same run.")
    flat = isinstance(came, list) and all(isinstance(row, dict) and budget.items() <= row.items() for row in came)
    note = "" if flat else " The cells further down take a list of flat dictionaries: change them, or this."
    return f"{len(runs)} runs, both methods with the seeds {', '.join(map(str, seeds))} and the same budget.{note}"


def _words(pairs: Any) -> Any:
    return f"{pairs[0][0]}, seed {pairs[0][1]}," if pairs else ""


def _records(runs: Any) -> Any:
    """Return run records as a list of flat dictionaries, in whatever form they come."""
    rows = as_records(runs)
    require(rows, f"Return a list of dictionaries, one a run; this is {shown(runs)}.")
    for row in rows or []:
        lacking = {"method", "seed", "accuracy"} - set(row)
        require(not lacking, f"A record has {', '.join(map(str, row))} and no {', '.join(sorted(lacking))}.")
    return rows


@exercise.step("Step 3, the table")
def summarise(answer: Any) -> str:
    """Judge an answer to: Step 3, the table."""
    for scores in (_RUNS, {"full": (0.6, 0.8, 0.7), "lora": (0.65, 0.64, 0.66)}):
        came = run(answer, _runs(scores))
        table = _table(came, scores)
        require(table is not None, f"Return a dictionary from a method to mean and half-width; this is {shown(came)}.")
        require(
            set(table) == set(scores),
            f"The table has {', '.join(map(str, table))}; the methods are {', '.join(scores)}.",
        )
        for method, values in scores.items():
            mean, half_width = _pair(table[method], method)
            truth, deviation, half_truth = student_interval(values)
            case = f"For {method} with {', '.join(map(str, values))} "
            require(abs(mean - 100 * truth) > 1e-3, case + f"your mean is {mean:.1f}: give shares, {truth:.4f}.")
            require(
                abs(mean - truth) < 1e-6 or mean != round(truth, 2),
                case + f"your mean is {mean}: give it unrounded, {truth:.4f}.",
            )
            require(
                abs(mean - truth) < 1e-6,
                case + f"your mean is {mean:.4f}; it is {truth:.4f}, over the runs of this method.",
            )
            explain_half_width(half_width, half_truth, deviation, len(values), case)
    return "Means and 95 % intervals over seeds, right for three seeds and for five."


def _table(value: Any, methods: Any) -> Any:
    """Return a table as a dictionary from a method to its two numbers, whether it is a dictionary or a frame."""
    if hasattr(value, "columns"):
        frame = value.set_index("method") if "method" in value.columns else value
        frame = frame if set(frame.index) == set(methods) else frame.T
        return {name: list(row) for name, row in zip(frame.index, frame.to_numpy().tolist(), strict=True)}
    return as_dict(value)


def _pair(value: Any, what: Any) -> Any:
    named = fields(value)
    numbers = as_numbers(list(named.values()) if named else value)
    require(len(numbers) == 2, f"For {what} there should be two numbers, mean and half-width; this is {shown(value)}.")
    return numbers


@exercise.step("Step 4, the difference")
def difference(answer: Any) -> str:
    """Judge an answer to: Step 4, the difference."""
    wide = {"full": (0.60, 0.70, 0.80, 0.72), "lora": (0.61, 0.73, 0.80, 0.74)}
    for scores in (wide, _RUNS, {"full": wide["lora"], "lora": wide["full"]}):
        mean, half_width = _pair(run(answer, _runs(scores)), "the difference")
        gains = [ours - theirs for ours, theirs in zip(scores["lora"], scores["full"], strict=True)]
        truth, deviation, half_truth = student_interval(gains)
        case = f"For full {scores['full']} and LoRA {scores['lora']} "
        require(
            abs(mean + truth) > 1e-6,
            case + f"your difference is {mean:+.4f}: the sign is the wrong way round, or lost. It is LoRA "
            f"minus full, {truth:+.4f}.",
        )
        require(
            abs(mean - truth) < 1e-6,
            case + f"your difference is {mean:+.4f}; it is {truth:+.4f}, the mean over seeds of LoRA minus full.",
        )
        explain_half_width(
            half_width,
            half_truth,
            deviation,
            len(gains),
            case,
            "take the difference within each seed first, and what a seed "
            "does to both methods falls out; the records are in no order",
        )
    return "LoRA minus full, paired by seed, with its 95 % interval."


@exercise.step("Step 5, the plot")
def draw(answer: Any) -> str:
    """Judge an answer to: Step 5, the plot."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    for scores in ({"full": (0.61, 0.68, 0.72), "lora": (0.6, 0.7, 0.75)}, _RUNS):
        figure = run(answer, _runs(scores))
        require(
            isinstance(figure, Figure),
            f"Return the figure, as in `figure, axes = plt.subplots()`; this is {shown(figure)}.",
        )
        try:
            figure.canvas.draw()
            _compare_picture(figure, scores)
        finally:
            plt.close(figure)
    return "Every run is a point, the methods are named, and the axis says what it shows."


def _compare_picture(figure: Any, scores: Any) -> None:
    axes = figure.axes
    require(axes and any(one.has_data() for one in axes), "Nothing is drawn on the figure.")
    require(min(figure.get_size_inches()) > 1, "The figure is too small to read.")
    points = pictures.points_of(figure)
    places = {"x": [point.x for point in points], "y": [point.y for point in points]}
    lost = {
        direction: [
            (method, value)
            for method, values in scores.items()
            for value in values
            if not _count(value, places[direction])
        ]
        for direction in "xy"
    }
    count, least = sum(map(len, scores.values())), min(lost.values(), key=len)
    require(
        not least,
        f"{len(least)} of {count} runs are not in the picture as a point within the view, "
        f"{least[0][1] if least else ''} for one. Draw each run as a point: a line, a box or a bar of the mean hides "
        "the noise that the conclusion hangs on, and the limits of an axis can cut points off.",
    )
    words = " ".join(text.get_text() for text in figure.findobj(match=lambda part: hasattr(part, "get_text"))).lower()
    for method in scores:
        require(method in words, f"The name {method} stands nowhere in the picture: label the methods.")
    labels = {"x": [one.get_xlabel() for one in axes], "y": [one.get_ylabel() for one in axes]}
    labels["x"].append(figure.get_supxlabel())
    labels["y"].append(figure.get_supylabel())
    named = [
        direction
        for direction in "xy"
        if any(re.search(r"\baccurac(y|ies)\b", text.lower()) for text in labels[direction])
    ]
    require(named, "No axis says what it shows: label it, accuracy.")
    right = [direction for direction in named if not lost[direction]]
    require(right, f"The {named[0]} axis is labelled accuracy, and the accuracies are on the other.")
    _compare_names(figure, points, right[0], scores)


def _compare_names(figure: Any, points: Any, direction: str, scores: Any) -> None:
    """Require that a reader gives each run's point to its own method."""
    for method, values in scores.items():
        for value in values:
            there = [point for point in points if _count(value, [getattr(point, direction)])]
            given = [pictures.names_of(point, figure, list(scores)) for point in there]
            if {method} in given:
                continue
            require(
                any(given),
                f"Nothing says of which method the point at {value} is: name the methods at the axis, or give each a "
                "colour and a legend.",
            )
            require(
                not any(len(names) > 1 for names in given),
                f"The point at {value} goes by both names, {' and '.join(scores)}: give each method its own place, "
                "or a colour.",
            )
            raise Wrong(
                f"The point at {value} goes by the name of {next(iter(next(filter(None, given))))} in the picture; the "
                f"run was one of {method}: the names are swapped, or the methods mixed."
            )


def _count(value: Any, numbers: Any) -> int:
    """Return how many numbers are a value, as it is or in per cent."""
    return sum(abs(number - value) < 1e-6 or abs(number - 100 * value) < 1e-4 for number in numbers)


@exercise.step("Step 6, the conclusion")
def conclusion(answer: Any, runs: Any) -> str:
    """Judge an answer to: Step 6, the conclusion."""
    said = " ".join(answer.lower().split()).strip(" .!\"'") if isinstance(answer, str) else None
    answer = next((words for words in BETTER.values() if words.lower() == said), answer)
    require(
        isinstance(answer, str) and answer in BETTER.values(),
        f"Your conclusion is {shown(answer)}; write one of {', '.join(map(repr, BETTER.values()))}.",
    )
    scores: dict[str, dict[Any, float]] = {"full": {}, "lora": {}}
    for row in _records(runs):
        require(row["method"] in scores, f"A record is of the method {shown(row['method'])}; compare full and lora.")
        scores[row["method"]][row["seed"]] = float(row["accuracy"])
    seeds = sorted(set(scores["full"]) & set(scores["lora"]))
    require(
        len(seeds) >= 3,
        f"There are {len(seeds)} seeds with both methods: take three at least, or nothing can be said of the noise.",
    )
    mean, _, half_width = student_interval([scores["lora"][seed] - scores["full"][seed] for seed in seeds])
    truth = BETTER[None if abs(mean) <= half_width else "lora" if mean > 0 else "full"]
    case = (
        f"Your runs say: LoRA minus full is {100 * mean:+.1f} points, give or take {100 * half_width:.1f} "
        f"({len(seeds)} seeds). "
    )
    if answer == truth:
        return case + f"So {truth}."
    if truth == BETTER[None]:
        raise Wrong(
            case
            + "The interval has zero in it, so another three seeds could turn it round: a gain within the noise is "
            "no gain."
        )
    if answer == BETTER[None]:
        raise Wrong(case + "The interval leaves zero out: the difference is larger than its noise.")
    raise Wrong(case + "You have it the other way round.")
