"""Every figure has a text alternative."""

import io

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import PIL.Image
import pytest

from ftcourse import figures


def test_picture_goes_with_its_text_alternative(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda what, **options: shown.append((what, options)))
    figure, _ = plt.subplots()
    figures.show(figure, "A line that rises.")
    (picture, options), (caption, _) = shown
    assert picture["image/png"].startswith(b"\x89PNG") and picture["text/plain"] == "A line that rises."
    assert options["metadata"]["image/png"]["alt"] == "A line that rises."
    assert "A line that rises." in caption.data
    assert not plt.fignum_exists(figure.number)


def test_a_large_picture_becomes_small_and_looks_the_same():
    noise = np.random.default_rng(0).integers(0, 200, (160, 160, 3), dtype=np.uint8)
    picture = io.BytesIO()
    PIL.Image.fromarray(noise).save(picture, "PNG")
    small = figures.style.small_png(picture.getvalue())
    assert len(small) < len(picture.getvalue()) / 2
    seen = np.asarray(PIL.Image.open(io.BytesIO(small)).convert("RGB"), dtype=float)
    assert np.abs(seen - noise).mean() < 20
    assert figures.style.small_png(picture.getvalue(), 10**6) == picture.getvalue()


def test_figure_without_text_is_refused():
    figure, _ = plt.subplots()
    with pytest.raises(ValueError, match="text alternative"):
        figures.show(figure, " ")
    plt.close(figure)


@pytest.fixture
def shown(monkeypatch):
    """Collect (figure, text alternative) of what is shown, and close the figures afterwards."""
    pairs = []
    monkeypatch.setattr(figures.style, "show", lambda figure, alt: pairs.append((figure, alt)))
    yield pairs
    for figure, _ in pairs:
        plt.close(figure)


def test_images_stand_in_rows_under_their_titles(shown):
    images = [PIL.Image.new("RGB", (4, 3), (number, 0, 0)) for number in range(4)] + [np.full((3, 4, 3), 0.5)]
    titles = ["cat", "Staffordshire bull terrier", "a title that is not short\nsaid dog", "frog", "ship"]
    figures.show_images(images, titles, "Five things.", columns=3)
    ((figure, alt),) = shown
    assert alt == "Five things." and len(figure.axes) == 6 and not any(axes.axison for axes in figure.axes)
    assert [axes.get_title() for axes in figure.axes] == ["cat", "Staffordshire bu…", *titles[2:], ""]
    pictures = [axes.images[0].get_array() for axes in figure.axes[:5]]
    assert all(np.array_equal(picture, image) for picture, image in zip(pictures, images, strict=True))
    assert not figure.axes[5].images
    rows = [round(axes.get_position().y0, 2) for axes in figure.axes]
    assert rows[0] == rows[1] == rows[2] > rows[3] == rows[4]


def test_one_image_and_fewer_images_than_columns(shown):
    figures.show_images([PIL.Image.new("L", (2, 2))], ["x"], "One.", columns=8)
    assert len(shown[0][0].axes) == 8 and shown[0][0].axes[0].images


def test_unfreezing_counts_from_the_head(shown):
    figures.show_unfreezing({"all at once": [3, 3], "head first": [1, 3]}, ["stem", "body", "head"])
    (figure, alt), *_ = shown
    assert "counted from the head" in alt and "head first 1, 3" in alt
    second = figure.axes[1].collections[0].get_array().reshape(3, 2)
    assert second[:, 0].tolist() == [0, 0, 1] and second[:, 1].tolist() == [1, 1, 1]


def test_confusion_says_the_best_the_worst_and_the_commonest_mistake(shown):
    matrix = np.array([[8, 2, 0], [5, 4, 1], [0, 0, 10]])
    figures.show_confusion(matrix, ["cat", "dog", "frog"])
    ((figure, alt),) = shown
    assert "Most often right: frog, 100%; least often: dog, 40%." in alt
    assert "The commonest mistake: dog taken for cat, 5 times." in alt
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == [str(count) for count in matrix.flat]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "truth")
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["cat", "dog", "frog"]


def test_confusion_without_mistakes_claims_none(shown):
    figures.show_confusion(np.diag([3, 4]), ["cat", "dog"])
    assert "taken for" not in shown[0][1] and "100%" in shown[0][1]


