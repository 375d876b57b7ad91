"""The checks of exercise 1: fine-tune a BERT model for sentiment classification."""

import tempfile
from collections import Counter
from typing import Any

from . import hashes, tiny, trainers
from .engine import Exercise, Wrong, require, run, shown
from .reading import as_list, as_number, fields

exercise = Exercise("1_sentiment", "Fine-tune a BERT model for sentiment classification")


def _reviews(before: str = "") -> Any:
    """Reviews of 40 films, some with more sentences than others, those of a film together.

    Args:
        before: what each film's name begins with.
    """
    from datasets import Dataset

    rows = [
        (f"sentence {n} on film {film}", (film + n) % 2, f"{before}film {film}")
        for film in range(40)
        for n in range(1 + film % 5)
    ]
    return Dataset.from_dict(dict(zip(("text", "label", "film"), zip(*rows, strict=True), strict=True)))


@exercise.step("Step 1, unseen films")
def split_films(answer: Any) -> str:
    """Judge an answer to: Step 1, unseen films."""
    reviews = _reviews()
    train, test = _sides(run(answer, reviews, 0.25, 0))
    shared = set(train["film"]) & set(test["film"])
    require(
        not shared,
        f"{len(shared)} films are on both sides, {min(shared, default='')} for one: a model could win by "
        "recognising the film. Draw films for the test, not sentences.",
    )
    given, kept = Counter(reviews["text"]), Counter([*train["text"], *test["text"]])
    require(
        not kept - given,
        f"{(kept - given).total()} sentences are there more often than before. Each goes to one side, once.",
    )
    require(
        not given - kept, f"{(given - kept).total()} of {len(reviews)} sentences are on neither side: keep them all."
    )
    share = len(test) / len(reviews)
    require(
        share < 0.6, f"The test has {share:.0%} of the sentences where 25 % were asked for: are the two sides swapped?"
    )
    require(0.1 < share < 0.4, f"The test has {share:.0%} of the sentences where about 25 % were asked for.")
    lost = [name for name in reviews.column_names if name not in train.column_names or name not in test.column_names]
    require(not lost, f"The column {', '.join(lost[:1])} is lost: keep the rows whole, as reviews.select does.")
    again = _sides(run(answer, reviews, 0.25, 0))
    require(
        list(test["text"]) == list(again[1]["text"]),
        "The same seed gave two different splits, so that no run can be repeated: hand the seed to whatever shuffles.",
    )
    others = [set(_sides(run(answer, reviews, 0.25, seed))[1]["film"]) for seed in (1, 2, 3)]
    require(
        any(other != set(test["film"]) for other in others),
        "Four different seeds gave the same test films: use the seed, or the split depends on the order of the file.",
    )
    half = len(_sides(run(answer, reviews, 0.5, 0))[1]) / len(reviews)
    require(0.3 < half < 0.7, f"Asked for half, the test has {half:.0%} of the sentences: is test_share used?")
    numbers = {text: number for number, text in enumerate(reviews["text"])}
    require(
        not hashes.goes_by_hashes(
            answer, lambda before: [numbers[text] for text in _sides(run(answer, _reviews(before), 0.25, 0))[1]["text"]]
        ),
        "In another process the same seed would give another split: the order of a set of texts, and hash(), change "
        "from run to run. Sort the films first, with sorted(set(...)).",
    )
    return (
        f"{len(set(train['film']))} films to train on, {len(set(test['film']))} others to test on, every "
        "sentence on one side."
    )


def _sides(sides: Any) -> Any:
    if isinstance(sides, dict):
        sides = sides.get("train"), sides.get("test")
    require(
        isinstance(sides, (tuple, list)) and len(sides) == 2,
        f"Return two data sets, train and test; this is {shown(type(sides).__name__)}.",
    )
    for name, side in zip(("train", "test"), sides, strict=True):
        columns = getattr(side, "column_names", ())
        require(
            "film" in columns and "text" in columns,
            f"The {name} side is no data set with the columns text and film: take rows with reviews.select(numbers).",
        )
        require(len(side), f"The {name} side is empty.")
    return sides


