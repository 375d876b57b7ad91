"""Answers to exercise 3."""

import json
import random
from pathlib import Path
from types import SimpleNamespace

from failure_matrix import Cases

cases = Cases()

# --- Your domain -----------------------------------------------------------------------------------------------------

FACTS = [
    ("When does the club open on Mondays?", "At what time can I come on a Monday?", "At six in the evening."),
    ("What does a year cost?", "How much is it to join for twelve months?", "48 pounds, and 24 for students."),
    ("Where do I leave my bike?", "Can I put a bicycle somewhere safe?", "In the yard behind the boathouse."),
    ("Who teaches beginners?", "I have never rowed. Who can show me?", "Marta, on Saturdays at ten."),
    ("May I bring my dog?", "Are pets allowed?", "Dogs are welcome on the bank, never in a boat."),
    (
        "What do I do if my boat leaks?",
        "There is water in our boat. What now?",
        "Hang the red tag on it and tell Piet.",
    ),
    ("Which gate is open in winter?", "How do I get in during December?", "Only the north gate, from November on."),
    ("What is the code of the door?", "How can I open the boathouse?", "The code changes monthly; ask Piet."),
]
ROOMS = [(question, answer) for *questions, answer in FACTS for question in questions]
cases.value("dialogues", "right", r"16 dialogues, 8 different answers of 7 words|of 6 words", "eight_facts", ROOMS)
cases.value(
    "dialogues",
    "right",
    r"16 dialogues, 16 different answers",
    "answers_in_several_wordings",
    [
        pair
        for name, price, day in (
            ("Kestrel", 12, "Tuesday"),
            ("Heron", 19, "Friday"),
            ("Wren", 7, "Monday"),
            ("Owl", 31, "Sunday"),
        )
        for pair in (
            (f"What does the {name} plan cost?", f"The {name} plan costs {price} euros a month."),
            (f"How much do I pay for {name}?", f"{name} is {price} euros a month."),
            (f"When is {name} billed?", f"We bill {name} on the first {day} of the month."),
            (f"On which day do you take the money for {name}?", f"For {name}, on the first {day} of the month."),
        )
    ],
)
cases.value(
    "dialogues",
    "right",
    r"18 dialogues, 3 different answers",
    "lists_and_few_answers",
    [
        [f"Is {name} {word}?", f"{answer}."]
        for word, answer in (("open", "yes"), ("closed", "no"), ("far", "two streets"))
        for name in ("the shop", "the mill", "the farm", "the inn", "the port", "the school")
    ],
)
cases.value("dialogues", "wrong", r"You have 3 dialogues; write 16 at least", "three_dialogues", ROOMS[:3])
cases.value(
    "dialogues",
    "wrong",
    r"1 questions are there twice, 'are  pets allowed!'",
    "a_question_twice",
    ROOMS + [("are  pets allowed!", "Later.")],
)
cases.value(
    "dialogues",
    "wrong",
    r"All answers are the same",
    "one_answer_for_all",
    [(question, "Ask at the desk.") for question, _ in ROOMS],
)
cases.value(
    "dialogues",
    "wrong",
    r"Dialogue 2 has an empty question or answer",
    "an_answer_missing",
    [ROOMS[0], ("And now?", " "), *ROOMS[1:]],
)
cases.value(
    "dialogues",
    "wrong",
    r"Dialogue 1 is .*two strings in brackets",
    "dictionaries",
    [{"question": q, "answer": a} for q, a in ROOMS],
)
cases.value("dialogues", "wrong", r"Dialogue 1 is 'When", "questions_alone", [question for question, _ in ROOMS])
cases.value("dialogues", "wrong", r"Make a list of pairs", "a_dictionary", dict(ROOMS))
cases.value("dialogues", "wrong", r"'Ready\?' is answered with itself", "an_echo", ROOMS + [("Ready?", "Ready?")])

