"""The checks of exercise 4: compare full fine-tuning with LoRA."""

import math
import re
from typing import Any

from . import tiny
from .engine import Exercise, Wrong, require, run, shown

exercise = Exercise("4_comparison", "Compare full fine-tuning with LoRA")
BETTER = {"full": "full is better", "lora": "LoRA is better", None: "no difference seen"}
_RUNS = {
    "full": (0.71, 0.78, 0.74, 0.69, 0.75),
    "lora": (0.73, 0.79, 0.77, 0.70, 0.74),
}  # of five seeds, invented to try functions on


def _runs(scores: Any = None) -> Any:
    """Return run records in an order that is not that of the seeds."""
    scores = scores or _RUNS
    rows = {
        method: [{"method": method, "seed": seed, "accuracy": value} for seed, value in enumerate(scores[method])]
        for method in scores
    }
    return [row for pair in zip(rows["lora"][::-1], rows["full"][1:] + rows["full"][:1], strict=True) for row in pair]


def _interval(values: Any) -> Any:
    """Return mean, standard deviation and half-width of the 95 % interval by Student's t."""
    from scipy import stats

    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return mean, deviation, stats.t.ppf(0.975, len(values) - 1) * deviation / math.sqrt(len(values))


@exercise.step("Step 1, two models")
def make_model(answer: Any) -> str:
    """Judge an answer to: Step 1, two models."""
    import torch

    ids = torch.tensor([[2, 5, 6, 7, 3]])
    before = tiny.encoder()(input_ids=ids).logits.detach()
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
    parts = {method: dict(model.named_parameters()) for method, model in models.items()}
    frozen = [name for name, part in parts["full"].items() if not part.requires_grad]
    require(
        not frozen,
        f"For 'full', {len(frozen)} weights are frozen, {', '.join(frozen[:1])} for one: full fine-tuning trains all.",
    )
    require(
        not any("lora_" in name for name in parts["full"]),
        "For 'full' the model has adapters: the method isn't looked at.",
    )
    trained = [name for name, part in parts["lora"].items() if part.requires_grad]
    require(
        any("lora_" in name for name in trained),
        "For 'lora' no adapter is trained: the two methods would be the same, or nothing be learned.",
    )
    require(
        any("classifier" in name for name in trained),
        "For 'lora' the new head is frozen at its random start: say task_type="
        '"SEQ_CLS", and peft trains the head beside the adapters.',
    )
    others = [name for name in trained if "lora_" not in name and "classifier" not in name]
    require(
        not others,
        f"For 'lora', {len(others)} weights of the body are trained, {', '.join(others[:1])} for one: only adapters "
        "and the head are.",
    )
    for method, model in models.items():
        change = (model.eval()(input_ids=ids).logits - before).abs().max().item()
        require(
            change < 1e-5,
            f"Before training, the model for {method!r} differs from the one that load() gives by up to "
            f"{change:.3f}: both methods must start from the same weights.",
        )
    placed = {name.partition(".lora_")[0].rpartition(".")[2] for name in trained if "lora_" in name}
    require(
        {"query", "value"} <= placed, f"Adapters are on {', '.join(sorted(placed))}; asked for were query and value."
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name in trained:
            if "lora_" in name:
                parts["lora"][name].normal_(generator=generator)
        change = (models["lora"](input_ids=ids).logits - before).abs().max().item()
    require(change > 1e-3, "Trained adapters would have no effect: is lora_alpha above 0?")
    few, all_of_them = (
        sum(part.numel() for part in parts[method].values() if part.requires_grad) for method in ("lora", "full")
    )
    return f"Full trains {all_of_them:,} numbers of the tiny model, LoRA {few:,}, and both start from the same weights."


@exercise.step("Step 2, a fair study")
def run_study(answer: Any) -> str:
    """Judge an answer to: Step 2, a fair study."""
    methods, seeds, budget, calls = ("full", "lora"), (3, 4, 5), {"num_train": 100, "num_train_epochs": 2}, []

    def train_and_score(method: Any, seed: Any, **given: Any) -> Any:
        calls.append((method, seed, given))
        return 0.7 + 0.01 * seed + (method == "lora") * 0.005 + 0.001 * len(calls)

    runs = _records(run(answer, train_and_score, methods, seeds, dict(budget)))
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
            abs(row["accuracy"] - truth[key]) < 1e-9,
            f"The run {_words([key])} gave {truth[key]:.3f}; its record says "
            f"{row['accuracy']:.3f}. A record holds what its own run gave.",
        )
        require(
            budget.items() <= row.items(),
            f"A record has {', '.join(row)}; note the budget in it, too, so that a reader sees that it was the same.",
        )
    require(len({(row["method"], row["seed"]) for row in runs}) == len(runs), "Two records are of the same run.")
    return f"{len(runs)} runs, both methods with the seeds {', '.join(map(str, seeds))} and the same budget."


def _words(pairs: Any) -> Any:
    return f"{pairs[0][0]}, seed {pairs[0][1]}," if pairs else ""


def _records(runs: Any) -> Any:
    require(
        isinstance(runs, list) and runs and all(isinstance(row, dict) for row in runs),
        f"Return a list of dictionaries, one a run; this is {shown(runs)}.",
    )
    for row in runs:
        lacking = {"method", "seed", "accuracy"} - set(row)
        require(not lacking, f"A record has {', '.join(map(str, row))} and no {', '.join(sorted(lacking))}.")
    return runs