def test_runs_are_dots_and_their_mean_a_line(shown):
    frame = pd.DataFrame(
        {"way": ["slow", "slow", "fast", "fast", "odd"], "accuracy": [0.5, 0.7, 0.9, 0.8, 0.1], "seed": [0, 1, 0, 1, 0]}
    )
    figures.show_runs(frame, "way", "accuracy")
    ((figure, alt),) = shown
    assert alt == "Mean accuracy over the seeds: odd 10.0%, slow 60.0%, fast 85.0%."
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["odd", "slow", "fast"]
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    assert [x for x, _ in lines[::2]] == [pytest.approx(x) for x in ([10], [50, 70], [90, 80])]
    assert [x for x, _ in lines[1::2]] == [pytest.approx(x) for x in ([10, 10], [60, 60], [85, 85])]
    assert [set(y) for _, y in lines[::2]] == [{0}, {1}, {2}]


def test_a_conversation_is_escaped_and_says_who_speaks():
    html = figures.chat_html([{"role": "user", "content": "<b>Hi</b> & bye"}, {"role": "assistant", "content": None}])
    assert "&lt;b&gt;Hi&lt;/b&gt; &amp; bye" in html and html.index("user</b>") < html.index("assistant</b>")


def test_lengths_say_the_percentiles_that_they_name(shown):
    frame = pd.DataFrame({"messages": [3] * 9 + [5], "tokens": [*range(10, 100, 10), 600], "trained": [5] * 10})
    figures.show_chat_lengths(frame, 512)
    ((_, alt),) = shown
    low, middle, high = frame["tokens"].quantile([0.1, 0.5, 0.9])
    assert "3 messages 9, 5 messages 1" in alt and alt.endswith("1 are cut at 512.")
    assert (
        f"A tenth have fewer than {low:.0f} tokens, half fewer than {middle:.0f}, a tenth more than {high:.0f}" in alt
    )


def test_a_limit_far_beyond_the_examples_does_not_squeeze_them(shown):
    frame = pd.DataFrame({"messages": [3] * 3, "tokens": [50, 60, 90], "trained": [5] * 3})
    figures.show_chat_lengths(frame, 512)
    ((figure, alt),) = shown
    assert figure.axes[1].get_xlim()[1] < 120 and alt.endswith("0 are cut at 512.")


@pytest.mark.parametrize("steps", [3, 20])
def test_token_accuracy_says_what_it_draws(shown, steps):
    results = pd.DataFrame(
        {"train_accuracy": [i / steps for i in range(steps)], "valid_mean_token_accuracy": np.nan},
        index=range(1, steps + 1),
    )
    results.loc[2, "valid_mean_token_accuracy"] = 0.25
    figures.show_token_accuracy(results)
    ((figure, alt),) = shown
    training, validation = figure.axes[0].lines
    last = 100 * results["train_accuracy"].iloc[-10:].mean()
    assert training.get_ydata()[-1] == pytest.approx(last) and validation.get_xydata().tolist() == [[2, 25]]
    assert f"from 0.0% to {last:.1f}%; validation 25.0% at step 2." in alt
    assert ("mean of 10 steps" in alt) == (steps >= 10)


STEPS = [{"step": 1, "train_loss": 3.0, "valid_loss": None}, {"step": 2, "train_loss": 1.0, "valid_loss": 1.5}]


def test_losses_of_a_result_file_leave_out_what_is_missing(shown):
    figures.show_losses(STEPS)
    ((figure, alt),) = shown
    training, validation = figure.axes[0].lines
    assert training.get_ydata().tolist() == [3, 1] and validation.get_xydata().tolist() == [[2, 1.5]]
    assert alt == (
        "Over the steps: training loss from 3 to 1, lowest 1 at step 2; validation loss from 1.5 to 1.5, lowest 1.5 "
        "at step 2."
    )


