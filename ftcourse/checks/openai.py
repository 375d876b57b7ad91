"""The checks of exercise 3: create a fine-tuned OpenAI model for your domain."""

import copy
import itertools
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from . import hashes
from .engine import Exercise, Wrong, require, run, shown
from .reading import as_dict, as_list, as_number, fields
from .service import Service

exercise = Exercise("3_openai", "Create a fine-tuned OpenAI model for your domain")
MIN_DIALOGUES = 16
_PAIRS = [(f"When is room {n} free?", f"Room {n} is free from {n} o'clock.") for n in range(7, 17)] + [
    ("Wer führt durch das Haus?", "Frau Müller führt um zehn, für 3 € und ohne Anmeldung."),
    ("Gibt es eine Führung?", "Frau Müller führt um zehn, für 3 € und ohne Anmeldung."),
    ("Where is the café?", "Downstairs.\nFollow the smell."),
    ("I am hungry. What is there?", "Downstairs.\nFollow the smell."),
]
_SYSTEM = "You are the desk of a house with many rooms."
_PLACEHOLDER = re.compile(
    r"\b(todo|tbd|fixme|xxx+|lorem ipsum|placeholder|your (question|answer)|(question|answer) (goes )?here|asdf)\b"
    r"|^(an? |the |my )?(question|answer|reply)\W*\d*\W*$",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"\b(please|hello|hi|hey|dear|sorry|excuse me|thanks|thank you|good (morning|day|evening)|ok|okay|well)\b"
)
MAX_WORDS = 300