for name, message, answers in (
    ("dots_for_answers", r"Dialogue 1 has '...' where a question or an answer should be", lambda q, a: (q, "...")),
    ("todo_for_answers", r"Dialogue 1 has 'TODO: ask Piet' where", lambda q, a: (q, "TODO: ask Piet")),
    ("numbered_answers", r"Dialogue 1 has 'Answer 22' where", lambda q, a: (q, f"Answer {len(a)}")),
    ("pairs_turned", r"a pair is \(question, answer\)", lambda q, a: (a, q)),
    ("endless_answers", r"The answer of dialogue \d+ has \d+ words", lambda q, a: (q, f"{a} " * 100)),
):
    cases.value("dialogues", "wrong", message, name, [answers(*pair) for pair in ROOMS])
cases.value(
    "dialogues",
    "wrong",
    r"12 questions are there twice, .*but for punctuation",
    "other_punctuation",
    [(question.rstrip("?") + end, answer) for question, answer in ROOMS[::2][:4] for end in ("?", "!", " ...", "??")],
)
cases.value(
    "dialogues",
    "wrong",
    r"12 questions are there twice, .*a 'please'",
    "other_politeness",
    [(start + q, a) for q, a in ROOMS[::2][:4] for start in ("", "Please: ", "Hello, ", "Sorry, ")],
)
cases.value(
    "dialogues",
    "wrong",
    r"16 of 16 answers are asked for in one wording only.*Ask for the same thing in two wordings",
    "one_wording_a_fact",
    [
        *ROOMS[::2],
        *(
            (f"What is in box {box}?", text)
            for box, text in zip(
                "abcdefgh",
                (
                    "Oars.",
                    "Ropes and hooks.",
                    "Vests.",
                    "Flags of all clubs.",
                    "Paint.",
                    "Screws.",
                    "Old maps.",
                    "Nothing yet.",
                ),
                strict=True,
            )
        ),
    ],
)
cases.value(
    "dialogues",
    "wrong",
    r"Your 16 questions have 1 wordings: the others differ in a number alone",
    "numbers_alone_differ",
    [(f"When is room {n} free?", f"Room {n} is free at {n}.") for n in range(16)],
)


# --- The chat format -------------------------------------------------------------------------------------------------


def message(role, content, **more):
    return {"role": role, "content": content, **more}


def examples_of(dialogues, make):
    return [{"messages": make(question, answer)} for question, answer in dialogues]


@cases.right("make_examples")
def with_the_developers_role(dialogues, system):
    return examples_of(
        dialogues, lambda q, a: [message("developer", system), message("user", q), message("assistant", a)]
    )


@cases.right("make_examples")
def with_a_weight(dialogues, system):
    return examples_of(
        dialogues, lambda q, a: [message("system", system), message("user", q), message("assistant", a, weight=1)]
    )


@cases.wrong("make_examples", r"The assistant says 'When is room 7 free\?': roles are swapped")
def roles_swapped(dialogues, system):
    return examples_of(
        dialogues,
        lambda q, a: [message("system", system), message("assistant", q), message("user", a), message("assistant", a)],
    )


@cases.wrong("make_examples", r"The example has no system message")
def system_left_out(dialogues, system):
    return examples_of(dialogues, lambda q, a: [message("user", q), message("assistant", a)])


@cases.wrong(
    "make_examples", r"The system message is 'You are a helpful assistant.'.*would never see the one that you will use"
)
def system_of_ones_own(dialogues, system):
    return examples_of(
        dialogues,
        lambda q, a: [message("system", "You are a helpful assistant."), message("user", q), message("assistant", a)],
    )


@cases.wrong("make_examples", r"format of old models. Chat models take messages")
def prompt_and_completion(dialogues, system):
    return [{"prompt": question, "completion": answer} for question, answer in dialogues]


@cases.wrong("make_examples", r"14 dialogues make a list of 14 examples")
def all_in_one_example(dialogues, system):
    return [
        {
            "messages": [
                message("system", system),
                *(part for q, a in dialogues for part in (message("user", q), message("assistant", a))),
            ]
        }
    ]


@cases.wrong("make_examples", r"role")
def unknown_role(dialogues, system):
    return examples_of(
        dialogues, lambda q, a: [message("system", system), message("human", q), message("assistant", a)]
    )


@cases.wrong("make_examples", r"The example has no assistant message|no assistant")
def answers_left_out(dialogues, system):
    return examples_of(dialogues, lambda q, a: [message("system", system), message("user", q)])


@cases.wrong("make_examples", r"The example is|object")
def messages_alone(dialogues, system):
    return [example["messages"] for example in with_a_weight(dialogues, system)]