def test_losses_of_a_trainer_stand_beside_its_metric(shown):
    log = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 0.5}, {"step": 2, "eval_loss": 1.0, "eval_f1": 0.25},
           {"step": 3, "eval_loss": float("nan"), "eval_f1": 0.75},
           {"step": 3, "train_runtime": 9.0, "train_loss": 1.5}]  # fmt: skip
    figures.show_losses(log, metric="f1", kept=2)
    ((figure, alt),) = shown
    left, right = figure.axes
    assert [line.get_xydata().tolist() for line in left.lines[:2]] == [[[1, 2.0], [2, 0.5]], [[2, 1.0]]]
    kept = [list(line.get_xdata()) for axes in figure.axes for line in axes.lines if line.get_label() == "kept"]
    assert kept == [[2, 2]] * 2 and "the checkpoint of step 2 was kept" in alt
    assert right.lines[-1].get_xydata().tolist() == [[2, 25], [3, 75]] and "(%)" in right.get_ylabel()
    assert "validation f1 from 25.0% to 75.0%" in alt


def test_losses_by_epoch_name_the_lowest(shown):
    figures.show_losses([{"epoch": e, "train_loss": 1 / e, "eval_loss": abs(e - 2) + 1} for e in (1, 2, 3)])
    ((figure, alt),) = shown
    assert figure.axes[0].get_xlabel() == "epoch" and "validation loss from 2 to 2, lowest 1 at epoch 2" in alt


def test_a_history_without_a_loss_is_refused():
    with pytest.raises(ValueError, match="no loss in the history"):
        figures.show_losses([{"step": 1, "learning_rate": 1e-3}])


def test_live_losses_are_drawn_in_one_place(monkeypatch):
    calls, open_before = [], plt.get_fignums()
    monkeypatch.setattr("IPython.core.display_functions.display", lambda what, **options: calls.append((what, options)))
    draw = figures.live_losses()
    draw(STEPS[:1])
    draw(STEPS)
    places = [options["display_id"] for _, options in calls]
    assert places[:2] == places[2:] and places[0] != places[1]
    assert [options.get("update", False) for _, options in calls] == [False, False, True, True]
    assert (
        "lowest 1 at step 2" in calls[2][1]["metadata"]["image/png"]["alt"] and "lowest 1 at step 2" in calls[3][0].data
    )
    assert plt.get_fignums() == open_before


def test_a_sweep_of_any_metric_orders_the_values(shown):
    rows = [("rank", "16", 1.2), ("rank", "4", 1.0), ("rank", "4", 1.4), ("layers", "all", 0.9)]
    frame = pd.DataFrame(rows, columns=["setting", "value", "loss"])
    figures.show_sweep(frame, "setting", "value", "loss", 1.1)
    ((figure, alt),) = shown
    assert alt == "loss by setting; unchanged 1.10. rank: 4 1.20, 16 1.20; layers: all 0.90."
    assert figure.axes[0].lines[1].get_ydata().tolist() == [1.2, 1.2]


def test_settings_say_their_noise_and_floor_and_has_numeric_axes_for_numbers(shown):
    frame = pd.DataFrame(
        [("learning_rate", "2e-05", 0.57), ("learning_rate", "0.002", 0.6), ("kind", "constant_with_warmup", 0.7)]
        + [
            ("batch", "128 x 1", 0.62),
            ("batch", "8 x 1", 0.77),
            ("batch", "8 x 4", 0.8),
            ("decay", "0.0", 0.81),
            ("decay", "0.3", 0.79),
        ],
        columns=["setting", "value", "accuracy"],
    )
    panels = {
        "learning_rate": ("learning rate", 2e-4),
        "kind": ("schedule", "linear"),
        "batch": ("examples a step", "32 x 1"),
        "decay": ("weight decay", 0.01),
    }
    figures.show_settings(frame, panels, "accuracy", [0.61, 0.65, 0.69], 0.571)
    figures.show_settings(frame, {"batch": panels["batch"]}, "accuracy", [0.65])
    (figure, alt), (_, short) = shown
    assert "3 unchanged runs 65.0% on average (61.0% to 69.0%). Always the commoner class: 57.1%." in alt
    assert (
        "learning rate (0.0002 unchanged): 2e-05 57.0%, 0.002 60.0%; schedule (linear unchanged): constant with" in alt
    )
    assert "examples a step (32 x 1 unchanged): 8 x 1 77.0%, 8 x 4 80.0%, 128 x 1 62.0%" in alt
    assert [axes.get_xscale() for axes in figure.axes[:4]] == ["log", "linear", "log", "symlog"]
    dots = [line.get_xdata().tolist() for line in figure.axes[2].lines if line.get_label().startswith("a run")]
    assert dots == [[8.0, 32.0, 128.0]] and [axes.axison for axes in figure.axes] == [True] * 4 + [False] * 2
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["8 x 4"]
    assert short.startswith("Accuracy by setting") and "commoner" not in short