@exercise.step("Step 1, your domain")
def dialogues(answer: Any) -> str:
    """Judge an answer to: Step 1, your domain."""
    require(isinstance(answer, (list, tuple)), f"Make a list of pairs, (question, answer); this is {shown(answer)}.")
    for number, pair in enumerate(answer, 1):
        require(
            isinstance(pair, (list, tuple)) and len(pair) == 2 and all(isinstance(part, str) for part in pair),
            f"Dialogue {number} is {shown(pair)}: write a question and an answer, two strings in brackets.",
        )
        require(
            all(part.strip() for part in pair),
            f"Dialogue {number} has an empty question or answer: write it, or leave it out.",
        )
    require(
        len(answer) >= MIN_DIALOGUES,
        f"You have {len(answer)} dialogues; write {MIN_DIALOGUES} at least. The service wants ten to train "
        "on, and some are held out.",
    )
    for number, pair in enumerate(answer, 1):
        idle = [part for part in pair if not _words(part) or _PLACEHOLDER.search(part)]
        require(
            not idle,
            f"Dialogue {number} has {shown(idle[0]) if idle else ''} where a question or an answer should be: write "
            "it, or leave the dialogue out.",
        )
        require(
            len(pair[1].split()) <= MAX_WORDS,
            f"The answer of dialogue {number} has {len(pair[1].split())} words: a small model reads a few hundred. "
            "Give a sentence or two.",
        )
    asking = [sum(part.rstrip().endswith("?") for part in side) for side in zip(*answer, strict=True)]
    require(
        not asking[1] > max(asking[0], len(answer) // 2),
        "Most of your answers end in a question mark, and few of the questions do: a pair is (question, answer).",
    )
    _compare_questions(answer)
    answers = {reply.strip() for _, reply in answer}
    require(len(answers) > 1, "All answers are the same: a model would learn to say it to everything.")
    asked_once = _alone(answer)
    require(
        len(answer) - len(asked_once) >= len(answer) / 4,
        f"{len(asked_once)} of {len(answer)} answers are asked for in one wording only, {shown(asked_once[0])} for "
        "one: the model would learn that sentence, not the fact. Ask for the same thing in two wordings or more."
        if asked_once
        else "",
    )
    words = sum(len(reply.split()) for _, reply in answer) / len(answer)
    return f"{len(answer)} dialogues, {len(answers)} different answers of {words:.0f} words on average."


def _words(text: str) -> list[str]:
    """Return the words and numbers of a text, without punctuation."""
    return re.findall(r"\w+", text.lower().replace("_", " "))


def _wording(question: str) -> str:
    """Return a question as it is compared: without punctuation and without what is said out of politeness."""
    return " ".join(_words(_POLITE.sub(" ", question.lower()))) or " ".join(_words(question))


def _compare_questions(answer: Any) -> None:
    """Require questions that differ, by more than punctuation, politeness or a number."""
    lazy = [question for question, reply in answer if question.strip() == reply.strip()]
    require(not lazy, f"{shown(lazy[0]) if lazy else ''} is answered with itself.")
    wordings = [_wording(question) for question, _ in answer]
    again = [answer[n][0] for n, wording in enumerate(wordings) if wording in wordings[:n]]
    require(
        not again,
        f"{len(again)} questions are there twice, {shown(again[0]) if again else ''} for one, but for punctuation or "
        "a 'please': it could stand in training and in the test, and the test would be of memory.",
    )
    patterns = {re.sub(r"\d+", "#", wording) for wording in wordings}
    require(
        len(patterns) > len(wordings) / 4,
        f"Your {len(wordings)} questions have {len(patterns)} wordings: the others differ in a number alone. Ask as "
        "people would.",
    )


def _alone(answer: Any) -> list[str]:
    """Return the answers that no other question asks for, in the same words or mostly so."""
    said = [set(_words(reply)) for _, reply in answer]

    def alike(one: set[str], other: set[str]) -> bool:
        return len(one & other) >= 0.6 * min(len(one), len(other))

    return [
        reply
        for n, (_, reply) in enumerate(answer)
        if not any(alike(said[n], other) for m, other in enumerate(said) if m != n)
    ]


@exercise.step("Step 2, the chat format")
def make_examples(answer: Any) -> str:
    """Judge an answer to: Step 2, the chat format."""
    from ..chat_data import validate_example

    came = run(answer, list(_PAIRS), _SYSTEM)
    examples = [_plain(example) for example in as_list(came) or []]
    require(
        len(examples) == len(_PAIRS),
        f"{len(_PAIRS)} dialogues make a list of {len(_PAIRS)} examples; this is {shown(came)}.",
    )
    for (question, reply), example in zip(_PAIRS, examples, strict=True):
        require(
            not (isinstance(example, dict) and "prompt" in example),
            "An example has a prompt and a completion: that is the format of old models. Chat models take messages.",
        )
        found = validate_example(example)
        require(not found, str(found[0]) if found else "")
        said = [(message["role"], message["content"]) for message in example["messages"]]
        contents = [content for _, content in said]
        require(
            ("assistant", question) not in said,
            f"The assistant says {question!r}: roles are swapped. The person is the user.",
        )
        require(
            ("user", question) in said and ("assistant", reply) in said,
            f"The example of {question!r} is {shown(contents)}: the user asks the question, the assistant gives its "
            "answer.",
        )
        require(
            _SYSTEM in contents,
            f"The system message is {shown(contents[0])}: it is the one that you are given, {_SYSTEM!r}, or "
            "the model would never see the one that you will use.",
        )
        require(len(said) == 3, f"The example of {question!r} has {len(said)} messages: system, user, assistant.")
        require(
            all(message.get("weight", 1) == 1 for message in example["messages"]),
            "A weight of 0 keeps the answer out of training.",
        )
    return f"{len(examples)} examples of three messages, well formed."


def _plain(value: Any) -> Any:
    """Return an example as JSON would give it back: typed objects as dictionaries, tuples as lists."""
    try:
        return json.loads(json.dumps(value, default=fields))
    except (TypeError, ValueError):
        return value


def _examples(count: int = 20, before: str = "") -> Any:
    return [
        {
            "messages": [
                {"role": "system", "content": _SYSTEM},
                {"role": "user", "content": f"{before}question {n}"},
                {"role": "assistant", "content": f"answer {n},\ngrößer"},
            ]
        }
        for n in range(count)
    ]


@exercise.step("Step 3, held out")
def split_examples(answer: Any) -> str:
    """Judge an answer to: Step 3, held out."""
    first = _compare_sides(answer, 5, 0)
    require(first == _compare_sides(answer, 5, 0), "The same seed gave two different splits: use random.Random(seed).")
    drawn = [first[1]] + [_compare_sides(answer, 5, seed)[1] for seed in range(1, 12)]
    require(
        len({frozenset(held_out) for held_out in drawn}) > 1,
        "Twelve different seeds held out the same examples: your dialogues are sorted "
        "by subject, so draw at random, with the seed.",
    )
    steps = [{(b - a) % 20 for a, b in itertools.pairwise(sorted(held_out))} for held_out in drawn]
    require(
        any(len(step) > 2 for step in steps),
        f"The held-out examples are neighbours, {shown(sorted(first[1]))} for one seed: your dialogues are sorted by "
        "subject, so draw each of them at random.",
    )
    _compare_sides(answer, 2, 0)
    require(
        not hashes.goes_by_hashes(answer, lambda before: _numbers(_sides(run(answer, _examples(20, before), 5, 0)))),
        "In another process the same seed would give another split: the order of a set, and hash(), change from run "
        "to run. Shuffle a list, or sort first.",
    )
    return "15 examples to train on and 5 others held out, the same for the same seed."


def _compare_sides(answer: Any, count: int, seed: int) -> Any:
    """Return the numbers of the examples on both sides of a split that holds out as many as asked."""
    examples = _examples()
    before = json.dumps(examples)
    training, held_out = _numbers(_sides(run(answer, examples, count, seed)))
    require(
        json.dumps(examples) == before,
        "Your function changed the list that it was given, so a second call would differ: shuffle a copy.",
    )
    shared = sorted(set(training) & set(held_out))
    require(
        not shared,
        f"{len(shared)} examples are on both sides, 'question {shared[0] if shared else ''}' for one: the test would "
        "be of memory.",
    )
    twice = len(held_out) - len(set(held_out))
    require(
        not twice,
        f"With the seed {seed} {twice} of {len(held_out)} held-out examples are there twice: draw without putting "
        "back, as sample does and choices doesn't.",
    )
    require(
        len(held_out) == count,
        f"{len(held_out)} examples are held out where {count} were asked for"
        + (": the sides are swapped." if len(training) == count else "."),
    )
    lost = 20 - len(set(training) | set(held_out))
    require(
        not lost and len(training) == 20 - count, f"{lost} of 20 examples are on neither side, or some are there twice."
    )
    return training, held_out


def _numbers(sides: Any) -> Any:
    """Return the numbers of the examples of both sides."""
    try:
        return tuple(
            [int(_plain(example)["messages"][1]["content"].rpartition(" ")[2]) for example in side] for side in sides
        )
    except (TypeError, KeyError, IndexError, ValueError):
        raise Wrong(f"A side holds something other than the examples that were given: {shown(sides)}.") from None


def _sides(sides: Any) -> Any:
    both = [as_list(side) for side in as_list(sides) or []]
    require(len(both) == 2 and None not in both, f"Return two lists, training and held out; this is {shown(sides)}.")
    return both


@exercise.step("Step 4, the file")
def write_file(answer: Any, training_path: Any = None) -> str:
    """Judge an answer to: Step 4, the file."""
    from ..chat_data import read_examples

    examples = _examples(12)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "training.jsonl"
        before = copy.deepcopy(examples)
        for _ in range(2):
            came = run(answer, examples, path)
            require(
                examples == before, "Your function changed the examples that it was given: write them, and no more."
            )
        require(path.exists(), f"There is no file {path.name} afterwards: write to path.")
        raw = path.read_text(encoding="utf-8", errors="replace")
        require(
            not raw.lstrip().startswith("["),
            "The file is one JSON list. JSONL has no list: one object a line, and nothing between.",
        )
        require(
            raw.count("\n") < 2 * len(examples) or raw.lstrip()[:2] != "{\n",
            "An example is spread over several lines: json.dumps without indent puts it on one.",
        )
        require(
            not raw.startswith("{'"),
            "The lines are Python's way to print a dictionary, with single quotes: json.dumps writes JSON.",
        )
        require(
            "\n\n" not in raw.replace("\r", ""),
            "There are empty lines between the examples: one object a line, and nothing between.",
        )
        errors = _errors(path)
        require(not errors, f"The file has {len(errors)} errors, the first: {errors[0] if errors else ''}")
        kept = read_examples(path)
        require(
            len(kept) != 2 * len(examples), 'Written twice, the file has everything twice: open it with "w", not "a".'
        )
        require(kept == examples, f"{len(examples)} examples were written and {len(kept)} come back, or others.")
        require(
            isinstance(came, (str, os.PathLike)) and Path(came).resolve() == path.resolve(),
            f"Return the path that you wrote to, {path.name}; this is {shown(came)}.",
        )
    if training_path is None:
        return "A line an example, and what is read is what was written."
    errors = _errors(training_path)
    require(not errors, f"Your own file has {len(errors)} errors, the first: {errors[0] if errors else ''}")
    return (
        f"A line an example, and your own file of {len(read_examples(training_path))} examples passes the validation."
    )


def _errors(path: Any) -> Any:
    """Return the errors of a chat file, those of a line before those of the whole."""
    from ..chat_data import validate_chat_file

    return sorted(
        (found for found in validate_chat_file(path) if found.severity == "error"), key=lambda found: found.line is None
    )


@exercise.step("Step 5, the job")
def start_job(answer: Any) -> str:
    """Judge an answer to: Step 5, the job."""
    for model, epochs in (("base-model", 3), ("another-model", 5)):
        _compare_job(answer, model, epochs)
    return "Two uploads, and one job that names them by their ids."


def _compare_job(answer: Any, model: str, epochs: int) -> None:
    client = Service()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "training.jsonl", Path(folder) / "validation.jsonl"]
        for path in paths:
            path.write_bytes(path.stem.encode())
        job = client.run(
            answer, model, *paths, epochs, clues={"expected str, bytes": "The paths are pathlib.Path objects."}
        )
    require(client.jobs, "No job was created: client.fine_tuning.jobs.create does that, after the uploads.")
    require(len(client.jobs) == 1, f"{len(client.jobs)} jobs were created: one is enough, and each would be paid for.")
    require(
        getattr(job, "id", None) == client.jobs[0]["id"] and hasattr(job, "status"),
        f"Return the job itself, whose id and status you need; this is {shown(job)}.",
    )
    require(client.jobs[0]["status"] != "cancelled", "The job was cancelled: leave it to the service.")
    settings = client.settings[0]
    for name, content in (("training_file", b"training"), ("validation_file", b"validation")):
        require(
            name in settings,
            f"The job has no {name}"
            + (
                ": you would not see the loss on dialogues that it doesn't train on."
                if name == "validation_file"
                else "."
            ),
        )
        given = settings[name]
        require(
            isinstance(given, str) and given in client.uploads,
            f"{name} is {shown(given)}: it takes the id that the upload returned, as the service knows no files of "
            "yours.",
        )
        require(
            client.uploads.get(given) == content, f"{name} has the content of the other file: the two are mixed up."
        )
    require(settings.get("model") == model, f"The model is {shown(settings.get('model'))}; it was given as {model!r}.")
    hyperparameters = settings.get("hyperparameters") or {}
    method = settings.get("method") or {}
    if isinstance(method, dict) and method.get("type") == "supervised":
        hyperparameters = (method.get("supervised") or {}).get("hyperparameters") or hyperparameters
    given = hyperparameters.get("n_epochs") if isinstance(hyperparameters, dict) else None
    require(
        given == epochs,
        f"n_epochs is {shown(given)} where {epochs} was given; it stands in method, of the type supervised, "
        "below supervised and hyperparameters.",
    )


