"""Lesson 1's helpers but for the model surgery: images and their faults, the real weights, training, saved models."""

import io
import re
import warnings
from collections import Counter, OrderedDict
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import timm
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from torch import nn

from ftcourse import assets, profiles, train
from ftcourse import transfer as t
from ftcourse.errors import CourseError
from ftcourse.images import (
    SPLIT_FOLDERS,
    keep,
    load_images,
    open_image,
    read_cifar10,
    read_image_folder,
    split_by_class,
    to_rgb,
)
from ftcourse.signs import SIGNS, write_signs
from ftcourse.surgery import count_parameters, read_classifier

pytestmark = pytest.mark.models

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
HALVES = ([0.5] * 3, [0.5] * 3)
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def photos():
    return read_cifar10()


@pytest.fixture(scope="module")
def few(photos):
    """100 photographs, ten of each class."""
    return keep(photos, 100)


@pytest.fixture(scope="module")
def cnn():
    return t.load_cnn().eval()


def picture(seed=0, size=(8, 8)):
    """Return a small image of noise; no two seeds give the same."""
    return PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_folder(folder, **classes):
    """Write {class: number of images} as a folder with a folder for each class."""
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture(hash_of(name, number)).save(folder / name / f"{number:03}.png")
    return folder


def hash_of(*parts):
    return sum(ord(letter) * 131**place for place, letter in enumerate(str(parts))) % 2**32


def contents(dataset):
    """Return the bytes of each image, undecoded."""
    rows = dataset.cast_column("image", Image(decode=False))["image"]
    return [row["bytes"] or Path(row["path"]).read_bytes() for row in rows]


def numbered(*counts):
    """Return a Dataset with so many rows of each class and the column number, which tells rows apart."""
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    features = Features(label=ClassLabel(names=[f"c{label}" for label in range(len(counts))]), number=Value("int64"))
    return Dataset.from_dict({"label": labels, "number": range(len(labels))}, features=features)


def share_of(dataset):
    counts = np.bincount(dataset["label"][:], minlength=10)
    return counts / counts.sum()


# --- Data ------------------------------------------------------------------------------------------------------------


def test_cifar10_is_whole(photos):
    assert photos.features["label"].names == NAMES and len(photos) == 10_000
    assert Counter(photos["label"]) == dict.fromkeys(range(10), 1000)
    assert {(image.mode, image.size) for image in photos[::10]["image"]} == {("RGB", (32, 32))}
    assert len(set(contents(photos))) == 10_000


def test_sides_of_cifar10_are_disjoint_whole_and_in_proportion(photos):
    sides = split_by_class(photos)
    assert {side: len(rows) for side, rows in sides.items()} == {"train": 7500, "validation": 500, "test": 2000}
    images = {side: set(contents(rows)) for side, rows in sides.items()}
    assert set.union(*images.values()) == set(contents(photos)) and sum(map(len, images.values())) == 10_000
    assert all(np.all(share_of(rows) == 0.1) for rows in sides.values())


def test_only_the_training_images_depend_on_the_seed():
    first, second = (load_images("cifar10", None, 200, 50, 100, seed) for seed in (0, 1))
    assert {side: len(rows) for side, rows in first.items()} == {"train": 200, "validation": 50, "test": 100}
    assert first["train"].features["label"].names == NAMES and set(first["train"].column_names) == {"image", "label"}
    assert contents(first["test"]) == contents(second["test"])
    assert contents(first["validation"]) == contents(second["validation"])
    chosen = [set(contents(sides["train"])) for sides in (first, second)]
    assert len(chosen[0] & chosen[1]) < 20  # of 200 out of 7,500, five by chance
    held_out = {image for side in ("validation", "test") for image in contents(first[side])}
    assert len(held_out) == 150 and not held_out & (chosen[0] | chosen[1])
    assert all(np.all(share_of(rows) == 0.1) for rows in first.values())


def test_keep_draws_in_proportion():
    data = numbered(300, 100)
    for count in (40, 200, 398, 399):
        kept = keep(data, count)
        assert len(set(kept["number"])) == count
        assert sum(kept["label"]) == pytest.approx(count / 4, abs=1)
    assert keep(data, 40)["number"] == keep(data, 40)["number"] != keep(data, 40, seed=1)["number"]


@pytest.mark.parametrize("count", [None, 30, 1000])
def test_keep_all_shuffles(count):
    data = numbered(20, 10)
    kept = keep(data, count)["number"][:]
    assert sorted(kept) == list(range(30)) != kept


@pytest.mark.parametrize("count", [0, 1, 2])
def test_keep_fewer_than_classes_is_refused(count):
    with pytest.raises(CourseError, match=f"{count} images can't show 3 classes: keep 3 or more"):
        keep(numbered(5, 5, 5), count)


UNEQUAL = [*product([3, 4, 5, 8], repeat=2), (3, 3, 10), (3, 3, 500), (3, 1000, 1000), (3,) * 10, (3,) * 9 + (100,)]


@pytest.mark.parametrize("counts", UNEQUAL, ids=str)
def test_every_side_has_every_class_however_unequal_they_are(counts):
    sides = split_by_class(numbered(*counts))
    assert all(set(rows["label"]) == set(range(len(counts))) for rows in sides.values())
    assert sorted(number for rows in sides.values() for number in rows["number"]) == list(range(sum(counts)))
    for rows in sides.values():
        for count in {len(counts), len(counts) + 1, len(rows) - 1} & set(range(len(counts), len(rows))):
            kept = keep(rows, count)
            assert len(kept) == count and set(kept["label"]) == set(range(len(counts)))


# --- Folders of one's own --------------------------------------------------------------------------------------------


def test_good_folder(tmp_path):
    folder = write_folder(tmp_path / "mine", dog=4, cat=20)
    (folder / "cat" / "more").mkdir()
    picture(1).save(folder / "cat" / "more" / "LOUD.PNG")
    (folder / "cat" / "notes.txt").write_text("not an image")
    (folder / "README.md").write_text("mine")
    (folder / ".cache").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = read_image_folder(folder)
    assert data.features["label"].names == ["cat", "dog"] and Counter(data["label"]) == {0: 21, 1: 4}
    row = data[20]
    assert row["label"] == 0 and np.array_equal(row["image"], picture(1))
    sides = load_images(folder)
    assert sorted(image for rows in sides.values() for image in contents(rows)) == sorted(contents(data))
    assert all(set(rows["label"]) == {0, 1} for rows in sides.values())
    again = load_images(str(folder), seed=1)
    assert contents(again["test"]) == contents(sides["test"]) and contents(again["train"]) != contents(sides["train"])


