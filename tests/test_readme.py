"""README and the index say what the records say, no more, and their links lead somewhere."""

import html
import json
import re
import runpy
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from ftcourse import overview
from ftcourse.overview import Result
from ftcourse.profiles import LESSONS
from ftcourse.tools import outputs, readme

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FOUND = overview.results()


def words(picture):
    """Return the texts of a picture, in their order."""
    return ["".join(part.itertext()).strip() for part in ET.fromstring(picture).iter() if part.tag.endswith("}text")]


def marked(text, name):
    return re.search(rf"<!-- made: {name} -->\n(.*?)\n<!-- end -->", text, re.S)[1]


@pytest.fixture
def clone(tmp_path):
    """What `put_readme` needs of the repository."""
    (tmp_path / ".github").mkdir()
    for name in ("README.md", "settings.ini", ".github/results-light.svg"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_readme_says_what_the_records_say(clone):
    readme.put_readme(clone)
    assert (clone / "README.md").read_text(encoding="utf-8") == TEXT, "run `make starters`"


@pytest.mark.parametrize("theme", readme.PICTURES)
def test_pictures_show_what_the_records_say(theme):
    """Its words are compared, as another version of matplotlib may draw another line."""
    drawn, kept = readme.draw(FOUND, theme), (ROOT / f".github/results-{theme}.svg").read_bytes()
    assert words(kept) == words(drawn), "run `make starters`"
    assert drawn == readme.draw(FOUND, theme)
    assert readme.PICTURES[theme].lower().encode() in kept and len(kept) < 50_000


def test_alternative_has_the_numbers_that_are_drawn():
    numbers = [word for word in words(readme.draw(FOUND, "light")) if re.fullmatch(r"-?\d+\.\d", word)]
    alt = html.unescape(re.search(r'<img [^>]*alt="([^"]+)"', TEXT)[1])
    assert len(numbers) == 2 * len(FOUND) and alt == overview.alternative(FOUND)
    assert re.findall(r"(-?\d+\.\d) %", alt) == numbers


def test_what_has_no_record_is_left_out(clone):
    kept = clone / "results"
    shutil.copytree(ROOT / "results" / "text_classification", kept / "text_classification")
    readme.put_readme(clone, kept)
    text = (clone / "README.md").read_text(encoding="utf-8")
    assert [row.number for row in overview.results(kept)] == [3]
    assert marked(text, "picture").endswith("\n\nIn lesson 3 the result is better than the baseline, by more than the "
                                            "noise over seeds.")  # fmt: skip
    rows = [line.split("|")[4:7] for line in marked(text, "lessons").splitlines()[2 : 2 + len(LESSONS)]]
    assert [bool(cells[0].strip()) for cells in rows] == [number == 3 for number in range(1, 10)]
    assert all(not cell.strip() for _, *costs in rows for cell in costs) and "Minutes and memory" not in text
    shutil.rmtree(kept)
    readme.put_readme(clone, kept)
    text = (clone / "README.md").read_text(encoding="utf-8")
    assert marked(text, "picture") == "" and not list((clone / ".github").iterdir())


def test_only_seeds_that_both_ways_have_are_compared(tmp_path):
    shutil.copytree(ROOT / "results" / "lora", tmp_path / "lora")
    (tmp_path / "lora" / "full-seed-0.json").unlink()
    (result,) = overview.results(tmp_path)
    assert list(result.baseline) == list(result.result) == [1, 2]
    (tmp_path / "lora" / "full-seed-1.json").unlink()
    assert not overview.results(tmp_path)


def test_reading_claims_no_more_than_the_verdict():
    def measured(number, *gains):
        baseline = {seed: 0.5 for seed in range(len(gains))}
        result = {seed: 0.5 + gain for seed, gain in enumerate(gains)}
        return Result(number, "a lesson", "accuracy", ("old", "new"), baseline, result)

    steady, noise = (0.1, 0.11, 0.1, 0.12, 0.1), (0.01, -0.01, 0.0, 0.01, -0.01)
    few = measured(5, *steady[:3])
    worse = measured(2, *(-gain for gain in steady))
    said = overview.reading([measured(1, *steady), worse, measured(3, *noise), measured(4, *steady), few])
    assert said == (
        "In lessons 1 and 4 the result is better than the baseline, by more than the noise over seeds. "
        "In lesson 2 the baseline is better than the result, by more than the noise over seeds. "
        "In lesson 3 no difference beyond that noise was seen. In lesson 5 the runs are too few to say."
    )


def test_readme_without_its_markers_is_named(clone):
    (clone / "README.md").write_text(TEXT.replace("made: start", "made: begin"), encoding="utf-8")
    with pytest.raises(readme.CourseError, match="made: start"):
        readme.put_readme(clone)


def test_pictures_and_headings_that_readme_points_to_are_there():
    assert all((ROOT / name).is_file() for name in re.findall(r'src(?:set)?="([^"]+)"', TEXT))
    headings = {re.sub(r"[^\w-]", "", line.lower().replace(" ", "-")) for line in re.findall(r"^#+ (.+)$", TEXT, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings


def test_links_are_absolute_where_a_package_index_shows_them(monkeypatch):
    given = {}
    monkeypatch.setattr("setuptools.setup", given.update)
    runpy.run_path(str(ROOT / "setup.py"))
    links = re.findall(r'\]\(([^)#][^)]*)\)|src(?:set)?="([^"]+)"', given["long_description"])
    targets = ["".join(pair) for pair in links]
    assert not [target for target in targets if not target.startswith("https://")]
    own = [target.removeprefix(given["url"]) for target in targets if target.startswith(given["url"])]
    paths = [re.fullmatch(r"/(?:blob|raw)/main/(.+)", target)[1] for target in own]
    assert ".github/results-dark.svg" in paths and "nbs/01_transfer_learning.ipynb" in paths
    assert all((ROOT / path).exists() for path in paths)


def test_index_shows_the_table_of_readme():
    notebook = json.loads((ROOT / "nbs" / "index.ipynb").read_text(encoding="utf-8"))
    shown = [output["data"] for cell in notebook["cells"] for output in cell.get("outputs", ())]
    said = ["".join(data.get("text/markdown", data["text/plain"])) for data in shown]
    alt = overview.alternative(FOUND)
    again = "run `ftcourse run index` and `python -m ftcourse.tools.outputs index`"
    assert said == [overview.table(), overview.notes(), alt, f"*Figure: {alt}*", overview.reading(FOUND)], again


def test_outputs_of_the_index_are_taken_without_a_cost(tmp_path, monkeypatch):
    """It is no lesson, and a run of it isn't what a reader wants to know the time of."""
    cell = new_code_cell("1", id="one", outputs=[new_output("stream", name="stdout", text="1\n")])
    for folder in ("nbs", "build/lessons/local"):
        (tmp_path / folder).mkdir(parents=True)
        nbformat.write(new_notebook(cells=[cell]), tmp_path / folder / "index.ipynb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nbdev.clean.nbdev_clean", lambda fname: None)
    outputs.main(["index"])
    assert "ftcourse" in nbformat.read(tmp_path / "nbs" / "index.ipynb", 4).metadata