@exercise.step("Step 2, tokens")
def encode(answer: Any) -> str:
    """Judge an answer to: Step 2, tokens."""
    tokenizer, limit = tiny.tokenizer(pad_last=True), 8
    texts = ["a dull film", "the plot is never less than gripping a warm story", "warm", "a dull film"]
    settings = (tokenizer.model_max_length, tokenizer.padding_side, tokenizer.truncation_side)
    ids, mask = _columns(run(answer, texts, tokenizer, limit))
    require(len(ids) == len(texts), f"{len(texts)} texts went in and {len(ids)} rows came out: one row for each text.")
    longest = max(map(len, ids))
    require(
        longest <= limit,
        f"A row has {longest} tokens though max_length is {limit}: cut it with truncation=True and max_length.",
    )
    require(
        tokenizer.pad_token_id not in ids[2],
        f"A text of one word has {len(ids[2])} tokens, most of them padding. Don't pad "
        "here: the batch will be padded to its own longest text, which costs far less.",
    )
    require(
        all(row[0] == tokenizer.cls_token_id for row in ids),
        f"The first token is {shown(tokenizer.convert_ids_to_tokens(ids[0])[0])}, not [CLS]: a BERT classifier "
        "reads its "
        "answer there. Leave the special tokens in.",
    )
    require(
        all(row[-1] == tokenizer.sep_token_id for row in ids),
        "A row doesn't end in [SEP]: let the tokenizer cut, not a slice.",
    )
    for text, row in zip(texts, ids, strict=True):
        words = text.split()[: limit - 2]
        found = tokenizer.convert_ids_to_tokens(row)[1:-1]
        require(
            len(found) >= len(words),
            f"{text!r} became {len(found)} words where {len(words)} fit: it was cut too early.",
        )
        require(found == words, f"{text!r} became {' '.join(found)!r}: each row must hold the tokens of its own text.")
    require(
        [list(row) for row in mask] == [[1] * len(row) for row in ids],
        f"attention_mask is {shown(mask)}: it is 1 for every token here, as there is no padding yet.",
    )
    require(
        settings == (tokenizer.model_max_length, tokenizer.padding_side, tokenizer.truncation_side),
        "Your function changed the settings of the tokenizer, which others use as well: hand max_length to the call.",
    )
    longer = _columns(run(answer, texts, tokenizer, 10))[0]
    require(
        len(longer[1]) == 10, f"With max_length 10 the longest row has {len(longer[1])} tokens: is max_length used?"
    )
    return f"Rows of {', '.join(str(len(row)) for row in ids)} tokens, cut at {limit} and not padded."


def _columns(encoded: Any) -> Any:
    columns = []
    for name in ("input_ids", "attention_mask"):
        try:
            rows = encoded[name]
            columns.append([[int(token) for token in row] for row in rows])
        except (KeyError, TypeError, IndexError, ValueError):
            raise Wrong(
                f"There is no list of rows called {name} in what came back ({shown(encoded)}): "
                "return what the tokenizer returns."
            ) from None
    return columns