def test_range_test_says_where_the_loss_was_lowest_and_what_is_outside_the_frame(shown):
    curve = pd.DataFrame({"learning_rate": [1e-5, 1e-4, 1e-3], "loss": [0.7, 0.5, 2.0], "smoothed": [0.7, 0.6, 1.0]})
    figures.show_range_test(curve, 1e-5)
    figures.show_range_test(curve.assign(loss=0.5), 1e-5)
    assert (
        "starts at 0.70, is lowest, 0.60, at a learning rate of 1.0e-04 and ends at 1.00. Suggested: 1.0e-05."
        in shown[0][1]
    )
    assert shown[0][1].endswith(" 1 of 3 batches lie above the frame.") and "frame" not in shown[1][1]


def test_trials_that_were_stopped_are_told_apart(shown):
    trials = pd.DataFrame(
        {"learning_rate": [1e-4, 1e-3], "accuracy": [0.7, 0.5], "steps": [26, 13], "pruned": [False, True]}
    )
    figures.show_trials(trials, 0.6)
    figures.show_trials(trials[:1], space=(1e-5, 1e-2))
    assert shown[1][0].axes[0].get_xlim() == (1e-5, 1e-2)
    assert "2 trials" in shown[0][1]
    assert (
        "to the end 70.0% at 1.00e-04; stopped early, accuracy when stopped 50.0% at 1.00e-03 after 13 steps."
        in shown[0][1]
    )
    assert shown[0][1].endswith("Always the commoner class: 60.0%.")
    assert "stopped" not in shown[1][1] and "commoner" not in shown[1][1]


def test_accuracy_over_steps_is_a_line_a_rate_and_schedules_say_their_ends(shown):
    rows = [
        (rate, seed, step, rate * step + seed / 100) for rate in (0.01, 0.02) for seed in (0, 1) for step in (19, 38)
    ]
    frame = pd.DataFrame(rows, columns=["learning_rate", "seed", "step", "validation_accuracy"])
    figures.show_rates(frame, 38, 0.1)
    figures.show_rates(frame[frame["seed"] == 0])
    figures.show_schedules({"linear": [1e-4, 2e-4, 1e-4], "constant": [2e-4, 2e-4]})
    (figure, alt), (_, one), (_, schedules) = shown
    assert "mean of 2 seeds" in alt and "0.01: 19.5% after 19, 38.5% after 38; 0.02: 38.5% after 19" in alt
    assert alt.endswith("Always the commoner class: 10.0%. A line marks 38 steps.") and "one run a rate, by" in one
    assert {"0.01", "0.02", "38 steps, as in the sweep"} <= set(figure.axes[0].get_legend_handles_labels()[1])
    assert "linear rises to 2.0e-04 at step 2 and falls to 50% of it at the last step; constant rises to" in schedules


def test_reliability_and_slices_say_their_numbers(shown):
    table = pd.DataFrame({"count": [3, 7], "confidence": [0.6, 0.9], "accuracy": [0.5, 1.0]})
    figures.show_reliability({"before": table, "after": table})
    assert "before: confidence 60% accuracy 50% (3), confidence 90% accuracy 100% (7); after: conf" in shown[0][1]
    (axes,) = shown[0][0].axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("confidence (%)", "accuracy (%)")
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((44, 104))
    slices = pd.DataFrame(
        {"count": [10, 0], "accuracy": [0.8, np.nan], "low": [0.49, 0], "high": [0.94, 1]}, ["short", "none"]
    )
    figures.show_slices(slices, 0.75)
    assert "all sentences 75%: short (10) 80% (49% to 94%)." in shown[1][1] and "none" not in shown[1][1]
    figures.show_slices(slices, 0.75, "answers")
    assert shown[2][0].axes[0].get_xlabel() == "accuracy (%), 95 % interval (answers in brackets)"


