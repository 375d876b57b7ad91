"""The command `ftcourse`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from .. import __version__
from ..errors import CourseError

if TYPE_CHECKING:
    from rich.table import Table

    from ..checks.engine import Exercise
    from .training import Kind, Settings


app = typer.Typer(
    help="A hands-on course on fine-tuning: run the lessons, read the results, check this machine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
trainings = typer.Typer(
    help="Train a model on your own data.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(trainings, name="train")
console = Console()

Lessons = Annotated[list[str] | None, typer.Argument(metavar="LESSON", help="Numbers or names; all if left out.")]
Output = Annotated[Path, typer.Option(metavar="DIR", help="Folder for executed notebooks, records and the report.")]

# What every training is told.
Trained = Annotated[Path, typer.Option(metavar="DIR", help="Folder for the model and all that is said of it.")]
Model = Annotated[
    str | None, typer.Option(metavar="NAME", help="An asset, a folder or a model on the hub; by default the lesson's.")
]
Epochs = Annotated[
    int | None, typer.Option(min=1, help="Passes over the training data; by default up to 10, the fewer the more data.")
]
LearningRate = Annotated[float | None, typer.Option(min=0, help="By default the lesson's.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Examples a step; by default the lesson's.")]
MaxLength = Annotated[int, typer.Option(min=4, help="Tokens of a text that are read.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the splits, the new head and the shuffling.")]
MaxRows = Annotated[int | None, typer.Option(min=1, help="Draw so many examples at most, for a quick try.")]
ValidationShare = Annotated[float, typer.Option(min=0, max=1, help="Share of the data to choose the epoch on.")]
TestShare = Annotated[float, typer.Option(min=0, max=1, help="Share of the data to measure on.")]
ValidationData = Annotated[
    str | None, typer.Option(metavar="FILE", help="Choose the epoch on these; by default they are cut from DATA.")
]
TestData = Annotated[
    str | None, typer.Option(metavar="FILE", help="Measure on these; by default they are cut from DATA.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier training wrote.")]


def main() -> None:
    """Run the command line; an error that the person can mend is one paragraph and exit code 2, not a traceback."""
    try:
        app()
    except CourseError as error:
        Console(stderr=True).print(f"[red]Error:[/red] {_plain(error)}", highlight=False, soft_wrap=True)
        sys.exit(2)


def _plain(text: object) -> str:
    from rich.markup import escape

    return escape(str(text))


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"ftcourse {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    lessons: Lessons = None,
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="smoke, local or full; by default what FTCOURSE_PROFILE says, else local."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="How many notebooks run at once.")] = 1,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Limit for each notebook; none if left out.")
    ] = None,
    report: Annotated[bool, typer.Option(help="Build the HTML report at the end.")] = True,
    output: Output = Path("build"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what is already done.")] = False,
) -> None:
    """Run lessons, showing the cell in progress, time and memory.

    What ran before and has not changed since is not run again. Exit codes: 0 if
    all passed, 1 if a notebook failed, 2 if something has to be put right first,
    130 after Ctrl-C.

    [bold]Examples[/bold]
      ftcourse run                          every lesson at profile local
      ftcourse run 03                       one lesson
      ftcourse run --profile smoke --jobs 2 a quick look at all, two at a time
      ftcourse run 03 --fresh --timeout 600 once more, ten minutes at the most
    """
    from ..profiles import check_profile, current_profile
    from .live import show_progress
    from .runner import choose_lessons, run_lessons

    profile = check_profile(profile or current_profile())
    chosen = choose_lessons(lessons or [], _find_lessons())
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends the run, its kernels end with it
    try:
        with show_progress(console) as (done, tick):
            records = run_lessons(chosen, profile, output, jobs, timeout, fresh, done, tick)
    except KeyboardInterrupt:
        _say("Stopped. The same command goes on with the lessons that are not done yet.")
        raise typer.Exit(130) from None
    counts = [
        (label, sum(record["status"] == status for record in records))
        for status, label in (("passed", "passed"), ("skipped", "already done"), ("failed", "failed"))
    ]
    _say("Lessons: " + ", ".join(f"{count} {label}" for label, count in counts if count))
    if report:
        _build_report(output)
    raise typer.Exit(1 if dict(counts)["failed"] else 0)


@app.command()
def report(output: Output = Path("build")) -> None:
    """Build the HTML report again from what was run, with your progress in the exercises.

    [bold]Examples[/bold]
      ftcourse report
      ftcourse report --output elsewhere
    """
    _build_report(output)


@app.command()
def check(
    exercises: Annotated[
        list[str] | None, typer.Argument(metavar="EXERCISE", help="Numbers or names; all if left out.")
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Forget the progress, after a question, and begin anew.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Forget without a question.")] = False,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="Write the outcomes as Gradescope's and otter's results.json."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a finished exercise, as you saved it, as one HTML page."),
    ] = None,
) -> None:
    """Show how far you are in the exercises.

    The checks in the notebooks note what was right, in a file on this machine.

    [bold]Examples[/bold]
      ftcourse check                        all exercises, step by step
      ftcourse check 1                      one exercise
      ftcourse check 1 --reset              forget what was done of it
      ftcourse check 1 --html sentiment.html
      ftcourse check --results results.json a point a step, for a teacher's tool
    """
    import json

    from ..checks import EXERCISES, find_exercise, progress
    from ..files import write_atomically

    chosen = [find_exercise(name) for name in exercises or EXERCISES]
    names = ", ".join(dict.fromkeys(exercise.name for exercise in chosen))
    if reset and (page or results):
        raise CourseError("--reset forgets what --html and --results write: give one of them, and then the other.")
    if reset:
        if not yes:
            typer.confirm(f"Forget the progress in {names}?", abort=True)
        progress.reset([exercise.name for exercise in chosen] if exercises else None)
        _say(f"Forgotten: {names}")
        return
    if page:
        _write_page(chosen, page)
    if results:
        write_atomically(results, (json.dumps(progress.results(chosen), indent=1) + "\n").encode())
        _say(f"Results: {results}")
    if not page and not results:
        console.print(_progress_table(chosen))


def _write_page(chosen: list[Exercise], page: Path) -> None:
    from .lessons import lessons_folder
    from .report import export_exercise

    if len(chosen) != 1:
        raise CourseError("A page is of one exercise: name it, for example `ftcourse check 1 --html page.html`.")
    name = Path("exercises") / f"{chosen[0].name}.ipynb"
    notebook = (
        name if name.exists() else lessons_folder()[0] / name
    )  # first the copies of `ftcourse lab DIR`, if this is DIR
    _say(f"Page: {export_exercise(chosen[0], notebook, page)}")


def _progress_table(chosen: list[Exercise]) -> Table:
    from rich.table import Table

    from ..checks import progress

    rows = progress.rows(chosen)
    table = Table(
        "Exercise",
        "Step",
        "Outcome",
        "Tries",
        title=f"{sum(row[2] == 'right' for row in rows)} of {len(rows)} steps right",
    )
    for exercise, step, outcome, tries in rows:
        table.add_row(exercise, step, outcome, str(tries), style="green" if outcome == "right" else None)
    return table


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder for your copies of the lessons.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the server.")] = None,
) -> None:
    """Open JupyterLab on the lessons; options after DIR go to JupyterLab.

    With DIR, or without the repository, it opens copies of the lessons in DIR
    (by default ftcourse-lessons). What you changed there stays as it is.

    [bold]Examples[/bold]
      ftcourse lab
      ftcourse lab --port 8890 --no-browser
      ftcourse lab my-lessons
    """
    options = [*([f"--port={port}"] if port else []), *context.args]
    if folder and str(folder).startswith("-"):  # no DIR, but an option of JupyterLab
        folder, options = None, [str(folder), *options]
    where = _find_lessons(folder)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", str(where), *options])


@app.command()
def setup(
    lessons: Lessons = None,
    show: Annotated[bool, typer.Option("--list", help="Show the assets, and fetch nothing.")] = False,
    from_dir: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="DIR", help="Folder that holds the files already, for a machine without a network."
        ),
    ] = None,
) -> None:
    """Fetch the models and the data that the lessons need, once.

    [bold]Examples[/bold]
      ftcourse setup             for all lessons
      ftcourse setup 03          for one lesson
      ftcourse setup --list      what there is: size, licence, lessons, ready or not
      ftcourse setup --from DIR  from files that were downloaded elsewhere
    """
    from .. import assets
    from ..profiles import LESSONS, find_lesson

    chosen = [find_lesson(lesson) for lesson in lessons or LESSONS]
    names = dict.fromkeys(name for lesson in chosen for name in LESSONS[lesson]["assets"])
    if show:
        console.print(_asset_table([row for row in assets.table() if row["name"] in names or not lessons]))
    else:
        assets.setup(names, from_dir)
        _say(f"Ready: {', '.join(names)}")


@app.command(context_settings={"allow_extra_args": True})
def study(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Name of the study; all if left out.")] = None,
    seeds: Annotated[str | None, typer.Option(metavar="SEED...", help="One run for each seed; after NAME.")] = None,
    show: Annotated[bool, typer.Option("--list", help="Show the studies, and run nothing.")] = False,
) -> None:
    """Run studies: several seeds or sizes, whose records the lessons show.

    A run that has a record already is not done again.

    [bold]Examples[/bold]
      ftcourse study --list
      ftcourse study text_classification
      ftcourse study text_classification --seeds 0 1 2
    """
    from ..studies import STUDIES

    if show:
        for known, function in STUDIES.items():
            _say(f"{known}: {(function.__doc__ or '').strip().partition(chr(10))[0]}")
        return
    if name and name not in STUDIES:
        raise CourseError(f"Unknown study {name!r}. The studies are {', '.join(STUDIES)}: choose one of them.")
    options = _read_seeds([*(seeds or "").replace(",", " ").split(), *context.args])
    for known in [name] if name else STUDIES:
        STUDIES[known](**options)


def _read_seeds(seeds: list[str]) -> dict[str, Any]:
    try:
        return {"seeds": tuple(int(seed) for seed in seeds)} if seeds else {}
    except ValueError as error:
        raise CourseError(
            f"{' '.join(seeds)!r} is not a list of seeds: write whole numbers, for example "
            "`ftcourse study NAME --seeds 0 1 2`."
        ) from error


@trainings.command()
def classification(
    data: Annotated[
        str,
        typer.Option(metavar="DATA", help="A CSV, TSV, JSONL or Parquet file, or a data set on the hub (owner/name)."),
    ],
    text_column: Annotated[str, typer.Option(metavar="NAME", help="Column with the texts.")] = "text",
    label_column: Annotated[str, typer.Option(metavar="NAME", help="Column with the labels, one a text.")] = "label",
    group_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Rows with the same value here stay in one split: films, customers, authors."
        ),
    ] = None,
    output: Trained = Path("classifier"),
    model: Model = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    max_length: MaxLength = 128,
    seed: Seed = 0,
    max_rows: MaxRows = None,
    validation_share: ValidationShare = 0.1,
    test_share: TestShare = 0.2,
    subset: Annotated[str | None, typer.Option(metavar="NAME", help="Configuration of a data set on the hub.")] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Split of a data set on the hub.")] = "train",
    clean: Annotated[
        bool,
        typer.Option("--clean", help="Leave out unusable rows, copies, near-copies, contradictions and tiny classes."),
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a classifier on a table of texts and labels, and measure it honestly.

    It checks the data, splits them, trains by lesson 3's recipe, chooses the best
    epoch on validation and measures on the test, beside two baselines. Any number
    of classes, one a text. DIR has the model, README.md, report.html,
    predictions.csv and the run's record. Exit codes: 0 if all went well, 2 if
    something has to be put right first, 130 after Ctrl-C.

    [bold]Examples[/bold]
      ftcourse train classification --data reviews.csv --text-column review --label-column stars
      ftcourse train classification --data mails.jsonl --group-column customer --output mails --clean
      ftcourse train classification --data reviews.csv --max-rows 500 --epochs 2 --output try
      ftcourse train classification --data reviews.csv --resume
    """
    given = locals()
    from .training_classification import CLASSIFICATION, TextSettings

    _train(CLASSIFICATION, TextSettings, given)