@exercise.step("Step 3, batches")
def make_collator(answer: Any) -> str:
    """Judge an answer to: Step 3, batches."""
    import torch

    tokenizer = tiny.tokenizer(pad_last=True)
    features: list[dict[str, Any]] = [
        {"input_ids": ids, "attention_mask": [1] * len(ids), "label": label}
        for ids, label in (([1, 5, 2], 1), ([1, 5, 0, 7, 2], 0), ([1, 2], 2))
    ]
    collator = run(answer, tokenizer)
    require(callable(collator), f"A collator is a function from a list of rows to a batch; this is {shown(collator)}.")
    clues = {
        "expected sequence of length": "The rows are of different lengths, and this collator doesn't pad them.",
        "should have the same length": "The rows are of different lengths: they must be padded first.",
    }
    batch = run(collator, features, clues=clues)
    for name in ("input_ids", "attention_mask", "labels"):
        require(
            name in batch,
            f"The batch has {', '.join(batch)} but no {name}."
            + (" A model of transformers looks for its labels under that name." if name == "labels" else ""),
        )
        require(
            isinstance(batch[name], torch.Tensor),
            f"{name} is of type {type(batch[name]).__name__}: a model takes tensors.",
        )
    ids, mask, labels = batch["input_ids"], batch["attention_mask"], batch["labels"]
    require(ids.shape[0] == 3, f"Three rows went in and {ids.shape[0]} came out.")
    require(
        ids.shape[1] <= 8,
        f"The batch is {ids.shape[1]} tokens wide though its longest row has 5: pad to the longest, or most "
        "of the arithmetic is spent on padding.",
    )
    for row, feature in zip(ids.tolist(), features, strict=True):
        length = len(feature["input_ids"])
        require(
            row[:length] == feature["input_ids"],
            f"The row {feature['input_ids']} became {row}: the tokens come first and "
            "stay as they are, the padding follows.",
        )
        require(
            set(row[length:]) <= {tokenizer.pad_token_id},
            f"The row {feature['input_ids']} became {row}: fill it with "
            f"the tokenizer's padding, {tokenizer.pad_token_id}.",
        )
    lengths = [len(feature["input_ids"]) for feature in features]
    require(
        mask.tolist() == [[int(i < length) for i in range(ids.shape[1])] for length in lengths],
        "attention_mask must be 1 on tokens and 0 on padding: else the model reads the padding as text.",
    )
    require(
        labels.dtype == torch.long,
        f"The labels are {labels.dtype}: with float labels BERT takes the task for another one. "
        "Classes are whole numbers, torch.long.",
    )
    require(labels.tolist() == [1, 0, 2], f"The labels 1, 0, 2 became {labels.tolist()}.")
    try:
        second = collator(features)
    except Exception:  # noqa: BLE001 - whatever it is, the rows were changed
        second = {}
    require(
        "labels" in second and second["labels"].tolist() == [1, 0, 2],
        "The same rows a second time gave another batch: your collator changes the rows that it is given, and in "
        "the second "
        "epoch they come again. Copy before you pop.",
    )
    width = run(collator, [features[2], features[0]])["input_ids"].shape[1]
    require(
        width <= (3 if ids.shape[1] == 5 else 8),
        f"A batch after it, whose longest row has 3 tokens, is {width} wide: pad to the longest row of this batch.",
    )
    return (
        f"A batch of shape {tuple(ids.shape)}, with {int((mask == 0).sum())} places of padding that the model "
        "will not read."
    )


@exercise.step("Step 4, metrics")
def compute_metrics(answer: Any) -> str:
    """Judge an answer to: Step 4, metrics."""
    import numpy as np
    from sklearn.metrics import accuracy_score, f1_score
    from transformers import EvalPrediction

    for classes in (2, 3):
        generator = np.random.default_rng(classes)
        labels = np.array([0] * 14 + [1] * 5 + [2] * 4 * (classes - 2))
        logits = generator.normal(size=(len(labels), classes)).round(2) + 1.2 * np.eye(classes)[labels] + 0.6
        metrics = run(answer, EvalPrediction(logits, labels))
        require(
            isinstance(metrics, dict),
            f"The Trainer needs a dictionary from names to numbers; this is {shown(metrics)}.",
        )
        for name in ("accuracy", "f1"):
            require(name in metrics, f"There is no {name!r} among {shown(list(metrics))}.")
        guesses = logits.argmax(-1)
        truth = {"accuracy": accuracy_score(labels, guesses), "f1": f1_score(labels, guesses, average="macro")}
        _compare(metrics, truth, labels, guesses, classes)
    return "Right on two classes and on three, also where one class is rare."


def _compare(metrics: Any, truth: Any, labels: Any, guesses: Any, classes: Any) -> None:
    from sklearn.metrics import f1_score

    got = {name: float(metrics[name]) for name in truth}
    for name, value in got.items():
        require(
            abs(value - 100 * truth[name]) > 0.01,
            f"{name} is {value:.2f}: give a share between 0 and 1, {truth[name]:.4f}.",
        )
    rounded = [
        name for name, value in got.items()
        if abs(value - truth[name]) > 1e-6 and value in [round(truth[name], n) for n in (1, 2, 3, 4)]
    ]  # fmt: skip
    require(
        not rounded,
        f"{', '.join(rounded)} is rounded, {got[rounded[0]] if rounded else ''} for "
        f"{truth[rounded[0]] if rounded else 0:.6f}: keep the number as it is, and round where it is shown.",
    )
    require(
        abs(got["accuracy"] - truth["accuracy"]) < 1e-6,
        f"For {len(labels)} rows of {classes} classes your accuracy is {got['accuracy']:.4f}; it is "
        f"{truth['accuracy']:.4f}. The "
        "guess is the class with the largest logit of its row, argmax(axis=-1); a logit is not a probability.",
    )
    usual = {
        average: f1_score(
            labels, guesses, average=average, labels=[1] if average == "binary" else None, zero_division=0
        )
        for average in ("micro", "weighted")
    }
    usual["binary"] = f1_score(labels == 1, guesses == 1)
    took = next((average for average, value in usual.items() if abs(got["f1"] - value) < 1e-6), None)
    if abs(got["f1"] - truth["f1"]) > 1e-6:
        why = f"That is the {took} average" if took else "That is not the mean of the classes' F1"
        raise Wrong(
            f"Your f1 is {got['f1']:.4f}; the macro average is {truth['f1']:.4f}. {why}; macro counts each class alike."
        )