@cases.wrong("make_examples", r"nothing to train|weight 0|A weight of 0")
def weight_of_zero(dialogues, system):
    return examples_of(
        dialogues, lambda q, a: [message("system", system), message("user", q), message("assistant", a, weight=0)]
    )


@cases.wrong("make_examples", r"the user asks the question, the assistant gives its answer")
def always_the_first_answer(dialogues, system):
    return examples_of(
        dialogues, lambda q, a: [message("system", system), message("user", q), message("assistant", dialogues[0][1])]
    )


@cases.wrong("make_examples", r"has 4 messages: system, user, assistant")
def a_greeting_before(dialogues, system):
    return examples_of(
        dialogues,
        lambda q, a: [message("system", system), message("user", "Hello"), message("user", q), message("assistant", a)],
    )


@cases.right("make_examples")
def as_tuples(dialogues, system):
    return tuple(
        {"messages": (message("system", system), message("user", q), message("assistant", a))} for q, a in dialogues
    )


@cases.right("make_examples")
def yielded(dialogues, system):
    yield from with_a_weight(dialogues, system)


@cases.wrong("make_examples", r"14 dialogues make a list of 14 examples")
def one_question_an_answer(dialogues, system):
    return with_a_weight([(question, answer) for answer, question in {a: q for q, a in dialogues}.items()], system)


@cases.wrong("make_examples", r"the user asks the question, the assistant gives its answer")
def other_letters_lost(dialogues, system):
    return with_a_weight([[text.encode("ascii", "ignore").decode() for text in pair] for pair in dialogues], system)


@cases.wrong("make_examples", r"the user asks the question, the assistant gives its answer")
def one_list_for_all(dialogues, system):
    messages, examples = [message("system", system), message("user", ""), message("assistant", "")], []
    for messages[1]["content"], messages[2]["content"] in dialogues:
        examples.append({"messages": messages})
    return examples


# --- Held out --------------------------------------------------------------------------------------------------------


@cases.right("split_examples")
def copy_shuffled(examples, num_held_out, seed):
    examples = list(examples)
    random.Random(seed).shuffle(examples)
    return examples[:-num_held_out], examples[-num_held_out:]


@cases.right("split_examples")
def numbers_drawn(examples, num_held_out, seed):
    import numpy as np

    drawn = set(np.random.default_rng(seed).choice(len(examples), num_held_out, replace=False).tolist())
    return [[one for n, one in enumerate(examples) if (n in drawn) == side] for side in (False, True)]


@cases.wrong("split_examples", r"5 examples are on both sides, 'question \d+' for one")
def trained_on_all(examples, num_held_out, seed):
    return list(examples), random.Random(seed).sample(examples, num_held_out)


@cases.wrong("split_examples", r"Twelve different seeds held out the same.*sorted by subject")
def the_last_ones(examples, num_held_out, seed):
    return examples[:-num_held_out], examples[-num_held_out:]


@cases.wrong("split_examples", r"the sides are swapped")
def swapped(examples, num_held_out, seed):
    return copy_shuffled(examples, num_held_out, seed)[::-1]


@cases.wrong("split_examples", r"The same seed gave two different splits")
def without_the_seed(examples, num_held_out, seed):
    return copy_shuffled(examples, num_held_out, None)


@cases.wrong("split_examples", r"changed the list that it was given")
def shuffled_in_place(examples, num_held_out, seed):
    random.Random(seed).shuffle(examples)
    return examples[num_held_out:], examples[:num_held_out]


@cases.wrong("split_examples", r"5 examples are held out where 2 were asked for")
def always_five(examples, num_held_out, seed):
    return copy_shuffled(examples, 5, seed)


@cases.wrong("split_examples", r"1 of 20 examples are on neither side")
def one_lost(examples, num_held_out, seed):
    training, held_out = copy_shuffled(examples, num_held_out, seed)
    return training[1:], held_out


@cases.wrong("split_examples", r"4 examples are held out where 5 were asked for\.")
def one_too_few(examples, num_held_out, seed):
    return copy_shuffled(examples, num_held_out - 1, seed)


