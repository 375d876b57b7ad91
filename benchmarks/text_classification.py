"""Time the source lesson's recipe and ours on the same model and data.

    python benchmarks/text_classification.py             everything, about half an hour on two cores
    python benchmarks/text_classification.py --repeats 1 --skip-accuracy

The source lesson's recipe as written: every text padded to 512 tokens, float32, batches of 16, the model's own dropout.
Ours: `ftcourse.train`'s defaults and lesson 3's settings. The two run in turn, so that a change of the machine's speed
meets both; a ratio is taken within each turn and the median is quoted. Records go to results/benchmark_*.

One change at a time: from the recipe as written to ours, with one thing changed from row to row, each timed in turn.

Time to equal accuracy. Training as written on 5,000 sentences would take hours here, and padding does not change what
is computed (tests/test_classification.py checks it). So the source's hyper-parameters are trained on batches of similar
length, padded to the batch, and its steps are counted at the time that a step took as written.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from typing import TYPE_CHECKING, Any

from timing import StepTimes, ratios
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, TrainerCallback

from ftcourse import records, train
from ftcourse.classification import compute_metrics, load_classifier, tokenize
from ftcourse.files import model_path
from ftcourse.profiles import load_profile
from ftcourse.reviews import load_out_of_domain, load_reviews

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SETTINGS = load_profile("03", "local")


class UntilAccurate(TrainerCallback):
    """Stop at an accuracy and keep the training time until then, without the time of evaluating."""

    def __init__(self, accuracy: float, steps: StepTimes) -> None:
        self.accuracy, self.steps = accuracy, steps
        self.seconds: float | None = None

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any) -> None:
        """Stop when the accuracy is reached."""
        if metrics["eval_accuracy"] >= self.accuracy:
            self.seconds = sum(self.steps.seconds)
            control.should_training_stop = True


def source_model(**config: Any) -> PreTrainedModel:
    """Return the model as the source lesson loads it, with its own dropout unless told otherwise."""
    return AutoModelForSequenceClassification.from_pretrained(model_path(SETTINGS.model), num_labels=2, **config)


def our_model() -> PreTrainedModel:
    """Return the model as lesson 3 loads it."""
    return load_classifier(SETTINGS.model, **SETTINGS.model_config)


def step_times(
    model: PreTrainedModel, dataset: Dataset, tokenizer: PreTrainedTokenizerBase, **arguments: Any
) -> list[float]:
    """Train one epoch and return the seconds of each step but the first, which warms up.

    Args:
        model: to train.
        dataset: tokenised examples.
        tokenizer: pads the batches.
        **arguments: of ``TrainingArguments``; ``max_steps`` ends the run sooner.
    """
    times = StepTimes()
    with tempfile.TemporaryDirectory() as folder:
        args = train.training_arguments(folder, num_train_epochs=1, disable_tqdm=True, **arguments)
        collator = DataCollatorWithPadding(tokenizer)
        train.build_trainer(
            model, args, train_dataset=dataset, processing_class=tokenizer, data_collator=collator, callbacks=[times]
        ).train()
    return times.seconds[1:]


def throughput(
    name: str, dataset: Dataset, tokenizer: PreTrainedTokenizerBase, repeats: int, max_length: int, source_steps: int
) -> dict[str, float]:
    """Time both recipes in turn on the same texts; write and return the record's metrics.

    Args:
        name: of the record.
        dataset: texts with their labels.
        tokenizer: of both models.
        repeats: turns of both recipes.
        max_length: tokens of a text at most, in ours.
        source_steps: how many steps to time of the recipe as written.
    """
    padded = dataset.map(
        lambda batch: tokenizer(batch["text"], padding="max_length", truncation=True, max_length=512), batched=True
    ).remove_columns("text")
    ours = tokenize(dataset, tokenizer, max_length)
    turns = []
    with records.measure() as cost:
        for _ in range(repeats):
            written = step_times(
                source_model(), padded, tokenizer, max_steps=source_steps + 1, per_device_train_batch_size=16,
                train_sampling_strategy="random", bf16=False, learning_rate=5e-5,
            )  # fmt: skip
            batch_size = SETTINGS.per_device_train_batch_size
            quick = step_times(
                our_model(), ours, tokenizer, per_device_train_batch_size=batch_size, dataloader_drop_last=True
            )
            turns.append((16 / statistics.mean(written), batch_size / statistics.mean(quick)))
            print(f"{name}: as written {turns[-1][0]:.2f}, ours {turns[-1][1]:.2f} examples a second", flush=True)
    metrics = {
        "source_examples_per_second": statistics.median(a for a, _ in turns),
        "our_examples_per_second": statistics.median(b for _, b in turns),
        **ratios([b / a for a, b in turns]),
        "padding_efficiency": train.padding_efficiency(
            [len(ids) for ids in ours["input_ids"]], SETTINGS.per_device_train_batch_size
        ),
    }
    settings = dict(examples=len(dataset), max_length=max_length, repeats=repeats, model=SETTINGS.model)
    records.write_record("benchmark_text_classification", name, metrics=metrics, settings=settings, cost=cost)
    return metrics


def one_at_a_time(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, repeats: int) -> None:
    """Time the recipe as written and each change that leads to ours, in turn; write a record for each.

    Args:
        dataset: texts with their labels.
        tokenizer: of all models.
        repeats: turns of all rows.
    """
    padded = dataset.map(
        lambda batch: tokenizer(batch["text"], padding="max_length", truncation=True, max_length=512), batched=True
    ).remove_columns("text")
    ours = tokenize(dataset, tokenizer, SETTINGS.max_length)
    plain = dict(train_sampling_strategy="random", bf16=False)
    few, many = dict(max_steps=3), dict(max_steps=31)
    rows: dict[str, tuple[Any, Dataset, dict[str, Any]]] = {
        "padded to 512 tokens": (source_model, padded, plain | few),
        "padded to the batch": (source_model, ours, plain | many),
        "batches of similar length": (source_model, ours, dict(bf16=False)),
        "no dropout": (lambda: source_model(**SETTINGS.model_config), ours, dict(bf16=False)),
        "eager attention": (our_model, ours, dict(bf16=False)),
    }
    if train.has_bfloat16():
        rows["bfloat16"] = (our_model, ours, {})
    speeds: dict[str, list[float]] = {name: [] for name in rows}
    with records.measure() as cost:
        for turn in range(repeats):
            for name, (model, data, arguments) in rows.items():
                taken = step_times(
                    model(), data, tokenizer, per_device_train_batch_size=32, dataloader_drop_last=True, **arguments
                )
                speeds[name].append(32 / statistics.mean(taken))
                print(f"turn {turn + 1}, {name}: {speeds[name][-1]:.2f} sentences a second", flush=True)
    metrics = {name: statistics.median(values) for name, values in speeds.items()}
    settings = dict(examples=len(dataset), repeats=repeats, model=SETTINGS.model, batch_size=32)
    records.write_record(
        "benchmark_text_classification", "one-at-a-time", metrics=metrics, settings=settings, cost=cost, speeds=speeds
    )


def time_to_accuracy(tokenizer: PreTrainedTokenizerBase, source_seconds_per_step: float) -> dict[str, float | None]:
    """Train the source's hyper-parameters on 5,000 sentences, then ours until it is as accurate; write the record.

    Args:
        tokenizer: of both models.
        source_seconds_per_step: what a step of the recipe as written takes.
    """
    dataset = load_reviews(num_train=5000)
    tokenized = tokenize(dataset, tokenizer)
    common: dict[str, Any] = dict(
        eval_dataset=tokenized["validation"], processing_class=tokenizer, compute_metrics=compute_metrics
    )
    with tempfile.TemporaryDirectory() as folder, records.measure() as cost:
        train.seed_everything(0)
        args = train.training_arguments(
            folder, num_train_epochs=3, per_device_train_batch_size=16, learning_rate=5e-5, warmup_steps=500,
            bf16=False, eval_strategy="epoch", disable_tqdm=True,
        )  # fmt: skip
        source = train.build_trainer(source_model(), args, train_dataset=tokenized["train"], **common)
        source.train()
        checks = [row for row in source.state.log_history if "eval_accuracy" in row]
        best, source_steps = max((row["eval_accuracy"], -row["step"]) for row in checks)  # the earliest of the best
        train.seed_everything(0)
        times = StepTimes()
        until = UntilAccurate(best, times)
        everything = tokenize(load_reviews(), tokenizer)
        args = train.training_arguments(
            folder, num_train_epochs=SETTINGS.num_train_epochs, learning_rate=SETTINGS.learning_rate,
            per_device_train_batch_size=SETTINGS.per_device_train_batch_size,
            eval_strategy="steps", eval_steps=25, disable_tqdm=True,
        )  # fmt: skip
        train.build_trainer(
            our_model(), args, train_dataset=everything["train"], callbacks=[times, until], **common
        ).train()
    source_seconds = -source_steps * source_seconds_per_step
    metrics = {
        "accuracy_to_reach": best,
        "source_steps": -source_steps,
        "source_seconds": source_seconds,
        "our_seconds": until.seconds,
        "ratio": source_seconds / until.seconds if until.seconds else None,
    }
    settings = dict(examples=5000, model=SETTINGS.model, seed=0)
    records.write_record(
        "benchmark_text_classification", "time-to-accuracy", metrics=metrics, settings=settings, cost=cost
    )
    return metrics


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="turns of both recipes")
    parser.add_argument("--only", choices=["one-at-a-time"], help="only this part")
    parser.add_argument("--skip-accuracy", action="store_true", help="leave out the time to equal accuracy")
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(model_path(SETTINGS.model))
    # Fifty batches are one round of the length-grouping sampler, from its longest batch to its shortest.
    sentences = load_reviews(num_train=51 * 32)["train"].remove_columns("film")
    one_at_a_time(sentences, tokenizer, options.repeats)
    if options.only:
        return
    reviews = load_out_of_domain()
    measured = throughput("sentences", sentences, tokenizer, options.repeats, SETTINGS.max_length, source_steps=3)
    print(measured)
    print(throughput("imdb", reviews, tokenizer, options.repeats, SETTINGS.max_length_out_of_domain, source_steps=3))
    if not options.skip_accuracy:
        print(time_to_accuracy(tokenizer, 16 / measured["source_examples_per_second"]))


if __name__ == "__main__":
    main()
