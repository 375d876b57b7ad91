"""Photographs: reading and checking them, from a package, a folder or the hub, and splitting them by class."""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Mapping, Sequence
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

SUFFIXES = (*IMG_EXTENSIONS, ".jfif", ".jpe", ".gif")  # torchvision's, and those that browsers and old programs write
SPLIT_FOLDERS = {  # what people call the folders of splits, in any case of letters
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


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

    Grey values of 16 and of 32 bits are scaled to 8. Numbers with a point may be shares, between 0 and 1, or between 0
    and 255 or 65,535.

    Args:
        image: a PIL image of any mode, turned as its EXIF tags say.

    Raises:
        CourseError: if its numbers are on no scale that is known.
    """
    name = getattr(image, "filename", "") or "given"  # the turned image no longer has it
    image = PIL.ImageOps.exif_transpose(image)  # as datasets does when it reads a file
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):  # PIL would cut off all above 255
        image = PIL.Image.fromarray(_to_bytes(image, name))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = PIL.Image.alpha_composite(PIL.Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _to_bytes(image: PIL.Image.Image, name: str) -> np.ndarray:
    """Return the grey values of an image of more than 8 bits as 8 bits."""
    values = np.asarray(image)
    low, high = (float(end) for end in (values.min(), values.max()))
    whole = image.mode != "F"
    tops = (65535.0, 2.0**31 - 1) if whole else (1.0, 255.0, 65535.0)  # some programs give 16 bits as the mode I
    top = next((top for top in tops if high <= top), None)
    if not low >= 0 or top is None:  # also where one of them is no number
        raise CourseError(
            f"The image {name} has numbers from {low:g} to {high:g}, which are on no scale that is known: save it with "
            "8 or 16 bits, or as shares between 0 and 1."
        )
    return np.round(values.astype(np.float64) * (255 / top)).astype(np.uint8)


def list_images(folder: Path) -> list[Path]:
    """Return the image files of a class, those in folders within it too, but for what is hidden.

    Args:
        folder: of one class.

    Raises:
        CourseError: if there are none, saying which kinds of file are read.
    """
    found = [file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES]
    files = sorted(file for file in found if not any(map(_is_hidden, file.relative_to(folder).parts)))
    if not files:
        kinds = ", ".join(SUFFIXES)
        raise CourseError(f"The class {folder.name} in {folder.parent} has no images ({kinds}): add some or remove it.")
    return files


def _is_hidden(name: str) -> bool:
    """Say whether a file or a folder is none of the person's: .ipynb_checkpoints, ._photo.jpg, __MACOSX."""
    return name.startswith((".", "__"))


def _folders(folder: str | PathLike[str]) -> list[Path]:
    """Return the folders within one, sorted by name, but for what is hidden."""
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise CourseError(f"There is no folder {folder}: give the folder that has one folder of images for each class.")
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path.name))


def list_splits(folder: str | PathLike[str]) -> dict[str, Path]:
    """Return {split: its folder} of a folder with a folder a split, such as train, val and test; {} if it has none.

    Args:
        folder: whose folders are splits with the classes in them, or the classes themselves; ``~`` is your home folder.

    Raises:
        CourseError: if there is no such folder, two folders are called after one split, there is no training split, or
            other folders stand beside the splits.
    """
    inside = _folders(folder)
    splits: dict[str, list[Path]] = {}
    for path in inside:
        called = [split for split, names in SPLIT_FOLDERS.items() if path.name.lower() in names]
        if called and _folders(path):  # a class may be called train: it has images in it, not folders
            splits.setdefault(called[0], []).append(path)
    if not splits:
        return {}
    names = ", ".join(path.name for path in inside)
    if (
        "train" not in splits
        or sum(map(len, splits.values())) < len(inside)
        or len(splits) < sum(map(len, splits.values()))
    ):
        raise CourseError(
            f"{folder} has the folders {names}, some of them splits: give a folder with train, val and test and "
            "nothing beside them (val and test may be lacking), or one with a folder for each class."
        )
    return {split: paths[0] for split, paths in splits.items()}


def list_classes(folder: str | PathLike[str]) -> dict[str, list[Path]]:
    """Return {class: list of its image files}, both sorted by name.

    Args:
        folder: has one folder a class, each with the images of that class; ``~`` is your home folder.

    Raises:
        CourseError: if there is no such folder, it has fewer than two classes, one of them is empty, or its folders are
            splits (train, test) instead of classes.
    """
    splits = list_splits(folder)
    folder, inside = Path(folder).expanduser(), _folders(folder)
    if splits:
        raise CourseError(
            f"{folder} has splits in it, not classes: give it to load_images, which reads them, or give "
            f"{splits['train']}."
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
    modes = [_check(file) for file, _ in tqdm(rows, desc="Checking images", leave=False)]
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


def _check(file: Path) -> str:
    """Open an image, convert it as it will be, and return its mode."""
    image = open_image(file)
    to_rgb(image)
    return image.mode


def read_split_folders(folder: str | PathLike[str]) -> DatasetDict:
    """Return the images of a folder that has a folder a split, as a DatasetDict with the splits that are there.

    Args:
        folder: with a folder of classes for each split, as `list_splits` knows them.

    Raises:
        CourseError: as `read_image_folder` does, or if the splits have other classes.
    """
    splits = {split: read_image_folder(path) for split, path in list_splits(folder).items()}
    check_same_classes({split: rows.features["label"].names for split, rows in splits.items()}, folder)
    return DatasetDict(splits)


def check_same_classes(classes: Mapping[str, Sequence[str]], folder: str | PathLike[str]) -> None:
    """Check that all splits have the classes of training.

    Args:
        classes: names of the classes of each split, in order.
        folder: that the splits are in.

    Raises:
        CourseError: naming the classes that a split alone has, or lacks.
    """
    for split, names in classes.items():
        if names != classes["train"]:
            odd = sorted(set(names) ^ set(classes["train"]))
            raise CourseError(
                f"The classes of {split} and train in {folder} are not the same, see {', '.join(odd)}: give both the "
                "same folders."
            )


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


def _complete(given: DatasetDict, name: str) -> DatasetDict:
    """Cut from training the splits that are not there."""
    sizes = {f"{split}_size": 0.0 for split in ("validation", "test") if split in given}
    return DatasetDict(
        {**split_by_class(given["train"], **sizes, name=name), **{k: v for k, v in given.items() if k != "train"}}
    )


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
        data: ``"cifar10"``; a folder with one folder a class, or with train, val and test and the classes in them; or a
            data set on the hub (``"owner/name"``). A test split that is there is used, and so is a folder val; what
            isn't there is cut from training.
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
        splits = _complete(DatasetDict({split: hub[split] for split in SPLIT_FOLDERS if split in hub}), data)
    elif list_splits(data):
        splits = _complete(read_split_folders(data), str(data))
    else:
        splits = split_by_class(read_image_folder(data), name=str(data))
    counts = {"train": num_train, "validation": num_eval, "test": num_test}
    return DatasetDict(
        {split: keep(splits[split], count, seed if split == "train" else 0) for split, count in counts.items()}
    )