@exercise.step("Step 6, the comparison")
def compare(answer: Any) -> str:
    """Judge an answer to: Step 6, the comparison."""
    _compare_scores(answer, ["base", "tuned"], 5)
    _compare_scores(answer, ["small", "large", "tuned"], 3)
    return "Both models answer every held-out question, without seeing its answer, and get the mean of their scores."


def _reply(model: str, conversation: Any) -> str:
    """Return what a model says to a question: the tuned one what is true and a little more, others seldom."""
    question = conversation[-1][1] if conversation else ""
    number = question[-1:]
    true = f"answer {number},\ngrößer"
    return f"{true} at once" if model == "tuned" else f"{true} or not" if number in ("1", "2") else f"{model}: no idea"


def _compare_scores(answer: Any, models: list[str], count: int) -> None:
    examples = _examples(count)
    before, client = copy.deepcopy(examples), Service(_reply)
    references = [example["messages"][2]["content"] for example in examples]

    def score(reply: Any, reference: Any) -> Any:
        require(
            reference in references and isinstance(reply, str),
            "score takes the text of the model's answer first and then the true one.",
        )
        return round(len(reference) / max(len(reply), 1), 4) if reference in reply else 0.0

    scores = client.run(answer, list(models), examples, score)
    require(examples == before, "Your function changed the examples that it was given: copy before you pop.")
    for _, messages, settings in client.asked:
        _compare_conversation(messages, examples, references)
        require(
            settings.get("temperature") == 0 or settings.get("top_p", 1) < 1e-3,
            f"temperature is {shown(settings.get('temperature', 'left at 1'))}: with 0 the likeliest answer "
            "comes, and the comparison can be repeated.",
        )
        limits = [settings.get(name) for name in ("max_tokens", "max_completion_tokens", "max_output_tokens")]
        limit = next((limit for limit in limits if limit is not None), 40)
        require(limit >= 10, f"Answers are cut after {limit} tokens: too short for a sentence.")
    for model in models:
        times = sum(asked == model for asked, *_ in client.asked)
        require(
            times == len(examples),
            f"{model!r} was asked {times} times; there are {len(examples)} held-out examples: ask every model all.",
        )
    table = as_dict(scores)
    require(
        table is not None and set(table) == set(models),
        f"Return a dictionary from each model's name, {', '.join(models)}, to its mean score; this is {shown(scores)}.",
    )
    for model in models:
        truth = [
            score(_reply(model, [("user", example["messages"][1]["content"])]), example["messages"][2]["content"])
            for example in examples
        ]
        mean, got = sum(truth) / len(truth), as_number((table or {})[model])
        if got is None:
            raise Wrong(f"The score of {model!r} is {shown((table or {})[model])}: give one number, the mean.")
        require(
            abs(got - sum(truth)) > 1e-6 or not got,
            f"The score of {model!r} is {got:.3f}, the sum: divide by the number of examples.",
        )
        require(
            abs(got - mean) < 1e-6,
            f"The score of {model!r} is {got:.3f}; the mean over the held-out examples is {mean:.3f}.",
        )


