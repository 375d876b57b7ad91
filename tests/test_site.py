"""The web site's pages, before Sphinx: whole, linked, and with a text for each picture."""

import ast
import html
import importlib
import json
import re
from pathlib import Path

import pytest

from ftcourse import overview
from ftcourse.profiles import LESSONS
from ftcourse.tools.lessons import find_notebooks

ROOT = Path(__file__).parents[1]
NOTEBOOKS = [path for path in find_notebooks(ROOT / "nbs") if path.stem != "index"]


@pytest.fixture
def site(monkeypatch):
    """A function that imports a module of the folder site/."""
    monkeypatch.syspath_prepend(str(ROOT / "site"))
    return importlib.import_module


@pytest.fixture
def source(site, tmp_path):
    """The source of the site, written."""
    site("pages").write_source(tmp_path)
    return tmp_path


def prepare(site, path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    name = path.relative_to(ROOT / "nbs").with_suffix("").as_posix()
    return notebook, *site("pages").prepare_notebook(notebook, name)


def sources(notebook, kind):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def entries(folder):
    """Return the pages that the tables of contents name, as paths from the root of the source."""
    for page in folder.rglob("*.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            for line in block.splitlines():
                if line and not line.startswith(":"):
                    yield (page.parent / line).relative_to(folder).as_posix()


def test_every_lesson_and_exercise_is_in_the_contents(site):
    listed = site("pages").notebooks()
    assert listed["lessons"] == list(LESSONS)
    assert [name.split("/")[1] for name in listed["exercises"]] == [name.split("/")[1] for name in listed["solutions"]]
    text = site("pages").front_page().splitlines()
    assert all(path.relative_to(ROOT / "nbs").with_suffix("").as_posix() in text for path in NOTEBOOKS)


def test_contents_and_pages_agree(source):
    pages = {path.relative_to(source).with_suffix("").as_posix() for path in source.rglob("*.[mi][dp]*")}
    listed = list(entries(source))
    assert len(listed) == len(set(listed)) and set(listed) | {"index"} == pages


def test_links_of_pages_lead_to_pages_or_files(site, source):
    away = site("pages").address()
    for page in [*source.rglob("*.md"), *source.rglob("*.ipynb")]:
        text = page.read_text(encoding="utf-8")
        links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "." in link and "\\" not in link]
        links += re.findall(r'<img src=\\?"([^"\\]+)', text)
        for link in links:
            if link.startswith(away):
                assert (ROOT / link.removeprefix(away)).exists(), (page.name, link)
            elif not re.match(r"[a-z]+:", link):
                assert (page.parent / link).is_file(), (page.name, link)


def test_files_that_no_longer_belong_are_removed(site, source):
    (source / "old.md").write_text("# Old", encoding="utf-8")
    kept = (source / "index.md").stat().st_mtime_ns
    site("pages").write_source(source)
    assert not (source / "old.md").exists() and (source / "index.md").stat().st_mtime_ns == kept


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_pictures_have_their_texts_once_as_alternative_and_once_folded(site, path):
    notebook, prepared, pictures = prepare(site, path)
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    given = [output["metadata"]["image/png"]["alt"] for output in outputs if "image/png" in output.get("data", {})]
    shown = "\n".join(sources(prepared, "markdown"))
    images = re.findall(r'<img src="[./]*pictures/([^"]+)" alt="([^"]+)"', shown)
    assert [html.unescape(alt) for _, alt in images] == given and [file for file, _ in images] == list(pictures)
    assert shown.count('<details class="in-words">') == len(given) and "*Figure: " not in json.dumps(prepared)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_but_directives_captions_and_starters_is_left_out(site, path):
    notebook, prepared, _ = prepare(site, path)
    code = "\n".join(line for text in sources(notebook, "code") for line in text.splitlines() if line)
    shown = "\n".join(line for text in sources(prepared, "code") for line in text.splitlines() if line)
    assert [line for line in code.splitlines() if line not in shown.splitlines()] == [
        line for line in code.splitlines() if re.match(r"#\s*\||#\s*NBVAL", line)
    ]
    text = json.dumps(prepared)
    assert "NBVAL" not in text and "default_exp" not in text
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    others = [o for o in outputs if "image/png" not in o.get("data", {}) and "*Figure: " not in json.dumps(o)]
    assert sum(len(cell.get("outputs", ())) for cell in prepared["cells"]) == len(others)
    assert not [cell for cell in prepared["cells"] if cell["cell_type"] == "raw"]


def test_only_long_exported_cells_are_folded(site):
    short, long = "def f():\n    return 1", "def f():\n" + "    x = 1\n" * 20 + "    return x"
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# Lesson"}] + [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": source}
        for source in (f"#| export\n{short}", f"#| export\n{long}", long, "#| default_exp x")
    ]
    prepared, _ = site("pages").prepare_notebook({"cells": cells}, "01_x")
    shown = [cell for cell in prepared["cells"] if cell["cell_type"] == "code"]
    assert [cell["source"] for cell in shown] == [short, long, long]
    assert [cell["metadata"]["tags"] for cell in shown] == [[], ["hide-input"], []]
    assert shown[1]["metadata"]["mystnb"]["code_prompt_show"] == "Show f, 22 lines"