@cases.wrong("split_examples", r"Return two lists")
def held_out_alone(examples, num_held_out, seed):
    return copy_shuffled(examples, num_held_out, seed)[1]


@cases.right("split_examples")
def removed_by_value(examples, num_held_out, seed):
    held_out = random.Random(seed).sample(examples, num_held_out)
    return tuple(example for example in examples if example not in held_out), tuple(held_out)


@cases.wrong("split_examples", r"held-out examples are there twice: draw without putting back")
def drawn_with_putting_back(examples, num_held_out, seed):
    held_out = random.Random(seed).choices(examples, k=num_held_out)
    rest = [example for example in examples if example not in held_out]
    return rest[: len(examples) - num_held_out], held_out


@cases.wrong("split_examples", r"The held-out examples are neighbours")
def a_block_by_the_seed(examples, num_held_out, seed):
    start = seed % (len(examples) - num_held_out)
    return examples[:start] + examples[start + num_held_out :], examples[start : start + num_held_out]


@cases.wrong("split_examples", r"In another process the same seed would give another split")
def order_of_a_set(examples, num_held_out, seed):
    shuffled = [json.loads(text) for text in {json.dumps(example) for example in examples}]
    random.Random(seed).shuffle(shuffled)
    return shuffled[num_held_out:], shuffled[:num_held_out]


@cases.wrong("split_examples", r"In another process the same seed would give another split")
def order_of_hashes(examples, num_held_out, seed):
    shuffled = sorted(examples, key=lambda example: hash((str(example), seed)))
    return shuffled[num_held_out:], shuffled[:num_held_out]


# --- The file --------------------------------------------------------------------------------------------------------

given = {"write_file": [{"training_path": None}]}


def write(path, text, mode="w", encoding="utf-8"):
    with open(path, mode, encoding=encoding) as file:
        file.write(text)
    return path


@cases.right("write_file")
def joined_lines_in_unicode(examples, path):
    return write(path, "\n".join(json.dumps(example, ensure_ascii=False) for example in examples))


@cases.right("write_file")
def the_courses_writer(examples, path):
    from ftcourse.chat_data import write_chat_file

    return write_chat_file(examples, path)


@cases.wrong("write_file", r"The file is one JSON list")
def one_list(examples, path):
    return write(path, json.dumps(examples))


@cases.wrong("write_file", r"spread over several lines: json.dumps without indent")
def indented(examples, path):
    return write(path, "\n".join(json.dumps(example, indent=2) for example in examples))


@cases.wrong("write_file", r"Python's way to print a dictionary")
def printed(examples, path):
    return write(path, "\n".join(str(example) for example in examples))


@cases.wrong("write_file", r"has everything twice: open it with \"w\"")
def appended(examples, path):
    return write(path, "".join(json.dumps(example) + "\n" for example in examples), "a")


@cases.wrong("write_file", r"The file has 1 errors|errors, the first: .*JSON")
def no_line_breaks(examples, path):
    return write(path, "".join(json.dumps(example) for example in examples))


@cases.wrong("write_file", r"There is no file training.jsonl")
def another_name(examples, path):
    return write(path.with_suffix(".json"), "".join(json.dumps(example) + "\n" for example in examples))


@cases.wrong("write_file", r"12 examples were written and 11 come back")
def first_line_lost(examples, path):
    return write(path, "".join(json.dumps(example) + "\n" for example in examples[1:]))


@cases.wrong("write_file", r"errors, the first:")
def other_encoding(examples, path):
    return write(
        path, "".join(json.dumps(example, ensure_ascii=False) + "\n" for example in examples), encoding="latin-1"
    )


@cases.error("write_file", r"write\(\) argument must be str, not dict")
def dictionaries_written(examples, path):
    return write(path, examples[0])


@cases.wrong("write_file", r"Return the path that you wrote to, training.jsonl; this is 12")
def number_of_lines_returned(examples, path):
    joined_lines_in_unicode(examples, path)
    return len(examples)


@cases.wrong("write_file", r"empty lines between the examples")
def lines_apart(examples, path):
    return write(path, "\n\n".join(json.dumps(example) for example in examples))


@cases.wrong("write_file", r"12 examples were written and 12 come back, or others")
def line_breaks_lost(examples, path):
    return write(path, "".join(json.dumps(example).replace("\\n", " ") + "\n" for example in examples))


