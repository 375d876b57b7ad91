"""Photographs: reading and checking them, from a package, a folder or the hub, and splitting them by class."""

from __future__ import annotations

import base64
import json
import re
import warnings
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import PIL.Image
import PIL.ImageOps
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, load_dataset
from torchvision.datasets.folder import IMG_EXTENSIONS
from tqdm.auto import tqdm

from . import assets
from .errors import CourseError


def read_cifar10() -> Dataset:
    """Return the 10,000 test images of CIFAR-10 as a Dataset with the columns image and label."""
    task = json.loads((assets.fetch("bigbench-tasks") / "cifar10.json").read_text(encoding="utf-8"))
    examples = task["examples"]
    names = list(examples[0]["target_scores"])
    columns = {
        "image": [{"bytes": base64.b64decode(example["input"]), "path": None} for example in examples],
        "label": [max(names, key=example["target_scores"].get) for example in examples],
    }
    return Dataset.from_dict(columns, features=Features(image=Image(), label=ClassLabel(names=names)))


def open_image(image: PIL.Image.Image | str | PathLike[str] | IO[bytes]) -> PIL.Image.Image:
    """Return a PIL image, read to its end.

    Args:
        image: a path or a file object; a PIL image is returned as it is.

    Raises:
        CourseError: if it can't be read, naming the file.
    """
    if isinstance(image, PIL.Image.Image):
        return image
    try:
        opened = PIL.Image.open(image)
        opened.load()  # opening reads the head of the file only
        return opened
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise CourseError(
            f"The image {image} can't be read ({error}). It is missing, broken or not an image: replace or remove it."
        ) from error


def to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Return an image upright and as RGB, transparent parts white.

    Args:
        image: a PIL image of any mode, turned as its EXIF tags say.
    """
    image = PIL.ImageOps.exif_transpose(image)  # as datasets does when it reads a file
    if image.mode.startswith("I;16"):  # 16 bits: scaled, where PIL would cut off all above 255
        image = PIL.Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = PIL.Image.alpha_composite(PIL.Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def list_images(folder: Path) -> list[Path]:
    """Return the image files of a class, those in folders within it too.

    Args:
        folder: of one class.

    Raises:
        CourseError: if there are none, saying which kinds of file are read.
    """
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in IMG_EXTENSIONS)
    if not files:
        kinds = ", ".join(IMG_EXTENSIONS)
        raise CourseError(f"The class {folder.name} in {folder.parent} has no images ({kinds}): add some or remove it.")
    return files


def list_classes(folder: str | PathLike[str]) -> dict[str, list[Path]]:
    """Return {class: list of its image files}, both sorted by name.

    Args:
        folder: has one folder a class, each with the images of that class; ``~`` is your home folder.

    Raises:
        CourseError: if there is no such folder, it has fewer than two classes, one of them is empty, or its folders are
            splits (train, test) instead of classes.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise CourseError(f"There is no folder {folder}: give the folder that has one folder of images for each class.")
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if {"train", "test"} <= {path.name.lower() for path in inside}:
        raise CourseError(
            f"{folder} has splits in it, not classes: give {folder / 'train'}, which the course splits itself."
        )
    if len(inside) < 2:
        found = f"only one class, {inside[0].name}" if inside else "no folders in it"
        raise CourseError(f"{folder} has {found}: put the images of each class in a folder of their own, two at least.")
    return {path.name: list_images(path) for path in inside}


def read_image_folder(folder: str | PathLike[str]) -> Dataset:
    """Return the images of a folder as a Dataset with the columns image and label; every file is opened and checked.

    Images that aren't RGB stay as they are, with one warning that counts them and names the first.

    Args:
        folder: has one folder a class, each with the images of that class.

    Raises:
        CourseError: as `list_classes` does, and for the first file that can't be read.
    """
    classes = list_classes(folder)
    rows = [(file, name) for name, files in classes.items() for file in files]
    modes = [open_image(file).mode for file, _ in tqdm(rows, desc="Checking images", leave=False)]
    odd = [(file, mode) for (file, _), mode in zip(rows, modes, strict=True) if mode != "RGB"]
    if odd:
        file, mode = odd[0]
        warnings.warn(
            f"{len(odd)} of {len(rows)} images are not RGB; the first is {file} ({mode}). They are converted, "
            "transparent parts to white. If colour matters to your task, replace them.",
            stacklevel=2,
        )
    columns = {"image": [str(file) for file, _ in rows], "label": [name for _, name in rows]}
    return Dataset.from_dict(columns, features=Features(image=Image(), label=ClassLabel(names=list(classes))))


