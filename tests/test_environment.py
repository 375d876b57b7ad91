"""Setting up: uv where it can be had, pip where not, both by pip's own settings."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ftcourse.tools import environment

PYTHON = Path("env/bin/python")


def test_uv_is_told_what_pip_is_set_to():
    settings = {
        "index-url": "https://index.example.org/simple",
        "extra-index-url": "https://one.example.org https://two.example.org",
        "find-links": "wheels",
        "cert": "ca.pem",
        "proxy": "http://proxy:8080",
        "no-index": "0",
    }
    command, variables = environment.uv_command("uv", PYTHON, settings, "cpu")
    text = " ".join(command)
    assert "--default-index https://index.example.org/simple" in text and "--find-links wheels" in text
    assert "--index https://one.example.org --index https://two.example.org" in text
    assert "--index-strategy unsafe-best-match" in text and "--torch-backend cpu" in text and "--no-index" not in text
    assert variables == {k: "http://proxy:8080" for k in ("HTTP_PROXY", "HTTPS_PROXY")} | {"SSL_CERT_FILE": "ca.pem"}
    plain, nothing = environment.uv_command("uv", PYTHON, {})
    assert plain[:3] == ["uv", "pip", "install"] and plain[-1] == ".[dev]"
    assert nothing == {}


def test_settings_of_pip_are_read_in_its_order(monkeypatch):
    said = "global.index-url='https://a'\nglobal.timeout='5'\ninstall.index-url='https://b'\n:env:.cert='d'\n"
    monkeypatch.setattr(environment.os, "environ", {"PIP_CERT": "c"})
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: SimpleNamespace(stdout=said, returncode=0))
    assert environment.read_pip_settings(PYTHON) == {"index-url": "https://b", "timeout": "5", "cert": "c"}


@pytest.mark.parametrize(
    ("uv", "codes", "expected"),
    [
        ("uv", [0], ["uv"]),  # uv is there and works
        ("uv", [1, 0], ["uv", "pip"]),  # uv fails: pip
        (None, [0], ["pip"]),  # uv can't be had: pip
        (None, [3], ["pip"]),  # and what pip says counts
    ],
)
def test_pip_stands_in_where_uv_fails(monkeypatch, tmp_path, capsys, uv, codes, expected):
    ran, left = [], list(codes)

    def run(command, **options):
        ran.append("uv" if command[0] == "uv" else "pip")
        return SimpleNamespace(returncode=left.pop(0))

    monkeypatch.setattr(environment, "make_environment", lambda folder: PYTHON)
    monkeypatch.setattr(environment, "find_uv", lambda python: uv)
    monkeypatch.setattr(environment, "read_pip_settings", lambda python: {})
    monkeypatch.setattr(subprocess, "run", run)
    assert environment.main([str(tmp_path)]) == codes[-1] and ran == expected
    assert ("trying with pip" in capsys.readouterr().err) == (expected == ["uv", "pip"])


def test_the_site_is_built_without_the_course(monkeypatch, tmp_path):
    ran = []
    monkeypatch.setattr(environment, "make_environment", lambda folder: PYTHON)
    monkeypatch.setattr(environment, "find_uv", lambda python: None)
    monkeypatch.setattr(
        subprocess, "run", lambda command, **options: ran.append(command) or SimpleNamespace(returncode=0)
    )
    assert environment.main([str(tmp_path), "--only", "site"]) == 0
    assert ran[0][:6] == [str(PYTHON), "-m", "pip", "install", "--constraint", environment.LOCK]
    assert any(part.startswith("myst-nb") for part in ran[0]) and ".[dev]" not in ran[0] and "torch" not in str(ran[0])
    assert ran[0][6:] == environment.uv_command("uv", PYTHON, {}, packages=ran[0][6:])[0][-len(ran[0][6:]) :]
    assert not list(tmp_path.iterdir())  # no settings of JupyterLab


def test_it_runs_without_the_package():
    """make calls it by its path before anything is installed: it may import the standard library alone."""
    command = [sys.executable, "-I", environment.__file__, "--help"]
    assert "examples:" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_jupyterlab_is_told_to_clean_on_saving(tmp_path):
    """Jupyter reads the file; those in the folder jupyter_server_config.d beside it, it takes for extensions alone."""
    place = tmp_path / "etc" / "jupyter" / "jupyter_server_config.json"
    place.parent.mkdir(parents=True)
    place.write_text('{"ServerApp": {"port": 9}}', encoding="utf-8")
    environment.clean_on_saving(tmp_path)
    code = (
        "from jupyter_server.serverapp import ServerApp; app = ServerApp(); app.load_config_file();"
        "print(app.config.ServerApp.port, app.config.ContentsManager.pre_save_hook)"
    )
    variables = {**os.environ, "JUPYTER_CONFIG_PATH": str(place.parent), "JUPYTER_CONFIG_DIR": str(tmp_path / "none")}
    run = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["9", "ftcourse.tools.environment.clean_before_saving"]
