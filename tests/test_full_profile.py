"""The code of profile ``full`` runs as it is, against a mirror of the model hub on this machine."""

import json
import shutil
import subprocess
import sys

import hub_mirror
import hub_repositories
import pytest
import torch
from full_profile import run_at_full

from ftcourse.profiles import LESSONS

pytestmark = pytest.mark.models

PINNED = "0123456789abcdef0123456789abcdef01234567"

LOAD = """
import json, sys
from datasets import load_dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer
name = "distilbert/distilbert-base-uncased"
for revision in sys.argv[1:]:
    data = load_dataset("stanfordnlp/imdb", revision=revision)
    tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
    model = AutoModelForSequenceClassification.from_pretrained(name, revision=revision, num_labels=2)
    batch = tokenizer(data["test"]["text"][:2], padding=True, truncation=True, return_tensors="pt")
    print(json.dumps({
        "rows": {split: rows.num_rows for split, rows in data.items()},
        "labels": data["train"].features["label"].names,
        "last": data["train"][-1],
        "unlabelled": data["unsupervised"][0]["label"],
        "tokens": tokenizer.tokenize("A WARM story."),
        "model": type(model).__name__,
        "logits": list(model(**batch).logits.shape),
    }))
"""


PHOTOS = """
import json
from types import SimpleNamespace
import torch
from ftcourse import transfer as t
from ftcourse.profiles import load_profile
settings = load_profile("01", "full")
sizes = settings.num_train, settings.num_eval, settings.num_test
dataset = t.load_images(settings.data, settings.data_revision, *sizes)
model = t.load_cnn(settings.model, settings.weights)
weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
smaller = SimpleNamespace(**{**vars(settings), "image_size": 32, "batch_size": 8})
trained, transform = t.transfer(dataset, smaller, "gradual", max_steps=2)
features, targets = t.extract_features(trained, t.make_loader(dataset["test"], transform))
large = t.make_transforms(*t.pixel_scale(settings.model, settings.weights), settings.image_size)[1]
photo = large(dataset["test"][0]["image"])
images = [image.tobytes() for rows in dataset.values() for image in rows["image"]]
print(json.dumps({
    "rows": {side: rows.num_rows for side, rows in dataset.items()},
    "images": len(set(images)),
    "columns": sorted(dataset["train"].column_names),
    "labels": dataset["train"].features["label"].names,
    "scale": t.pixel_scale(settings.model, settings.weights),
    "network": [type(model).__name__, model.fc.out_features],
    "stem": model.conv1.weight.double().sum().item(),
    "head": t.count_parameters(trained),
    "moved": [name for name, tensor in trained.state_dict().items()
              if not name.startswith("fc.") and not torch.equal(tensor, weights[name])],
    "features": features.shape,
    "photo": photo.shape,
    "answers": t.predict_logits(trained, [(photo[None], torch.tensor([0]))])[0].shape,
    "targets": sorted(targets.tolist()),
}))
"""


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    hub_repositories.write_repositories(root)
    with hub_mirror.serve(root) as mirror:
        yield mirror


@pytest.fixture(scope="module")
def torch_home(tmp_path_factory):
    """The folder in which torchvision finds random weights under the names of those that the lessons ask for."""
    home = tmp_path_factory.mktemp("torch")
    for settings in (lesson["full"] for lesson in LESSONS.values()):
        if settings.get("weights"):
            hub_repositories.write_torchvision_weights(home, settings["model"], settings["weights"])
    yield home
    shutil.rmtree(home)  # 100 MB, which pytest would keep