@cases.wrong("write_file", r"changed the examples that it was given")
def list_emptied(examples, path):
    return write(path, "".join(json.dumps(examples.pop(0)) + "\n" for _ in range(len(examples))))


@cases.wrong("write_file", r"returns None: end it with return")
def path_not_returned(examples, path):
    joined_lines_in_unicode(examples, path)


cases.value(
    "write_file", "error", r"Cannot read|cannot|can't", "own_file_missing", joined_lines_in_unicode, "nowhere.jsonl"
)

# --- The job ---------------------------------------------------------------------------------------------------------


def job(client, model, training, validation, epochs, open_file=Path, purpose="fine-tune", **changes):
    ids = [client.files.create(file=open_file(path), purpose=purpose).id for path in (training, validation)]
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
    settings = dict(model=model, training_file=ids[0], validation_file=ids[1], method=method) | changes
    return client.fine_tuning.jobs.create(**{name: value for name, value in settings.items() if value is not None})


@cases.right("start_job")
def files_opened(client, model, training_path, validation_path, n_epochs):
    return job(client, model, training_path, validation_path, n_epochs, open_file=lambda path: open(path, "rb"))


@cases.right("start_job")
def older_hyperparameters(client, model, training_path, validation_path, n_epochs):
    return job(
        client,
        model,
        training_path,
        validation_path,
        n_epochs,
        method=None,
        hyperparameters={"n_epochs": n_epochs},
        suffix="mine",
    )


@cases.right("start_job")
def bytes_sent(client, model, training_path, validation_path, n_epochs):
    return job(
        client, model, training_path, validation_path, n_epochs, open_file=lambda path: ("a.jsonl", path.read_bytes())
    )


@cases.wrong("start_job", r"The purpose is 'assistants'; for training it is 'fine-tune'")
def other_purpose(client, model, training_path, validation_path, n_epochs):
    return job(client, model, training_path, validation_path, n_epochs, purpose="assistants")


@cases.wrong("start_job", r"training_file is .*takes the id that the upload returned")
def path_for_an_id(client, model, training_path, validation_path, n_epochs):
    return job(client, model, training_path, validation_path, n_epochs, training_file=str(training_path))


@cases.wrong("start_job", r"no validation_file: you would not see the loss")
def no_validation(client, model, training_path, validation_path, n_epochs):
    return job(client, model, training_path, validation_path, n_epochs, validation_file=None)


@cases.wrong("start_job", r"training_file has the content of the other file")
def files_mixed_up(client, model, training_path, validation_path, n_epochs):
    return job(client, model, validation_path, training_path, n_epochs)


@cases.wrong("start_job", r"n_epochs is None where 3 was given")
def epochs_left_out(client, model, training_path, validation_path, n_epochs):
    return job(client, model, training_path, validation_path, n_epochs, method=None)


@cases.wrong("start_job", r"n_epochs is None where 3 was given")
def epochs_in_the_wrong_place(client, model, training_path, validation_path, n_epochs):
    return job(
        client, model, training_path, validation_path, n_epochs, method={"type": "supervised", "n_epochs": n_epochs}
    )


@cases.wrong("start_job", r"n_epochs is None where 3 was given; it stands in method, of the type supervised")
def method_without_a_type(client, model, training_path, validation_path, n_epochs):
    return job(
        client,
        model,
        training_path,
        validation_path,
        n_epochs,
        method={"supervised": {"hyperparameters": {"n_epochs": n_epochs}}},
    )


@cases.wrong("start_job", r"The model is 'gpt-4o-mini'; it was given as 'base-model'")
def model_written_down(client, model, training_path, validation_path, n_epochs):
    return job(client, "gpt-4o-mini", training_path, validation_path, n_epochs)


@cases.wrong("start_job", r"Return the job itself.*this is 'ftjob-0'")
def id_returned(client, model, training_path, validation_path, n_epochs):
    return job(client, model, training_path, validation_path, n_epochs).id


@cases.error("start_job", r"opened as text: open it with \"rb\"")
def opened_as_text(client, model, training_path, validation_path, n_epochs):
    return job(
        client, model, training_path, validation_path, n_epochs, open_file=lambda path: open(path, encoding="utf-8")
    )


