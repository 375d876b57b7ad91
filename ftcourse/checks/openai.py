"""The checks of exercise 3: create a fine-tuned OpenAI model for your domain."""

import json
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .engine import Exercise, require, run, shown

exercise = Exercise("3_openai", "Create a fine-tuned OpenAI model for your domain")
MIN_DIALOGUES = 16
_PAIRS = [(f"When is room {n} free?", f"Room {n} is free from {n} o'clock.") for n in range(7, 21)]
_SYSTEM = "You are the desk of a house with many rooms."


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
    questions = [" ".join(question.lower().split()) for question, _ in answer]
    again = [question for number, question in enumerate(questions) if question in questions[:number]]
    require(
        not again,
        f"{len(again)} questions are there twice, {shown(again[0]) if again else ''} for one: it could stand in "
        "training and "
        "in the test, and the test would be of memory.",
    )
    answers = {reply.strip() for _, reply in answer}
    require(len(answers) > 1, "All answers are the same: a model would learn to say it to everything.")
    lazy = [question for question, reply in answer if question.strip() == reply.strip()]
    require(not lazy, f"{shown(lazy[0]) if lazy else ''} is answered with itself.")
    words = sum(len(reply.split()) for _, reply in answer) / len(answer)
    return f"{len(answer)} dialogues, {len(answers)} different answers of {words:.0f} words on average."


@exercise.step("Step 2, the chat format")
def make_examples(answer: Any) -> str:
    """Judge an answer to: Step 2, the chat format."""
    from ..chat_data import validate_example

    examples = run(answer, _PAIRS, _SYSTEM)
    require(
        isinstance(examples, list) and len(examples) == len(_PAIRS),
        f"{len(_PAIRS)} dialogues make a list of {len(_PAIRS)} examples; this is {shown(examples)}.",
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


def _examples(count: Any = 20) -> Any:
    return [
        {
            "messages": [
                {"role": "system", "content": _SYSTEM},
                {"role": "user", "content": f"question {n}"},
                {"role": "assistant", "content": f"answer {n} größer"},
            ]
        }
        for n in range(count)
    ]


@exercise.step("Step 3, held out")
def split_examples(answer: Any) -> str:
    """Judge an answer to: Step 3, held out."""
    examples = _examples()
    before = json.dumps(examples)
    training, held_out = _sides(run(answer, examples, 5, 0))
    require(
        json.dumps(examples) == before,
        "Your function changed the list that it was given, so a second call would differ: shuffle a copy.",
    )
    names = [[example["messages"][1]["content"] for example in side] for side in (training, held_out)]
    shared = set(names[0]) & set(names[1])
    require(
        not shared,
        f"{len(shared)} examples are on both sides, {min(shared, default='')!r} for one: the test would be of memory.",
    )
    require(
        len(held_out) == 5,
        f"{len(held_out)} examples are held out where 5 were asked for"
        + (": the sides are swapped." if len(training) == 5 else "."),
    )
    require(
        sorted(names[0] + names[1]) == sorted(f"question {n}" for n in range(20)),
        f"{20 - len(set(names[0] + names[1]))} of 20 examples are on neither side, or some are there twice.",
    )
    require(
        names
        == [[example["messages"][1]["content"] for example in side] for side in _sides(run(answer, examples, 5, 0))],
        "The same seed gave two different splits: use random.Random(seed).",
    )
    others = [
        {example["messages"][1]["content"] for example in _sides(run(answer, examples, 5, seed))[1]}
        for seed in (1, 2, 3)
    ]
    require(
        any(other != set(names[1]) for other in others),
        "Four different seeds held out the same examples: your dialogues are sorted "
        "by subject, so draw at random, with the seed.",
    )
    require(
        len(_sides(run(answer, examples, 2, 0))[1]) == 2, "Asked for 2, it doesn't hold out 2: is num_held_out used?"
    )
    return "15 examples to train on and 5 others held out, the same for the same seed."


def _sides(sides: Any) -> Any:
    require(
        isinstance(sides, (tuple, list)) and len(sides) == 2 and all(isinstance(side, list) for side in sides),
        f"Return two lists, training and held out; this is {shown(sides)}.",
    )
    return sides


@exercise.step("Step 4, the file")
def write_file(answer: Any, training_path: Any = None) -> str:
    """Judge an answer to: Step 4, the file."""
    from ..chat_data import read_examples

    examples = _examples(12)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "training.jsonl"
        for _ in range(2):
            run(answer, examples, path)
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
        errors = _errors(path)
        require(not errors, f"The file has {len(errors)} errors, the first: {errors[0] if errors else ''}")
        kept = read_examples(path)
        require(
            len(kept) != 2 * len(examples), 'Written twice, the file has everything twice: open it with "w", not "a".'
        )
        require(kept == examples, f"{len(examples)} examples were written and {len(kept)} come back, or others.")
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


class _Client:
    """Stands in for the openai package's client and notes what it is asked."""

    def __init__(self, reply: Any = None) -> None:
        self.uploads: dict[str, Any] = {}
        self.jobs: list[Any] = []
        self.asked: list[Any] = []
        self.files = SimpleNamespace(create=self._upload)
        self.fine_tuning = SimpleNamespace(jobs=SimpleNamespace(create=self._job))
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self._chat))
        self._reply = reply

    def _upload(self, *, file: Any, purpose: Any, **more: Any) -> Any:
        require(
            not isinstance(file, str), f"file is the text {file!r}: the client takes an open file, or a pathlib.Path."
        )
        content = (
            Path(file).read_bytes() if isinstance(file, os.PathLike) else file[1] if isinstance(file, tuple) else file
        )
        content = content.read() if hasattr(content, "read") else content
        require(isinstance(content, bytes), 'The file is opened as text: open it with "rb", as the bytes are sent.')
        require(purpose == "fine-tune", f"The purpose is {purpose!r}; for training it is 'fine-tune'.")
        self.uploads[f"file-{len(self.uploads)}"] = content
        return SimpleNamespace(id=f"file-{len(self.uploads) - 1}", purpose=purpose)

    def _job(self, **settings: Any) -> Any:
        self.jobs.append(SimpleNamespace(id=f"ftjob-{len(self.jobs)}", status="validating_files", settings=settings))
        return self.jobs[-1]

    def _chat(self, *, model: Any, messages: Any, **settings: Any) -> Any:
        self.asked.append((model, messages, settings))
        message = SimpleNamespace(content=self._reply(model, messages), role="assistant")
        return SimpleNamespace(choices=[SimpleNamespace(message=message)])