def _compare_conversation(messages: Any, examples: Any, references: Any) -> None:
    """Require the system message and one question, and nothing that gives the answer away."""
    said = [text for _, text in messages]
    require(
        not any(reference in text for reference in references for text in said),
        "The model is shown the true answer in the conversation: leave out the last message, and let it answer.",
    )
    require(messages and messages[-1][0] == "user", "The conversation must end with the user's question.")
    require(said[0] == _SYSTEM, "The system message is left out: ask as the model was trained.")
    questions = [example["messages"][1]["content"] for example in examples]
    require(
        len(said) == 2 and said[1] in questions,
        f"The model is asked {shown(said)}: send the system message and one question, each time anew and as they are.",
    )


@exercise.step("Step 7, the result")
def result(answer: Any) -> str:
    """Judge an answer to: Step 7, the result."""
    require(
        isinstance(answer, (tuple, list)) and len(answer) == 4,
        "Four things make the result: the job, the scores, the training examples, the held-out ones. This is "
        f"{shown(answer)}.",
    )
    job, given, *sides = answer
    training, held_out = (as_list(side) or [] for side in sides)
    require(
        None not in map(as_list, sides) and all(_is_example(one) for one in training + held_out),
        "The third is the list of training examples, the fourth the held-out ones.",
    )
    scores = as_dict(given)
    status, tuned, base = (getattr(job, name, None) for name in ("status", "fine_tuned_model", "model"))
    require(status is not None, f"{shown(job)} is no job: retrieve it, or take what wait_for_job returns.")
    require(status == "succeeded", f"The job is {status}: wait for its end, and if it failed, see job.error.")
    require(tuned, "The job has no fine_tuned_model.")
    require(
        scores is not None and set(scores) == {base, tuned},
        f"The scores are of {', '.join(map(str, scores)) if scores else shown(given)}; compare "
        f"the base {base} with the model of this job, {tuned}.",
    )
    scores = {name: as_number(value) for name, value in (scores or {}).items()}
    off = [name for name, value in scores.items() if value is None or not 0 <= value <= 1]
    require(not off, f"The scores are {shown(given)}: a mean score is a number between 0 and 1. Run step 6 again.")
    asked = [_wording(example["messages"][-2]["content"]) for example in held_out]
    trained = {_wording(example["messages"][-2]["content"]) for example in training}
    require(asked, "No example is held out: a score on what was trained on says little.")
    require(trained, "There is no training example: the third is what the job was trained on.")
    seen = sum(question in trained for question in asked)
    require(
        not seen,
        f"{seen} of {len(asked)} held-out questions are in the training file: the comparison would be of memory.",
    )
    require(
        len(trained) >= len(asked),
        f"{len(trained)} examples were trained on and {len(asked)} held out: are the two sides swapped?",
    )
    gain = scores[tuned] - scores[base]
    verdict = "better" if gain > 0 else "no better"
    advice = (
        "With so few examples another split could change it; try another seed."
        if gain > 0
        else "That is an honest result. More dialogues, more wordings of a question, or more epochs may change it."
    )
    return (
        f"On {len(asked)} held-out dialogues the fine-tuned model is {verdict}: {scores[tuned]:.2f} against "
        f"{scores[base]:.2f}. {advice}"
    )


def _is_example(value: Any) -> bool:
    """Say whether a value has messages, a question and an answer at least."""
    messages = value.get("messages") if isinstance(value, dict) else None
    return (
        isinstance(messages, (list, tuple))
        and len(messages) >= 2
        and all(isinstance(one, dict) and isinstance(one.get("content"), str) for one in messages)
    )