@cases.error("start_job", r"file is the text of a path: the client takes an open file")
def name_sent(client, model, training_path, validation_path, n_epochs):
    return job(client, model, training_path, validation_path, n_epochs, open_file=str)


@cases.wrong("start_job", r"No job was created")
def uploads_alone(client, model, training_path, validation_path, n_epochs):
    return client.files.create(file=training_path, purpose="fine-tune")


@cases.wrong("start_job", r"2 jobs were created")
def two_jobs(client, model, training_path, validation_path, n_epochs):
    return [job(client, model, training_path, validation_path, n_epochs) for _ in range(2)][1]


@cases.error("start_job", r"raised TypeError")
def purpose_forgotten(client, model, training_path, validation_path, n_epochs):
    return client.files.create(file=training_path)


@cases.right("start_job")
def retrieved_again(client, model, training_path, validation_path, n_epochs):
    made = job(client, model, training_path, validation_path, n_epochs)
    return client.fine_tuning.jobs.retrieve(made.id)


@cases.right("start_job")
def waited_for_the_files(client, model, training_path, validation_path, n_epochs):
    ids = [client.files.create(file=path, purpose="fine-tune").id for path in (training_path, validation_path)]
    for name in ids:
        client.files.wait_for_processing(name)
        assert client.files.retrieve(name).status == "processed"
    return client.fine_tuning.jobs.create(
        model=model, training_file=ids[0], validation_file=ids[1], hyperparameters={"n_epochs": n_epochs}
    )


@cases.right("start_job")
def typed_method(client, model, training_path, validation_path, n_epochs):
    from openai.types.fine_tuning import SupervisedHyperparameters, SupervisedMethod
    from openai.types.fine_tuning.job_create_params import Method

    supervised = SupervisedMethod(hyperparameters=SupervisedHyperparameters(n_epochs=n_epochs))
    method = Method(type="supervised", supervised=supervised)
    return job(client, model, training_path, validation_path, n_epochs, method=method)


@cases.wrong("start_job", r"n_epochs is 3 where 5 was given")
def epochs_written_down(client, model, training_path, validation_path, n_epochs):
    return job(client, model, training_path, validation_path, 3)


@cases.error("start_job", r"unexpected keyword argument 'n_epochs'.*below supervised and hyperparameters")
def epochs_beside_the_model(client, model, training_path, validation_path, n_epochs):
    return client.fine_tuning.jobs.create(model=model, training_file="file-0", n_epochs=n_epochs)


@cases.wrong("start_job", r"The job was cancelled")
def cancelled(client, model, training_path, validation_path, n_epochs):
    return client.fine_tuning.jobs.cancel(job(client, model, training_path, validation_path, n_epochs).id)


@cases.wrong("start_job", r"There is no job 'file-0': jobs.create returns a job, and its id names it")
def another_id_retrieved(client, model, training_path, validation_path, n_epochs):
    job(client, model, training_path, validation_path, n_epochs)
    return client.fine_tuning.jobs.retrieve("file-0")


# --- The comparison --------------------------------------------------------------------------------------------------


def scores_of(
    client,
    models,
    examples,
    score,
    cut=slice(None, -1),
    mean=lambda values: sum(values) / len(values),
    ask=None,
    order=lambda answer, reference: (answer, reference),
    **settings,
):
    def answer(model, example):
        reply = client.chat.completions.create(
            model=ask or model, messages=example["messages"][cut], **{"temperature": 0, **settings}
        )
        return reply.choices[0].message.content

    return {
        model: mean([score(*order(answer(model, example), example["messages"][-1]["content"])) for example in examples])
        for model in models
    }


@cases.right("compare")
def in_one_expression(client, models, examples, score):
    return scores_of(client, models, examples, score)


@cases.right("compare")
def example_by_example(client, models, examples, score):
    totals = dict.fromkeys(models, 0.0)
    for example in examples:
        for model in models:
            asked = [part for part in example["messages"] if part["role"] != "assistant"]
            reply = client.chat.completions.create(model=model, messages=asked, temperature=0.0, max_tokens=60, seed=1)
            totals[model] += score(reply.choices[0].message.content, example["messages"][-1]["content"])
    return {model: total / len(examples) for model, total in totals.items()}