@exercise.step("Step 5, the job")
def start_job(answer: Any) -> str:
    """Judge an answer to: Step 5, the job."""
    client = _Client()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "training.jsonl", Path(folder) / "validation.jsonl"]
        for path in paths:
            path.write_bytes(path.stem.encode())
        job = run(
            answer,
            client,
            "base-model",
            *paths,
            3,
            clues={"expected str, bytes": "The paths are pathlib.Path objects."},
        )
    require(client.jobs, "No job was created: client.fine_tuning.jobs.create does that, after the uploads.")
    require(len(client.jobs) == 1, f"{len(client.jobs)} jobs were created: one is enough, and each would be paid for.")
    require(job is client.jobs[0], f"Return the job itself, whose id and status you need; this is {shown(job)}.")
    settings = job.settings
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
        require(client.uploads[given] == content, f"{name} has the content of the other file: the two are mixed up.")
    require(
        settings.get("model") == "base-model",
        f"The model is {shown(settings.get('model'))}; it was given as 'base-model'.",
    )
    hyperparameters = settings.get("hyperparameters") or {}
    method = settings.get("method") or {}
    if isinstance(method, dict) and method.get("type") == "supervised":
        hyperparameters = (method.get("supervised") or {}).get("hyperparameters") or hyperparameters
    epochs = hyperparameters.get("n_epochs") if isinstance(hyperparameters, dict) else None
    require(
        epochs == 3,
        f"n_epochs is {shown(epochs)} where 3 was given; it stands in method, of the type supervised, "
        "below supervised and hyperparameters.",
    )
    return "Two uploads, and one job that names them by their ids."


