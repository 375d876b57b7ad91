"""The code of profile ``full`` runs as it is, against a mirror of the model hub on this machine."""

import json
import subprocess
import sys
from pathlib import Path

import hub_mirror
import pytest

from ftcourse.profiles import LESSONS

NBS = Path(__file__).parents[1] / "nbs"
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


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    hub_mirror.write_repositories(root)
    with hub_mirror.serve(root) as mirror:
        yield mirror


def run(command, mirror, home):
    """Run a command whose model hub is the mirror, show what it wrote if it fails, and return its standard output."""
    process = subprocess.run(
        [sys.executable, *command],
        env=hub_mirror.environment(mirror.url, home), cwd=home, capture_output=True, text=True, timeout=900,
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


@pytest.mark.whole_lesson
@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_runs_at_full(mirror, tmp_path, lesson):
    mirror.requests.clear()
    notebook, executed = NBS / f"{lesson}.ipynb", tmp_path / "executed.ipynb"
    command = ["-m", "papermill", notebook, executed, "-p", "profile", "full", "-k", "python3", "--no-progress-bar"]
    run([*command, "--cwd", tmp_path], mirror, tmp_path)
    tags = [tag for cell in json.loads(executed.read_text())["cells"] for tag in cell["metadata"].get("tags", [])]
    assert "injected-parameters" in tags
    fetched = {path for method, path, status in mirror.requests if method == "GET" and status == 200}
    for name in (LESSONS[lesson]["full"]["model"], LESSONS[lesson]["full"]["data"]):
        assert any(f"/{name}/resolve/" in path for path in fetched), f"{name} was not loaded from the hub"
