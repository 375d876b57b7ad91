"""Answers to exercise 4."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from peft import LoraConfig, get_peft_model
from scipy import stats
from torch import nn

from failure_matrix import Cases
from ftcourse.records import interval

cases = Cases()


def runs_of(full, lora):
    """Return the records of runs whose accuracies are given, the later seeds first."""
    return [
        {"method": method, "seed": seed, "accuracy": value}
        for method, values in (("lora", lora), ("full", full))
        for seed, value in reversed(list(enumerate(values)))
    ]


NOISY = runs_of((0.80, 0.82, 0.81), (0.82, 0.81, 0.82))
LORA_WINS = runs_of((0.80, 0.82, 0.81), (0.83, 0.855, 0.84))
FULL_WINS = runs_of((0.83, 0.855, 0.84), (0.80, 0.82, 0.81))


def gain(runs):
    """The difference, by another way than the exercise's."""
    scores = {
        method: np.array(
            [row["accuracy"] for row in sorted(runs, key=lambda row: row["seed"]) if row["method"] == method]
        )
        for method in ("lora", "full")
    }
    return interval(scores["lora"] - scores["full"])


# What the cells of a step find that are not functions: the solution must be right for each of these.
given = {"conclusion": [{"runs": runs, "difference": gain} for runs in (NOISY, LORA_WINS, FULL_WINS)]}


# --- Two models ------------------------------------------------------------------------------------------------------


def lora(model, **options):
    return get_peft_model(
        model, LoraConfig(**{"task_type": "SEQ_CLS", "target_modules": ["query", "value"], **options})
    )


@cases.right("make_model")
def head_saved_by_name(load, method):
    return load() if method == "full" else lora(load(), task_type=None, modules_to_save=["classifier"])


@cases.right("make_model")
def another_rank_and_name(load, method):
    model = load().train()
    if method == "full":
        return model
    config = LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=4, lora_dropout=0.1, target_modules=["query", "value"])
    return get_peft_model(model, config, adapter_name="films")


class Adapted(nn.Module):
    """The learner's own layer, of exercise 2."""

    def __init__(self, base, r=8, lora_alpha=16):
        super().__init__()
        self.base, self.scaling = base.requires_grad_(False), lora_alpha / r
        self.A = nn.Parameter(torch.randn(r, base.in_features) / base.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(base.out_features, r))

    def forward(self, x):
        return self.base(x) + x @ self.A.T @ self.B.T * self.scaling


def with_own_layers(model, layer=Adapted, names=("query", "value")):
    model.requires_grad_(False)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if name in names:
                setattr(module, name, layer(child))
    model.classifier.requires_grad_(True)
    return model


@cases.right("make_model")
def layers_of_the_learners_own(load, method):
    return load() if method == "full" else with_own_layers(load())


@cases.wrong("make_model", r"get no gradient.*something is detached")
def own_layers_detached(load, method):
    class Detached(Adapted):
        def forward(self, x):
            return self.base(x) + (x @ self.A.T @ self.B.T * self.scaling).detach()

    return load() if method == "full" else with_own_layers(load(), Detached)


@cases.wrong("make_model", r"Adapters are on key, query, value; asked for were query and value")
def more_layers(load, method):
    return load() if method == "full" else lora(load(), target_modules=["query", "key", "value"])


@cases.wrong("make_model", r"2 of 4 layers called query and value have no adapter, bert.encoder.layer.1")
def first_layer_alone(load, method):
    return load() if method == "full" else lora(load(), layers_to_transform=[0])


@cases.wrong("make_model", r"adapters twice: call get_peft_model once")
def nested(load, method):
    return load() if method == "full" else lora(lora(load()))


@cases.wrong("make_model", r"task_type is 'TOKEN_CLS': a classifier of texts is 'SEQ_CLS'")
def another_task(load, method):
    return load() if method == "full" else lora(load(), task_type="TOKEN_CLS", modules_to_save=["classifier"])