BROKEN = {
    "cut.png": encode(picture(size=(64, 64)), "PNG")[:5000],
    "head.png": b"\x89PNG and then nothing",
    "text.jpg": b"This is a text.\n",
    "empty.jpeg": b"",
    "cut.jpg": encode(picture(size=(64, 64)), "JPEG")[:2000],
    "cut.webp": encode(picture(size=(64, 64)), "WEBP")[:500],
    "cut.tif": encode(picture(), "TIFF")[:100],
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_broken_file_is_named(tmp_path, name):
    folder = write_folder(tmp_path, cat=3, dog=3)
    broken = folder / "dog" / name
    broken.write_bytes(BROKEN[name])
    message = f"The image {re.escape(str(broken))} can't be read .* replace or remove it"
    with pytest.raises(CourseError, match=message):
        load_images(folder)
    facts = dict(labels=["cat", "dog"], mean=[0] * 3, std=[1] * 3, image_size=32)
    with pytest.raises(CourseError, match=message):
        t.predict([folder / "cat" / "000.png", broken], small(), facts)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": 1}), ("WEBP", {})])
def test_however_a_file_is_damaged_it_is_read_or_named(tmp_path, kind, options):
    whole, path = encode(picture(size=(16, 12)), kind, **options), tmp_path / "image"
    rng, refused = np.random.default_rng(0), 0
    for place in rng.choice(len(whole), 150, replace=False):
        flipped = bytes([whole[place] ^ int(rng.integers(1, 256))])
        for damaged in (whole[:place], whole[:place] + flipped + whole[place + 1 :]):
            path.write_bytes(damaged)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    open_image(path)
                except CourseError:
                    refused += 1
    assert refused >= 140  # of 150 cut ones, nearly all; of those with one changed byte, some


def transparent_palette():
    image = PIL.Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    return encode(image, "PNG", transparency=0)


def rgba(*corner):
    image = PIL.Image.new("RGBA", (4, 4), (0, 0, 255, 255))
    image.putpixel((0, 0), corner)
    return image


def deep(kind):
    pixels = np.full((4, 4), 65535, np.uint16)
    pixels[0, :3] = 0, 25700, 51400
    return encode(PIL.Image.fromarray(pixels), kind)


WHITE, BLUE = (255, 255, 255), (0, 0, 255)
MODES = {  # file, its mode, and its pixels at (0, 0), (1, 0) and (2, 0) as RGB
    "grey.png": (encode(PIL.Image.new("L", (4, 4), 100), "PNG"), "L", [(100,) * 3] * 3),
    "grey.jpg": (encode(PIL.Image.new("L", (4, 4), 100), "JPEG"), "L", [(100,) * 3] * 3),
    "clear.png": (encode(rgba(9, 9, 9, 0), "PNG"), "RGBA", [WHITE, BLUE, BLUE]),
    "half.png": (encode(rgba(0, 0, 0, 51), "PNG"), "RGBA", [(204,) * 3, BLUE, BLUE]),
    "clear.webp": (encode(rgba(9, 9, 9, 0), "WEBP", lossless=True), "RGBA", [WHITE, BLUE, BLUE]),
    "grey-clear.png": (encode(PIL.Image.new("LA", (4, 4), (100, 0)), "PNG"), "LA", [WHITE] * 3),
    "palette.png": (transparent_palette(), "P", [WHITE, BLUE, BLUE]),
    "print.jpg": (encode(PIL.Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "JPEG"), "CMYK", [(255, 0, 0)] * 3),
    "deep.png": (deep("PNG"), "I;16", [(0,) * 3, (100,) * 3, (200,) * 3]),
    "deep.tif": (deep("TIFF"), "I;16", [(0,) * 3, (100,) * 3, (200,) * 3]),
    "bits.png": (encode(PIL.Image.new("1", (4, 4), 1), "PNG"), "1", [WHITE] * 3),
}


@pytest.mark.parametrize("name", MODES)
def test_other_modes_warn_and_become_rgb(tmp_path, name):
    content, mode, expected = MODES[name]
    folder = write_folder(tmp_path, cat=3, dog=3)
    for odd in (name, f"z{name}"):
        (folder / "cat" / odd).write_bytes(content)
    first = re.escape(f"2 of 8 images are not RGB; the first is {folder / 'cat' / name} ({mode}).")
    with pytest.warns(UserWarning, match=f"{first} They are converted, transparent parts to white"):
        data = read_image_folder(folder)
    image = to_rgb(data[3]["image"])
    assert image.mode == "RGB" and image.size == (4, 4)
    assert np.allclose([image.getpixel((x, 0)) for x in range(3)], expected, atol=2)
    for transform in t.make_transforms(*HALVES, 32):
        assert transform(data[3]["image"]).shape == (3, 32, 32)


def test_too_few_classes(tmp_path):
    with pytest.raises(CourseError, match=f"{re.escape(str(tmp_path))} has no folders in it: put .* two at least"):
        load_images(tmp_path)
    with pytest.raises(CourseError, match="has only one class, cat: put"):
        load_images(write_folder(tmp_path, cat=3))


def test_empty_class_and_small_class(tmp_path):
    folder = write_folder(tmp_path, cat=3, dog=2, emu=0)
    with pytest.raises(CourseError, match=r"The class emu in .* has no images \(.jpg, .*\): add some or remove it"):
        load_images(folder)
    (folder / "emu" / "photo.heic").write_bytes(b"of a kind that is not read")
    with pytest.raises(CourseError, match=r"The class emu in .* has no images \(.jpg"):
        load_images(folder)
    (folder / "emu" / "photo.heic").unlink()
    (folder / "emu").rmdir()
    with pytest.raises(CourseError, match=f"The class dog in {re.escape(str(folder))} has 2 images; three .* leave"):
        load_images(folder)


@pytest.mark.parametrize("given", ["of-mine", "./mine", "/no/such/folder", "a/b/c", "~/no-such", Path("no/such")])
def test_missing_folder(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match="There is no folder .*: give the folder that has one folder of images"):
        load_images(given)


def test_folder_of_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_folder(tmp_path / "mine", cat=3, dog=3)
    assert sum(map(len, load_images("~/mine").values())) == 6


@pytest.mark.parametrize("names", [("train", "val"), ("Training", "Test"), ("train", "valid", "test"), ("train",)])
def test_folders_of_splits_are_read_as_splits(tmp_path, names):
    for name in names:
        write_folder(tmp_path / name, cat=4, dog=5)
        (tmp_path / name / ".ipynb_checkpoints").mkdir()
    splits = load_images(tmp_path)
    assert set(splits) == {"train", "validation", "test"}
    assert all(
        rows.features["label"].names == ["cat", "dog"] and set(rows["label"]) == {0, 1} for rows in splits.values()
    )
    whole = [split for split, called in SPLIT_FOLDERS.items() if set(called) & {name.lower() for name in names[1:]}]
    assert [len(splits[split]) for split in whole] == [9] * len(whole)
    assert sum(map(len, splits.values())) == 9 * len(names)
    with pytest.raises(CourseError, match=r"has splits in it, not classes: give it to load_images"):
        read_image_folder(tmp_path)


def test_splits_that_cannot_be_read_are_named(tmp_path):
    write_folder(tmp_path / "mixed" / "train", cat=3, dog=3)
    write_folder(tmp_path / "mixed", emu=3)
    write_folder(tmp_path / "double" / "val", cat=3, dog=3)
    write_folder(tmp_path / "double" / "valid", cat=3, dog=3)
    for folder in ("mixed", "double"):
        with pytest.raises(
            CourseError, match="some of them splits: give a folder with train, val and test and nothing"
        ):
            load_images(tmp_path / folder)
    write_folder(tmp_path / "other" / "train", cat=3, dog=3)
    write_folder(tmp_path / "other" / "val", cat=3, dogs=3)
    with pytest.raises(CourseError, match="The classes of validation and train in .* not the same, see dog, dogs"):
        load_images(tmp_path / "other")


def test_a_class_may_be_called_train(tmp_path):
    assert load_images(write_folder(tmp_path, train=4, test=4))["train"].features["label"].names == ["test", "train"]


def test_what_notebooks_and_systems_leave_behind_is_no_image(tmp_path):
    folder = write_folder(tmp_path, cat=4, dog=4)
    for where in ("cat/.ipynb_checkpoints", "__MACOSX", ".ipynb_checkpoints"):
        (folder / where).mkdir()
        picture().save(folder / where / "000-checkpoint.png")
    (folder / "dog" / "._000.png").write_bytes(b"of a Mac")
    picture(7).convert("RGB").save(folder / "dog" / "saved.jfif", "JPEG")
    data = read_image_folder(folder)
    assert Counter(data["label"]) == {0: 4, 1: 5}


def numbers(pixels):
    return PIL.Image.fromarray(np.array(pixels))


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.float32([[0, 0.5, 1]]), [0, 128, 255]),
        (np.float32([[0, 100, 255]]), [0, 100, 255]),
        (np.int32([[0, 25700, 65535]]), [0, 100, 255]),
        (np.int32([[0, 2**30, 2**31 - 1]]), [0, 128, 255]),
        (np.uint16([[0, 25700, 65535]]), [0, 100, 255]),
    ],
)
def test_grey_values_of_more_than_eight_bits_are_scaled(pixels, expected):
    image = to_rgb(numbers(pixels))
    assert [image.getpixel((x, 0)) for x in range(3)] == [(value,) * 3 for value in expected]