def run(command, mirror, home, torch_home=None):
    """Run a command whose model hub is the mirror, show what it wrote if it fails, and return its standard output."""
    process = subprocess.run(
        [sys.executable, *command],
        env=hub_mirror.environment(mirror.url, home, torch_home or home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-8000:]
    return process.stdout


@pytest.mark.reaches_out  # without a pinned revision, `datasets` also looks up datasets-server.ENDPOINT
def test_hub_names_load_from_the_mirror(mirror, tmp_path):
    mirror.requests.clear()
    lines = run(["-c", LOAD, PINNED, "main"], mirror, tmp_path).splitlines()
    fetched = {path for method, path, status in mirror.requests if method == "GET" and status == 200}
    for line in lines:
        loaded = json.loads(line)
        assert loaded["rows"] == {"train": 100, "test": 50, "unsupervised": 20}
        assert loaded["labels"] == ["neg", "pos"] and loaded["last"]["label"] == 1 and loaded["unlabelled"] == -1
        assert "<br />" in loaded["last"]["text"]
        assert loaded["tokens"] == ["a", "warm", "story", "."]
        assert loaded["model"] == "DistilBertForSequenceClassification" and loaded["logits"] == [2, 2]
    assert len(lines) == 2
    assert f"/distilbert/distilbert-base-uncased/resolve/{PINNED}/model.safetensors" in fetched
    assert f"/datasets/stanfordnlp/imdb/resolve/{PINNED}/plain_text/test-00000-of-00001.parquet" in fetched


def test_unknown_names_are_refused_as_the_hub_does(mirror, tmp_path):
    code = """
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
known = "distilbert/distilbert-base-uncased"
for wanted, error in [
    (dict(repo_id="nobody/nothing", filename="config.json"), RepositoryNotFoundError),
    (dict(repo_id=known, filename="nothing.json"), EntryNotFoundError),
    (dict(repo_id=known, filename="config.json", revision="nothing"), RevisionNotFoundError),
]:
    try:
        hf_hub_download(**wanted)
    except error:
        print("refused")
"""
    assert run(["-c", code], mirror, tmp_path).split() == ["refused"] * 3


def test_lesson_1_trains_on_the_hubs_photographs_with_named_weights(mirror, torch_home, tmp_path):
    mirror.requests.clear()
    loaded = json.loads(run(["-c", PHOTOS], mirror, tmp_path, torch_home).splitlines()[-1])
    assert loaded["rows"] == {"train": 30, "validation": 10, "test": 20} and loaded["images"] == 60
    assert loaded["columns"] == ["image", "label"] and loaded["labels"] == hub_repositories.CIFAR10
    assert loaded["targets"] == sorted([*range(10)] * 2) and loaded["features"] == [20, 2048]
    assert loaded["photo"] == [3, 224, 224] and loaded["answers"] == [1, 10]
    assert loaded["scale"] == [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]
    (path,) = (torch_home / "hub" / "checkpoints").glob("resnet50-*.pth")
    saved = torch.load(path, weights_only=True)
    assert loaded["network"] == ["ResNet", 1000] and loaded["stem"] == saved["conv1.weight"].double().sum().item()
    assert loaded["head"] == [527_114, 24_035_146] and loaded["moved"] == []  # the head is trained in the first epoch
    fetched = {path for method, path, status in mirror.requests if method == "GET" and status == 200}
    revision = LESSONS["01_transfer_learning"]["full"]["data_revision"]
    assert f"/datasets/uoft-cs/cifar10/resolve/{revision}/plain_text/train-00000-of-00001.parquet" in fetched


@pytest.mark.whole_lesson
@pytest.mark.parametrize("lesson", [lesson for lesson, row in LESSONS.items() if "base_url" not in row["full"]])
def test_lesson_runs_at_full(mirror, torch_home, tmp_path, lesson):
    mirror.requests.clear()
    executed = run_at_full(lesson, tmp_path, hub_mirror.environment(mirror.url, tmp_path, torch_home))
    tags = [tag for cell in executed.cells for tag in cell.metadata.get("tags", [])]
    assert "injected-parameters" in tags
    fetched = {path for method, path, status in mirror.requests if method == "GET" and status == 200}
    names = {LESSONS[lesson]["full"][what] for what in ("model", "data")}
    for name in {name for name in names if "/" in name}:  # others are torchvision's
        assert any(f"/{name}/resolve/" in path for path in fetched), f"{name} was not loaded from the hub"
