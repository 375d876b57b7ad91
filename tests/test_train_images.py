"""`ftcourse train images` and what it trains: files are opened, copies stay together, answers are those measured."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import torch
from trainings import check_page

from ftcourse import networks, transfer
from ftcourse.records import load_records
from ftcourse.tools import training_images
from ftcourse.tools.predicting import image_line
from ftcourse.tools.training_images import IMAGES, ImageSettings

COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red <b>": (200, 50, 40)}


def write_images(folder, count=12, seed=0):
    """Write so many noisy images of each colour, a folder a colour."""
    rng = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.clip(rng.normal(colour, 40, (24, 24, 3)), 0, 255).astype(np.uint8)
            PIL.Image.fromarray(pixels).save(folder / name / f"{number:02}.png")


def read(**options):
    """What a training reads, and what it says of it."""
    said = []
    return IMAGES.read(ImageSettings("photos", **options), said.append), said


def test_what_can_t_be_used_is_named_or_left_out(ftcourse, tmp_path):
    write_images(tmp_path / "photos")
    (tmp_path / "photos" / "blue" / "03.png").write_text("no image")
    shutil.copy(tmp_path / "photos" / "blue" / "00.png", tmp_path / "photos" / "blue" / "copy.png")
    shutil.copy(tmp_path / "photos" / "green" / "00.png", tmp_path / "photos" / "red <b>" / "again.png")
    (tmp_path / "photos" / "rare").mkdir()
    PIL.Image.new("RGB", (9, 9)).save(tmp_path / "photos" / "rare" / "one.png")
    code, _, err = ftcourse("train", "images", "--data", "photos")
    assert code == 2 and "photos has an image that can't be read" in err and "(file blue/03.png)" in err
    assert "leave them out with --clean" in err
    data, _ = read(clean=True)
    found = {finding.kind: finding.places for finding in data.findings}
    assert found == {
        "unusable": ["blue/03.png"],
        "duplicate_image": ["blue/copy.png"],
        "conflict_image": ["green/00.png", "red <b>/again.png"],
        "few_images": ["rare/one.png"],
    }
    assert sum(map(len, data.splits.values())) == 36 - 1 - 1
    (tmp_path / "photos" / "blue" / "03.png").unlink()
    err = ftcourse("train", "images", "--data", "photos")[2]
    assert "There are classes that can't be used: 1 of class rare (file rare/one.png)" in err
    shutil.rmtree(tmp_path / "photos" / "rare")
    data, _ = read()
    homes = {file: split for split, part in data.splits.items() for file in part["file"]}
    assert homes["blue/00.png"] == homes["blue/copy.png"] and homes["green/00.png"] == homes["red <b>/again.png"]
    assert len(homes) == 37 and data.groups == "No file is in two splits."


def test_splits_that_are_given_are_used_as_they_are(ftcourse, tmp_path):
    for number, name in enumerate(("train", "val", "test")):
        write_images(tmp_path / "photos" / name, 4, number)
    shutil.copy(tmp_path / "photos" / "train" / "blue" / "00.png", tmp_path / "photos" / "test" / "blue" / "copy.png")
    data, said = read()
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 12, "validation": 12, "test": 13}
    assert data.splits["test"]["file"][0] == "test/blue/00.png" and data.settings.epochs == 10
    (leak,) = (finding for finding in data.findings if finding.kind == "leak")
    assert leak.places == ["test/blue/copy.png"]
    assert any("seen in training, file test/blue/copy.png" in line for line in said)
    shutil.rmtree(tmp_path / "photos" / "val")
    data, _ = read()
    assert len(data.splits["test"]) == 13 and 0 < len(data.splits["validation"]) < 6
    shutil.rmtree(tmp_path / "photos" / "test" / "green")
    err = ftcourse("train", "images", "--data", "photos")[2]
    assert "The classes of test and train in photos are not the same, see green" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--data", "gone"), r"There is no folder gone"),
        (("--data", "photos/blue"), r"photos/blue has no folders in it"),
        (("--data", "bad", "--clean"), r"bad has no image that can be used"),
        (("--data", "one", "--clean"), r"Fewer than two classes are left"),
        (("--data", "same"), r"There are 2 groups of images that may be parted"),
        (("--model", "nonsense"), r"There is no network 'nonsense'"),
        (("--model", "resnet18", "--weights", "x"), r"resnet18 has no weights called 'x'"),
        (("--test-share", "1"), r"leave 0% to train on"),
        (("--output", "bad"), r"bad holds something else than a training's result"),
    ],
)
def test_what_a_person_can_mend_is_one_paragraph(ftcourse, tmp_path, args, message):
    write_images(tmp_path / "photos", 8)
    for folder, counts in {"bad": (0, 0), "one": (3, 0), "same": (3, 3)}.items():
        for name, count in zip("ab", counts, strict=True):
            (tmp_path / folder / name).mkdir(parents=True)
            (tmp_path / folder / name / "x.png").write_text("no image")
            for number in range(count):
                colour = ("red", "green")[name == "b"]
                PIL.Image.new("RGB", (9, 9), colour).save(tmp_path / folder / name / f"{number}.png")
            if folder == "same":
                (tmp_path / folder / name / "x.png").unlink()
    before = sorted(path.name for path in tmp_path.iterdir())
    usual = [] if "--data" in args else ["--data", "photos"]
    code, _, err = ftcourse("train", "images", *usual, *args)
    assert code == 2 and re.fullmatch(rf"Error: .*{message}.*\n", err), err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_answer_is_one_line():
    assert image_line(1, {"file": "a b.png", "label": "red <b>", "probability": 0.5}) == "red <b>\t0.5000\ta b.png"


@pytest.mark.models
def test_the_model_that_is_kept_is_that_of_the_best_epoch(monkeypatch):
    model = transfer.replace_head(networks.load_cnn(pretrained=False), 2, None)
    images = [PIL.Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    rows = [{"image": image, "label": label} for label, image in enumerate(images)]
    loader = transfer.make_loader(rows * 2, transfer.make_transforms([0.5] * 3, [0.5] * 3, 32)[1], 2, shuffle=True)
    accuracies, seen = iter([0.5, 0.75, 0.75]), []

    def evaluate(model, unseen):
        seen.append({name: values.clone() for name, values in model.state_dict().items()})
        return {"eval_accuracy": next(accuracies), "eval_loss": 1.0}

    monkeypatch.setattr(transfer, "evaluate", evaluate)
    settings = ImageSettings("photos", model="efficientnet-lite0", epochs=3, learning_rate=0.1, batch_size=2)
    fitted = training_images._fit(model, loader, loader, settings, lambda line: None)
    assert fitted.best == 2 and fitted.history["accuracy"].tolist() == [0.5, 0.75, 0.75]
    kept = model.state_dict()
    assert all(torch.equal(kept[name], values) for name, values in seen[1].items())
    assert not all(torch.equal(kept[name], values) for name, values in seen[2].items())


COMMAND = ("train", "images", "--data", "photos", "--image-size", "32", "--epochs", "3", "--batch-size", "8",
           "--learning-rate", "2e-3")  # fmt: skip


@pytest.mark.models
def test_the_whole_way(ftcourse, tmp_path, monkeypatch):
    """One test, because each step needs the one before: train, look, answer, interrupt."""
    write_images(tmp_path / "photos")
    code, out, err = ftcourse(*COMMAND, "--output", "one")
    assert code == 0, err
    assert "Read 36 images of photos\n" in out and "epoch 3 of 3: validation accuracy" in out
    folder = tmp_path / "one"
    (record,) = load_records("images", folder / "records")
    table = pd.read_csv(folder / "predictions.csv")
    right = (table["label"] == table["answer"]).mean()
    assert record["metrics"]["fine-tuned model"]["accuracy"] == pytest.approx(right, abs=1e-4)
    assert set(record["metrics"]) == {"fine-tuned model", "new head on the frozen network", "most frequent class"}
    assert record["history"][int(record["best"]) - 1]["accuracy"] == max(row["accuracy"] for row in record["history"])
    assert all(file.startswith(f"{label}/") for file, label in zip(table["file"], table["label"], strict=True))
    facts = json.loads((folder / "classifier.json").read_text())
    assert facts["labels"] == list(COLOURS) and facts["image_size"] == 32 and facts["name"] == "efficientnet-lite0"
    wrong = int((table["label"] != table["answer"]).sum())
    page = check_page(folder, "Image classification: photos", images=2 + min(wrong, 10))
    assert "red <b>" in page.text and "new head on the frozen network" in page.text
    card = (folder / "README.md").read_text()
    assert "load_classifier" in card and "pipeline_tag: image-classification" in card and f"{right:.1%}" in card
    check_answers(ftcourse, table)
    with monkeypatch.context() as patch:
        patch.setattr(training_images, "keep_best", stop)
        code, out, _ = ftcourse(*COMMAND, "--output", "two")
    assert code == 130 and out.endswith("Stopped. Nothing was kept: run the command again.\n")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("two")]


def stop(*given):
    raise KeyboardInterrupt


def check_answers(ftcourse, table):
    files = [f"photos/{file}" for file in table["file"]]
    code, out, _ = ftcourse("predict", "one", *files)
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and [line[2] for line in lines] == files
    assert [line[0] for line in lines] == table["answer"].tolist()
    assert np.allclose([float(line[1]) for line in lines], table["probability"], atol=0.02)
    rows = [json.loads(line) for line in ftcourse("predict", "one", "photos/blue", "--json")[1].splitlines()]
    assert len(rows) == 12 and rows[0]["file"] == "photos/blue/00.png"
    for args, message in (
        ((), "give image files, or folders with images"),
        (("gone.png",), "There is no file or folder gone.png"),
        (("photos/blue", "--question", "x"), "This model classifies images, so --question has no meaning"),
    ):
        code, _, err = ftcourse("predict", "one", *args)
        assert code == 2 and message in err, err
