"""The repository as a stranger meets it: every file has its line, actions are pinned, links lead somewhere."""

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TRACKED = subprocess.run(
    ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
    capture_output=True,
    text=True,
    check=True,
).stdout.split()
FILES = [name for name in TRACKED if (ROOT / name).is_file()]
# The glossary's links lead to pages of the site; tests/test_site.py looks at them.
PAGES = [name for name in FILES if name.endswith(".md") and "/data/" not in name and not name.startswith("site/")]


def listed():
    """Return the files and patterns that have a line in ARCHITECTURE.md."""
    return re.findall(r"^\| `([^`]+)` \| .+ \|$", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.M)


def test_every_file_has_a_line_in_the_architecture():
    missing = [name for name in FILES if not any(fnmatch(name, pattern) for pattern in listed())]
    assert not missing, f"give each a line in ARCHITECTURE.md: {', '.join(missing)}"


def test_every_line_of_the_architecture_is_about_a_file():
    gone = [pattern for pattern in listed() if not any(fnmatch(name, pattern) for name in FILES)]
    assert not gone and len(listed()) == len(set(listed())), f"there is no such file: {', '.join(gone)}"


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(".github/workflows/")])
def test_workflows_are_readable_and_their_actions_pinned(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert yaml.safe_load(text)["jobs"]
    uses = re.findall(r"uses: *(\S+)(.*)", text)
    loose = [action for action, rest in uses if not re.fullmatch(r"\S+@[0-9a-f]{40}", action) or " # v" not in rest]
    assert uses and not loose, f"pin by the commit's SHA, with the version as a comment: {', '.join(loose)}"


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files(name):
    links = re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text(encoding="utf-8"))
    dead = [link for link in links if "://" not in link and not (ROOT / name).parent.joinpath(link).exists()]
    assert not dead, f"no such file: {', '.join(dead)}"


def test_hooks_are_the_commands_of_the_environment():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks][:2] == ["nbdev_clean", "nbdev_export"]
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)


def test_the_version_is_the_same_everywhere():
    version = re.search(r"^version = (.+)$", (ROOT / "settings.ini").read_text(encoding="utf-8"), re.M)[1]
    for name, pattern in (("CITATION.cff", r"^version: (.+)$"), ("ftcourse/__init__.py", r'^__version__ = "(.+)"$')):
        assert re.search(pattern, (ROOT / name).read_text(encoding="utf-8"), re.M)[1] == version, name


def test_nothing_in_the_repository_is_of_one_machine():
    hosts = re.compile(r"pypi\.org|pythonhosted|download\.pytorch|registry\.npmjs|/home/\w|/Users/\w|/root/", re.I)
    text = [
        name for name in FILES if name.endswith((".md", ".py", ".toml", ".ini", ".yml", ".yaml", ".cff", "Makefile"))
    ]
    found = {name: m[0] for name in text if (m := hosts.search((ROOT / name).read_text(encoding="utf-8")))}
    own = {"tests/test_repository.py", "tests/notebook_rules.py", "tests/test_notebooks.py"}  # they look for such texts
    assert not {name for name in found if name not in own}, found


def modules():
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in FILES if re.fullmatch(r"ftcourse/.+\.py", name)}


def test_no_shipped_code_replaces_a_part_of_another():
    assert not [name for name, text in modules().items() if "unittest.mock" in text or "monkeypatch" in text]


def test_nothing_branches_on_the_name_of_a_profile():
    asked = re.compile(r"""profile\s*(==|!=|in|not in)\s*["'(]""")
    assert not [name for name, text in modules().items() if asked.search(text)]