@pytest.mark.parametrize("pixels", [[[-1.0, 1.0]], [[0.0, np.nan]], [[0.0, 1e6]]])
def test_numbers_on_no_scale_are_named_with_their_file(tmp_path, pixels):
    folder = write_folder(tmp_path, cat=3, dog=3)
    numbers(np.float32(pixels)).save(folder / "dog" / "odd.tif")
    with pytest.raises(CourseError, match=r"odd.tif has numbers from .* on no scale that is known: save it with"):
        load_images(folder)


def turned():
    """Return a file, red above and blue below when it is upright, as a telephone on its side saves it."""
    upright = PIL.Image.new("RGB", (16, 32), "blue")
    upright.paste("red", (0, 0, 16, 16))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    return encode(upright.transpose(PIL.Image.Transpose.ROTATE_90), "PNG", exif=exif)


def test_turned_photograph_comes_out_upright(tmp_path):
    folder = write_folder(tmp_path, cat=3, dog=3)
    (folder / "cat" / "turned.png").write_bytes(turned())
    image = read_image_folder(folder)[3]["image"]
    assert image.size == (16, 32) and image.getpixel((8, 2)) == (255, 0, 0) and image.getpixel((8, 30)) == (0, 0, 255)
    seen = [t.make_transforms(*HALVES, 32)[1](which) for which in (image, PIL.Image.open(io.BytesIO(turned())))]
    assert torch.equal(*seen), "prediction sees the photograph on its side"


# --- Data sets of the hub --------------------------------------------------------------------------------------------


def hub_dataset(**columns):
    classes = ClassLabel(names=["a", "b"])
    features = {"photo_id": Value("int64"), "img": Image(), "image": Value("string"), "label": classes} | columns
    features = {name: feature for name, feature in features.items() if feature}

    def side(seeds):
        values = {"photo_id": seeds, "img": [picture(seed) for seed in seeds], "image": [str(seed) for seed in seeds]}
        values["label"] = [seed % 2 for seed in seeds]
        return Dataset.from_dict({name: values[name] for name in features}, features=Features(features))

    return DatasetDict(train=side(range(40)), test=side(range(40, 48)))


