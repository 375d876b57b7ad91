"""The studies of lesson 1: six ways to train over several seeds, and a learning curve with and without pretraining."""

from math import ceil

from .. import profiles, records


def transfer(seeds=(0, 1, 2), profile="local", folder=None):
    """Train in each of `METHODS`, once a seed, with the same number of steps.

    Args:
        seeds: one run each a method; a seed also chooses the training images.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    from ..transfer import METHODS

    settings = profiles.load_profile("01", profile)
    for seed in seeds:
        for method in METHODS:
            _run("transfer", f"{method.replace(' ', '-')}-seed-{seed}", settings, method, seed, folder)


def transfer_curve(seeds=(0, 1, 2), profile="local", folder=None):
    """Train with fewer and with more images, pretrained and from scratch, always for the same number of steps."""
    settings = profiles.load_profile("01", profile)
    max_steps = settings.num_train_epochs * ceil(settings.num_train / settings.batch_size)
    for num_train in settings.curve:
        for method in ("all at once", "from scratch"):
            for seed in seeds:
                run = f"{num_train:05d}-{method.replace(' ', '-')}-seed-{seed}"
                _run("transfer_curve", run, settings, method, seed, folder, num_train, max_steps)


def _run(study, run, settings, method, seed, folder, num_train=None, max_steps=None):
    """Do one run and write its record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from ..transfer import evaluate, load_images, make_loader
    from ..transfer import transfer as train_classifier

    num_train = num_train or settings.num_train
    dataset = load_images(settings.data, settings.data_revision, num_train, settings.num_eval, settings.num_test, seed)
    with records.measure() as cost:
        model, transform = train_classifier(dataset, settings, method, seed, max_steps)
    metrics = {}
    for prefix, side in (("", "test"), ("validation_", "validation")):
        found = evaluate(model, make_loader(dataset[side], transform, 64, num_workers=settings.num_workers))
        metrics[f"{prefix}accuracy"] = found["eval_accuracy"]
    sizes = {f"num_{side}": len(rows) for side, rows in dataset.items()}
    kept = ("profile", "model", "weights", "data", "image_size", "batch_size", "hidden", "num_train_epochs")
    inputs = {name: getattr(settings, name) for name in kept} | {"method": method, "seed": seed, "max_steps": max_steps}
    rates = {"learning_rate": settings.scratch_learning_rate if method == "from scratch" else settings.learning_rate}
    if method in settings.unfreeze:
        rates |= {"decay": settings.decay, "unfreeze": list(settings.unfreeze[method])}
    records.write_record(study, run, metrics=metrics, settings={**inputs, **rates, **sizes}, cost=cost, folder=folder)
    print(f"{study}/{run}: accuracy {metrics['accuracy']:.4f} in {cost['seconds']:.0f} s", flush=True)