@cases.wrong("make_model", r"For 'lora' no adapter is trained")
def layers_unfrozen(load, method):
    return load() if method == "full" else with_own_layers(load(), lambda layer: layer.requires_grad_(True))


@cases.wrong("make_model", r"For 'full', \d+ weights are frozen, bert.embeddings")
def embeddings_frozen(load, method):
    model = load()
    if method == "lora":
        return lora(model)
    model.bert.embeddings.requires_grad_(False)
    return model


@cases.wrong("make_model", r"the new head is frozen at its random start.*SEQ_CLS")
def task_left_out(load, method):
    return load() if method == "full" else lora(load(), task_type=None)


@cases.wrong("make_model", r"For 'full' the model has adapters|For 'full', \d+ weights are frozen")
def method_not_looked_at(load, method):
    return lora(load())


@cases.wrong("make_model", r"For 'lora' no adapter is trained")
def always_full(load, method):
    return load()


@cases.wrong("make_model", r"For 'lora', \d+ weights of the body are trained")
def nothing_frozen(load, method):
    model = load() if method == "full" else lora(load())
    return model.requires_grad_(True)


@cases.wrong("make_model", r"For 'full', \d+ weights are frozen, base_model")
def methods_swapped(load, method):
    return load() if method == "lora" else lora(load())


@cases.wrong("make_model", r"For 'full', \d+ weights are frozen, bert.* for one")
def head_alone_for_full(load, method):
    model = load()
    if method == "full":
        model.bert.requires_grad_(False)
        return model
    return lora(model)


@cases.wrong("make_model", r"model for 'lora' differs .* both methods must start from the same weights")
def adapters_start_random(load, method):
    return load() if method == "full" else lora(load(), init_lora_weights=False)


@cases.wrong("make_model", r"model for 'full' differs from the one that load\(\) gives")
def from_scratch(load, method):
    model = load()
    return lora(model) if method == "lora" else type(model)(model.config)


@cases.wrong("make_model", r"Adapters are on key; asked for were query and value")
def adapters_on_other_layers(load, method):
    return load() if method == "full" else lora(load(), target_modules=["key"])


@cases.wrong("make_model", r"Trained adapters would have no effect: is lora_alpha above 0")
def alpha_of_zero(load, method):
    return load() if method == "full" else lora(load(), lora_alpha=0)


@cases.error("make_model", r"target_modules takes the names.*query and value")
def names_of_a_llama(load, method):
    return load() if method == "full" else lora(load(), target_modules=["q_proj", "v_proj"])


@cases.wrong("make_model", r"For 'lora' no adapter is trained")
def all_frozen(load, method):
    return load() if method == "full" else lora(load()).requires_grad_(False)


# --- A fair study ----------------------------------------------------------------------------------------------------


def study(train_and_score, methods, seeds, budget, change=lambda method, budget: budget):
    return [
        {"method": method, "seed": seed, "accuracy": train_and_score(method, seed, **change(method, budget)), **budget}
        for method in methods
        for seed in seeds
    ]


@cases.right("run_study")
def seeds_outside(train_and_score, methods, seeds, budget):
    runs = []
    for seed in seeds:
        for method in methods:
            runs.append(dict(budget, method=method, seed=seed, accuracy=train_and_score(method, seed, **budget)))
    return runs


@cases.right("run_study")
def by_product_and_keywords(train_and_score, methods, seeds, budget):
    from itertools import product

    return [
        {"seed": seed, "method": method, "accuracy": train_and_score(seed=seed, method=method, **budget)} | budget
        for seed, method in product(seeds, methods)
    ]


@cases.wrong(
    "run_study", r"lora, seed 3, had \{'num_train': 100, 'num_train_epochs': 6\} where the budget is.*unequal budgets"
)
def more_epochs_for_lora(train_and_score, methods, seeds, budget):
    return study(
        train_and_score,
        methods,
        seeds,
        budget,
        lambda method, budget: budget | {"num_train_epochs": 6} if method == "lora" else budget,
    )


@cases.wrong("run_study", r"4 runs are missing, full, seed 4, for one: one seed is an anecdote")
def one_seed(train_and_score, methods, seeds, budget):
    return study(train_and_score, methods, seeds[:1], budget)