@cases.wrong("compare", r"The model is shown the true answer")
def answer_leaked(client, models, examples, score):
    return scores_of(client, models, examples, score, cut=slice(None))


@cases.wrong("compare", r"temperature is 'left at 1'")
def temperature_left(client, models, examples, score):
    return {
        model: sum(
            score(
                client.chat.completions.create(model=model, messages=example["messages"][:-1])
                .choices[0]
                .message.content,
                example["messages"][-1]["content"],
            )
            for example in examples
        )
        / len(examples)
        for model in models
    }


@cases.wrong("compare", r"temperature is 0.7")
def temperature_set(client, models, examples, score):
    return scores_of(client, models, examples, score, temperature=0.7)


@cases.wrong("compare", r"Answers are cut after 1 tokens")
def one_token(client, models, examples, score):
    return scores_of(client, models, examples, score, max_completion_tokens=1)


@cases.wrong("compare", r"The system message is left out")
def system_not_sent(client, models, examples, score):
    return scores_of(client, models, examples, score, cut=slice(1, -1))


@cases.wrong("compare", r"'base' was asked 0 times|'tuned' was asked 0 times")
def the_same_model_twice(client, models, examples, score):
    return scores_of(client, models, examples, score, ask=models[-1])


@cases.wrong("compare", r"'base' was asked 1 times; there are 5")
def first_example_alone(client, models, examples, score):
    return scores_of(client, models, examples[:1], score)


@cases.wrong("compare", r"the sum: divide by the number of examples")
def summed(client, models, examples, score):
    return scores_of(client, models, examples, score, mean=sum)


@cases.wrong("compare", r"give one number, the mean")
def all_scores(client, models, examples, score):
    return scores_of(client, models, examples, score, mean=list)


@cases.wrong("compare", r"is 0.\d+; the mean over the held-out examples is")
def best_score(client, models, examples, score):
    return scores_of(client, models, examples, score, mean=max)


@cases.wrong("compare", r"score takes the text of the model's answer first")
def arguments_of_score_swapped(client, models, examples, score):
    return scores_of(client, models, examples, score, order=lambda answer, reference: (reference, answer))


@cases.wrong("compare", r"Return a dictionary from each model's name")
def list_of_means(client, models, examples, score):
    return list(scores_of(client, models, examples, score).values())


@cases.wrong("compare", r"must end with the user's question")
def system_alone(client, models, examples, score):
    return scores_of(client, models, examples, score, cut=slice(None, 1))


@cases.right("compare")
def streamed(client, models, examples, score):
    def answer(model, messages):
        parts = client.chat.completions.create(model=model, messages=messages, temperature=0, stream=True)
        return "".join(part.choices[0].delta.content or "" for part in parts)

    return {
        model: sum(score(answer(model, one["messages"][:-1]), one["messages"][-1]["content"]) for one in examples)
        / len(examples)
        for model in models
    }


@cases.right("compare")
def by_responses(client, models, examples, score):
    def answer(model, messages):
        (system, question, _) = (part["content"] for part in messages)
        return client.responses.create(model=model, instructions=system, input=question, temperature=0).output_text

    return {
        model: sum(score(answer(model, one["messages"]), one["messages"][-1]["content"]) for one in examples)
        / len(examples)
        for model in models
    }


@cases.right("compare")
def as_a_column_of_pandas(client, models, examples, score):
    import pandas as pd

    return pd.Series(scores_of(client.with_options(timeout=9), models, examples, score))


@cases.wrong("compare", r"send the system message and one question, each time anew")
def conversation_that_grows(client, models, examples, score):
    said = []

    class Growing(list):
        def __getitem__(self, place):
            said.extend(list.__getitem__(self, place))
            return list(said)

    grown = [{"messages": Growing(example["messages"])} for example in examples]
    return {
        model: sum(
            score(
                client.chat.completions.create(model=model, messages=one["messages"][:-1], temperature=0)
                .choices[0]
                .message.content,
                whole["messages"][-1]["content"],
            )
            for one, whole in zip(grown, examples, strict=True)
        )
        / len(examples)
        for model in models
    }


