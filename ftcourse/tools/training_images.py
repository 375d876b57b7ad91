"""`ftcourse train images`: from a folder of folders of photographs to a classifier of them, by lesson 1's recipe."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..errors import CourseError
from ..files import write_atomically
from . import training_report
from .live import clock
from .measuring import COMMONEST, MODEL, class_ways, compare_ways, measure_classes, whole_groups
from .training import (
    EVERY,
    Data,
    Fitted,
    Kind,
    Outcome,
    Parts,
    Say,
    Settings,
    choose_epochs,
    epoch_line,
    keep_best,
    loading,
)  # fmt: skip
from .training_data import (
    FEWEST,
    Finding,
    alike_names,
    drawn,
    faulty,
    leaks,
    link,
    refuse,
    say_findings,
    split_given,
    without,
)  # fmt: skip

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import nn
    from torch.utils.data import DataLoader

FROZEN = "new head on the frozen network"
FACTS, WEIGHTS = "classifier.json", "classifier.pt"  # in the folder of a model
_FEW = 500  # training images below which a step takes fewer of them, as in lesson 1's "Your own images"
_SIDE = 96  # pixels of a picture on the page


@dataclass(frozen=True)
class ImageSettings(Settings):
    """What the training of a classifier of images is told besides.

    Attributes:
        weights: torchvision's name of the pretrained weights; None takes its best, and what the course has of its own.
        image_size: width and height in pixels of what the network sees; None takes those of lesson 1.
    """

    weights: str | None = None
    image_size: int | None = None


# --- Data ------------------------------------------------------------------------------------------------------------


def _read_folder(folder: Path, root: Path, clean: bool) -> tuple[pd.DataFrame, list[Finding]]:
    """Open every image of a folder of classes; return those that can be used, and what is wrong with the others."""
    import pandas as pd

    from ..images import list_classes, open_image, to_rgb

    rows, faults = [], []
    for name, files in list_classes(folder).items():
        for file in files:
            place = str(file.relative_to(root))
            try:
                to_rgb(open_image(file))
            except CourseError:
                faults.append((place, "an image that can't be read, as it is broken or no image"))
                continue
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            rows.append({"file": place, "class": name, "digest": digest})
    findings = faulty(faults, root.name, clean)
    refuse(findings, "file", clean, "images")
    if not rows:
        raise CourseError(f"{folder} has no image that can be used: replace those that are named without --clean.")
    return pd.DataFrame(rows, dtype=object).set_index("file"), findings


def _prepare(frame: pd.DataFrame, clean: bool, fewest: int) -> tuple[pd.DataFrame, list[Finding]]:
    """Check images against one another; return those that can be used, and what was found."""
    conflict = frame.groupby("digest")["class"].transform("nunique") > 1
    copies = frame["digest"].duplicated() & ~conflict
    findings = [
        Finding("duplicate_image", frame.index[copies].tolist(), "the file is the same as an earlier one", clean),
        Finding("conflict_image", frame.index[conflict].tolist(), "the same file is in several classes", clean),
    ]
    frame = without(frame, findings)
    few = [
        Finding("few_images", frame.index[frame["class"] == name].tolist(), f"{number} of class {name}", clean)
        for name, number in frame["class"].value_counts().items()
        if number < fewest
    ]
    refuse(few, "file", clean, "classes")
    frame = without(frame, few)
    if frame["class"].nunique() < 2:
        raise CourseError("Fewer than two classes are left: give more images of the others.")
    return frame, [*(finding for finding in [*findings, *few] if finding.places), *alike_names(set(frame["class"]))]


def _read(settings: ImageSettings, say: Say) -> Data:
    from ..images import check_same_classes, list_splits
    from ..profiles import load_profile

    recipe, root = load_profile("01", "local"), Path(settings.data).expanduser()
    parts = list_splits(root) or {"train": root}
    frames: dict[str, pd.DataFrame] = {}
    findings: list[Finding] = []
    for name, folder in parts.items():
        frames[name], found = _read_folder(folder, root, settings.clean)
        findings += found
        say(f"Read {len(frames[name]):,} images of {folder}")
    check_same_classes({name: sorted(set(rows["class"])) for name, rows in frames.items()}, root)
    given = {name: rows.assign(cluster=link([rows["digest"]])) for name, rows in frames.items() if name != "train"}
    fewest = FEWEST - len(given)  # one for each split that is cut
    frame, found = _prepare(drawn(frames["train"], settings, say), settings.clean, fewest)
    findings += found
    frame = frame.assign(cluster=link([frame["digest"]]), label=frame["class"])
    splits = split_given(frame, given, settings, "images")
    findings += leaks(splits, given, "digest", "images")
    say_findings(findings, "file", say)
    known = set(splits["train"]["class"])
    if missing := {name for rows in splits.values() for name in rows["class"]} - known:
        raise CourseError(
            f"No training image is of the class {', '.join(sorted(missing))}: give more images of it, or try another "
            "--seed."
        )
    sizes = ", ".join(f"{len(rows):,} for {name}" for name, rows in splits.items())
    say(f"{len(known)} classes; {sizes}")
    count = len(splits["train"])
    settings = replace(
        settings,
        model=settings.model or recipe.model,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        batch_size=settings.batch_size or (16 if count < _FEW else recipe.batch_size),
        epochs=settings.epochs or choose_epochs(count, recipe.num_train * recipe.num_train_epochs, 4),
        image_size=settings.image_size or recipe.image_size,
    )
    rows = {name: rows.to_dict() for name, rows in splits.items()}
    return Data(settings, splits, "file", findings, rows, "No file is in two splits." if not given else "")


# --- Training and measuring ------------------------------------------------------------------------------------------


def _train(data: Data, folder: Path, say: Say) -> Outcome:
    import pandas as pd

    from .. import train
    from ..networks import load_cnn, pixel_scale, save_classifier
    from ..transfer import make_loader, make_transforms, predict_logits, replace_head

    settings, splits, names = data.settings, data.splits, sorted(set(data.splits["train"]["class"]))
    train.seed_everything(settings.seed)
    with loading(settings.model, "classifying images", "Give efficientnet-lite0, or a network that is here."):
        model = load_cnn(settings.model, settings.weights or "DEFAULT")
        mean, std = pixel_scale(settings.model, settings.weights or "DEFAULT")
    training, evaluation = make_transforms(mean, std, settings.image_size)
    root = Path(settings.data).expanduser()
    rows = {
        split: [{"image": root / file, "label": names.index(name)}
                for file, name in zip(part["file"], part["class"], strict=True)]
        for split, part in splits.items()
    }  # fmt: skip
    plain = {split: make_loader(own, _opened(evaluation), 64) for split, own in rows.items()}
    say("Reading the features of the frozen network, for comparison")
    frozen = _frozen_answers(model, plain)
    replace_head(model, len(names), None)
    loader = make_loader(rows["train"], _opened(training), settings.batch_size, shuffle=True)
    fitted = _fit(model, loader, plain["validation"], settings, say)
    say(f"Measuring on {len(splits['test']):,} test images")
    logits, targets = predict_logits(model, plain["test"])
    shares, labels = logits.softmax(-1).numpy(), targets.numpy()
    answers = shares.argmax(-1)
    commonest = pd.Series([row["label"] for row in rows["train"]]).value_counts().idxmax()
    ways = {MODEL: answers, FROZEN: frozen, COMMONEST: 0 * answers + commonest}
    groups = whole_groups(splits["test"]["cluster"][:])
    scores, verdicts = compare_ways(
        class_ways(labels, ways, len(names)), len(labels), groups, "accuracy", "points of accuracy"
    )
    matrix, classes = measure_classes(labels, answers, names)
    places = range(len(labels))
    predictions = pd.DataFrame({
        "file": splits["test"]["file"][:], "label": [names[label] for label in labels],
        "answer": [names[answer] for answer in answers], "probability": shares[places, answers].round(4),
        "probability_of_label": shares[places, labels].round(4),
    })  # fmt: skip
    counts = {name: pd.Series(part["class"][:]).value_counts() for name, part in splits.items()}
    facts = {"labels": names, "name": settings.model, "hidden": None, "mean": mean, "std": std,
             "image_size": settings.image_size}  # fmt: skip

    def save(target: Path) -> None:
        save_classifier(model, target / WEIGHTS, **facts)
        write_atomically(target / FACTS, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")

    table = pd.DataFrame(counts).reindex(names).fillna(0).astype(int)
    details = {"matrix": matrix, "classes": classes}
    tested = f"{len(predictions):,} test images"
    return Outcome(data, fitted, table, scores, verdicts, predictions, tested, details, save)


def _opened(transform: Any) -> Any:
    """Return a transform that takes a path: an image is opened when its batch needs it."""
    from ..images import open_image

    return lambda file: transform(open_image(file))


def _frozen_answers(model: nn.Module, loaders: dict[str, DataLoader]) -> np.ndarray:
    """Return what a new head on the network as it came answers to the test; its one setting is chosen on validation."""
    from sklearn.linear_model import LogisticRegression

    from ..transfer import extract_features

    (features, labels), unseen, test = (extract_features(model, loaders[split]) for split in loaders)
    heads = [LogisticRegression(C=c, max_iter=2000).fit(features, labels) for c in (1e-4, 1e-3, 1e-2, 1e-1)]
    return max(heads, key=lambda head: head.score(*unseen)).predict(test[0])


def _fit(model: nn.Module, loader: DataLoader, unseen: DataLoader, settings: ImageSettings, say: Say) -> Fitted:
    """Train as lesson 1 does, the head first and then all, and leave the model as it was after its best epoch."""
    import pandas as pd

    from ..profiles import load_profile
    from ..records import measure
    from ..surgery import layer_groups
    from ..transfer import evaluate, keep_statistics, make_optimizer, train_epoch, train_mode, unfreeze_groups

    say(f"Training {settings.model} for {settings.epochs} epochs, learning rate {settings.learning_rate:g}")
    recipe, epochs = load_profile("01", "local"), int(settings.epochs or 0)
    model.requires_grad_(True)  # the optimiser must know all that will be unfrozen
    optimizer, scheduler = make_optimizer(
        model, epochs * len(loader), float(settings.learning_rate or 0), recipe.decay
    )  # fmt: skip
    history: list[dict[str, float]] = []
    best, started = None, time.monotonic()
    progress = _steps(epochs * len(loader), say)
    with measure() as cost:
        for epoch in range(1, epochs + 1):
            unfreeze_groups(model, 1 if epoch == 1 else len(layer_groups(model)))
            train_epoch(keep_statistics(train_mode(model)), loader, optimizer, scheduler, progress)
            found = evaluate(model, unseen)
            if not history or found["eval_accuracy"] > max(row["accuracy"] for row in history):
                best = {name: values.clone() for name, values in model.state_dict().items()}
            history.append({"epoch": epoch, "accuracy": found["eval_accuracy"], "loss": found["eval_loss"]})
            spent = time.monotonic() - started
            left = f", about {clock(spent / epoch * (epochs - epoch))} to go" if epoch < epochs else ""
            say(epoch_line(epoch, epochs, found, IMAGES.watched, f"{clock(spent)} so far{left}"))
    model.load_state_dict(best or {})
    frame = pd.DataFrame(history)
    return Fitted(frame, keep_best(IMAGES, frame, say), dict(cost))


def _steps(total: int, say: Say) -> Any:
    """Return what stands in for a progress bar: a line now and then."""
    state = SimpleNamespace(done=0, last=time.monotonic())

    def update() -> None:
        state.done += 1
        if time.monotonic() - state.last > EVERY:
            state.last = time.monotonic()
            say(f"  step {state.done:,} of {total:,}")

    return SimpleNamespace(update=update, set_postfix=lambda **shown: None)


# --- What is written -------------------------------------------------------------------------------------------------


def _describe(outcome: Outcome) -> Parts:
    settings, details, names = outcome.data.settings, outcome.details, list(outcome.counts.index)
    shown = f"{', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
    root = Path(settings.data).expanduser()
    html = training_report.class_sections(
        outcome, details["matrix"], details["classes"], "file", "images", lambda row: _picture(root / row["file"])
    )
    return Parts(
        html=html,
        facts=[
            ["Pixels that are seen", f"{settings.image_size} by {settings.image_size}"],
            ["Weights", training_report.text(settings.weights or "the network's best")],
        ],
        about=f"Fine-tuned from {settings.model} on the images of {root.name}. It gives each image one of {len(names)} "
        f"classes, and sees it with {settings.image_size} by {settings.image_size} pixels.",
        name=f"Classifier of images: {shown}",
        use=["from ftcourse.transfer import load_classifier, predict", "",
             f'model, facts = load_classifier("THIS FOLDER/{WEIGHTS}")', 'predict(["photo.jpg"], model, facts)'],
        files=f"`{WEIGHTS}` has the weights (PyTorch) and `{FACTS}` the classes and what goes with them; `report.html` "
        "has the confusion matrix, each class and the worst mistakes; `predictions.csv` every test image.",
        limits="images of another kind (light, background, camera) may be answered worse.",
        record={"rows": outcome.counts.sum().to_dict(), "confusion": details["matrix"].tolist()},
    )  # fmt: skip


def _picture(file: Path) -> str:
    """Return a small picture of an image as HTML."""
    from ..images import open_image, to_rgb

    image, content = to_rgb(open_image(file)), io.BytesIO()
    image.thumbnail((_SIDE, _SIDE))
    image.save(content, "JPEG", quality=80)
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{training_report.text(file.name)}">'


def find_images(places: Sequence[Path]) -> list[Path]:
    """Return the image files that are meant.

    Args:
        places: image files, and folders of which all images are meant.

    Raises:
        CourseError: if there are none, or a place is neither.
    """
    from ..images import list_images

    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise CourseError(f"There is no file or folder {place}: give images, or folders with images.")
        found += list_images(place) if place.is_dir() else [place]
    if not found:
        raise CourseError("This model classifies images: give image files, or folders with images.")
    return found


IMAGES = Kind(
    command="images",
    title="Image classification",
    library="pytorch",
    pipeline="image-classification",
    measures={"accuracy": ("accuracy", ".1%"), "f1": ("macro F1", ".3f")},
    watched={"accuracy": ("accuracy", ".1%"), "loss": ("loss", ".3f")},
    chosen="accuracy",
    judged="accuracy",
    counted="Images of each class in each split",
    example="photo.jpg",
    read=_read,
    train=_train,
    describe=_describe,
    resumes=False,
)