@exercise.step("Step 6, the comparison")
def compare(answer: Any) -> str:
    """Judge an answer to: Step 6, the comparison."""
    examples = _examples(4)
    replies = {example["messages"][1]["content"]: example["messages"][2]["content"] for example in examples}
    client = _Client(
        lambda model, messages: (
            replies.get(messages[-1]["content"], "?") + (" at once" if model == "tuned" else " or not")
            if model == "tuned" or messages[-1]["content"][-1] in "12"
            else "no idea"
        )
    )

    def score(reply: Any, reference: Any) -> Any:
        require(reference in replies.values(), "score takes the model's answer first and then the true one.")
        return round(len(reference) / max(len(reply), 1), 4) if reference in reply else 0.0

    scores = run(answer, client, ["base", "tuned"], examples, score)
    for _, messages, settings in client.asked:
        said = [message["content"] for message in messages]
        require(
            not any(reply in said for reply in replies.values()),
            "The model is shown the true answer in the conversation: leave out the last message, and let it answer.",
        )
        require(messages and messages[-1]["role"] == "user", "The conversation must end with the user's question.")
        require(said[0] == _SYSTEM, "The system message is left out: ask as the model was trained.")
        require(
            settings.get("temperature") == 0,
            f"temperature is {shown(settings.get('temperature', 'left at 1'))}: with 0 the likeliest answer "
            "comes, and the comparison can be repeated.",
        )
        limit = settings.get("max_tokens", settings.get("max_completion_tokens", 40))
        require(limit >= 10, f"Answers are cut after {limit} tokens: too short for a sentence.")
    for model in ("base", "tuned"):
        count = sum(asked == model for asked, *_ in client.asked)
        require(
            count == len(examples),
            f"{model!r} was asked {count} times; there are {len(examples)} held-out examples: ask both models all.",
        )
    require(
        isinstance(scores, dict) and set(scores) == {"base", "tuned"},
        f"Return a dictionary from each model's name to its mean score; this is {shown(scores)}.",
    )
    for model in ("base", "tuned"):
        truth = [
            score(client._reply(model, example["messages"][:2]), example["messages"][2]["content"])
            for example in examples
        ]
        mean = sum(truth) / len(truth)
        got = scores[model]
        require(isinstance(got, (int, float)), f"The score of {model!r} is {shown(got)}: give one number, the mean.")
        require(
            abs(got - sum(truth)) > 1e-6,
            f"The score of {model!r} is {got:.3f}, the sum: divide by the number of examples.",
        )
        require(
            abs(got - mean) < 1e-6,
            f"The score of {model!r} is {got:.3f}; the mean over the held-out examples is {mean:.3f}.",
        )
    return "Both models answer every held-out question, without seeing its answer, and get the mean of their scores."


@exercise.step("Step 7, the result")
def result(answer: Any) -> str:
    """Judge an answer to: Step 7, the result."""
    require(
        isinstance(answer, (tuple, list)) and len(answer) == 4,
        "Four things make the result: the job, the scores, the training examples, the held-out ones. This is "
        f"{shown(answer)}.",
    )
    job, scores, training, held_out = answer
    require(
        isinstance(training, list) and isinstance(held_out, list),
        "The third is the list of training examples, the fourth the held-out ones.",
    )
    status, tuned, base = (getattr(job, name, None) for name in ("status", "fine_tuned_model", "model"))
    require(status is not None, f"{shown(job)} is no job: retrieve it, or take what wait_for_job returns.")
    require(status == "succeeded", f"The job is {status}: wait for its end, and if it failed, see job.error.")
    require(tuned, "The job has no fine_tuned_model.")
    require(
        isinstance(scores, dict) and set(scores) == {base, tuned},
        f"The scores are of {', '.join(map(str, scores)) if isinstance(scores, dict) else shown(scores)}; compare "
        f"the base {base} with "
        f"the model of this job, {tuned}.",
    )
    asked = [json.dumps(example["messages"][:-1]) for example in held_out]
    trained = {json.dumps(example["messages"][:-1]) for example in training}
    require(asked, "No example is held out: a score on what was trained on says little.")
    seen = sum(question in trained for question in asked)
    require(
        not seen,
        f"{seen} of {len(asked)} held-out questions are in the training file: the comparison would be of memory.",
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