def draw(dataset: Dataset, count: int, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Draw rows at random with every class in proportion, one at least.

    Args:
        dataset: a `datasets.Dataset` with the column label.
        count: how many rows to draw.
        seed: of the choice.

    Returns:
        The rest, and the drawn rows.
    """
    rows = pd.DataFrame({"label": dataset["label"][:]}).sample(frac=1, random_state=seed)
    of_class = rows.groupby("label")["label"]
    places = of_class.cumcount() / of_class.transform("size")  # from 0, the first of its class, to almost 1
    order = places.sort_values(kind="stable").index
    return dataset.select(order[count:]), dataset.select(order[:count])


def split_by_class(
    dataset: Dataset, validation_size: float = 0.05, test_size: float = 0.2, name: str = "the data set"
) -> DatasetDict:
    """Split a data set into train, validation and test, each with every class in proportion.

    Args:
        dataset: a `datasets.Dataset` with the column label.
        validation_size: share for validation, between 0 and 1.
        test_size: share for the test, between 0 and 1.
        name: what to call it in a message.

    Raises:
        CourseError: if a class has fewer than three rows, one for each split.
    """
    labels = dataset.features["label"].names
    counts = np.bincount(dataset["label"][:], minlength=len(labels))
    if counts.min() < 3:
        raise CourseError(
            f"The class {labels[counts.argmin()]} in {name} has {counts.min()} images; three are the least, one for "
            "each of training, validation and test: add some or leave the class out."
        )
    sizes = [max(round(share * len(dataset)), len(labels)) if share else 0 for share in (validation_size, test_size)]
    rest, test = draw(dataset, sizes[1])
    training, validation = draw(rest, sizes[0])
    return DatasetDict(train=training, validation=validation, test=test)


def keep(dataset: Dataset, count: int | None, seed: int = 0) -> Dataset:
    """Keep some rows, drawn at random with every class in proportion.

    Args:
        dataset: a `datasets.Dataset` with the column label.
        count: how many rows to keep; None, or more than there are, keeps all and shuffles them.
        seed: of the choice.

    Raises:
        CourseError: if there are more classes than rows to keep.
    """
    if count is None or count >= len(dataset):
        return dataset.shuffle(seed=seed)
    least = len(dataset.features["label"].names)
    if count < least:
        raise CourseError(f"{count} images can't show {least} classes: keep {least} or more.")
    return draw(dataset, count, seed)[1]


def load_from_hub(name: str, revision: str | None = None) -> DatasetDict:
    """Load a data set of the hub, its columns of images and of classes called image and label.

    Args:
        name: of the data set, "owner/name".
        revision: a commit to pin it to; None for the newest.

    Raises:
        CourseError: if it can't be had, or has no column of images or of classes.
    """
    try:
        dataset = load_dataset(name, revision=revision)
    except OSError as error:  # of datasets and of the network
        raise CourseError(f"{name} is no folder, and can't be had from the hub ({error}): check its name.") from error
    features, found = dataset["train"].features, {}
    for wanted, kind in (("image", Image), ("label", ClassLabel)):
        columns = [column for column, feature in features.items() if isinstance(feature, kind)]
        if not columns:
            raise CourseError(
                f"{name} has no column of type {kind.__name__}, only {', '.join(features)}: choose images with classes."
            )
        found[columns[0]] = wanted
    return dataset.select_columns(list(found)).rename_columns({old: new for old, new in found.items() if old != new})


def load_images(
    data: str | PathLike[str] = "cifar10",
    revision: str | None = None,
    num_train: int | None = None,
    num_eval: int | None = None,
    num_test: int | None = None,
    seed: int = 0,
) -> DatasetDict:
    """Load images with the splits train, validation and test and the columns image and label.

    Args:
        data: ``"cifar10"``, a folder with one folder a class, or a data set on the hub (``"owner/name"``), whose test
            split is used if it has one.
        revision: a commit to pin a data set on the hub to.
        num_train: how many training images to keep, None for all.
        num_eval: how many for validation, None for all.
        num_test: how many for the test, None for all.
        seed: of the choice of the training images; validation and test don't depend on it.

    Raises:
        CourseError: if a folder, a file in it or a data set isn't what it must be.
    """
    if data == "cifar10":
        splits = split_by_class(read_cifar10(), name="cifar10")
    elif isinstance(data, str) and re.fullmatch(r"\w[\w.-]*/[\w.-]+", data) and not Path(data).is_dir():
        hub = load_from_hub(data, revision)
        splits = split_by_class(hub["train"], test_size=0.0 if "test" in hub else 0.2, name=data)
        splits["test"] = hub.get("test", splits["test"])
    else:
        splits = split_by_class(read_image_folder(data), name=str(data))
    counts = {"train": num_train, "validation": num_eval, "test": num_test}
    return DatasetDict(
        {split: keep(splits[split], count, seed if split == "train" else 0) for split, count in counts.items()}
    )