@cases.wrong("run_study", r"runs are missing.*both methods need the same seeds")
def other_seeds_for_lora(train_and_score, methods, seeds, budget):
    return study(train_and_score, methods[:1], seeds, budget) + study(
        train_and_score, methods[1:], [seed + 9 for seed in seeds], budget
    )


@cases.wrong("run_study", r"made more than once: trying again until it is good flatters")
def best_of_two(train_and_score, methods, seeds, budget):
    return [
        max(study(train_and_score, [method], [seed, seed], budget), key=lambda row: row["accuracy"])
        for method in methods
        for seed in seeds
    ]


@cases.wrong("run_study", r"6 runs were made and 2 are in the records")
def best_seed_kept(train_and_score, methods, seeds, budget):
    return [max(study(train_and_score, [method], seeds, budget), key=lambda row: row["accuracy"]) for method in methods]


@cases.wrong("run_study", r"note the budget in it, too")
def budget_not_noted(train_and_score, methods, seeds, budget):
    return [
        {key: row[key] for key in ("method", "seed", "accuracy")}
        for row in study(train_and_score, methods, seeds, budget)
    ]


@cases.wrong("run_study", r"gave 0.\d+; its record says 0.\d+")
def mean_in_every_record(train_and_score, methods, seeds, budget):
    runs = study(train_and_score, methods, seeds, budget)
    return [row | {"accuracy": np.mean([other["accuracy"] for other in runs])} for row in runs]


@cases.wrong("run_study", r"no seed")
def seed_not_noted(train_and_score, methods, seeds, budget):
    return [
        {"method": row["method"], "accuracy": row["accuracy"]} for row in study(train_and_score, methods, seeds, budget)
    ]


@cases.wrong("run_study", r"Return a list of dictionaries")
def only_means(train_and_score, methods, seeds, budget):
    return {
        method: np.mean([row["accuracy"] for row in study(train_and_score, [method], seeds, budget)])
        for method in methods
    }


@cases.wrong("run_study", r"had \{\} where the budget is")
def budget_not_passed(train_and_score, methods, seeds, budget):
    return study(train_and_score, methods, seeds, budget, lambda method, budget: {})


@cases.error("run_study", r"raised TypeError")
def budget_as_one_argument(train_and_score, methods, seeds, budget):
    return [{"accuracy": train_and_score(method, seed, budget)} for method in methods for seed in seeds]


@cases.right("run_study")
def budget_below_a_key(train_and_score, methods, seeds, budget):
    return [
        {"method": method, "seed": seed, "accuracy": train_and_score(method, seed, **budget), "budget": budget}
        for method in methods
        for seed in seeds
    ]


@cases.right("run_study")
def as_a_frame(train_and_score, methods, seeds, budget):
    return pd.DataFrame(study(train_and_score, methods, seeds, budget))


@cases.right("run_study")
def yielded(train_and_score, methods, seeds, budget):
    yield from study(train_and_score, methods, seeds, budget)


@cases.right("run_study")
def as_a_tuple(train_and_score, methods, seeds, budget):
    return tuple(study(train_and_score, methods, seeds, budget))


@cases.wrong("run_study", r"gave 0.\d+; its record says 0.\d+.*as it is")
def rounded_to_per_cent(train_and_score, methods, seeds, budget):
    return [row | {"accuracy": round(row["accuracy"], 2)} for row in study(train_and_score, methods, seeds, budget)]


@cases.wrong("run_study", r"its record says|Two records are of the same run")
def one_dictionary_for_all(train_and_score, methods, seeds, budget):
    row, runs = {}, []
    for method in methods:
        for seed in seeds:
            row.update(method=method, seed=seed, accuracy=train_and_score(method, seed, **budget), **budget)
            runs.append(row)
    return runs


# --- The table -------------------------------------------------------------------------------------------------------


