"""The studies of lesson 5: several seeds, and the same recipe with one thing changed."""

import tempfile
from contextlib import nullcontext
from unittest.mock import patch

from .. import profiles, records

# What a variant changes: the function of ftcourse.ner that aligns labels, or whether copies have other names.
VARIANTS = {
    "labels on all tokens": dict(align="align_all_tokens"),
    "labels off by one": dict(align="align_off_by_one"),
    "no other names": dict(other_names=False),
    "capitals unmarked": {},  # a part of the lesson is replaced: see ner_variants
}


def ner(seeds=(0, 1, 2), profile="local", folder=None):
    """Fine-tune once a seed; test on the course's own sentences and on those by other hands, beside the look-up.

    Args:
        seeds: one run each; a seed also chooses the validation sentences and the other names.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("05", profile)
    for seed in seeds:
        _run("ner", f"seed-{seed}", settings, seed, folder)


def ner_variants(seeds=(0,), profile="local", folder=None):
    """Put labels on all tokens, or one too early, repeat the sentences without other names, or don't mark capitals."""
    from .. import ner as lesson

    settings = profiles.load_profile("05", profile)
    unmarked = patch.object(lesson, "mark_capitals", lambda encoded, *rest: encoded)
    for variant, changes in VARIANTS.items():
        for seed in seeds:
            run = f"{variant.replace(' ', '-')}-seed-{seed}"
            with unmarked if variant == "capitals unmarked" else nullcontext():
                _run("ner_variants", run, settings, seed, folder, variant=variant, **changes)


def _run(study, run, settings, seed, folder, *, variant=None, align="align_labels", other_names=True):
    """Do one run and write its record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from .. import ner as lesson

    sizes = settings.num_train, settings.num_eval, settings.num_test
    dataset = lesson.load_entities(settings.data, settings.data_revision, *sizes, seed=seed)
    tests = {
        "": dataset["test"],
        "out_of_domain_": lesson.load_out_of_domain(settings.out_of_domain, settings.num_out_of_domain),
    }
    training = {
        "num_train_epochs": settings.num_train_epochs,
        "learning_rate": settings.learning_rate,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
    }
    # Without other names a sentence is seen equally often: more epochs over fewer sentences.
    copies = settings.num_copies if other_names else 0
    epochs = settings.num_train_epochs * (1 + settings.num_copies - copies)
    with tempfile.TemporaryDirectory() as output_dir, records.measure() as cost:
        trainer = lesson.fine_tune(
            dataset, settings.model, output_dir, seed=seed, num_copies=copies, max_length=settings.max_length,
            align=getattr(lesson, align), revision=settings.model_revision, model_config=settings.model_config,
            **{**training, "num_train_epochs": epochs},
        )  # fmt: skip
    model, tokenizer = trainer.model, trainer.processing_class
    known = lesson.collect_names(lesson.multiply(dataset["train"], copies, seed))
    metrics = {"seen_by_itself_f1": trainer.evaluate()["eval_f1"]}
    for prefix, part in tests.items():
        found = {}
        for way in ("best_path", "likeliest"):
            decode = getattr(lesson, way)
            answers = lesson.predict_words(list(part["words"]), model, tokenizer, settings.max_length, decode=decode)
            found[way] = lesson.score(part["tags"], [[tag for tag, _ in row] for row in answers])
        metrics |= {f"{prefix}f1": found["best_path"]["all"]["f1"]}
        metrics |= {f"{prefix}word_by_word_f1": found["likeliest"]["all"]["f1"]}
        metrics |= {f"{prefix}{label}_f1": found["best_path"][label]["f1"] for label in lesson.LABELS}
        looked_up = [lesson.look_up(words, known) for words in part["words"]]
        metrics[f"{prefix}baseline_f1"] = lesson.score(part["tags"], looked_up)["all"]["f1"]
    counts = {f"num_{side}": len(rows) for side, rows in dataset.items()} | {"num_copies": copies}
    inputs = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data, "align": align}
    inputs |= {"variant": variant} if variant else {}
    inputs |= {**counts, **training, "num_train_epochs": epochs}
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    own, other = metrics["f1"], metrics["out_of_domain_f1"]
    print(f"{study}/{run}: F1 {own:.4f}, out of domain {other:.4f} in {cost['seconds']:.0f} s", flush=True)