@exercise.step("Step 3, the table")
def summarise(answer: Any) -> str:
    """Judge an answer to: Step 3, the table."""
    for scores in (_RUNS, {"full": (0.6, 0.8, 0.7), "lora": (0.65, 0.64, 0.66)}):
        table = run(answer, _runs(scores))
        require(
            isinstance(table, dict),
            f"Return a dictionary from a method to mean and half-width; this is {shown(table)}.",
        )
        require(
            set(table) == set(scores),
            f"The table has {', '.join(map(str, table))}; the methods are {', '.join(scores)}.",
        )
        for method, values in scores.items():
            mean, half_width = _pair(table[method], method)
            truth, deviation, half_truth = _interval(values)
            case = f"For {method} with {', '.join(map(str, values))} "
            require(abs(mean - 100 * truth) > 1e-3, case + f"your mean is {mean:.1f}: give shares, {truth:.4f}.")
            require(
                abs(mean - truth) < 1e-6,
                case + f"your mean is {mean:.4f}; it is {truth:.4f}, over the runs of this method.",
            )
            _explain(half_width, half_truth, deviation, len(values), case)
    return "Means and 95 % intervals over seeds, right for three seeds and for five."


def _pair(value: Any, what: Any) -> Any:
    try:
        mean, half_width = value
        return float(mean), float(half_width)
    except (TypeError, ValueError):
        raise Wrong(f"For {what} there should be two numbers, mean and half-width; this is {shown(value)}.") from None


def _explain(
    half_width: Any,
    truth: Any,
    deviation: Any,
    count: Any,
    case: Any,
    otherwise: Any = "see how records.interval does it",
) -> None:
    """Raise `Wrong` with the likely reason if a half-width is not the true one."""
    if abs(half_width - truth) < 1e-6:
        return
    root = math.sqrt(count)
    known = {
        1.96
        * deviation
        / root: f"1.96 holds for many runs; with {count} it is Student's t, {truth * root / deviation:.2f}",
        deviation: "that is the standard deviation of a run, not the interval of the mean",
        deviation / root: "that is the standard error; the 95 % interval is several of them wide",
        truth
        * math.sqrt(
            1 - 1 / count
        ): f"the standard deviation was divided by {count}, the number of runs; with few it is {count - 1}, ddof=1",
        truth * root: f"divide by the square root of the {count} runs",
        2 * truth: "that is the whole width; give half of it",
    }
    why = next((reason for value, reason in known.items() if abs(value - half_width) < 1e-6), otherwise)
    raise Wrong(f"{case}your half-width is {half_width:.4f}; it is {truth:.4f}: {why}.")


@exercise.step("Step 4, the difference")
def difference(answer: Any) -> str:
    """Judge an answer to: Step 4, the difference."""
    wide = {"full": (0.60, 0.70, 0.80, 0.72), "lora": (0.61, 0.73, 0.80, 0.74)}
    for scores in (wide, _RUNS, {"full": wide["lora"], "lora": wide["full"]}):
        mean, half_width = _pair(run(answer, _runs(scores)), "the difference")
        gains = [ours - theirs for ours, theirs in zip(scores["lora"], scores["full"], strict=True)]
        truth, deviation, half_truth = _interval(gains)
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
        _explain(
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
    points: dict[str, list[float]] = {"x": [], "y": []}
    for one in axes:
        for direction, values in zip("xy", _points(one), strict=True):
            points[direction] += values
    lost = {
        direction: [value for values in scores.values() for value in values if not _is_among(value, points[direction])]
        for direction in "xy"
    }
    count = sum(map(len, scores.values()))
    least = min(lost.values(), key=len)
    require(
        not least,
        f"{len(least)} of {count} runs are not in the picture, {least[0] if least else ''} for one. Draw each run as a "
        "point: a bar of the mean hides the noise that the conclusion hangs on.",
    )
    words = " ".join(text.get_text() for text in figure.findobj(match=lambda part: hasattr(part, "get_text"))).lower()
    for method in scores:
        require(method in words, f"The name {method} stands nowhere in the picture: label the methods.")
    labels = {"x": [one.get_xlabel() for one in axes], "y": [one.get_ylabel() for one in axes]}
    named = [
        direction for direction in "xy" if any(re.search(r"\baccuracy\b", text.lower()) for text in labels[direction])
    ]
    require(named, "No axis says what it shows: label it, accuracy.")
    require(
        any(not lost[direction] for direction in named),
        f"The {named[0]} axis is labelled accuracy, and the accuracies are on the other.",
    )


def _is_among(value: Any, numbers: Any) -> Any:
    return any(abs(number - value) < 1e-6 or abs(number - 100 * value) < 1e-4 for number in numbers)


def _points(axes: Any) -> Any:
    """Return the x and the y coordinates of the points and lines of an axes."""
    xs, ys = [], []
    for line in axes.lines:
        xs += [float(value) for value in line.get_xdata(orig=False)]  # names of methods as places on the axis
        ys += [float(value) for value in line.get_ydata(orig=False)]
    for collection in axes.collections:
        for x, y in collection.get_offsets():
            xs.append(float(x))
            ys.append(float(y))
    return xs, ys


@exercise.step("Step 6, the conclusion")
def conclusion(answer: Any, runs: Any) -> str:
    """Judge an answer to: Step 6, the conclusion."""
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
    mean, _, half_width = _interval([scores["lora"][seed] - scores["full"][seed] for seed in seeds])
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