def table(runs, half_width, mean=np.mean):
    values = {method: [row["accuracy"] for row in runs if row["method"] == method] for method in ("full", "lora")}
    return {method: (mean(some), half_width(np.array(some))) for method, some in values.items()}


def student(values):
    return stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5


@cases.right("summarise")
def by_hand(runs):
    return table(runs, student)


@cases.right("summarise")
def by_pandas(runs):
    grouped = pd.DataFrame(runs).groupby("method")["accuracy"]
    factor = stats.t.ppf(0.975, grouped.size() - 1)
    return {method: (grouped.mean()[method], half) for method, half in (grouped.sem() * factor).items()}


@cases.wrong("summarise", r"1.96 holds for many runs; with 5 it is Student's t, 2.78")
def normal_quantile(runs):
    return table(runs, lambda values: 1.96 * values.std(ddof=1) / len(values) ** 0.5)


@cases.wrong("summarise", r"that is the standard deviation of a run")
def deviation(runs):
    return table(runs, lambda values: values.std(ddof=1))


@cases.wrong("summarise", r"that is the standard error")
def standard_error(runs):
    return table(runs, lambda values: values.std(ddof=1) / len(values) ** 0.5)


@cases.wrong("summarise", r"divided by 5, the number of runs; with few it is 4, ddof=1")
def numpys_own_deviation(runs):
    return table(runs, lambda values: stats.t.ppf(0.975, len(values) - 1) * values.std() / len(values) ** 0.5)


@cases.wrong("summarise", r"divide by the square root of the 5 runs")
def root_forgotten(runs):
    return table(runs, lambda values: stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1))


@cases.wrong("summarise", r"that is the whole width")
def whole_width(runs):
    return table(runs, lambda values: 2 * student(values))


@cases.wrong("summarise", r"your mean is 73.4: give shares")
def per_cent(runs):
    return {method: (100 * mean, 100 * half) for method, (mean, half) in by_hand(runs).items()}


@cases.wrong("summarise", r"your mean is 0.7800; it is 0.7340")
def best_run(runs):
    return table(runs, student, mean=max)


@cases.wrong("summarise", r"your mean is 0.74\d+; it is 0.7340")
def both_pooled(runs):
    return dict.fromkeys(("full", "lora"), interval(row["accuracy"] for row in runs))


@cases.wrong("summarise", r"two numbers, mean and half-width; this is .*0.73")
def means_alone(runs):
    return {method: mean for method, (mean, _) in by_hand(runs).items()}


@cases.wrong("summarise", r"The table has full; the methods are full, lora")
def one_method(runs):
    return {"full": by_hand(runs)["full"]}


@cases.wrong("summarise", r"the 0.95 quantile, which leaves 5 % on each side")
def one_side_of_the_interval(runs):
    return table(runs, lambda values: stats.t.ppf(0.95, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)


@cases.right("summarise")
def by_scipys_interval(runs):
    found = {}
    for method, (mean, _) in by_hand(runs).items():
        values = [row["accuracy"] for row in runs if row["method"] == method]
        low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=stats.sem(values))
        found[method] = np.array([mean, (high - low) / 2])
    return found


@cases.right("summarise")
def table_as_a_frame(runs):
    return pd.DataFrame(by_hand(runs), index=["mean", "half-width"]).T


@cases.right("summarise")
def numbers_by_name(runs):
    return {method: {"mean": mean, "half_width": half} for method, (mean, half) in by_hand(runs).items()}


@cases.wrong("summarise", r"4 degrees of freedom for 5 runs")
def one_degree_too_many(runs):
    return table(runs, lambda values: stats.t.ppf(0.975, len(values)) * stats.sem(values))


@cases.wrong("summarise", r"an interval of 99 %")
def interval_of_99(runs):
    return table(runs, lambda values: stats.t.ppf(0.995, len(values) - 1) * stats.sem(values))


@cases.wrong("summarise", r"give it unrounded")
def half_width_rounded(runs):
    return table(runs, lambda values: round(student(values), 3))


@cases.wrong("summarise", r"Student's t for 3 runs|Student's t for 5 runs, 2.776, times .*see records.interval")
def quantile_for_three_runs(runs):
    return table(runs, lambda values: 4.302653 * stats.sem(values))