@exercise.step("Step 5, the Trainer")
@trainers.quiet()
def build_trainer(answer: Any) -> str:
    """Judge an answer to: Step 5, the Trainer."""
    import torch
    from transformers import Trainer

    rows, model = _rows(), tiny.encoder()
    sides, collator = (rows.select(range(16)), rows.select(range(16, 22))), _pad()
    before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    with tempfile.TemporaryDirectory() as folder:
        arguments = (model, *sides, collator, _count, folder)
        trainer = run(answer, *arguments, clues=trainers.OLD_NAMES)
        require(isinstance(trainer, Trainer), f"Return the Trainer itself; this is {shown(trainer)}.")
        trainers.judge_arguments(trainer.args, folder)
        rate, epochs = trainer.args.learning_rate, trainer.args.num_train_epochs
        require(
            trainer.state.global_step == 0
            and all(torch.equal(weights, before[name]) for name, weights in model.named_parameters() if name in before),
            "The model was trained or changed already: return the Trainer, which is trained further down.",
        )
        trainer = run(
            answer,
            *arguments,
            clues=trainers.OLD_NAMES,
            max_steps=3,
            learning_rate=1e-3,
            per_device_train_batch_size=4,
            disable_tqdm=True,
        )
        require(
            trainer.args.max_steps == 3,
            "max_steps=3 was given and is not in the arguments: pass **training on to "
            "TrainingArguments, and let it win over your own.",
        )
        require(trainer.args.learning_rate == 1e-3, "The learning_rate of **training must win over your own.")
        trainers.judge_data(trainer, *sides)
        trainers.hush(trainer)
        metrics = trainers.judge_evaluation(trainer)
        require(
            "eval_accuracy" in metrics, f"Evaluating gives {', '.join(metrics)} and no accuracy: pass compute_metrics."
        )
        run(trainer.train)
    moved = {
        name for name, weights in model.named_parameters() if name in before and not torch.equal(weights, before[name])
    }
    require(any("classifier" in name for name in moved), "After three steps the head is as it was: it must be trained.")
    require(
        any("encoder.layer.0" in name for name in moved),
        "After three steps the body is as it was: it is frozen. Here all weights are fine-tuned.",
    )
    frozen = [name for name, weights in trainer.model.named_parameters() if not weights.requires_grad]
    require(
        not frozen and trainer.model.num_parameters() == model.num_parameters(),
        f"{len(frozen)} weights are frozen, {', '.join(frozen[:1])} for one: here the whole model is fine-tuned.",
    )
    return (
        f"It trains body and head, at a learning rate of {rate:g} for {epochs:g} epochs, and is judged on unseen "
        "sentences."
    )


def _rows() -> Any:
    from datasets import Dataset

    ids = [[2, *(4 + (3 * n + k) % 15 for k in range(1 + n % 4)), 3] for n in range(22)]
    return Dataset.from_dict(
        {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids], "label": [n % 2 for n in range(22)]}
    )


def _pad() -> Any:
    from transformers import DataCollatorWithPadding

    return DataCollatorWithPadding(tiny.tokenizer())


def _count(eval_pred: Any) -> Any:
    logits, labels = eval_pred
    return {"accuracy": float((logits.argmax(-1) == labels).mean())}


