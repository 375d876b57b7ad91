"""Files are written whole, and a model's name is an asset, a folder or a name on the hub."""

from pathlib import Path

import pytest

from ftcourse import assets, files
from ftcourse.errors import CourseError


def test_a_file_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    path = files.write_atomically(tmp_path / "new" / "a.txt", "one\r\ntwo é")
    assert path.read_bytes() == "one\r\ntwo é".encode()
    monkeypatch.setattr(files.os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, b"three")
    assert path.read_bytes() == "one\r\ntwo é".encode() and [p.name for p in path.parent.iterdir()] == ["a.txt"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the folder my_model in it, as the working directory."""
    (tmp_path / "my_model").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_asset_is_fetched(here, monkeypatch):
    monkeypatch.setattr(assets, "fetch", lambda name: here / name)
    assert files.model_path("all-minilm-l6-v2") == str(here / "all-minilm-l6-v2")


@pytest.mark.parametrize("name", ["./my_model", Path("my_model"), "my_model/", "../{}/my_model"])
def test_a_folder_is_a_folder(here, name):
    name = name.format(here.name) if isinstance(name, str) else name
    assert Path(files.model_path(name)).resolve() == here / "my_model"
    assert files.model_path(here / "my_model") == str(here / "my_model")


def test_a_name_on_the_hub_stays_as_it_is(here):
    assert files.model_path("google-bert/bert-base-cased") == "google-bert/bert-base-cased"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_model", r"'my_model' is a folder here.*write './my_model'"),
        ("my_modle", "There is no asset 'my_modle'. The assets are .*all-minilm-l6-v2"),
        ("./my_modle", "There is no folder my_modle: check the path"),
        (Path("my_modle"), "There is no folder my_modle"),
    ],
)
def test_what_is_none_of_these_is_named(here, name, message):
    with pytest.raises(CourseError, match=message):
        files.model_path(name)