# --- The difference --------------------------------------------------------------------------------------------------


@cases.right("difference")
def sorted_by_seed(runs):
    return gain(runs)


@cases.right("difference")
def pivoted(runs):
    wide = pd.DataFrame(runs).pivot(index="seed", columns="method", values="accuracy")
    return interval(wide["lora"] - wide["full"])


@cases.wrong("difference", r"the sign is the wrong way round, or lost. It is LoRA minus full")
def full_minus_lora(runs):
    mean, half = gain(runs)
    return -mean, half


@cases.wrong("difference", r"the sign is the wrong way round, or lost")
def sign_lost(runs):
    mean, half = gain(runs)
    return abs(mean), half


@cases.wrong("difference", r"take the difference within each seed first.*the records are in no order")
def paired_by_place(runs):
    scores = {
        method: np.array([row["accuracy"] for row in runs if row["method"] == method]) for method in ("lora", "full")
    }
    return interval(scores["lora"] - scores["full"])


@cases.wrong("difference", r"take the difference within each seed first")
def not_paired(runs):
    halves = by_hand(runs)
    return halves["lora"][0] - halves["full"][0], (halves["lora"][1] ** 2 + halves["full"][1] ** 2) ** 0.5


@cases.wrong("difference", r"take the difference within each seed first")
def half_widths_added(runs):
    halves = by_hand(runs)
    return halves["lora"][0] - halves["full"][0], halves["lora"][1] + halves["full"][1]


@cases.wrong("difference", r"1.96 holds for many runs")
def difference_with_1_96(runs):
    mean, half = gain(runs)
    return mean, half * 1.96 / stats.t.ppf(0.975, 3)


@cases.wrong("difference", r"your difference is .*; it is .*, the mean over seeds")
def best_against_best(runs):
    best = {method: max(row["accuracy"] for row in runs if row["method"] == method) for method in ("lora", "full")}
    return best["lora"] - best["full"] + 1e-3, gain(runs)[1]


@cases.wrong("difference", r"two numbers, mean and half-width")
def mean_alone(runs):
    return gain(runs)[0]


@cases.wrong("difference", r"the sign is|the mean over seeds")
def relative(runs):
    mean, half = gain(runs)
    return mean / 0.7, half / 0.7


# --- The plot --------------------------------------------------------------------------------------------------------


def picture(runs, plot=True, label="accuracy", names=True, methods=("full", "lora")):
    figure, axes = plt.subplots()
    for place, method in enumerate(methods):
        values = [row["accuracy"] for row in runs if row["method"] == method]
        if plot:
            axes.plot([place] * len(values), values, "o", label=method if names else None)
    axes.set_ylabel(label)
    if names:
        axes.legend()
    return figure


@cases.right("draw")
def with_a_legend(runs):
    return picture(runs)


@cases.right("draw")
def by_seaborn(runs):
    import pandas as pd
    import seaborn as sns

    return sns.stripplot(pd.DataFrame(runs), x="accuracy", y="method").figure if plt.figure() else None


@cases.right("draw")
def in_per_cent_with_lines_by_seed(runs):
    figure, axes = plt.subplots()
    for seed in {row["seed"] for row in runs}:
        pair = sorted((row["method"], 100 * row["accuracy"]) for row in runs if row["seed"] == seed)
        axes.plot(*zip(*pair, strict=True), "o-")
    axes.set(ylabel="Accuracy (%)")
    return figure


@cases.wrong("draw", r"a bar of the mean hides the noise")
def bars_of_means(runs):
    figure, axes = plt.subplots()
    means = [(method, mean) for method, (mean, _) in by_hand(runs).items()]
    axes.bar(*zip(*means, strict=True))
    axes.set_ylabel("accuracy")
    return figure


@cases.wrong("draw", r"No axis says what it shows: label it, accuracy")
def axis_not_labelled(runs):
    return picture(runs, label="")