@exercise.step("Step 6, predictions")
def predict(answer: Any) -> str:
    """Judge an answer to: Step 6, predictions."""
    tokenizer, texts = (
        tiny.tokenizer(),
        ["the plot is never less than gripping", "dull", "a warm story", "what a dull dull film", "the " * 600, "dull"],
    )
    model = tiny.encoder(("praise", "mixed", "pan"), dropout=0.3, seed=20)  # says each of them of a text
    truth = [_chances(text, model, tokenizer) for text in texts]
    clues = dict.fromkeys(
        ("index out of range", "must match the size", "expanded size"),
        "A text is longer than the model can read: cut it with truncation=True.",
    )
    model.train()  # as a Trainer leaves it
    rows = _labelled(run(answer, texts, model, tokenizer, clues=clues), texts)
    model.train()
    again = _labelled(run(answer, texts, model, tokenizer), texts)
    model.eval()
    require(
        all(
            one["label"] == other["label"] and abs(one["probability"] - other["probability"]) < 1e-4
            for one, other in zip(rows, again, strict=True)
        ),
        "Two calls gave different answers: dropout is still on. Call model.eval() first.",
    )
    names = list(model.config.id2label.values())
    for text, row, chances in zip(texts, rows, truth, strict=True):
        if len(text) > 1000 and not _is_likeliest(row, chances, names):  # cut shorter, as the learner likes
            cuts = (_chances(text, model, tokenizer, length) for length in LENGTHS)
            chances = next((other for other in cuts if _is_likeliest(row, other, names)), chances)
        if not _is_likeliest(row, chances, names):
            _explain_prediction(text, row, chances, names, truth)
    return (
        "; ".join(
            f"{text!r} {row['label']} {row['probability']:.2f}" for text, row in zip(texts[:2], rows, strict=False)
        )
        + ": alone or in a batch."
    )


LENGTHS = (32, 48, 50, 64, 96, 100, 128, 150, 192, 200, 250, 256, 300, 320, 384, 400, 500, 510)


def _chances(text: str, model: Any, tokenizer: Any, length: int | None = None) -> list[float]:
    """Return the probabilities of the classes of a text alone, with dropout off."""
    import torch

    with torch.no_grad():
        return (
            model.eval()(**tokenizer(text, truncation=True, max_length=length, return_tensors="pt"))
            .logits[0]
            .softmax(-1)
            .tolist()
        )


def _is_likeliest(row: Any, chances: Any, names: Any) -> bool:
    return row["label"] == names[chances.index(max(chances))] and abs(row["probability"] - max(chances)) < 1e-3


def _explain_prediction(text: str, row: Any, chances: Any, names: Any, truth: Any) -> None:
    """Raise `Wrong` with the likely reason for a prediction that is not the likeliest class."""
    label, chance, best, said = row["label"], row["probability"], max(chances), shown(text)
    require(label in names, f"The label of {said} is {shown(label)}: give its name, from model.config.id2label.")
    require(0 <= chance <= 1, f"The probability of {said} is {chance:.3f}: a logit is none; softmax makes one of it.")
    right = names[chances.index(best)]
    if abs(chance - best) < 1e-3:
        raise Wrong(
            f"The probability of {said} is right and its label is not: you say {label} where the model's likeliest "
            f"class is {right}. model.config.id2label has the names by their numbers."
        )
    if label == right and chance in [round(best, digits) for digits in (0, 1, 2)]:
        raise Wrong(f"The probability of {said} is rounded, {chance} for {best:.4f}: round where it is shown.")
    if any(abs(chance - max(other)) < 1e-3 for other in truth):
        raise Wrong(
            f"{said} got the answer of another text or another class ({label}, {chance:.3f}): give the likeliest "
            "class of each text, in the order of the texts."
        )
    if any(abs(chance - other) < 1e-3 for other in (*chances, 1 - best)):
        raise Wrong(
            f"For {said} you give {chance:.3f}, the probability of the other class: take that of the label you name."
        )
    raise Wrong(
        f"For {said} you give {label} with {chance:.3f}; alone, it gets {right} with {best:.3f}. "
        "Either the padding is read as text (pass attention_mask), or it isn't the softmax over the classes, or the "
        "text is cut too short."
    )


def _labelled(came: Any, texts: Any) -> Any:
    """Return predictions as a list of dictionaries with a number as probability."""
    rows = as_list(came) if not hasattr(came, "columns") else came.to_dict("records")
    if rows is None or len(rows) != len(texts):
        raise Wrong(f"Return a list with one entry a text, {len(texts)} here; this is {shown(came)}.")
    found = []
    for row in rows:
        named = fields(row) or {}
        require(
            {"label", "probability"} <= set(named),
            f'An entry is {shown(row)}: write a dictionary, {{"label": ..., "probability": ...}}.',
        )
        chance = as_number(named["probability"])
        if chance is None:
            raise Wrong(
                f"The probability is {shown(named['probability'])}: give a number, and format it where it is shown."
            )
        found.append({"label": named["label"], "probability": chance})
    return found