def test_links_are_turned_towards_the_site(site):
    relink = site("pages").relink
    given = "[a](../index.ipynb#b) [c](../05_ner.ipynb) [d](../../ftcourse/qa.py) [e](https://e.org) [f](#g)"
    made = relink(given, "nbs/exercises/1_sentiment.ipynb", "exercises/1_sentiment.ipynb")
    away = site("pages").address()
    assert made == f"[a](../index.md#b) [c](../05_ner.ipynb) [d]({away}ftcourse/qa.py) [e](https://e.org) [f](#g)"


def test_front_page_is_readme(site):
    page, readme = site("pages").front_page(), (ROOT / "README.md").read_text(encoding="utf-8")
    assert overview.alternative(overview.results()) in html.unescape(page)
    assert overview.table() in page and overview.notes() in page and "<!--" not in page and "<picture>" not in page
    assert set(re.findall("^## (.+)", readme, re.M)) - set(re.findall("^## (.+)", page, re.M)) == {"What is where"}


def test_results_say_what_the_records_say(site):
    pages = site("measured").pages(ROOT)
    for result in overview.results():
        for seed, share in (*result.baseline.items(), *result.result.items()):
            assert f"{100 * share:.1f} % (seed {seed})" in pages["results.md"]
    studies = {path.parent.name for path in (ROOT / "results").rglob("*.json")}
    assert set(re.findall("^Name: `(.+)`", pages["records.md"], re.M)) == studies
    assert pages["records.md"].count('<th scope="row">') == len(list((ROOT / "results").rglob("*.json")))


def test_reference_has_every_exported_function_with_its_docstring(site):
    pages = site("reference").pages(ROOT)
    for name in site("reference").modules(ROOT)["From the lessons"]:
        tree = ast.parse((ROOT / "ftcourse" / f"{name}.py").read_text(encoding="utf-8"))
        public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
        assert public
        for node in public:
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            assert re.search(rf"^:+\{{py:{kind}\}} {node.name}\b", pages[f"api/{name}.md"], re.M), node.name
            assert ast.get_docstring(node).splitlines()[0].replace("``", "`") in pages[f"api/{name}.md"]


def test_docstrings_become_lists(site):
    text = "Do it.\n\nArgs:\n    a: the\n        first.\n    **b: the rest: all.\n\nReturns:\n    One\n    thing."
    said = "\n".join(line for line in site("reference").docstring(text) if line.strip())
    assert said == "Do it.\n**Arguments**\n- `a`: the\n  first.\n- `**b`: the rest: all.\n**Returns**\nOne\nthing."


def test_glossary_has_the_terms_of_every_lesson():
    text = (ROOT / "site" / "glossary.md").read_text(encoding="utf-8")
    terms = dict(re.findall(r"^(\S.*)\n  (.+)$", text.split("```{glossary}\n")[1], re.M))
    assert list(terms) == sorted(terms, key=str.lower)
    places = {path.stem: path.read_text(encoding="utf-8") for path in NOTEBOOKS}
    for term, said in terms.items():
        (lesson,) = re.findall(r"\]\((.+)\.ipynb\)", said)
        assert re.search(term[:-1] if len(term) > 6 else term, places[lesson], re.I), (term, lesson)
    assert not [term for term in lesson_terms() if term.lower() not in {known.lower() for known in terms}]


def lesson_terms():
    """Yield the terms that the lessons explain under "Terms", but for what has another name in the glossary."""
    for lesson in LESSONS:
        for cell in json.loads((ROOT / "nbs" / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]:
            part = "".join(cell["source"]).partition("**Terms.**")[2].split("\n## ")[0].replace("\n", " ")
            for group in re.findall(r"(?<!\*)\*([^*]+)\*(?=:| or|, \*| is)", part):
                yield from (term for term in group.split(", ") if term != "body")


def test_dead_links_are_found(site, tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a><img src="p.png"><a href="https://e.org">e</a>')
    (tmp_path / "b.html").write_text('<p id="there"></p><a href="#there">t</a><a href="a.html">a</a>')
    assert list(site("check").dead_links(tmp_path)) == [
        "a.html: the link b.html#here leads nowhere",
        "a.html: the link p.png leads nowhere",
    ]