def test_columns_of_the_hub_are_renamed_and_no_image_is_lost(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "ftcourse.images.load_dataset", lambda *given, **options: asked.append((given, options)) or hub_dataset()
    )
    sides = load_images("owner/name", "0123abcd")
    assert asked == [(("owner/name",), {"revision": "0123abcd"})]
    assert all(set(rows.column_names) == {"image", "label"} for rows in sides.values())
    pixels = {side: {np.asarray(image).tobytes() for image in rows["image"]} for side, rows in sides.items()}
    assert pixels["train"] | pixels["validation"] == {np.asarray(picture(seed)).tobytes() for seed in range(40)}
    assert not pixels["train"] & pixels["validation"] and len(pixels["validation"]) == 2
    assert pixels["test"] == {np.asarray(picture(seed)).tobytes() for seed in range(40, 48)}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (dict(img=None), "owner/name has no column of type Image, only photo_id, image, label: choose images"),
        (dict(label=Value("int64")), "owner/name has no column of type ClassLabel, only photo_id, img, image, label"),
    ],
)
def test_missing_columns_of_the_hub_are_named(monkeypatch, columns, message):
    monkeypatch.setattr("ftcourse.images.load_dataset", lambda *_, **__: hub_dataset(**columns))
    with pytest.raises(CourseError, match=message):
        load_images("owner/name")


def test_data_set_of_the_hub_without_a_side(monkeypatch):
    monkeypatch.setattr("ftcourse.images.load_dataset", lambda *_, **__: DatasetDict(train=hub_dataset()["train"]))
    try:
        sides = load_images("owner/name")
    except CourseError as error:
        assert re.search("owner/name .*test", str(error))
    else:
        assert sum(map(len, sides.values())) == 40 and len(sides["test"]) >= 2


def test_name_that_is_neither_folder_nor_on_the_hub():
    with pytest.raises(CourseError, match=r"owner/name is no folder, and can't be had from the hub \(.*\): check"):
        load_images("owner/name")


# --- Transforms and batches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(32, 32), (300, 200), (50, 400), (1, 1), (96, 97)])
@pytest.mark.parametrize(("mean", "std"), [HALVES, IMAGENET])
def test_transforms_give_shape_type_and_range(size, mean, std):
    lowest, highest = [(torch.tensor([end] * 3) - torch.tensor(mean)) / torch.tensor(std) for end in (0, 1)]
    for transform in t.make_transforms(mean, std, 48):
        for colour, expected in (("black", lowest), ("white", highest)):
            image = transform(PIL.Image.new("RGB", size, colour))
            assert image.shape == (3, 48, 48) and image.dtype == torch.float32
            assert torch.allclose(image, expected[:, None, None].expand(3, 48, 48), atol=1e-6)
        noise = transform(picture(size=size))
        assert (noise >= lowest[:, None, None] - 1e-6).all() and (noise <= highest[:, None, None] + 1e-6).all()


def test_evaluation_sees_the_middle_undistorted():
    image = PIL.Image.new("RGB", (60, 20), "red")
    image.paste("lime", (20, 0, 40, 20))
    seen = t.make_transforms([0] * 3, [1] * 3, 32)[1](image)
    assert torch.allclose(seen[:, :, 2:-2].mean((1, 2)), torch.tensor([0.0, 1, 0]), atol=0.02)
    same = t.make_transforms([0] * 3, [1] * 3, 20)[1](picture(size=(20, 20)))
    assert np.array_equal((same * 255).round().permute(1, 2, 0), picture(size=(20, 20)))  # colours stay in their order


def test_evaluation_is_fixed_and_training_varies_with_the_seed():
    training, evaluation = t.make_transforms(*HALVES, 48)
    photo = picture(size=(32, 32))
    assert torch.equal(evaluation(photo), evaluation(photo))

    def several(seed):
        train.seed_everything(seed)
        return torch.stack([training(photo) for _ in range(8)])

    first = several(0)
    assert torch.equal(first, several(0)) and not torch.equal(first, several(1))
    assert len({image.numpy().tobytes() for image in first}) >= 7


def test_training_shifts_a_little_and_mirrors():
    ramp = PIL.Image.fromarray(np.tile(np.arange(0, 240, 5, dtype=np.uint8)[None, :, None], (48, 1, 3)))
    training, evaluation = t.make_transforms([0] * 3, [1] * 3, 48)
    train.seed_everything(0)
    rising = [(seen := training(ramp))[0, 20, -8] > seen[0, 20, 8] for _ in range(40)]
    assert 8 < sum(rising) < 32
    whole = evaluation(ramp).mean()
    assert all(abs(training(ramp).mean() - whole) < 0.08 for _ in range(10))  # by 4 of 48 pixels at the most


def test_batches(few):
    transform = t.make_transforms(*HALVES, 40)[1]
    images, labels = t.collate([few[1], few[5], few[2]], transform)
    assert images.shape == (3, 3, 40, 40) and images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    assert torch.equal(images[1], transform(few[5]["image"]))
    assert labels.dtype == torch.int64 and labels.tolist() == [few[row]["label"] for row in (1, 5, 2)]
    some = few.select(range(10))
    in_order = [label for _, batch in t.make_loader(some, transform, 4) for label in batch.tolist()]
    assert in_order == some["label"][:]
    train.seed_everything(0)
    shuffled = [label for _, batch in t.make_loader(some, transform, 4, shuffle=True) for label in batch.tolist()]
    assert sorted(shuffled) == sorted(in_order) and shuffled != in_order


# --- The pretrained network ------------------------------------------------------------------------------------------

BLOCKS = [f"blocks.{stage}.{block}" for stage, count in enumerate((1, 2, 2, 3, 3, 4, 1)) for block in range(count)]
TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
OTHERS = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
          "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip


def timm_name(saved):
    """Return timm's name of a saved tensor, read from what its name says and not from its place."""
    parts = saved.split(".")
    if parts[0] != "_blocks":
        return ".".join([TOP[parts[0]], *parts[1:]])
    return ".".join([BLOCKS[int(parts[1])], (OTHERS if int(parts[1]) else FIRST)[parts[2]], parts[3]])


def test_every_weight_is_where_its_name_says(cnn):
    (path,) = assets.fetch("efficientnet-lite0").glob("*.pth")
    saved = {timm_name(name): tensor for name, tensor in torch.load(path, weights_only=True).items()}
    loaded = cnn.state_dict()
    assert len(saved) == len(loaded) == 296
    assert not [name for name, tensor in saved.items() if not torch.equal(tensor, loaded[name].cpu())]
    assert count_parameters(cnn) == (4_652_008, 4_652_008)
    assert cnn.conv_stem.weight.is_contiguous(memory_format=torch.channels_last)


