"""The course at a glance: what each lesson gives, its result beside a baseline, and what it takes, all from records.

README and the index of the notebooks render the same tables, sentences and chart. What has no record is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import records
from .assets import ASSETS
from .profiles import LESSONS
from .records import Folder
from .verdicts import verdict

# Of each lesson its short title, and what its reader has at the end.
GIVES = {
    "01_transfer_learning": (
        "Transfer learning",
        "a network for photographs, fine-tuned on ten classes and on a folder of your own; why nobody starts from "
        "random numbers",
    ),
    "02_openai": (
        "OpenAI's fine-tuning API",
        "a chat model fine-tuned by the official client, unchanged, on your machine: no key, no cost, no data sent",
    ),
    "03_text_classification": (
        "Text classification",
        "a small BERT that tells praise from pans, in reviews of films it never saw, and one for labels of your own",
    ),
    "04_lora_qlora": (
        "LoRA and QLoRA",
        "a chat model that has learnt a shop's policies, LoRA built by hand, and what seven billion parameters would "
        "need",
    ),
    "05_ner": (
        "Named entities",
        "a model that finds names in real newspaper text, trained on sentences written for this course",
    ),
    "06_question_answering": (
        "Question answering",
        "a model that points at answers in paragraphs it never saw, and what it does when there is none",
    ),
    "07_data_quality": (
        "Good data",
        "finders of bad items, near-duplicates, leaks and wrong labels, each tried on faults planted in real data",
    ),
    "08_hyperparameters": (
        "Good settings",
        "starting points with reasons to leave them, a learning rate from one short run, a search and its price",
    ),
    "09_evaluation": (
        "Honest figures",
        "how sure an accuracy is, whether one model beats another, what a mistake costs, and four ways in one table",
    ),
}


class Runs(NamedTuple):
    """Where the runs of one way stand in a study.

    Attributes:
        name: of the way, as readers see it.
        metric: of the records, a share between 0 and 1.
        settings: what the settings of a record must be for it to be one of these runs.
    """

    name: str
    metric: str
    settings: Mapping[str, Any] = {}


# Of each lesson the study, what is measured, the baseline and the result.
_MEASURED = {
    "01_transfer_learning": (
        "transfer",
        "accuracy on unseen photographs",
        Runs("from scratch", "accuracy", {"way": "from scratch"}),
        Runs("pretrained", "accuracy", {"way": "all at once, one rate"}),
    ),
    "02_openai": (
        "openai_job",
        "facts stated right",
        Runs("base model", "base_facts_right"),
        Runs("fine-tuned", "facts_right"),
    ),
    "03_text_classification": (
        "text_classification",
        "accuracy on unseen films",
        Runs("word counter", "baseline_accuracy"),
        Runs("fine-tuned", "accuracy"),
    ),
    "04_lora_qlora": (
        "lora",
        "facts stated right",
        Runs("full fine-tuning", "facts_right", {"method": "full"}),
        Runs("LoRA", "facts_right", {"method": "lora"}),
    ),
    "05_ner": (
        "ner",
        "F1 on newspaper text",
        Runs("names looked up", "out_of_domain_baseline_f1"),
        Runs("fine-tuned", "out_of_domain_f1"),
    ),
    "06_question_answering": (
        "qa",
        "F1 on unseen paragraphs",
        Runs("nearest sentence", "baseline_f1"),
        Runs("fine-tuned", "f1"),
    ),
    "07_data_quality": (
        "best_practices_data",
        "accuracy, one class rare in training",
        Runs("left as it is", "faulty_accuracy", {"fault": "imbalance"}),
        Runs("classes weighted", "mended_accuracy", {"fault": "imbalance"}),
    ),
    "08_hyperparameters": (
        "best_practices_search",
        "accuracy after equally few steps",
        Runs("usual settings", "recommended_accuracy"),
        Runs("lesson's settings", "course_accuracy"),
    ),
    "09_evaluation": (
        "best_practices_ways",
        "accuracy with few sentences",
        Runs("feature extraction", "accuracy", {"way": "feature extraction"}),
        Runs("full fine-tuning", "accuracy", {"way": "full fine-tuning"}),
    ),
}


class Result(NamedTuple):
    """What a lesson measured.

    Attributes:
        number: of the lesson, from 1.
        title: of the lesson, short.
        what: the measure, such as "accuracy on unseen films".
        names: of the baseline and of the result.
        baseline: dict seed -> share between 0 and 1.
        result: the same, with the same seeds.
    """

    number: int
    title: str
    what: str
    names: tuple[str, str]
    baseline: dict[int, float]
    result: dict[int, float]


def results(folder: Folder = None) -> list[Result]:
    """Return the results of all lessons that have one, from the seeds that baseline and result share, two at least.

    Args:
        folder: of the records; by default those that are committed.
    """
    found = []
    for number, lesson in enumerate(LESSONS, 1):
        study, what, *ways = _MEASURED[lesson]
        runs = _load(study, folder)
        baseline, result = ({record["settings"]["seed"]: record["metrics"][way.metric] for record in runs
                             if way.settings.items() <= record["settings"].items() and way.metric in record["metrics"]}
                            for way in ways)  # fmt: skip
        seeds = sorted(baseline.keys() & result.keys())
        if len(seeds) > 1:
            shares = ({seed: runs[seed] for seed in seeds} for runs in (baseline, result))
            found.append(Result(number, GIVES[lesson][0], what, (ways[0].name, ways[1].name), *shares))
    return found


def _load(study: str, folder: Folder) -> list[dict[str, Any]]:
    """Return the records of a study, none where there are none."""
    made = any(records.record_path(study, "any", folder).parent.glob("*.json"))
    return records.load_records(study, folder) if made else []


def say(result: Result) -> tuple[str, str]:
    """Return a lesson's baseline and its result as phrases in per cent, the result with its interval and its seeds.

    Args:
        result: from `results`.
    """
    baseline = records.percent(result.baseline.values()).split(" (")[0].removesuffix(" ± 0.0")
    return f"{result.names[0]} {baseline}", f"{result.names[1]} {records.percent(result.result.values())}"


def alternative(found: Iterable[Result]) -> str:
    """Return the chart of the results as text, with all of its numbers.

    Args:
        found: from `results`.
    """
    rows = [f"{row.number} {row.title}, {row.what}: " + ", ".join(say(row)) for row in found]
    return "Baseline and result of each lesson. " + ". ".join(rows) + "."


def reading(found: Iterable[Result]) -> str:
    """Return what the results allow to say, by `verdict`: where the result is better, and where that is open.

    Args:
        found: from `results`.
    """
    said: dict[str, list[int]] = {}
    for row in found:
        sentence = verdict(row.result, row.baseline, row.names[::-1])
        kind = next((kind for kind in ("No difference", "Too few") if sentence.startswith(kind)), "")
        better = sentence.lower().startswith(row.names[1].lower())
        said.setdefault(kind or ("better" if better else "worse"), []).append(row.number)
    claims = {
        "better": "the result is better than the baseline, by more than the noise over seeds",
        "worse": "the baseline is better than the result, by more than the noise over seeds",
        "No difference": "no difference beyond that noise was seen",
        "Too few": "the runs are too few to say",
    }
    return " ".join(f"In {_lessons(said[kind])} {claim}." for kind, claim in claims.items() if kind in said)


def table(links: str = "", folder: Folder = None) -> str:
    """Return the lessons as a Markdown table: what each gives, baseline and result, minutes, memory and download.

    Args:
        links: what stands before the name of a notebook in a link, such as ``"nbs/"``.
        folder: of the records; by default those that are committed.
    """
    measured, taken = {row.number: row for row in results(folder)}, _taken(folder)
    lines = [
        "| | Lesson | What you will have | Baseline → **result** | Minutes | Memory | Download |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, (lesson, (title, gives)) in enumerate(GIVES.items(), 1):
        run = taken.get(lesson)
        cells = [
            str(number),
            f"[{title}]({links}{lesson}.ipynb)",
            gives,
            _compare(measured[number]) if number in measured else "",
            f"{run['seconds'] / 60:.0f}" if run else "",
            f"{run['peak_memory_mb'] / 1000:.1f} GB" if run else "",
            f"{download([lesson])} MB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _compare(row: Result) -> str:
    """Return baseline and result of a lesson as a cell of the table."""
    baseline, result = say(row)
    share, seeds = result.removeprefix(f"{row.names[1]} ").split(" (")
    return f"{row.what}: {baseline} → {row.names[1]} **{share}** ({seeds}"


def notes(folder: Folder = None) -> str:
    """Return what must be known to read the table: on which processor it was measured, and what ± is.

    Args:
        folder: of the records; by default those that are committed.
    """
    made: dict[str, list[int]] = {}
    for lesson, run in _taken(folder).items():
        threads = run["environment"]["threads"]
        how = f"{threads} thread{'s' * (threads != 1)} of a processor ({run['environment']['processor']})"
        made.setdefault(how, []).append(list(LESSONS).index(lesson) + 1)
    most, *others = sorted(made, key=lambda how: -len(made[how])) or [""]
    where = ", but ".join([most, *(f"{how} in {_lessons(made[how])}" for how in others)])
    lines = [f"Minutes and memory are those of the run whose outputs a lesson shows: {where}."] if made else []
    lines += [
        "The ± is half of the 95 % interval of the mean over seeds, which change the training and not the test.",
        f"Lessons share downloads: {download(LESSONS)} MB for all.",
    ]
    return " ".join(lines)


def download(lessons: Iterable[str]) -> int:
    """Return how many megabytes some lessons fetch together at profile local, once.

    Args:
        lessons: full names.
    """
    return sum(ASSETS[asset].megabytes for asset in {asset for name in lessons for asset in LESSONS[name]["assets"]})


def _taken(folder: Folder) -> dict[str, dict[str, Any]]:
    """Return the records of the runs whose outputs the lessons show, in the order of the lessons."""
    runs = {record["run"]: record for record in _load("lessons", folder)}
    return {lesson: runs[lesson] for lesson in LESSONS if lesson in runs}


def _lessons(numbers: list[int]) -> str:
    """Return numbers of lessons as words: "lesson 4", "lessons 2 and 6", "lessons 3, 7 and 9"."""
    *first, last = map(str, numbers)
    return f"lessons {', '.join(first)} and {last}" if first else f"lesson {last}"