@trainings.command()
def ner(
    data: Annotated[
        str, typer.Option(metavar="DATA", help="A CoNLL file, or a .jsonl file with lists of words and of tags.")
    ],
    validation_data: ValidationData = None,
    test_data: TestData = None,
    document_key: Annotated[
        str, typer.Option(metavar="NAME", help="What names the document of a sentence in JSONL.")
    ] = "document",
    output: Trained = Path("names"),
    model: Model = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    max_length: Annotated[int, typer.Option(min=4, help="Tokens of a sentence that are learnt from.")] = 128,
    other_names: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Repeat the training sentences so often with other names; by default twice if all labels are PER, "
            "ORG, LOC and MISC, else never.",
        ),
    ] = None,
    seed: Seed = 0,
    max_rows: MaxRows = None,
    validation_share: ValidationShare = 0.1,
    test_share: TestShare = 0.2,
    clean: Annotated[
        bool,
        typer.Option("--clean", help="Leave out sentences that can't be used, copies, contradictions and rare labels."),
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a finder of names, with labels of any kind, and measure it honestly.

    It checks the data, splits them by document (or by sentence, copies kept
    together), trains by lesson 5's recipe, chooses the best epoch on validation
    and measures whole names on the test, beside a list of the names in training.
    Tags in BIO, IOB1, BIOES or BILOU. DIR has the model, README.md, report.html,
    predictions.jsonl and the run's record. Exit codes: 0 if all went well, 2 if
    something has to be put right first, 130 after Ctrl-C.

    [bold]Examples[/bold]
      ftcourse train ner --data notes.conll
      ftcourse train ner --data train.conll --validation-data dev.conll --test-data test.conll
      ftcourse train ner --data notes.jsonl --document-key patient --output notes --clean
      ftcourse train ner --data notes.conll --max-rows 500 --epochs 2 --output try
    """
    given = locals()
    from .training_ner import NER, NameSettings

    _train(NER, NameSettings, given)


@trainings.command()
def qa(
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help="SQuAD's JSON (1.1 or 2.0); or a CSV, TSV, JSONL, JSON or Parquet file with the columns question, "
            "context and answer.",
        ),
    ],
    validation_data: ValidationData = None,
    test_data: TestData = None,
    output: Trained = Path("reader"),
    model: Model = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    max_length: Annotated[int, typer.Option(min=8, help="Tokens of a window; longer texts are read in several.")] = 256,
    stride: Annotated[int, typer.Option(min=1, help="Tokens that neighbouring windows share.")] = 64,
    seed: Seed = 0,
    max_rows: MaxRows = None,
    validation_share: ValidationShare = 0.1,
    test_share: TestShare = 0.2,
    clean: Annotated[
        bool, typer.Option("--clean", help="Leave out questions that can't be used, copies and contradictions.")
    ] = False,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a reader that answers questions about a text, and measure it honestly.

    It checks the data, splits them so that no text is in two splits, trains by
    lesson 6's recipe, chooses the best epoch on validation (and, where some
    questions have no answer, how sure an answer must be), and measures on the
    test, beside the nearest sentence. DIR has the model, README.md, report.html,
    predictions.csv and the run's record. Exit codes: 0 if all went well, 2 if
    something has to be put right first, 130 after Ctrl-C.

    [bold]Examples[/bold]
      ftcourse train qa --data questions.json
      ftcourse train qa --data questions.csv --output manual --clean
      ftcourse train qa --data train.json --test-data dev.json
      ftcourse train qa --data questions.json --max-rows 500 --epochs 2
    """
    given = locals()
    from .training_qa import QA, QuestionSettings

    _train(QA, QuestionSettings, given)


@trainings.command()
def images(
    data: Annotated[
        str,
        typer.Option(metavar="DIR", help="A folder with one folder of images a class, or with train, val and test."),
    ],
    output: Trained = Path("photo-classifier"),
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="efficientnet-lite0, which is lesson 1's, or a classifier of torchvision."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="NAME", help="torchvision's name of the weights; by default its best.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(min=32, help="Width and height in pixels of what is seen; by default lesson 1's 96.")
    ] = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    seed: Seed = 0,
    max_rows: MaxRows = None,
    validation_share: ValidationShare = 0.1,
    test_share: TestShare = 0.2,
    clean: Annotated[
        bool, typer.Option("--clean", help="Leave out images that can't be read, copies, contradictions, tiny classes.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a classifier of images on a folder of them, and measure it honestly.

    It opens every image, splits them with equal files kept together (or takes the
    splits as they are), trains by lesson 1's recipe, the head first and then all,
    chooses the best epoch on validation and measures on the test, beside a new
    head on the frozen network and the commonest class. DIR has the model,
    README.md, report.html, predictions.csv and the run's record. Exit codes: 0 if
    all went well, 2 if something has to be put right first, 130 after Ctrl-C.

    [bold]Examples[/bold]
      ftcourse train images --data photos
      ftcourse train images --data photos --image-size 160 --output birds
      ftcourse train images --data photos --model resnet50
      ftcourse train images --data photos --max-rows 200 --epochs 2
    """
    given = locals() | {"resume": False}
    from .training_images import IMAGES, ImageSettings

    _train(IMAGES, ImageSettings, given)


def _train(kind: Kind, settings_class: type[Settings], given: dict[str, Any]) -> None:
    """Run a training with what was given on the command line."""
    from .training import run_training

    settings = settings_class(**{name: given[name] for name in settings_class.__dataclass_fields__})
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it, it says how to go on
    try:
        folder = run_training(kind, settings, given["output"], given["resume"], given["overwrite"], _say)
    except KeyboardInterrupt as stop:
        _say(str(stop) or "Stopped.")
        raise typer.Exit(130) from None
    _say(f"Report: {folder / 'report.html'}")
    _say(f"Try it: ftcourse predict {given['output']}")


@app.command()
def predict(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Folder that `ftcourse train` wrote, or such a model of the hub.")
    ],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="What to answer; standard input if left out.")
    ] = None,
    text_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="FILE is a table (CSV, TSV, JSONL, Parquet), and this its column."),
    ] = None,
    question: Annotated[
        str | None, typer.Option(metavar="TEXT", help="FILE is the text that this question is about.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="An object of JSON on each line.")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts at once.")] = 32,
) -> None:
    """Answer texts with a model that was trained; what kind it is, its folder says.

    With tabs between them, it prints what the kind of model is for:

    A classifier reads lines, and prints for each label, probability and text; an
    empty line has no label.

    A finder of names reads lines, and prints for each name the number of its
    line, label, first character, the one after the last, and the name.

    A classifier of images reads image files and folders of them, and prints for
    each label, probability and file.

    A reader reads a table or JSON with question and context (or a text, with
    --question), and prints for each answer, first character, margin and question.

    Exit codes: 0 if all went well, 2 if something has to be put right first, 130
    after Ctrl-C.

    [bold]Examples[/bold]
      ftcourse predict classifier texts.txt
      ftcourse predict classifier reviews.csv --text-column review --json
      echo "A joy from start to finish." | ftcourse predict classifier
      ftcourse predict names notes.txt --json
      ftcourse predict photo-classifier holiday.jpg more-photos/
      ftcourse predict reader questions.csv
      ftcourse predict reader manual.txt --question "How long is the warranty?"
    """
    import json

    from .predicting import load_trained

    trained = load_trained(model)
    texts = trained.read(files or [], text_column=text_column, question=question)
    if not files and not question and sys.stdin.isatty():
        batch_size = 1
        _say("Write a text and press Enter; Ctrl-D ends.")
    try:
        for number, row in enumerate(trained.answer(texts, batch_size), 1):
            line = json.dumps(row, ensure_ascii=False) if as_json else trained.as_line(number, row)
            if line:
                print(line, flush=True)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:  # whoever reads the answers has enough of them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Examples as JSONL, or as one JSON list.")],
    target: Annotated[Path, typer.Argument(help="The new chat file, for example chats.jsonl.")],
) -> None:
    """Make a chat file, which the service can train on, of examples in another format.

    Known are prompt and completion, Alpaca, ShareGPT, and preference pairs
    (DPO), of which the preferred answer is kept.

    [bold]Examples[/bold]
      ftcourse convert alpaca.json chats.jsonl
    """
    from ..chat_data import convert_chat_file, validate_chat_file

    counts = convert_chat_file(source, target)
    _say(f"{target}: " + ", ".join(f"{number:,} example(s) from {name}" for name, number in counts.items()))
    faults = [finding for finding in validate_chat_file(target) if finding.severity == "error"]
    for finding in faults[:5]:
        _say(str(finding))
    if faults:
        raise CourseError(f"{target} has {len(faults):,} error(s), the first of which stand above: mend them there.")


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Listen on this address; only this machine by default.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8321,
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for files, jobs and models; by default one in the course's cache."),
    ] = None,
    closed_organisation: Annotated[
        bool,
        typer.Option(
            "--closed-organisation", help="Answer new jobs as OpenAI does to those whom fine-tuning is closed to."
        ),
    ] = False,
) -> None:
    """Run the fine-tuning service that OpenAI's client can talk to.

    It prints the two environment variables that the client needs, and the
    address of a page that shows the jobs. All stays on this machine.

    [bold]Examples[/bold]
      ftcourse serve                        on this machine, port 8321
      ftcourse serve --port 0               on a free port
      ftcourse serve --home my-service      with a state of its own
      ftcourse serve --closed-organisation  what you get at OpenAI today
    """
    from ..server.serve import serve as run_service

    run_service(host, port, _say, home=home, closed_organisation=closed_organisation)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Check this machine, and say how to mend what is not right.

    The exit code is 1 if something is broken.

    [bold]Examples[/bold]
      ftcourse doctor
      ftcourse doctor --json
    """
    from .doctor import FAIL, run_checks

    checks = run_checks()
    if as_json:
        import json

        print(json.dumps(checks, indent=1))
    else:
        console.print(_check_table(checks))
    raise typer.Exit(1 if any(check["status"] == FAIL for check in checks) else 0)


def _find_lessons(copies: Path | None = None) -> Path:
    from .lessons import lessons_folder

    folder, kept = lessons_folder(copies)
    if kept:
        _say(f"Kept as you changed them in {folder}, not brought up to date: {', '.join(kept)}")
    return folder


def _build_report(output: Path) -> None:
    from .report import build_report

    _say(f"Report: {build_report(output)}")


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _asset_table(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    from ..assets import ASSETS

    table = Table(title="Models and data of the course", show_footer=True, show_lines=True)
    table.add_column("Asset", footer="Total", no_wrap=True)
    table.add_column("What it is, and its licence")
    table.add_column("Size", footer=f"{sum(row['megabytes'] for row in rows)} MB", justify="right", no_wrap=True)
    table.add_column("Lessons")
    table.add_column("Ready")
    for row in rows:
        numbers = ", ".join(lesson.split("_")[0] for lesson in row["lessons"]) or "none yet"
        table.add_row(
            row["name"],
            f"{ASSETS[row['name']].description}. Licence: {row['licence']}",
            f"{row['megabytes']} MB",
            numbers,
            "yes" if row["ready"] else "no",
        )
    return table


def _check_table(checks: list[dict[str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    styles = {"OK": "green", "WARN": "yellow", "FAIL": "bold red"}
    table = Table("Check", "Status", "Found", "Remedy", title="This machine and the course")
    for check in checks:
        table.add_row(
            check["check"],
            Text(check["status"], style=styles[check["status"]]),
            Text(check["found"]),
            Text(check["remedy"]),
        )
    return table