@cases.wrong("draw", r"The name full stands nowhere")
def methods_not_named(runs):
    return picture(runs, names=False)


@cases.wrong("draw", r"3 of 6 runs are not in the picture")
def one_method_drawn(runs):
    return picture(runs, methods=("lora",))


@cases.wrong("draw", r"Nothing is drawn on the figure")
def empty(runs):
    return picture(runs, plot=False, names=False)


@cases.wrong("draw", r"runs are not in the picture")
def other_numbers(runs):
    return picture(runs_of((0.5, 0.6), (0.7, 0.8)))


@cases.wrong("draw", r"Return the figure.*this is <Axes")
def axes_returned(runs):
    return picture(runs).axes[0]


@cases.wrong("draw", r"The y axis is labelled accuracy, and the accuracies are on the other")
def other_axis_labelled(runs):
    figure, axes = plt.subplots()
    axes.scatter([row["accuracy"] for row in runs], [row["method"] for row in runs])
    axes.set_ylabel("accuracy")
    return figure


@cases.wrong("draw", r"returns None")
def shown_and_not_returned(runs):
    picture(runs)


@cases.wrong("draw", r"\d of 6 runs are not in the picture")
def best_runs_drawn(runs):
    best = [
        max((row for row in runs if row["method"] == method), key=lambda row: row["accuracy"])
        for method in ("full", "lora")
    ]
    return picture(best)


def scattered(runs, places, names=(), legend=False, label="accuracy", **style):
    """Draw the runs of each method at its place, with names at the ticks or in a legend."""
    figure, axes = plt.subplots()
    for method, place in places.items():
        values = [row["accuracy"] for row in runs if row["method"] == method]
        axes.scatter([place] * len(values), values, label=names[method] if legend else None, **style)
    if legend:
        axes.legend()
    elif names:
        axes.set_xticks(list(places.values()), [names[method] for method in places])
    axes.set_ylabel(label)
    return figure


NAMES, SWAPPED = {"full": "full", "lora": "LoRA"}, {"full": "LoRA", "lora": "full"}
PLACES = {"full": 0, "lora": 1}


@cases.right("draw")
def names_at_the_ticks(runs):
    return scattered(runs, PLACES, NAMES)


@cases.right("draw")
def panels_with_titles(runs):
    figure, both = plt.subplots(1, 2, sharey=True)
    for axes, method in zip(both, ("full", "lora"), strict=True):
        axes.plot([row["accuracy"] for row in runs if row["method"] == method], "o")
        axes.set_title(NAMES[method])
    figure.supylabel("accuracy")
    return figure


@cases.right("draw")
def words_beside_the_points(runs):
    figure = scattered(runs, PLACES)
    for method, place in PLACES.items():
        figure.axes[0].text(place, max(row["accuracy"] for row in runs), NAMES[method])
    figure.axes[0].set_xticks([])
    return figure


@cases.right("draw")
def boxes_behind_the_points(runs):
    figure = scattered(runs, PLACES, NAMES)
    for method, place in PLACES.items():
        figure.axes[0].boxplot([row["accuracy"] for row in runs if row["method"] == method], positions=[place])
    figure.axes[0].set_xticks([0, 1], ["full", "LoRA"])
    return figure


@cases.wrong("draw", r"6 of 6 runs are not in the picture as a point")
def boxes_alone(runs):
    figure, axes = plt.subplots()
    axes.boxplot([[row["accuracy"] for row in runs if row["method"] == method] for method in ("full", "lora")])
    axes.set_xticks([1, 2], ["full", "lora"])
    axes.set_ylabel("accuracy")
    return figure


@cases.wrong("draw", r"runs are not in the picture as a point.*a line")
def lines_without_points(runs):
    figure, axes = plt.subplots()
    for method in ("full", "lora"):
        axes.plot([row["accuracy"] for row in runs if row["method"] == method], label=method)
    axes.legend()
    axes.set_ylabel("accuracy")
    return figure


@cases.wrong("draw", r"goes by the name of lora in the picture; the run was one of full")
def names_swapped_at_the_ticks(runs):
    return scattered(runs, PLACES, SWAPPED)