def permuted(model):
    """Return the network with the convolutions of equal shape exchanged, which no check of shapes finds."""
    state = model.state_dict()
    places = {}
    for name, tensor in state.items():
        if tensor.ndim == 4:
            places.setdefault(tensor.shape, []).append(name)
    moved = {
        new: state[old] for names in places.values() for new, old in zip(names, names[1:] + names[:1], strict=True)
    }
    wrong = t.load_cnn(pretrained=False)
    wrong.load_state_dict({**state, **moved})
    return wrong


KINDS = {
    "airplane": "airliner|warplane|wing|airship",
    "automobile": "car,|convertible|minivan|cab,|limousine|wagon|racer|pickup|jeep|Model T",
    "ship": "liner, ocean|container ship|boat|catamaran|trimaran|schooner|yawl|aircraft carrier|pirate",
}


def named(model, photos, transform):
    """Return the share of aeroplanes, cars and ships that a model with its ImageNet head calls by a fitting name."""
    said = timm.data.ImageNetInfo()
    rows = [row for kind in KINDS for row in np.flatnonzero(np.array(photos["label"][:]) == NAMES.index(kind))[:20]]
    with torch.inference_mode():
        answers = [model.eval()(images.to(train.choose_device())).argmax(-1).tolist()
                   for images, _ in t.make_loader(photos.select(rows), transform, 30)]  # fmt: skip
    words = [said.index_to_description(answer) + "," for answers in answers for answer in answers]
    return np.mean(
        [bool(re.search(KINDS[NAMES[photos[int(row)]["label"]]], word)) for row, word in zip(rows, words, strict=True)]
    )


def test_imagenet_head_calls_things_by_their_names(cnn, photos):
    transform = t.make_transforms(*t.pixel_scale("efficientnet-lite0"), 96)[1]
    assert named(cnn, photos, transform) > 0.3
    assert named(permuted(cnn), photos, transform) < 0.1


def own_neighbours(features, targets):
    """Return the share of images whose nearest other image is of their class."""
    return (targets[t.nearest(features, features, 2)[:, 1]] == targets).mean()