@cases.wrong("compare", r"the mean over the held-out examples is")
def the_median(client, models, examples, score):
    from statistics import median

    return scores_of(client, models, examples, score, mean=median)


@cases.wrong("compare", r"from each model's name, small, large, tuned")
def names_written_down(client, models, examples, score):
    return dict(zip(("base", "tuned"), scores_of(client, models, examples, score).values(), strict=False))


@cases.wrong("compare", r"changed the examples that it was given")
def answers_popped(client, models, examples, score):
    true = [example["messages"].pop()["content"] for example in examples]
    return {
        model: sum(
            score(
                client.chat.completions.create(model=model, messages=one["messages"], temperature=0)
                .choices[0]
                .message.content,
                reference,
            )
            for one, reference in zip(examples, true, strict=True)
        )
        / len(examples)
        for model in models
    }


# --- The result ------------------------------------------------------------------------------------------------------

EXAMPLES = examples_of(ROOMS, lambda q, a: [message("system", "S"), message("user", q), message("assistant", a)])
DONE = SimpleNamespace(status="succeeded", model="base", fine_tuned_model="ft:base", error=None)
SIDES = EXAMPLES[4:], EXAMPLES[:4]
given["result"] = [{"job": DONE, "scores": {"base": 0.2, "ft:base": 0.6}, "training": SIDES[0], "held_out": SIDES[1]}]


def ended(**changes):
    return SimpleNamespace(**vars(DONE) | changes)


def result(outcome, pattern, name, job=DONE, scores=None, sides=SIDES):
    cases.value("result", outcome, pattern, name, (job, scores or {"base": 0.2, "ft:base": 0.6}, *sides))


result("right", r"On 4 held-out dialogues the fine-tuned model is better: 0.60 against 0.20", "a_gain")
result(
    "right",
    r"no better: 0.10 against 0.20. That is an honest result",
    "a_loss_that_is_told",
    scores={"base": 0.2, "ft:base": 0.1},
)
result("right", r"no better: 0.20 against 0.20", "no_gain", scores={"base": 0.2, "ft:base": 0.2})
result("wrong", r"The job is failed", "a_failed_job", ended(status="failed", fine_tuned_model=None))
result(
    "wrong", r"The job is running: wait for its end", "a_running_job", ended(status="running", fine_tuned_model=None)
)
result("wrong", r"'ftjob-1' is no job: retrieve it", "an_id_for_a_job", "ftjob-1")
result(
    "wrong",
    r"compare the base base with the model of this job, ft:base",
    "another_model",
    scores={"base": 0.2, "ft:other": 0.9},
)
result("wrong", r"The scores are of ft:base; compare the base", "no_baseline", scores={"ft:base": 0.9})
result(
    "wrong", r"4 of 4 held-out questions are in the training file", "judged_on_training", sides=(EXAMPLES, EXAMPLES[:4])
)
result("wrong", r"No example is held out", "nothing_held_out", sides=(EXAMPLES, []))
result("wrong", r"The job has no fine_tuned_model", "no_model", ended(fine_tuned_model=None))
result(
    "wrong",
    r"The third is the list of training examples",
    "a_path_for_examples",
    sides=("training.jsonl", "validation.jsonl"),
)
cases.value("result", "wrong", r"Four things make the result", "job_alone", DONE)
result("right", r"better: 0.60 against 0.20", "sides_as_tuples", sides=(tuple(SIDES[0]), tuple(SIDES[1])))
for name, value in (("no_number", float("nan")), ("a_percentage", 60), ("a_negative_score", -0.1), ("a_text", "0.6")):
    result("wrong", r"a mean score is a number between 0 and 1", name, scores={"base": 0.2, "ft:base": value})
result("wrong", r"are the two sides swapped", "sides_swapped", sides=SIDES[::-1])
result("wrong", r"There is no training example", "nothing_trained_on", sides=([], EXAMPLES[:4]))
result(
    "wrong",
    r"4 of 4 held-out questions are in the training file",
    "other_punctuation_held_out",
    sides=(
        EXAMPLES,
        examples_of(
            [(question.rstrip("?") + "!", answer) for question, answer in ROOMS[:4]],
            lambda q, a: [message("system", "S"), message("user", q), message("assistant", a)],
        ),
    ),
)