@cases.wrong("draw", r"goes by the name of lora in the picture; the run was one of full")
def names_swapped_in_the_legend(runs):
    return scattered(runs, PLACES, SWAPPED, legend=True)


@cases.wrong("draw", r"runs are not in the picture as a point within the view.*limits of an axis")
def points_cut_off(runs):
    figure = scattered(runs, PLACES, NAMES)
    figure.axes[0].set_ylim(0.9, 1)
    return figure


@cases.wrong("draw", r"6 of 6 runs are not in the picture")
def points_that_nobody_sees(runs):
    return scattered(runs, PLACES, NAMES, alpha=0)


@cases.wrong("draw", r"goes by both names, full and lora")
def one_colour_at_one_place(runs):
    return scattered(runs, dict.fromkeys(PLACES, 0), NAMES, legend=True, color="C0")


@cases.wrong("draw", r"Nothing says of which method the point at")
def both_names_in_the_title(runs):
    figure = scattered(runs, PLACES)
    figure.axes[0].set_title("full and LoRA")
    return figure


@cases.wrong("draw", r"Nothing says of which method")
def labels_without_a_legend(runs):
    figure = scattered(runs, PLACES, NAMES, legend=True)
    figure.axes[0].get_legend().remove()
    figure.axes[0].set_title("full and LoRA")
    return figure


@cases.wrong("draw", r"goes by the name of|the names are swapped, or the methods mixed")
def scores_sorted_beside_the_names(runs):
    figure, axes = plt.subplots()
    axes.scatter([row["method"] for row in runs], sorted(row["accuracy"] for row in runs))
    axes.set_ylabel("accuracy")
    return figure


# --- The conclusion --------------------------------------------------------------------------------------------------

cases.value(
    "conclusion",
    "right",
    r"-?\+?\d.\d points, give or take .*So no difference seen",
    "noise_called_noise",
    "no difference seen",
    NOISY,
)
cases.value("conclusion", "right", r"So LoRA is better", "lora_is_better", "LoRA is better", LORA_WINS)
cases.value("conclusion", "right", r"So full is better", "full_is_better", "full is better", FULL_WINS)
cases.value("conclusion", "right", r"So LoRA is better", "in_another_case", " lora is better. ", LORA_WINS)
cases.value("conclusion", "right", r"So LoRA is better", "runs_as_a_frame", "LoRA is better", pd.DataFrame(LORA_WINS))
cases.value(
    "conclusion", "wrong", r"a gain within the noise is no gain", "noise_called_a_gain", "LoRA is better", NOISY
)
cases.value(
    "conclusion", "wrong", r"zero in it, so another three seeds", "noise_called_a_loss", "full is better", NOISY
)
cases.value(
    "conclusion", "wrong", r"the difference is larger than its noise", "gain_not_seen", "no difference seen", LORA_WINS
)
cases.value(
    "conclusion", "wrong", r"the difference is larger than its noise", "loss_not_seen", "no difference seen", FULL_WINS
)
cases.value("conclusion", "wrong", r"the other way round", "sign_misread", "full is better", LORA_WINS)
cases.value("conclusion", "wrong", r"the other way round", "sign_misread_again", "LoRA is better", FULL_WINS)
cases.value(
    "conclusion", "wrong", r"write one of 'full is better', 'LoRA is better'", "in_other_words", "LoRA wins", LORA_WINS
)
cases.value(
    "conclusion",
    "wrong",
    r"There are 2 seeds with both methods",
    "two_seeds",
    "LoRA is better",
    runs_of((0.8, 0.81), (0.9, 0.91)),
)
cases.value(
    "conclusion", "wrong", r"no accuracy", "records_without_accuracy", "LoRA is better", [{"method": "full", "seed": 0}]
)
cases.value(
    "conclusion",
    "wrong",
    r"of the method 'qlora'",
    "another_method",
    "LoRA is better",
    [{"method": "qlora", "seed": 0, "accuracy": 0.5}],
)