def test_masked_words_are_shown_twice_and_the_others_once(shown):
    figures.show_masking(["a", "warm", "film"], [1])
    ((figure, alt),) = shown
    drawn = [text.get_text() for text in figure.axes[0].texts if text.get_text()]
    assert sorted(drawn) == ["[MASK]", "a", "film", "it must say", "it sees", "warm"]
    assert alt == "Masked language modelling. The model sees: a [MASK] film. It must say what is hidden: warm."


def test_attention_says_where_each_token_looks(shown):
    figures.show_attention(["it", "never", "bores"], [[0.6, 0.1, 0.3], [0.2, 0.1, 0.7], [0.1, 0.4, 0.5]])
    ((figure, alt),) = shown
    assert "goes from it to it, never to bores, bores to bores." in alt
    assert figure.axes[0].images[0].get_array().shape == (3, 3)


# --- What the text alternatives claim ---------------------------------------------------------------------------------


def test_scores_are_bars_as_long_as_they_say(shown):
    figures.show_scores({"baseline": 0.764, "fine-tuned": 0.843})
    ((figure, alt),) = shown
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([76.4, 84.3])
    assert alt == "Bars of accuracy: baseline 76.4%, fine-tuned 84.3%."


def test_learning_curve_says_the_means_that_it_draws(shown):
    frame = pd.DataFrame(
        {"method": ["a", "a", "a", "b"], "num_train": [100, 100, 1000, 100], "accuracy": [0.5, 0.6, 0.8, 0.7]}
    )
    figures.show_learning_curve(frame)
    ((figure, alt),) = shown
    drawn = [container.lines[0].get_xydata().tolist() for container in figure.axes[0].containers]
    assert drawn[0] == [[100, pytest.approx(55)], [1000, pytest.approx(80)]] and drawn[1] == [[102, pytest.approx(70)]]
    assert "a: 100 examples 55.0%, 1,000 examples 80.0%; b: 100 examples 70.0%" in alt


def test_groups_say_mean_and_number(shown):
    frame = pd.DataFrame({"kind": ["who", "who", "when"], "f1": [0.2, 0.6, 1.0], "exact": [0.0, 1.0, 1.0]})
    figures.show_groups(frame.groupby("kind"), ["f1", "exact"])
    ((figure, alt),) = shown
    assert sorted(round(bar.get_width()) for bar in figure.axes[0].patches) == [40, 50, 100, 100]
    assert "when (1) f1 100%, exact 100%; who (2) f1 40%, exact 50%" in alt


def test_weights_name_the_strongest_of_either_side(shown):
    names, weights = [f"w{number}" for number in range(12)], np.linspace(-2, 3, 12)
    figures.show_weights(names, weights, ["rotten", "fresh"], count=5)
    ((figure, alt),) = shown
    assert len(figure.axes[0].patches) == 10
    assert alt.startswith("Strongest weights. For rotten: w0, w1, w2, w3, w4. For fresh: w11, w10, w9, w8, w7.")


def test_padding_shows_the_share_that_it_returns(shown):
    lengths = [5, 9, 30, 7] * 40
    shares = figures.show_padding(lengths, 8)
    ((figure, alt),) = shown
    assert shares["padded to 512"] < shares["padded to the batch"] < shares["similar lengths"] <= 1
    assert shares["padded to 512"] == pytest.approx(sum(lengths) / (512 * len(lengths)))
    for axes, (way, share) in zip(figure.axes, shares.items(), strict=True):
        assert f"{way} {share:.0%}" in alt and f"{share:.0%} real tokens" in axes.get_title()
        assert axes.images[0].get_array().shape[0] == 8


def test_quantised_weights_are_counted_as_drawn(shown):
    import torch

    weights = torch.linspace(-1, 1, 256).reshape(16, 16)
    figures.show_quantised(weights, {"rounded": weights.mul(2).round().div(2)})
    ((figure, alt),) = shown
    assert "original 64, rounded 2" in alt and "moved by: rounded 0.249." in alt
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["original: 64 values", "rounded: 2 values"]
    drawn = [len({segment[0][0] for segment in marks.get_segments()}) for marks in axes.collections]
    assert drawn == [64, 2]


