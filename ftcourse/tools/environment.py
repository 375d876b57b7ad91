"""Set up an environment: ``python ftcourse/tools/environment.py .venv``, with nothing but Python.

uv installs the packages in under a minute where the network allows; it is taken if it is there, else pip fetches it
into the environment. Where uv can't be had, or fails, pip does the same in minutes. Both take the exact versions of
requirements.lock and the index, certificates and proxy that pip is set to.
"""

import argparse
import ast
import contextlib
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Sequence
from configparser import ConfigParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK = "requirements.lock"
COURSE = ("--editable", ".[dev]")
# A notebook that was opened and saved is then as it was committed: without counters, and whatever Python wrote it.
JUPYTER = {"ContentsManager": {"pre_save_hook": "ftcourse.tools.environment.clean_before_saving"}}


def main(arguments: list[str] | None = None) -> int:
    """Make the environment, or bring it up to date, and return the exit code.

    Args:
        arguments: of the command line; by default those of this process.
    """
    parser = argparse.ArgumentParser(
        description="Set up an environment for the course.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  python ftcourse/tools/environment.py .venv\n"
        "  python ftcourse/tools/environment.py .venv --torch cpu    (Linux without an NVIDIA GPU: 5 GB less)",
    )
    parser.add_argument("folder", type=Path, help="folder of the environment")
    parser.add_argument("--torch", choices=["cpu"], help="take PyTorch's small build without GPU libraries")
    parser.add_argument("--only", choices=["site"], help="install what builds the web site, without the course")
    options = parser.parse_args(arguments)
    python = make_environment(options.folder)
    packages = requirements(options.only) if options.only else COURSE
    if not options.only:
        clean_on_saving(options.folder)
    uv = find_uv(python)
    if uv:
        try:
            settings = read_pip_settings(python)
        except ValueError as error:
            parser.error(str(error))
        command, variables = uv_command(uv, python, settings, options.torch, packages)
        if subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}).returncode == 0:
            return 0
        print("uv could not install the packages; trying with pip, which takes a few minutes.", file=sys.stderr)
    if options.torch:
        print("PyTorch's small build needs uv; pip takes the usual one.", file=sys.stderr)
    command = [str(python), "-m", "pip", "install", "--constraint", LOCK, *packages]
    return subprocess.run(command, cwd=ROOT).returncode


def requirements(extra: str) -> list[str]:
    """Return the packages of an extra, as settings.ini lists them.

    Args:
        extra: its name, such as "site".
    """
    settings = ConfigParser(delimiters=["="], interpolation=None)
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    return settings["DEFAULT"][f"{extra}_requirements"].split()


def clean_on_saving(folder: Path) -> None:
    """Have JupyterLab in an environment clean a notebook of this repository as it saves it, as nbdev does.

    Args:
        folder: of the environment. Other settings in its jupyter_server_config.json stay.
    """
    place = folder / "etc" / "jupyter" / "jupyter_server_config.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    settings = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    place.write_text(json.dumps({**settings, **JUPYTER}, indent=1) + "\n", encoding="utf-8")


def clean_before_saving(path: str, model: dict[str, Any], contents_manager: Any) -> None:
    """Clean a notebook that JupyterLab is about to save, as nbdev's own hook does.

    nbdev looks for settings.ini from the folder where JupyterLab was started; here it looks from the notebook's.

    Args:
        path: of the notebook, from JupyterLab's root folder.
        model: what is saved; it is changed in place.
        contents_manager: of Jupyter, which saves it.
    """
    from nbdev.clean import clean_jupyter

    notebook = Path(contents_manager.root_dir, path.lstrip("/")).absolute()
    with contextlib.chdir(notebook.parent):
        clean_jupyter(path=str(notebook), model=model)


def make_environment(folder: Path) -> Path:
    """Return the interpreter of the environment in a folder, made first if it isn't there.

    Args:
        folder: of the environment.
    """
    python = folder.absolute() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    return python


def find_uv(python: Path) -> str | None:
    """Return the path of uv: on the search path, or in the environment, where pip puts it; None without a network.

    Args:
        python: the interpreter of the environment.
    """
    if found := shutil.which("uv"):
        return found
    command = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / LOCK), "uv"]
    if subprocess.run(command, capture_output=True).returncode:
        return None
    return shutil.which("uv", path=str(python.parent))


def read_pip_settings(python: Path, sections: Iterable[str] = ("global.", "install.")) -> dict[str, str]:
    """Return what pip is set to, option to text: by its configuration files, and over them by the variables ``PIP_*``.

    Args:
        python: the interpreter whose pip is asked.
        sections: of the files that count, each with its dot; later ones win, as in pip.

    Raises:
        ValueError: if pip can't read its own configuration.
    """
    listed = list_pip_settings(python)
    settings: dict[str, str] = {}
    for section in sections:
        settings |= {key.removeprefix(section): text for key, text in listed if key.startswith(section) and text}
    variables = {key[4:].lower().replace("_", "-"): text for key, text in os.environ.items() if key[:4] == "PIP_"}
    return settings | {key: text for key, text in variables.items() if text}


def list_pip_settings(python: Path) -> list[tuple[str, str]]:
    """Return what pip reads from its configuration files, as (section.option, text); nothing if pip is not there.

    Args:
        python: the interpreter whose pip is asked.

    Raises:
        ValueError: if pip can't read its own configuration.
    """
    command = [str(python), "-X", "utf8", "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL)
    if listed.returncode and "No module named pip" not in listed.stderr:
        raise ValueError(
            "pip cannot read its own configuration, which names the package index and the proxy. Run `python -m pip "
            "config list` to see which file is wrong, correct it, and try again."
        )
    lines = [line.partition("=") for line in listed.stdout.splitlines()]
    return [(key, ast.literal_eval(text)) for key, _, text in lines]


def uv_command(
    uv: str, python: Path, settings: dict[str, str], torch: str | None = None, packages: Sequence[str] = COURSE
) -> tuple[list[str], dict[str, str]]:
    """Return the command with which uv installs what pip would, and the variables to set for it.

    Args:
        uv: path of uv.
        python: the interpreter of the environment.
        settings: what pip is set to, as `read_pip_settings` returns it.
        torch: ``"cpu"`` for PyTorch's small build; None for the usual one.
        packages: what to install, as arguments.
    """
    command = [uv, "pip", "install", "--python", str(python), "--constraint", LOCK, *packages]
    names = {
        "index-url": "--default-index",
        "extra-index-url": "--index",
        "find-links": "--find-links",
        "trusted-host": "--allow-insecure-host",
        "constraint": "--constraint",
    }
    for name, option in names.items():
        command += [part for value in settings.get(name, "").split() for part in (option, value)]
    if settings.get("extra-index-url"):
        command += ["--index-strategy", "unsafe-best-match"]  # pip's way: the best version of all indexes
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        command += ["--no-index"]
    if torch:
        command += ["--torch-backend", torch]
    variables = {}
    if settings.get("cert"):
        variables["SSL_CERT_FILE"] = settings["cert"]
    if settings.get("proxy"):
        variables |= {"HTTP_PROXY": settings["proxy"], "HTTPS_PROXY": settings["proxy"]}
    return command, variables


if __name__ == "__main__":
    sys.exit(main())
