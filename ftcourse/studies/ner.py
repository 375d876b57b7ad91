"""The studies of lesson 5: several seeds, and the same recipe with one thing changed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import profiles, records
from ..entities import character_spans
from ..records import Folder

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

# What is changed, how many seeds it gets (five for a verdict, fewer for a look) and how. The most important first.
VARIANTS: dict[str, tuple[int, dict[str, Any]]] = {
    "capitals unseen": (5, {"capitals": False}),
    "labels off by one": (1, {"align": "align_off_by_one"}),
    "labels on first tokens": (3, {"align": "align_labels"}),
    "no other names": (3, {"other_names": False}),
}


def ner(seeds: Sequence[int] = (0, 1, 2, 3, 4), profile: str = "local", folder: Folder = None) -> None:
    """Fine-tune once a seed; test on the course's own sentences and on those by other hands, beside the look-up.

    Args:
        seeds: one run each; a seed also chooses the validation sentences and the other names.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("05", profile)
    for seed in seeds:
        _run("ner", f"seed-{seed}", settings, seed, folder)


def ner_variants(
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    profile: str = "local",
    folder: Folder = None,
    variants: Sequence[str] = tuple(VARIANTS),
) -> None:
    """Hide the capitals, put labels one too early or on first tokens, or repeat sentences without other names.

    Args:
        seeds: one run each, of each variant no more than the table in this module says.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
        variants: names of those to run, of that table.
    """
    settings = profiles.load_profile("05", profile)
    for variant in variants:
        count, changes = VARIANTS[variant]
        for seed in seeds[:count]:
            run = f"{variant.replace(' ', '-')}-seed-{seed}"
            _run("ner_variants", run, settings, seed, folder, variant=variant, **changes)


def _run(
    study: str,
    run: str,
    settings: SimpleNamespace,
    seed: int,
    folder: Folder,
    *,
    variant: str | None = None,
    align: str = "align_all_tokens",
    other_names: bool = True,
    capitals: bool = True,
) -> None:
    """Do one run and write its record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from .. import ner as lesson

    sizes = settings.num_train, settings.num_eval, settings.num_test
    dataset = lesson.load_entities(settings.data, settings.data_revision, *sizes, seed=seed)
    training = {
        "num_train_epochs": settings.num_train_epochs,
        "learning_rate": settings.learning_rate,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
    }
    # Without other names a sentence is seen equally often: more epochs over fewer sentences.
    copies = settings.num_copies if other_names else 0
    training["num_train_epochs"] *= 1 + settings.num_copies - copies
    with tempfile.TemporaryDirectory() as output_dir, records.measure() as cost:
        trainer = lesson.fine_tune(
            dataset, settings.model, output_dir, seed=seed, num_copies=copies, max_length=settings.max_length,
            align=getattr(lesson, align), capitals=capitals, revision=settings.model_revision,
            model_config=settings.model_config, **training,
        )  # fmt: skip
    known = lesson.collect_names(lesson.multiply(dataset["train"], copies, seed))
    other = lesson.load_out_of_domain(settings.out_of_domain, settings.num_out_of_domain)
    metrics = {"seen_by_itself_f1": trainer.evaluate()["eval_f1"]}
    for prefix, part in (("", dataset["test"]), ("out_of_domain_", other)):
        found = _test(part, trainer, known, settings.max_length)
        metrics |= {f"{prefix}{name}": value for name, value in found.items()}
    inputs = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data}
    inputs |= {"align": align, "capitals": capitals} | ({"variant": variant} if variant else {})
    inputs |= {f"num_{split}": len(rows) for split, rows in dataset.items()} | {"num_copies": copies, **training}
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(
        f"{study}/{run}: F1 {metrics['f1']:.4f}, out of domain {metrics['out_of_domain_f1']:.4f} "
        f"in {cost['seconds']:.0f} s",
        flush=True,
    )


def _test(part: Dataset, trainer: Trainer, known: dict[tuple[str, ...], str], max_length: int) -> dict[str, float]:
    """Return F1 on a data set: of both ways to decode, by pipeline(), of each label, and of looking the names up."""
    from .. import ner as lesson

    model, tokenizer = trainer.model, trainer.processing_class

    def score(decode: Callable[..., list[str]]) -> dict[str, dict[str, float]]:
        answers = lesson.predict_words(list(part["words"]), model, tokenizer, max_length, decode=decode)
        return lesson.score(part["tags"], [[tag for tag, _ in row] for row in answers])

    together = score(lesson.best_path)
    found = {"f1": together["all"]["f1"], "word_by_word_f1": score(lesson.likeliest)["all"]["f1"]}
    found["pipeline_f1"] = _by_pipeline(part, model, tokenizer)
    found |= {f"{label}_f1": together[label]["f1"] for label in lesson.LABELS if label in together}
    looked_up = [lesson.look_up(words, known) for words in part["words"]]
    return found | {"baseline_f1": lesson.score(part["tags"], looked_up)["all"]["f1"]}


def _by_pipeline(part: Dataset, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> float:
    """Return F1 of what transformers' own pipeline finds in the sentences as plain texts."""
    from transformers import pipeline

    from .. import ner as lesson

    find = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")
    found = [
        {(one["start"], one["end"], one["entity_group"]) for one in find(" ".join(words))} for words in part["words"]
    ]
    true = [set(character_spans(words, tags)) for words, tags in zip(part["words"], part["tags"], strict=True)]
    return lesson.score_spans(true, found)["all"]["f1"]
