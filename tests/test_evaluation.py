"""Lesson 9's statistics, each against a closed form, another implementation, or data of which the truth is known."""

from math import comb

import numpy as np
import pytest
import torch
from scipy import special, stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from ftcourse import evaluation
from ftcourse.errors import CourseError

TINY = dict(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)


def batches(count=3, size=4, tokens=6, token_labels=False):
    """Yield batches whose rows are padded differently."""
    rng = torch.Generator().manual_seed(0)
    for _ in range(count):
        input_ids = torch.randint(1, 50, (size, tokens), generator=rng)
        mask = torch.arange(tokens) < torch.randint(2, tokens + 1, (size, 1), generator=rng)
        shape = (size, tokens) if token_labels else (size,)
        labels = torch.randint(0, 3, shape, generator=rng)
        yield {
            "input_ids": input_ids * mask,
            "attention_mask": mask.long(),
            "labels": labels.masked_fill(~mask, -100) if token_labels else labels,
        }


def draw(count=4000, classes=3, scale=2.0, seed=0):
    """Return logits and labels drawn with just the probabilities that the logits say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=scale, size=(count, classes))
    chances = special.softmax(logits, axis=1)
    return logits, (rng.random((count, 1)) > chances.cumsum(1)).sum(1)


# --- evaluate_model --------------------------------------------------------------------------------------------------


def test_padding_is_not_attended_to():
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**TINY, num_labels=3))
    found = evaluation.evaluate_model(model, batches())
    rows, labels = [], []
    for batch in batches():  # each row alone, without padding
        for ids, mask, label in zip(batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True):
            with torch.inference_mode():
                rows.append(model.eval()(ids[mask.bool()][None]).logits[0].numpy())
            labels.append(int(label))
    np.testing.assert_allclose(found.logits, rows, atol=1e-5)
    assert found.labels.tolist() == labels and found.predictions.tolist() == np.argmax(rows, 1).tolist()


@pytest.mark.parametrize("training", [True, False])
def test_model_is_left_as_it_was(training):
    model = BertForSequenceClassification(BertConfig(**TINY, num_labels=3)).train(training)
    evaluation.evaluate_model(model, batches(1))
    assert model.training == training
    with pytest.raises(CourseError):
        evaluation.evaluate_model(model, [{"input_ids": torch.ones(1, 2, dtype=torch.long)}])
    assert model.training == training


def test_tokens_without_a_label_do_not_count():
    torch.manual_seed(0)
    model = BertForTokenClassification(BertConfig(**TINY, num_labels=3))
    found = evaluation.evaluate_model(model, batches(token_labels=True))
    kept = torch.cat([batch["labels"][batch["attention_mask"].bool()] for batch in batches(token_labels=True)])
    assert found.labels.tolist() == kept.tolist() and found.logits.shape == (len(kept), 3)


def test_language_model_is_judged_on_the_next_token():
    model = LlamaForCausalLM(LlamaConfig(**TINY, num_key_value_heads=2))
    batch = {"input_ids": torch.tensor([[1, 2, 3, 4]]), "labels": torch.tensor([[-100, 2, 3, -100]])}
    found = evaluation.evaluate_model(model, [batch])
    with torch.inference_mode():
        expected = model.eval()(batch["input_ids"]).logits[0, :2]
    assert found.labels.tolist() == [2, 3]
    np.testing.assert_allclose(found.logits, expected.numpy(), atol=1e-5)


def test_several_labels_at_once_plain_modules_and_pairs():
    linear = torch.nn.Linear(2, 2)
    torch.nn.init.eye_(linear.weight), torch.nn.init.zeros_(linear.bias)
    inputs = torch.tensor([[1.0, -1.0], [2.0, 3.0]])
    found = evaluation.evaluate_model(linear, [(inputs, torch.tensor([[1.0, 0.0], [0.0, 1.0]]))])
    assert found.predictions.tolist() == [[1, 0], [1, 1]] and found.labels.tolist() == [[1, 0], [0, 1]]
    assert evaluation.evaluate_model(linear, [(inputs, torch.tensor([0, 0]))]).predictions.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.ones(2, 3), "of type Tensor: yield dictionaries"),
        ({"input_ids": torch.ones(1, 2).long()}, "no labels. It has input_ids"),
        (
            {"input_ids": torch.ones(1, 2).long(), "labels": torch.ones(1, 2).long()},
            r"shape \(1, 3\) don't fit .* \(1, 2\)",
        ),
    ],
)
def test_bad_batches_are_named(batch, message):
    model = BertForSequenceClassification(BertConfig(**TINY, num_labels=3))
    with pytest.raises(CourseError, match=message):
        evaluation.evaluate_model(model, [batch])
    with pytest.raises(CourseError, match="no batch"):
        evaluation.evaluate_model(model, [])


@pytest.mark.parametrize(("outputs", "labels"), [(1, [0.5, 1.5]), (1, [0, 1]), (2, [0.5, 1.5])])
def test_regression_is_not_taken_for_classes(outputs, labels):
    with pytest.raises(CourseError, match="no class to choose: measure the error"):
        evaluation.evaluate_model(torch.nn.Linear(2, outputs), [(torch.ones(2, 2), torch.tensor(labels))])


def test_heads_without_logits_are_refused():
    with pytest.raises(CourseError, match="BertForQuestionAnswering returns no logits"):
        evaluation.evaluate_model(BertForQuestionAnswering(BertConfig(**TINY)), batches(1))


class Speaker(GPT2LMHeadModel):
    """A subclass with a name of its own."""


@pytest.mark.parametrize(
    "wrap", [lambda model: model, nn.DataParallel, lambda model: torch.compile(model, backend="eager")]
)
@pytest.mark.parametrize("kind", [GPT2LMHeadModel, Speaker])
def test_a_language_model_is_known_whatever_its_class_is_called(kind, wrap):
    model = kind(GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=1, n_head=2, eos_token_id=2))
    ids = torch.randint(3, 50, (2, 12))
    found = evaluation.evaluate_model(wrap(model), [{"input_ids": ids, "labels": ids}])
    assert found.labels.tolist() == ids[:, 1:].flatten().tolist()


def test_each_part_of_a_model_is_left_in_its_own_mode():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 2)).train()
    net[1].eval()
    net[0].requires_grad_(False)
    before = [part.training for part in net.modules()], [weights.requires_grad for weights in net.parameters()]
    evaluation.evaluate_model(net, [(torch.randn(4, 2), torch.tensor([0, 1, 0, 1]))])
    assert before == (
        [part.training for part in net.modules()],
        [weights.requires_grad for weights in net.parameters()],
    )


def test_arrays_and_lists_are_taken_in_a_batch():
    batches = [(np.ones((2, 2), np.float32), [0, 1]), (torch.ones(1, 2), np.array([1]))]
    found = evaluation.evaluate_model(nn.Linear(2, 2), batches)
    assert found.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (torch.ones(2, 2), [0, 2], "A label is 2, and the model knows the classes 0 to 1"),
        (torch.ones(2, 2), [0, -1], "A label is -1"),
        (torch.ones(2, 2), [-100, -100], "no batch with an answer"),
        (torch.full((2, 2), float("nan")), [0, 1], "no number"),
        (["a", "b"], [0, 1], "inputs of a batch are no numbers"),
        (torch.ones(2, 2), ["a", "b"], "labels of a batch are no numbers"),
        (torch.ones(2, 2), [[0.5, 0.5], [0.1, 0.9]], "no class to choose"),
    ],
)
def test_what_cannot_be_judged_is_named(inputs, labels, message):
    with pytest.raises(CourseError, match=message):
        evaluation.evaluate_model(nn.Linear(2, 2), [(inputs, labels)])
    with pytest.raises(CourseError, match="pass a PyTorch model"):
        evaluation.evaluate_model(lambda columns: columns, [(inputs, labels)])


# --- Intervals -------------------------------------------------------------------------------------------------------


def test_bootstrap_agrees_with_scipy_and_with_the_normal_interval():
    right = np.random.default_rng(1).random(500) < 0.8
    mean, low, high = evaluation.bootstrap_interval(lambda rows: right[rows].mean(), 500, num_resamples=4000)
    other = stats.bootstrap(
        (right.astype(float),), np.mean, n_resamples=4000, method="percentile", rng=0
    ).confidence_interval
    error = 1.96 * np.sqrt(mean * (1 - mean) / 500)
    assert mean == right.mean()
    assert (low, high) == pytest.approx((other.low, other.high), abs=0.005)
    assert (low, high) == pytest.approx((mean - error, mean + error), abs=0.005)


def test_bootstrap_takes_any_statistic():
    labels, answers = np.array([0, 1] * 100), np.array([0, 1, 0, 0] * 50)
    value, low, high = evaluation.bootstrap_interval(
        lambda rows: f1_score(labels[rows], answers[rows]), 200, num_resamples=200
    )
    assert value == f1_score(labels, answers) and low < value < high


def test_whole_groups_are_drawn():
    """Items of a group that are all alike are worth one item: the interval must be that of the groups."""
    groups, right = np.repeat(np.arange(50), 20), np.repeat(np.random.default_rng(0).random(50) < 0.7, 20)
    shuffled = np.random.default_rng(1).permutation(1000)
    groups, right = groups[shuffled], right[shuffled]
    mean, low, high = evaluation.bootstrap_interval(lambda rows: right[rows].mean(), 1000, groups=groups)
    error = 1.96 * np.sqrt(mean * (1 - mean) / 50)
    assert (low, high) == pytest.approx((mean - error, mean + error), abs=0.02)
    _, low_alone, high_alone = evaluation.bootstrap_interval(lambda rows: right[rows].mean(), 1000)
    assert high - low > 4 * (high_alone - low_alone)


@pytest.mark.long
def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for seed in range(200):
        right = rng.random(300) < 0.8
        _, low, high = evaluation.bootstrap_interval(
            lambda rows, right=right: right[rows].mean(), 300, num_resamples=300, seed=seed
        )
        covered += low <= 0.8 <= high
    assert 180 <= covered <= 198  # 95 % of 200 is 190


def test_interval_of_nothing_is_refused():
    with pytest.raises(CourseError, match="at least two rows"):
        evaluation.bootstrap_interval(len, 1)
    with pytest.raises(CourseError, match="3 rows and 2 groups"):
        evaluation.bootstrap_interval(len, 3, groups=["a", "b"])

    values = np.arange(10.0)

    def mean(rows):
        return values[rows].mean()

    for options, message in (
        (dict(groups=["a"] * 10), "groups is 1, and at least 2"),
        (dict(groups=["a", None] * 5), "Row 1 has no group"),
        (dict(groups=[0.0, np.nan] * 5), "Row 1 has no group"),
        (dict(level=95), "level is 95"),
        (dict(num_resamples=0), "num_resamples is 0"),
    ):
        with pytest.raises(CourseError, match=message):
            evaluation.bootstrap_interval(mean, 10, **options)
    with pytest.raises(CourseError, match="no number in .* draws"):
        evaluation.bootstrap_interval(lambda rows: np.nan if len(set(rows)) < 5 else mean(rows), 10)
    with pytest.raises(CourseError, match="single number"):
        evaluation.bootstrap_interval(lambda rows: values[rows], 10)
    with pytest.raises(CourseError, match="give their number"):
        evaluation.bootstrap_interval(mean, values)


# --- Two models ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (5, 0), (10, 10), (12, 3), (3, 12), (1, 0), (40, 61)])
def test_mcnemar_is_the_two_sided_coin_toss(only_a, only_b):
    right_a = [True] * 7 + [False] * 4 + [True] * only_a + [False] * only_b
    right_b = [True] * 7 + [False] * 4 + [False] * only_a + [True] * only_b
    found = evaluation.compare_models(right_a, right_b)
    tosses = only_a + only_b
    tail = sum(comb(tosses, k) for k in range(min(only_a, only_b) + 1)) / 2**tosses
    assert (found["only_a"], found["only_b"]) == (only_a, only_b)
    assert found["p_value"] == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_is_near_its_chi_squared_form():
    found = evaluation.compare_models([True] * 130 + [False] * 90, [False] * 130 + [True] * 90)
    corrected = (abs(130 - 90) - 1) ** 2 / 220
    assert found["p_value"] == pytest.approx(stats.chi2.sf(corrected, 1), abs=0.0005)


def test_models_are_compared_on_the_same_items():
    with pytest.raises(CourseError, match="Model A has 1 answers and model B 2"):
        evaluation.compare_models([True], [True, False])
    with pytest.raises(CourseError, match="answers of A is 0.9: give true or false"):
        evaluation.compare_models([0.9, 0.2], [True, False])
    assert evaluation.compare_models([1, 0], torch.tensor([True, True]))["only_b"] == 1


# --- Calibration -----------------------------------------------------------------------------------------------------


def test_calibration_error_by_hand():
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.65, 0.35]])
    labels = np.array([0, 1, 0, 0])
    assert evaluation.expected_calibration_error(probabilities, labels) == pytest.approx((0.45 + 0.35) / 2)
    table = evaluation.reliability(probabilities, labels)
    assert (
        table.index.tolist() == [6, 9]
        and table["count"].tolist() == [2, 2]
        and table["accuracy"].tolist() == [1.0, 0.5]
    )


def test_reliability_agrees_with_scikit_learn():
    logits, labels = draw()
    probabilities = special.softmax(logits, axis=1)
    table = evaluation.reliability(probabilities, labels)
    right = (probabilities.argmax(1) == labels).astype(int)
    accuracy, confidence = calibration_curve(right, probabilities.max(1), n_bins=10)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], confidence)


def test_sure_answers_fall_into_the_last_bin_and_edges_belong_below():
    table = evaluation.reliability([[1.0, 0.0], [0.5, 0.5], [0.6, 0.4]], [0, 0, 0])
    assert table.index.tolist() == [4, 5, 9]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_that_spoilt_the_logits_is_found(temperature):
    logits, labels = draw(20_000)
    spoilt = logits * temperature
    found = evaluation.fit_temperature(spoilt, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    before, after = (
        evaluation.expected_calibration_error(special.softmax(rows, axis=1), labels)
        for rows in (spoilt, spoilt / found)
    )
    assert after < 0.02 and (temperature == 1.0 or before > 2 * after)
    assert (spoilt.argmax(1) == (spoilt / found).argmax(1)).all()


def test_temperature_agrees_with_gradient_descent():
    logits, labels = draw(500, seed=3)
    scale = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([scale], max_iter=100)
    rows, truth = torch.tensor(2.5 * logits), torch.tensor(labels)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(rows / scale.exp(), truth)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert evaluation.fit_temperature(2.5 * logits, labels) == pytest.approx(float(scale.detach().exp()), rel=1e-3)


def test_perfect_logits_give_a_finite_temperature():
    assert 0 < evaluation.fit_temperature(np.eye(3), [0, 1, 2]) < 1


# --- Slices, costs, thresholds ---------------------------------------------------------------------------------------


def test_slices_have_wilsons_interval():
    right = np.array([True] * 8 + [False] * 2 + [True] * 5)
    table = evaluation.score_slices(
        right, {"first": [True] * 10 + [False] * 5, "none": [False] * 15, "all": [True] * 15}
    )
    z, n, p = stats.norm.ppf(0.975), 10, 0.8
    middle, half = (
        (p + z * z / (2 * n)) / (1 + z * z / n),
        z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)),
    )
    assert table.loc["first", ["count", "accuracy"]].tolist() == [10, 0.8]
    assert table.loc["first", ["low", "high"]].tolist() == pytest.approx([middle - half, middle + half])
    assert table.loc["none", "count"] == 0 and np.isnan(table.loc["none", "accuracy"])
    assert table.loc["all", "accuracy"] == accuracy_score([True] * 15, right)


def test_costs_move_the_threshold_to_where_the_closed_form_has_it():
    p = np.linspace(0, 1, 1001)
    answers, expected = evaluation.decide(
        np.column_stack([1 - p, p]), [[0, 4], [1, 0]]
    )  # a false 1 costs 4, a false 0 costs 1
    assert answers.tolist() == (p > 4 / 5 + 1e-12).astype(int).tolist() or abs(p[answers.argmax()] - 0.8) < 0.002
    assert expected == pytest.approx(np.minimum(4 * (1 - p), p))


def test_deciding_by_cost_is_cheaper_when_the_probabilities_are_right():
    logits, labels = draw(5000, 2)
    probabilities, costs = special.softmax(logits, axis=1), [[0, 10], [1, 0]]
    plain, careful = probabilities.argmax(1), evaluation.decide(probabilities, costs)[0]
    assert evaluation.mean_cost(careful, labels, costs) < 0.8 * evaluation.mean_cost(plain, labels, costs)
    assert evaluation.mean_cost(plain, labels, [[0, 1], [1, 0]]) == pytest.approx(1 - accuracy_score(labels, plain))


@pytest.mark.long
def test_thresholds_are_the_best_of_all_that_can_be_tried():
    logits, labels = draw(300, seed=5)
    probabilities = special.softmax(logits, axis=1)
    found = evaluation.class_thresholds(probabilities, labels)
    for number, threshold in enumerate(found):
        scores = {t: f1_score(labels == number, probabilities[:, number] >= t) for t in probabilities[:, number]}
        assert scores[threshold] == pytest.approx(max(scores.values()))
    with pytest.raises(CourseError, match="label 2"):
        evaluation.class_thresholds(probabilities[labels != 2], labels[labels != 2])


@pytest.mark.parametrize(
    "measure", [evaluation.reliability, evaluation.expected_calibration_error, evaluation.class_thresholds]
)
def test_logits_are_no_probabilities_and_labels_fit(measure):
    for probabilities, labels, message in (
        ([[2.0, -1.0]], [0], "softmax"),
        ([[0.5, np.nan]], [0], "not a number"),
        ([[0.5, 0.5]], [0.0], "Label 0 is 0.0"),
        ([[0.5, 0.5]], [2], "labels are from 0 to 1"),
        ([[0.5, 0.5]], [0, 1], "2 labels for 1 examples"),
        ([0.5, 0.5], [0, 1], "shape"),
        ([], [], "shape"),
    ):
        with pytest.raises(CourseError, match=message):
            measure(probabilities, labels)


def test_tensors_and_tables_are_taken():
    logits, labels = draw(50, 2)
    expected = evaluation.fit_temperature(logits, labels)
    assert evaluation.fit_temperature(torch.tensor(logits, requires_grad=True), labels.tolist()) == pytest.approx(
        expected
    )
    for wrong, message in ((special.softmax(logits, axis=1), "are probabilities"), (logits * np.inf, "infinite|not a")):
        with pytest.raises(CourseError, match=message):
            evaluation.fit_temperature(wrong, labels)


def test_costs_and_slices_that_do_not_fit_are_named():
    costs = [[0, 4], [1, 0]]
    for call, message in (
        (lambda: evaluation.decide([[3.0, -1.0]], costs), "softmax"),
        (lambda: evaluation.decide([[0.2, 0.3, 0.5]], costs), "2 rows for 3 classes"),
        (lambda: evaluation.decide([[0.5, 0.5]], [[0, np.nan], [1, 0]]), "not a number"),
        (lambda: evaluation.mean_cost([0, -1], [0, 1], costs), "Label 1 is -1"),
        (lambda: evaluation.mean_cost([], [], costs), "at least 1"),
        (lambda: evaluation.mean_cost([0], [0, 1], costs), "1 labels for 2 examples"),
        (lambda: evaluation.score_slices([True, False], {"first": [0, 5]}), "Item 1 of the slice first is 5"),
        (lambda: evaluation.score_slices([True, False], {"first": [True]}), "1 items where 2"),
        (lambda: evaluation.score_slices([True], [[True]]), "dictionary from a name"),
    ):
        with pytest.raises(CourseError, match=message):
            call()
    assert evaluation.mean_cost(np.array([0, 1]), [1, 1], costs) == 0.5