def gap(features, targets):
    """Return how much more alike images of one class are than others, in deviations of the similarity."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    pairs = np.triu_indices(len(unit), 1)
    alike, same = (unit @ unit.T)[pairs], (targets[:, None] == targets)[pairs]
    return (alike[same].mean() - alike[~same].mean()) / alike.std()


@pytest.fixture(scope="module")
def features(cnn, few):
    transform = t.make_transforms(*t.pixel_scale("efficientnet-lite0"), 96)[1]
    return t.extract_features(cnn, t.make_loader(few, transform, 50))


def test_features_know_the_classes(cnn, few, features):
    assert features[0].shape == (100, 1280) and own_neighbours(*features) > 0.4 and gap(*features) > 0.8
    transform = t.make_transforms(*t.pixel_scale("efficientnet-lite0"), 64)[1]
    for wrong in (permuted(cnn), t.load_cnn(pretrained=False)):
        found = t.extract_features(wrong, t.make_loader(few, transform, 50))
        assert own_neighbours(*found) < 0.3 and gap(*found) < 0.6


def test_the_wrong_scale_of_pixels_costs(cnn, few, features):
    found = t.extract_features(cnn, t.make_loader(few, t.make_transforms(*IMAGENET, 96)[1], 50))
    assert gap(*found) < gap(*features) - 0.05


def test_pixel_scales():
    assert t.pixel_scale("efficientnet-lite0") == HALVES
    assert t.pixel_scale("resnet50", "IMAGENET1K_V2") == IMAGENET
    assert t.pixel_scale("vit_b_16", "IMAGENET1K_SWAG_E2E_V1") == IMAGENET


def test_from_scratch_reads_no_weights(monkeypatch, cnn):
    monkeypatch.setattr(assets, "fetch", lambda name: pytest.fail(f"{name} was fetched"))
    scratch = t.load_cnn(pretrained=False)
    assert not torch.equal(scratch.conv_stem.weight, cnn.conv_stem.weight)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: pytest.fail("weights were loaded"))
    assert t.load_cnn("resnet18", "IMAGENET1K_V1", pretrained=False).fc.out_features == 1000


@pytest.mark.parametrize("ask", [t.load_cnn, t.pixel_scale])
@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("resnet50", None, "resnet50 has no weights called None: choose one of IMAGENET1K_V1, IMAGENET1K_V2"),
        ("resnet50", "IMAGENET1K_V9", "resnet50 has no weights called 'IMAGENET1K_V9': choose"),
        ("resnet500", "IMAGENET1K_V1", "There is no network 'resnet500'"),
    ],
)
def test_unknown_networks_and_weights(ask, name, weights, message):
    with pytest.raises(CourseError, match=message):
        ask(name, weights)


# --- Features --------------------------------------------------------------------------------------------------------


def small(num_classes=2, hidden=None):
    """Return a small network with batch norm; its groups are conv1, layer1, layer2 and fc."""
    layers = OrderedDict(
        conv1=nn.Conv2d(3, 8, 3, stride=2, padding=1), bn1=nn.BatchNorm2d(8), relu1=nn.ReLU(),
        layer1=nn.Conv2d(8, 16, 3, stride=2, padding=1), bn2=nn.BatchNorm2d(16), relu2=nn.ReLU(),
        layer2=nn.Conv2d(16, 16, 3, padding=1), bn3=nn.BatchNorm2d(16), relu3=nn.ReLU(),
        pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), drop=nn.Dropout(0.1), fc=nn.Linear(16, 1000),
    )  # fmt: skip
    return t.replace_head(nn.Sequential(layers).to(train.choose_device()), num_classes, hidden)


@pytest.fixture(scope="module")
def two_kinds(photos):
    """32 photographs of aeroplanes and frogs as tensors: rows of image and label for `loader`."""
    kinds = {NAMES.index("airplane"): 0, NAMES.index("frog"): 1}
    labels = np.array(photos["label"][:])
    rows = [photos[int(row)] for kind in kinds for row in np.flatnonzero(labels == kind)[:16]]
    transform = t.make_transforms(*HALVES, 32)[1]
    return [{"image": transform(row["image"]), "label": kinds[row["label"]]} for row in rows]


def loader(rows, batch_size=8, shuffle=True):
    return t.make_loader(rows, lambda image: image, batch_size, shuffle)


@pytest.mark.parametrize("hidden", [None, 5])
def test_features_are_what_goes_into_the_head(two_kinds, hidden):
    train.seed_everything(0)
    model = small(hidden=hidden).train()
    features, targets = t.extract_features(model, loader(two_kinds, 5, shuffle=False))
    with torch.inference_mode(), t.autocast():
        images = torch.stack([row["image"] for row in two_kinds]).to(train.choose_device())
        by_hand = model.eval()[:-1](images)
        logits = t.predict_logits(model, loader(two_kinds, 5, shuffle=False))[0]
        again = model.fc(torch.tensor(features).to(images.device)).float().cpu()
    assert features.dtype == np.float32 and targets.dtype == np.int64 and features.shape == (32, 16)
    tolerance = 1e-2 if train.has_bfloat16() else 1e-5
    assert np.allclose(features, by_hand.float().cpu(), atol=tolerance)
    assert torch.allclose(again, logits, atol=tolerance)
    assert targets.tolist() == [row["label"] for row in two_kinds]
    assert not [module for module in model.modules() if module._forward_pre_hooks]


def test_the_hook_is_removed_even_after_an_error(two_kinds):
    model = small()

    def failing():
        yield next(iter(loader(two_kinds)))
        raise OSError("a file broke")

    with pytest.raises(OSError, match="a file broke"):
        t.extract_features(model, failing())
    assert not [module for module in model.modules() if module._forward_pre_hooks]


def test_nearest_by_hand():
    features = np.array([[1.0, 0], [0, 2], [3, 3], [-1, 0]])
    queries = np.array([[5.0, 1], [-1, -2]])
    assert t.nearest(features, queries, 2).tolist() == [[0, 2], [3, 0]]
    assert t.nearest(features, features * 7, 1)[:, 0].tolist() == [0, 1, 2, 3]
    assert t.nearest(features, queries).shape == (2, 4)


# --- Training --------------------------------------------------------------------------------------------------------


def snapshot(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def moved(before, after):
    assert before.keys() == after.keys()
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_fit_learns_32_images(two_kinds):
    train.seed_everything(0)
    model = small()
    before = t.evaluate(model, loader(two_kinds, 32, shuffle=False))
    history = t.fit(model, loader(two_kinds), None, num_train_epochs=8, learning_rate=0.02, statistics=True)
    after = t.evaluate(model, loader(two_kinds, 32, shuffle=False))
    assert after["eval_loss"] < 0.5 * before["eval_loss"] and after["eval_accuracy"] > 0.8
    assert np.mean([row["loss"] for row in history[-4:]]) < 0.7 * np.mean([row["loss"] for row in history[:4]])


def test_history_has_each_step_and_what_evaluate_says(two_kinds):
    train.seed_everything(0)
    model, eval_loader = small(), loader(two_kinds[::2], 4, shuffle=False)
    history = t.fit(model, loader(two_kinds), eval_loader, num_train_epochs=2)
    assert [row["step"] for row in history] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    assert [sorted(row) for row in history[-2:]] == [["loss", "step"], ["eval_accuracy", "eval_loss", "step"]]
    assert history[-1] == {"step": 8, **t.evaluate(model, eval_loader)}
    logits, targets = t.predict_logits(model, eval_loader)
    assert logits.shape == (16, 2) and logits.dtype == torch.float32 and targets.tolist() == [0] * 8 + [1] * 8
    assert history[-1]["eval_loss"] == pytest.approx(nn.functional.cross_entropy(logits, targets).item())


@pytest.fixture
def schedules(monkeypatch):
    """Note the rates and the steps that every one-cycle schedule is made with, and the head's rate in each step."""
    made, real = [], torch.optim.lr_scheduler.OneCycleLR

    def make(optimizer, max_lr, **options):
        scheduler = real(optimizer, max_lr, **options)
        names, used, step = [group["name"] for group in optimizer.param_groups], [], scheduler.step
        scheduler.step = lambda: (used.append(scheduler.get_last_lr()[-1]), step())
        made.append(
            SimpleNamespace(rates=dict(zip(names, max_lr, strict=True)), total=options["total_steps"], used=used)
        )
        return scheduler

    monkeypatch.setattr(torch.optim.lr_scheduler, "OneCycleLR", make)
    return made


@pytest.mark.parametrize("max_steps", [1, 3, 4, 5, 8, 9])  # four batches are one pass
def test_max_steps_is_exact(two_kinds, schedules, max_steps):
    model, calls = small(), []
    model.register_forward_hook(lambda module, *_: calls.append(module.training))
    history = t.fit(model, loader(two_kinds), num_train_epochs=2, max_steps=max_steps)
    assert [row["step"] for row in history] == list(range(1, max_steps + 1)) and len(calls) == max_steps
    assert schedules[0].total == max(max_steps, 2) and len(schedules[0].used) == max_steps
    assert max_steps == 1 or schedules[0].used[-1] < 1e-8  # the schedule ends where training ends


def test_a_single_step_moves_the_weights(two_kinds):
    model = small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert len(t.fit(model, loader(two_kinds), max_steps=1, learning_rate=0.1)) == 1
    assert (model.fc.weight - before["fc.weight"]).abs().max() > 1e-3


@pytest.mark.parametrize("max_steps", [0, -1, 2.5])
def test_steps_that_are_no_number_of_steps(two_kinds, max_steps):
    with pytest.raises(CourseError, match=f"max_steps is {max_steps}, and must be a whole number of 1 or more"):
        t.fit(small(), loader(two_kinds), max_steps=max_steps)


def test_max_steps_goes_beyond_the_unfreezing_schedule(two_kinds):
    model = small()
    history = t.fit(model, loader(two_kinds), num_train_epochs=2, max_steps=11, unfreeze=(1, 4))
    assert len(history) == 11 and count_parameters(model)[0] == count_parameters(model)[1]


BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def parameters_of(names):
    return {name for name in names if not name.endswith(BUFFERS)}


