"""What the tests of `ftcourse train` share: the command in a scratch folder, what holds for every report, stopping."""

import io
import json
import re
import sys

import pytest
import torch
from bs4 import BeautifulSoup
from hub_repositories import write_tokenizer
from rich.console import Console
from transformers import BertConfig, BertModel

from ftcourse.tools import cli, training


@pytest.fixture
def ftcourse(monkeypatch, capsys, tmp_path):
    """A function that runs a command in a scratch folder and returns its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def command(*args, stdin=""):
        monkeypatch.setattr(cli, "console", Console(width=100))
        monkeypatch.setattr(sys, "argv", ["ftcourse", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as exit:
            cli.main()
        return exit.value.code or 0, *capsys.readouterr()

    return command


def check_page(folder, title, images):
    """Check what holds for every report, and return its page."""
    text = (folder / "report.html").read_text()
    page = BeautifulSoup(text, "html.parser")
    assert page.html["lang"] == "en" and page.title.text == page.h1.text == title
    levels = [int(heading.name[1]) for heading in page.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1 and all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    pictures = page.select("img")
    assert len(pictures) == images and all(one["alt"].strip() and one["src"].startswith("data:") for one in pictures)
    assert not page.select("script, link[href], b") and "http" not in text
    assert all(header["scope"] in ("col", "row") for header in page.select("th"))
    assert re.search(r"fine-tuned model is \w+ than|between the fine-tuned model and", page.text)
    return page


def stop_at(epoch):
    """Return what stands for the progress of a training that is interrupted at the beginning of an epoch."""
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_epoch_begin(self, args, state, control, **more):
            if round(state.epoch) == epoch:
                raise KeyboardInterrupt

    return lambda *given: Stop()


def check_resume(ftcourse, monkeypatch, tmp_path, command, predictions):
    """Interrupt a training into the folder two, go on with it, and compare with the one in the folder one."""
    command = (*command, "--output", "two")
    with monkeypatch.context() as patch:
        patch.setattr(training, "_progress", stop_at(0))
        code, out, _ = ftcourse(*command)
        assert code == 130 and "nothing to go on from" in out and not (tmp_path / "two.part").exists()
        patch.setattr(training, "_progress", stop_at(2))
        code, out, _ = ftcourse(*command)
    assert code == 130 and out.endswith("with --resume goes on from the last epoch that was finished.\n")
    assert not (tmp_path / "two").exists()
    assert "go on with --resume, or give it up with --overwrite" in ftcourse(*command)[2]
    assert "--seed was 0 and is 1" in ftcourse(*command, "--resume", "--seed", 1)[2]
    code, out, _ = ftcourse(*command, "--resume")
    assert code == 0 and "Going on from checkpoint-" in out and "epoch 2 of 4" not in out
    assert (tmp_path / "two" / predictions).read_bytes() == (tmp_path / "one" / predictions).read_bytes()
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".part", ".old")]


def save_body(folder, words):
    """Write a small BERT without a head, and its tokenizer, which knows the words and sees no capitals."""
    torch.manual_seed(0)
    folder.mkdir()
    size = len(write_tokenizer(folder, words))
    config = BertConfig(
        vocab_size=size,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"tokenizer_class": "BertTokenizer"}))