def test_forgetting_has_a_point_for_each_epoch_and_a_colour_for_each_method(shown):
    rows = [
        dict(method=method, learning_rate=rate, replay=replay, seed=seed, epoch=epoch,
             validation_facts_right=(0.2 + seed / 10) * epoch, general_right=0.6 - 0.1 * epoch)
        for method, rate, replay, seeds in (("LoRA", 2e-3, False, 2), ("LoRA", 6e-4, True, 1),
                                            ("full fine-tuning", 1e-4, False, 1))
        for seed in range(seeds) for epoch in (1, 2)
    ]  # fmt: skip
    figures.show_forgetting(pd.DataFrame(rows), 0.61)
    ((figure, alt),) = shown
    assert "base model 0% and 61%" in alt
    assert "LoRA, rate 0.002, no replay (2 seeds): epoch 1 25% and 50%, epoch 2 50% and 40%" in alt
    assert "LoRA, rate 0.0006, with replay (1 seed): epoch 1 20% and 50%" in alt
    lines = {line.get_label(): line for line in figure.axes[0].lines if "rate" in str(line.get_label())}
    assert {name.split(",")[0]: line.get_color() for name, line in lines.items()} == {
        "LoRA": figures.PURPLE, "full fine-tuning": figures.VERMILION}  # fmt: skip
    looks = {name.split(" (")[0]: (line.get_marker(), line.get_linestyle()) for name, line in lines.items()}
    assert looks == {
        "LoRA, rate 0.002, no replay": ("o", "-"),
        "LoRA, rate 0.0006, with replay": ("^", ":"),
        "full fine-tuning, rate 0.0001, no replay": ("o", "-"),
    }


def test_memory_names_the_smallest_that_holds_the_peak(shown):
    parts = {"weights": 6e9, "activations": 4e9, "peak": 9e9}
    figures.show_memory({"lora": parts, "full": {**parts, "peak": 90e9}}, {"8 GB": 8.0, "16 GB": 16.0})
    ((figure, alt),) = shown
    assert "lora 9.0 GB (smallest that holds it: 16 GB), full 90.0 GB (smallest that holds it: none of these)" in alt
    peaks = figure.axes[0].lines[-1]
    assert list(peaks.get_xdata()) == [9, 90] and "too small" not in alt.lower()


def test_memory_says_which_parts_are_too_small_to_see(shown):
    figures.show_memory({"lora": {"weights": 6e9, "logits": 1e6, "peak": 6e9}}, {"8 GB": 8.0})
    ((figure, alt),) = shown
    assert alt.endswith("Too small to see: logits. Parts: lora weights 6 GB, logits 0.001 GB.")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["peak", "weights", "logits (too small to see)"]


def test_alignment_says_the_label_of_each_token(shown):
    figures.show_alignment(["[CLS]", "Li", "##sbon"], [None, 0, 0], {"first": ["-100", "B-LOC", "-100"]})
    ((figure, alt),) = shown
    assert [text.get_text() for text in figure.axes[0].texts] == ["", "0", "0", "-100", "B-LOC", "-100"]
    assert "first: [CLS] -100, Li B-LOC, ##sbon -100" in alt


@pytest.fixture
def displayed(monkeypatch):
    """Collect what is displayed as HTML and as plain text."""
    data = []
    monkeypatch.setattr("IPython.display.display", lambda what, **options: data.append(what))
    return data


def test_entities_are_marked_in_html_and_in_plain_text(displayed):
    figures.show_entities("Ann & Bo", [{"start": 0, "end": 3, "label": "PER"}, {"start": 6, "end": 8, "label": "PER"}])
    (data,) = displayed
    assert data["text/plain"] == "[PER Ann] & [PER Bo]"
    assert data["text/html"].count("<mark") == 2 and "&amp;" in data["text/html"] and ">PER</b>" in data["text/html"]
    assert "PER" not in figures.entities_html("Ann", [])


def test_words_and_labels_are_marked_where_they_stand(displayed):
    figures.show_words(["In", "New", "York"], [(1, 3, "LOC")], title="gold")
    figures.show_labels(["Hi", "Ġthere", "Ċ"], [False, True, True])
    assert [data["text/plain"] for data in displayed] == ["gold: In [LOC New York]", "Hi [answer there ⏎]"]


def test_a_conversation_is_lines_in_plain_text(displayed):
    figures.show_chat([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}])
    assert displayed[0]["text/plain"] == "user: Hi\nassistant: Hello" and "<b>user</b> Hi" in displayed[0]["text/html"]