@pytest.mark.parametrize("statistics", [True, False])
def test_what_is_frozen_stays_bit_identical_until_its_turn(two_kinds, monkeypatch, statistics):
    train.seed_everything(0)
    model = small()
    states, real = [snapshot(model)], t.evaluate
    monkeypatch.setattr(t, "evaluate", lambda *given: states.append(snapshot(model)) or real(*given))
    options = dict(learning_rate=0.01, unfreeze=(1, 2, 4), decay=0.5, statistics=statistics)
    t.fit(model, loader(two_kinds), loader(two_kinds, 32), 3, **options)
    head, last = {"fc.weight", "fc.bias"}, {name for name in states[0] if name.startswith(("layer2", "bn3"))}
    may_move = set if statistics else parameters_of  # a norm's statistics move only if they are told to
    assert moved(states[0], states[1]) == head
    assert moved(states[1], states[2]) == head | may_move(last) and len(last) == 7
    assert moved(states[2], states[3]) == may_move(states[0])


def test_statistics_are_kept_and_used_unless_told_otherwise(two_kinds):
    model, modes = small(), []
    model.bn2.register_forward_hook(lambda module, *_: modes.append(module.training))
    t.fit(model, loader(two_kinds), max_steps=2)
    t.fit(model, loader(two_kinds), max_steps=2, statistics=True)
    assert modes == [False, False, True, True]
    assert t.keep_statistics(model.train()) is model and model.drop.training and not model.bn1.training


@pytest.mark.parametrize("unfreeze", [(1,), (1, 2, 3), ()])
def test_schedule_of_the_wrong_length(two_kinds, unfreeze):
    model = t.freeze(small())
    before = snapshot(model)
    message = re.escape(f"The unfreezing schedule {list(unfreeze)} has {len(unfreeze)} numbers for 2 epochs: give one")
    with pytest.raises(CourseError, match=message):
        t.fit(model, loader(two_kinds), num_train_epochs=2, unfreeze=unfreeze)
    assert not moved(before, snapshot(model)) and count_parameters(model)[0] == 0


def test_rates_of_the_schedule(two_kinds, schedules):
    t.fit(small(), loader(two_kinds), num_train_epochs=1, learning_rate=0.01, decay=0.5, unfreeze=(1,))
    assert schedules[0].rates == pytest.approx({"conv1": 0.00125, "layer1": 0.0025, "layer2": 0.005, "fc": 0.01})
    model = small()
    t.unfreeze_groups(model, 2)
    t.fit(model, loader(two_kinds), num_train_epochs=1, learning_rate=0.01)
    assert schedules[1].rates == {"layer2": 0.01, "fc": 0.01}


def test_the_same_seed_gives_the_same_weights(two_kinds):
    def run(seed):
        train.seed_everything(seed)
        model = small(hidden=4)
        t.fit(model, loader(two_kinds), num_train_epochs=2, unfreeze=(1, 3))
        return snapshot(model)

    assert not moved(run(3), run(3)) and moved(run(3), run(4))


# --- The recipe ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(few):
    data = few.select(range(16))
    return DatasetDict(train=data, validation=data, test=data)


def recipe(**changes):
    settings = profiles.load_profile("01", "smoke")
    return SimpleNamespace(**{**vars(settings), "image_size": 32, "batch_size": 8, **changes})


def body(state):
    return {name: tensor for name, tensor in state.items() if not name.startswith("classifier.")}


def test_head_only_leaves_every_tensor_of_the_body(tiny, cnn):
    model, _ = t.transfer(tiny, recipe(hidden=8), "head only", max_steps=2)
    assert not moved(body(cnn.state_dict()), body(model.state_dict()))
    assert count_parameters(model)[0] == 1280 * 8 + 8 + 8 * 10 + 10
    train.seed_everything(0)
    untrained = t.replace_head(t.load_cnn(), 10, 8)
    assert "classifier.0.weight" in moved(untrained.state_dict(), model.state_dict())


@pytest.mark.parametrize("method", ["head first", "gradual", "all at once", "from scratch"])
def test_every_method_trains(tiny, cnn, schedules, monkeypatch, method):
    if method == "from scratch":
        monkeypatch.setattr(assets, "fetch", lambda name: pytest.fail(f"{name} was fetched"))
    unfreeze = {"head first": (1,), "gradual": (2,)}
    settings = recipe(unfreeze=unfreeze, learning_rate=1e-3, scratch_learning_rate=5e-3, decay=0.5)
    model, transform = t.transfer(tiny, settings, method, seed=1, max_steps=2)
    assert schedules[0].total == 2 and schedules[0].rates["classifier"] == (5e-3 if method == "from scratch" else 1e-3)
    assert schedules[0].rates["conv_head"] == (5e-3 if method == "from scratch" else 5e-4)
    opened = {"head first": (), "gradual": ("conv_head.", "bn2.")}.get(method, "")
    may_move = set if method == "from scratch" else parameters_of
    expected = may_move(name for name in body(cnn.state_dict()) if name.startswith(opened))
    assert moved(body(cnn.state_dict()), body(model.state_dict())) == expected
    distance = (model.conv_stem.weight - cnn.conv_stem.weight).norm() / cnn.conv_stem.weight.norm()
    assert distance > 0.5 if method == "from scratch" else distance < 0.1
    assert model.classifier.out_features == 10
    seen = transform(tiny["train"][0]["image"])
    assert seen.shape == (3, 32, 32) and torch.equal(seen, t.make_transforms(*HALVES, 32)[1](tiny["train"][0]["image"]))


def test_methods_take_the_same_steps_from_the_settings(tiny, schedules):
    for method in t.METHODS:
        t.transfer(tiny, recipe(), method)
    assert [made.total for made in schedules] == [2] * len(t.METHODS)  # two batches of eight, one epoch


def test_unknown_method():
    with pytest.raises(CourseError, match=f"There is no method 'some': choose one of {', '.join(t.METHODS)}"):
        t.transfer(None, None, "some")


# --- Saved and used --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier():
    """A classifier for three classes with the facts that are saved with it."""
    train.seed_everything(0)
    model = t.replace_head(t.load_cnn(), 3, 8)
    nn.init.normal_(model.classifier[-1].weight, std=3)
    facts = dict(labels=["a", "b", "c"], name="efficientnet-lite0", hidden=8, image_size=48)
    facts |= dict(mean=[0.5] * 3, std=[0.4] * 3)
    return model.eval(), facts


def test_predict_takes_images_paths_and_files(tmp_path, classifier):
    model, facts = classifier
    images = [picture(seed, size=(40, 30)) for seed in range(5)]
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    transform = t.make_transforms([0.5] * 3, [0.4] * 3, 48)[1]
    with torch.inference_mode(), t.autocast():
        batch = torch.stack([transform(image) for image in images]).to(train.choose_device())
        expected = model(batch.contiguous(memory_format=torch.channels_last)).float().softmax(-1).cpu()
    answers = t.predict(images, model, facts)
    assert [answer["label"] for answer in answers] == ["abc"[best] for best in expected.argmax(-1)]
    assert [answer["probability"] for answer in answers] == pytest.approx(expected.max(-1).values.tolist(), abs=2e-4)
    files = [io.BytesIO(path.read_bytes()) for path in paths]
    mixed = [images[0], paths[1], files[2], images[3], str(paths[4])]
    for given in (paths, [str(path) for path in paths], files, files, mixed):
        assert t.predict(given, model, facts) == answers
    alone = t.predict([images[0].convert("RGBA")], model, facts)
    assert alone[0]["label"] == answers[0]["label"]
    assert alone[0]["probability"] == pytest.approx(answers[0]["probability"], abs=1e-2)


def test_predict_sees_what_training_saw(tmp_path, classifier):
    (tmp_path / "turned.png").write_bytes(turned())
    upright = PIL.Image.new("RGB", (16, 32), "blue")
    upright.paste("red", (0, 0, 16, 16))
    (expected,) = t.predict([upright], *classifier)
    assert t.predict([tmp_path / "turned.png"], *classifier) == [expected]
    assert t.predict([io.BytesIO(turned())], *classifier) == [expected]


def test_predict_nothing_and_what_is_not_there(tmp_path, classifier):
    assert t.predict([], *classifier) == []
    with pytest.raises(CourseError, match="nothing-here.png can't be read"):
        t.predict([tmp_path / "nothing-here.png"], *classifier)
    with pytest.raises(CourseError, match="can't be read"):
        t.predict([io.BytesIO(b"no image")], *classifier)


def test_one_image_is_no_list(tmp_path, classifier):
    path = tmp_path / "one.png"
    picture().save(path)
    for one in (str(path), path, picture()):
        with pytest.raises(CourseError, match="The images are one .*, not a list: put it into a list"):
            t.predict(one, *classifier)


def test_signs_are_the_same_for_the_same_seed_and_can_be_learnt_from(tmp_path):
    first, again, other = (write_signs(tmp_path / name, 4, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert (
        contents(read_image_folder(first)) == contents(read_image_folder(again)) != contents(read_image_folder(other))
    )
    assert read_image_folder(first).features["label"].names == list(SIGNS)


def test_predict_keeps_few_files_open(tmp_path, monkeypatch, classifier):
    picture().save(tmp_path / "one.png")
    opened, most, real = [], [], PIL.Image.open

    def note(path, *given, **options):
        opened.append(real(path, *given, **options))
        most.append(sum(bool(getattr(image, "fp", None)) and not image.fp.closed for image in opened))
        return opened[-1]

    monkeypatch.setattr(PIL.Image, "open", note)
    model, facts = classifier
    assert len(t.predict([tmp_path / "one.png"] * 100, model, {**facts, "image_size": 32})) == 100
    assert max(most) <= 33  # a batch


def test_save_and_load(tmp_path, classifier):
    model, facts = classifier
    path = t.save_classifier(model, tmp_path / "new" / "photos.pt", **facts)
    assert path == tmp_path / "new" / "photos.pt" and [file.name for file in path.parent.iterdir()] == ["photos.pt"]
    again, found = t.load_classifier(str(path))
    assert found == facts and not again.training
    assert not moved(model.state_dict(), again.state_dict())
    images = [picture(seed) for seed in range(3)]
    assert t.predict(images, again, found) == t.predict(images, model, facts)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch, classifier):
    model, facts = classifier
    path = t.save_classifier(model, tmp_path / "photos.pt", **facts)
    before = path.read_bytes()

    real = Path.write_bytes

    def fail(where, content):
        real(where, content[: len(content) // 2])
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    for wanted in (path, tmp_path / "other.pt"):
        with pytest.raises(OSError, match="No space left"):
            t.save_classifier(model, wanted, **facts)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["photos.pt"]


def test_what_cannot_be_loaded_is_named(tmp_path, classifier):
    model, facts = classifier
    whole = t.save_classifier(model, tmp_path / "whole.pt", **facts).read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pt").write_text("no model")
    (tmp_path / "empty.pt").write_bytes(b"")
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    t.save_classifier(model, tmp_path / "no-facts.pt")
    for name in ("cut", "text", "empty", "weights", "no-facts"):
        with pytest.raises(CourseError, match=f"{name}.pt is not a whole file of save_classifier .*: save it again"):
            t.load_classifier(tmp_path / f"{name}.pt")


@pytest.mark.parametrize("lacking", ["weights", "labels", "name", "hidden"])
def test_a_saved_fact_that_is_missing_is_noticed(tmp_path, lacking):
    facts = dict(weights={}, labels=["a", "b"], name="efficientnet-lite0", hidden=None)
    torch.save(facts, tmp_path / "whole.pt")
    assert read_classifier(tmp_path / "whole.pt") == ({}, {name: facts[name] for name in ("labels", "name", "hidden")})
    torch.save({name: fact for name, fact in facts.items() if name != lacking}, tmp_path / "less.pt")
    with pytest.raises(CourseError, match=r"less.pt is not a whole file of save_classifier \(KeyError\)"):
        read_classifier(tmp_path / "less.pt")


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_loading_runs_no_code(tmp_path, classifier):
    model, facts = classifier
    torch.save({"weights": model.state_dict(), **facts, "labels": Trap(tmp_path / "sprung")}, tmp_path / "evil.pt")
    with pytest.raises(CourseError, match="evil.pt is not a whole file"):
        t.load_classifier(tmp_path / "evil.pt")
    assert not (tmp_path / "sprung").exists()
    torch.load(tmp_path / "evil.pt", weights_only=False)  # the trap works
    assert (tmp_path / "sprung").exists()
