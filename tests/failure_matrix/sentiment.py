"""Answers to exercise 1."""

import random

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments, default_data_collator

from failure_matrix import Cases
from ftcourse.checks import tiny

cases = Cases()

# --- Unseen films ----------------------------------------------------------------------------------------------------


def by_film(reviews, films):
    """Split reviews by a set of films for the test."""
    rows = {side: [i for i, film in enumerate(reviews["film"]) if (film in films) == side] for side in (False, True)}
    return reviews.select(rows[False]), reviews.select(rows[True])


@cases.right("split_films")
def films_drawn_by_hand(reviews, test_share, seed):
    films = sorted(set(reviews["film"]))
    random.Random(seed).shuffle(films)
    return by_film(reviews, set(films[: round(test_share * len(films))]))


@cases.right("split_films")
def a_dictionary_of_sides(reviews, test_share, seed):
    train, test = films_drawn_by_hand(reviews, test_share, seed)
    return {"train": train, "test": test}


@cases.right("split_films")
def films_drawn_with_numpy(reviews, test_share, seed):
    films = np.unique(reviews["film"])
    return by_film(reviews, set(np.random.default_rng(seed).choice(films, int(test_share * len(films)), replace=False)))


@cases.wrong("split_films", r"\d+ films are on both sides, film \d+ for one.*Draw films.*not sentences")
def sentences_drawn(reviews, test_share, seed):
    sides = reviews.train_test_split(test_size=test_share, seed=seed)
    return sides["train"], sides["test"]


@cases.wrong("split_films", r"films are on both sides")
def trained_on_all(reviews, test_share, seed):
    return reviews, films_drawn_by_hand(reviews, test_share, seed)[1]


@cases.wrong(
    "split_films",
    r"75 % of the sentences where 25 % were asked for: are the two sides swapped|7\d% of the sent.*swapped",
)
def sides_swapped(reviews, test_share, seed):
    return films_drawn_by_hand(reviews, test_share, seed)[::-1]


@cases.wrong("split_films", r"same seed gave two different splits")
def seed_forgotten(reviews, test_share, seed):
    return films_drawn_by_hand(reviews, test_share, None)


@cases.wrong("split_films", r"Four different seeds gave the same test films")
def first_films_of_the_file(reviews, test_share, seed):
    return films_drawn_by_hand(reviews, test_share, 0)


@cases.wrong("split_films", r"\d+ of 120 sentences are on neither side")
def one_sentence_a_film_in_the_test(reviews, test_share, seed):
    train, test = films_drawn_by_hand(reviews, test_share, seed)
    first = {film: i for i, film in enumerate(test["film"])}
    return train, test.select(first.values())


@cases.wrong("split_films", r"\d+ sentences are there more often than before")
def small_side_doubled(reviews, test_share, seed):
    from datasets import concatenate_datasets

    train, test = films_drawn_by_hand(reviews, test_share, seed)
    return train, concatenate_datasets([test, test])


@cases.wrong(
    "split_films",
    r"Asked for half, the test has 2\d%|Asked for half, the test has 1\d%|Asked for half, the test has 30%",
)
def always_a_fifth(reviews, test_share, seed):
    return films_drawn_by_hand(reviews, 0.2, seed)


@cases.wrong("split_films", r"The test side is empty")
def share_taken_for_a_count(reviews, test_share, seed):
    return by_film(reviews, set(sorted(set(reviews["film"]))[: int(test_share)]))


@cases.wrong("split_films", r"The train side is no data set with the columns text and film")
def texts_alone(reviews, test_share, seed):
    train, test = films_drawn_by_hand(reviews, test_share, seed)
    return train["text"], test["text"]


@cases.wrong("split_films", r"returns None: end it with return")
def return_forgotten(reviews, test_share, seed):
    films_drawn_by_hand(reviews, test_share, seed)


@cases.error("split_films", r"raised ValueError: Column 'films' doesn't exist, in the line `return by_film")
def column_misspelt(reviews, test_share, seed):
    return by_film(reviews, set(reviews["films"]))


@cases.wrong("split_films", r"In another process the same seed would give another split.*sorted\(set")
def order_of_a_set(reviews, test_share, seed):
    films = list(set(reviews["film"]))
    random.Random(seed).shuffle(films)
    drawn = films[: round(test_share * len(films))]
    rows = {side: [i for i, film in enumerate(reviews["film"]) if (film in drawn) == side] for side in (False, True)}
    return reviews.select(rows[False]), reviews.select(rows[True])


@cases.wrong("split_films", r"The column label is lost: keep the rows whole")
def column_lost(reviews, test_share, seed):
    return [side.remove_columns("label") for side in films_drawn_by_hand(reviews, test_share, seed)]


# --- Tokens ----------------------------------------------------------------------------------------------------------


@cases.right("encode")
def a_row_at_a_time(texts, tokenizer, max_length):
    rows = [tokenizer(text, truncation=True, max_length=max_length) for text in texts]
    return {name: [row[name] for row in rows] for name in ("input_ids", "attention_mask")}


@cases.right("encode")
def by_hand(texts, tokenizer, max_length):
    ids = [
        [
            tokenizer.cls_token_id,
            *tokenizer.encode(text, add_special_tokens=False)[: max_length - 2],
            tokenizer.sep_token_id,
        ]
        for text in texts
    ]
    return {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}


@cases.wrong("encode", r"A text of one word has 8 tokens, most of them padding")
def padded_to_max_length(texts, tokenizer, max_length):
    return tokenizer(texts, truncation=True, max_length=max_length, padding="max_length")


@cases.wrong("encode", r"most of them padding")
def padded_tensors(texts, tokenizer, max_length):
    return tokenizer(texts, truncation=True, max_length=max_length, padding=True, return_tensors="pt")


@cases.wrong("encode", r"A row has 12 tokens though max_length is 8")
def truncation_forgotten(texts, tokenizer, max_length):
    return tokenizer(texts)


@cases.wrong("encode", r"With max_length 10 the longest row has 8 tokens")
def limit_written_down(texts, tokenizer, max_length):
    return tokenizer(texts, truncation=True, max_length=8)


@cases.wrong("encode", r"The first token is '\w+', not \[CLS\]")
def special_tokens_left_out(texts, tokenizer, max_length):
    return tokenizer(texts, truncation=True, max_length=max_length, add_special_tokens=False)


@cases.wrong("encode", r"A row doesn't end in \[SEP\]")
def cut_with_a_slice(texts, tokenizer, max_length):
    return {name: [row[:max_length] for row in rows] for name, rows in tokenizer(texts).items()}


@cases.wrong("encode", r"became 4 words where 6 fit: it was cut too early")
def characters_cut(texts, tokenizer, max_length):
    return tokenizer([text[: 2 * max_length] for text in texts], truncation=True, max_length=max_length)


@cases.wrong("encode", r"no list of rows called attention_mask")
def ids_alone(texts, tokenizer, max_length):
    return {"input_ids": tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]}


@cases.wrong("encode", r"no list of rows called input_ids")
def words_alone(texts, tokenizer, max_length):
    return [tokenizer.tokenize(text)[:max_length] for text in texts]


@cases.wrong("encode", r"4 texts went in and 1 rows came out")
def joined(texts, tokenizer, max_length):
    return tokenizer([" ".join(texts)], truncation=True, max_length=max_length)


@cases.wrong(
    "encode", r"each row must hold the tokens of its own text|became \d words where|4 texts went in and 3 rows"
)
def sorted_by_length(texts, tokenizer, max_length):
    return tokenizer(sorted(texts, key=len, reverse=True)[:2] + [texts[2]], truncation=True, max_length=max_length)


@cases.wrong("encode", r"attention_mask is .*it is 1 for every token here")
def mask_of_zeros(texts, tokenizer, max_length):
    encoded = a_row_at_a_time(texts, tokenizer, max_length)
    return encoded | {"attention_mask": [[0] * len(row) for row in encoded["input_ids"]]}


@cases.wrong("encode", r"4 texts went in and 3 rows came out")
def alike_texts_once(texts, tokenizer, max_length):
    return tokenizer(list(dict.fromkeys(texts)), truncation=True, max_length=max_length)


@cases.wrong("encode", r"changed the settings of the tokenizer")
def settings_changed(texts, tokenizer, max_length):
    tokenizer.model_max_length = max_length
    return tokenizer(texts, truncation=True)


# --- Batches ---------------------------------------------------------------------------------------------------------


PAD = tiny.tokenizer(pad_last=True).pad_token_id


def batch_of(features, width=None, padding=PAD, mask=0, left=False, dtype=torch.long, labels="labels"):
    """Return a batch; the arguments say how it differs from a right one."""
    width = width or max(len(row["input_ids"]) for row in features)

    def fill(values, filling):
        rest = [filling] * (width - len(values))
        return [*rest, *values] if left else [*values, *rest]

    return {
        "input_ids": torch.tensor([fill(row["input_ids"], padding) for row in features]),
        "attention_mask": torch.tensor([fill(row["attention_mask"], mask) for row in features]),
        labels: torch.tensor([row["label"] for row in features], dtype=dtype),
    }


@cases.right("make_collator")
def collator_by_hand(tokenizer):
    return lambda features: batch_of(features, padding=tokenizer.pad_token_id)


@cases.right("make_collator")
def tokenizers_own_pad(tokenizer):
    def collate(features):
        batch = tokenizer.pad(
            [{k: row[k] for k in ("input_ids", "attention_mask")} for row in features], return_tensors="pt"
        )
        return {**batch, "labels": torch.tensor([row["label"] for row in features])}

    return collate


@cases.right("make_collator")
def to_a_multiple_of_eight(tokenizer):
    return DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8)


@cases.error("make_collator", r"expected sequence of length.*this collator doesn't pad them")
def default_collator(tokenizer):
    return default_data_collator


@cases.wrong("make_collator", r"64 tokens wide though its longest row has 5")
def padded_to_the_models_maximum(tokenizer):
    return DataCollatorWithPadding(tokenizer, padding="max_length", max_length=64)


@cases.wrong("make_collator", r"no labels.*looks for its labels under that name")
def label_keeps_its_name(tokenizer):
    return lambda features: batch_of(features, labels="label")


@cases.wrong("make_collator", r"the tokens come first and stay as they are, the padding follows")
def padding_on_the_left(tokenizer):
    return lambda features: batch_of(features, left=True)


@cases.wrong("make_collator", r"attention_mask must be 1 on tokens and 0 on padding")
def padding_attended_to(tokenizer):
    return lambda features: batch_of(features, mask=1)


@cases.wrong("make_collator", r"fill it with the tokenizer's padding, 18")
def filled_with_minus_100(tokenizer):
    return lambda features: batch_of(features, padding=-100)


@cases.wrong("make_collator", r"labels are torch.float32")
def float_labels(tokenizer):
    return lambda features: batch_of(features, dtype=torch.float)


@cases.wrong("make_collator", r"Three rows went in and 2 came out")
def batch_cut(tokenizer):
    return lambda features: batch_of(features[:2])


@cases.wrong("make_collator", r"in the second epoch they come again")
def labels_popped(tokenizer):
    def collate(features):
        labels = [row.pop("label") for row in features]
        return {**batch_of([row | {"label": label} for row, label in zip(features, labels, strict=True)])}

    return collate


@cases.wrong("make_collator", r"The labels 1, 0, 2 became \[0, 1, 2\]")
def labels_sorted(tokenizer):
    def collate(features):
        batch = batch_of(features)
        return {**batch, "labels": batch["labels"].sort().values}

    return collate


@cases.wrong("make_collator", r"input_ids is of type list")
def lists_for_tensors(tokenizer):
    return lambda features: {name: values.tolist() for name, values in batch_of(features).items()}


@cases.wrong("make_collator", r"A collator is a function")
def a_batch_for_a_collator(tokenizer):
    return "longest"


@cases.wrong("make_collator", r"fill it with the tokenizer's padding, 18")
def padding_of_another_model(tokenizer):
    return lambda features: batch_of(features, padding=0)


@cases.wrong("make_collator", r"attention_mask must be 1 on tokens and 0 on padding")
def mask_by_another_number(tokenizer):
    def collate(features):
        batch = batch_of(features)
        return batch | {"attention_mask": (batch["input_ids"] != 0).long()}

    return collate


@cases.wrong("make_collator", r"The labels 1, 0, 2 became \[1, 0, 1\]")
def two_classes_alone(tokenizer):
    return lambda features: batch_of([row | {"label": int(row["label"] > 0)} for row in features])


@cases.wrong("make_collator", r"whose longest row has 3 tokens, is 5 wide: pad to the longest row of this batch")
def width_kept(tokenizer):
    widths = []

    def collate(features):
        widths.append(max(len(row["input_ids"]) for row in features))
        return batch_of(features, width=max(widths))

    return collate


# --- Metrics ---------------------------------------------------------------------------------------------------------


@cases.right("compute_metrics")
def metrics_by_hand(eval_pred):
    guesses, scores = np.argmax(eval_pred.predictions, axis=1), []
    for label in np.unique(eval_pred.label_ids):
        hits = ((guesses == label) & (eval_pred.label_ids == label)).sum()
        scores.append(2 * hits / ((guesses == label).sum() + (eval_pred.label_ids == label).sum()))
    return {"accuracy": (guesses == eval_pred.label_ids).mean(), "f1": np.mean(scores)}


@cases.right("compute_metrics")
def softmax_first(eval_pred):
    logits, labels = eval_pred
    guesses = torch.tensor(logits).softmax(-1).argmax(-1).numpy()
    return {
        "accuracy": accuracy_score(labels, guesses),
        "f1": f1_score(labels, guesses, average="macro"),
        "rows": len(labels),
    }


def scores(eval_pred, average="macro", times=1, axis=-1):
    logits, labels = eval_pred
    guesses = logits.argmax(axis)
    return {
        "accuracy": times * accuracy_score(labels, guesses),
        "f1": times * f1_score(labels, guesses, average=average),
    }


@cases.wrong("compute_metrics", r"Your f1 is .*That is the binary average")
def f1_of_one_class(eval_pred):
    return scores(eval_pred, "binary")


@cases.wrong("compute_metrics", r"That is the micro average")
def f1_micro(eval_pred):
    return scores(eval_pred, "micro")


@cases.wrong("compute_metrics", r"That is the weighted average")
def f1_weighted(eval_pred):
    return scores(eval_pred, "weighted")


@cases.wrong("compute_metrics", r"accuracy is \d+\.\d\d: give a share between 0 and 1")
def in_per_cent(eval_pred):
    return scores(eval_pred, times=100)


@cases.wrong("compute_metrics", r"a logit is not a probability")
def threshold_on_a_logit(eval_pred):
    logits, labels = eval_pred
    guesses = (logits[:, 1] > 0.5).astype(int)
    return {"accuracy": accuracy_score(labels, guesses), "f1": f1_score(labels, guesses, average="macro")}


@cases.error("compute_metrics", r"inconsistent numbers of samples")
def largest_of_a_column(eval_pred):
    return scores(eval_pred, axis=0)


@cases.wrong("compute_metrics", r"needs a dictionary from names to numbers")
def a_number_alone(eval_pred):
    return scores(eval_pred)["accuracy"]


@cases.wrong("compute_metrics", r"There is no 'f1'")
def f1_left_out(eval_pred):
    return {"accuracy": scores(eval_pred)["accuracy"]}


@cases.error("compute_metrics", r"raised")
def order_of_the_pair_mixed_up(eval_pred):
    labels, logits = eval_pred
    return {"accuracy": accuracy_score(labels, logits.argmax(-1)), "f1": 1.0}


@cases.wrong("compute_metrics", r"your accuracy is")
def balanced_accuracy(eval_pred):
    logits, labels = eval_pred
    right = logits.argmax(-1) == labels
    return scores(eval_pred) | {"accuracy": np.mean([right[labels == label].mean() for label in np.unique(labels)])}


@cases.wrong("compute_metrics", r"accuracy, f1 is rounded, 0.\d+ for 0.\d+: keep the number as it is")
def rounded(eval_pred):
    return {name: round(value, 2) for name, value in scores(eval_pred).items()}


# --- The Trainer -----------------------------------------------------------------------------------------------------


def trainer_with(model, train_dataset, eval_dataset, collator, compute_metrics, output_dir, **training):
    args = TrainingArguments(output_dir=output_dir, report_to="none", **{"learning_rate": 1e-4, **training})
    return Trainer(
        model=model,
        args=args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        data_collator=collator,
        compute_metrics=compute_metrics,
    )


cases.value("build_trainer", "right", "", "arguments_by_dictionary", trainer_with)


@cases.right("build_trainer")
def the_courses_own(model, train_dataset, eval_dataset, collator, compute_metrics, output_dir, **training):
    from ftcourse import train

    return train.build_trainer(
        model,
        train.training_arguments(output_dir, **training),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        data_collator=collator,
        compute_metrics=compute_metrics,
    )


@cases.wrong("build_trainer", r"judged on the rows that it trains on")
def judged_on_training(model, train_dataset, eval_dataset, collator, compute_metrics, output_dir, **training):
    return trainer_with(model, train_dataset, train_dataset, collator, compute_metrics, output_dir, **training)


@cases.wrong("build_trainer", r"trains on another data set than train_dataset")
def sides_of_the_trainer_swapped(model, train_dataset, eval_dataset, collator, compute_metrics, output_dir, **training):
    return trainer_with(model, eval_dataset, train_dataset, collator, compute_metrics, output_dir, **training)


@cases.wrong("build_trainer", r"learning rate is 0.1\..*would destroy them")
def rate_of_training_from_scratch(*args, **training):
    return trainer_with(*args, **{"learning_rate": 0.1, **training})


@cases.wrong("build_trainer", r"learning rate is 0\.")
def rate_of_zero(*args, **training):
    return trainer_with(*args, **{"learning_rate": 0.0, **training})


@cases.wrong("build_trainer", r"train for 100 epochs")
def a_hundred_epochs(*args, **training):
    return trainer_with(*args, **{"num_train_epochs": 100, **training})


@cases.wrong("build_trainer", r"A batch has 0 rows")
def batches_of_nothing(*args, **training):
    return trainer_with(*args, **{"per_device_train_batch_size": 0, **training})


@cases.wrong("build_trainer", r"train for 0 epochs")
def no_epoch(*args, **training):
    return trainer_with(*args, **{"num_train_epochs": 0, **training})


@cases.wrong("build_trainer", r"no accuracy: pass compute_metrics")
def metrics_left_out(model, train_dataset, eval_dataset, collator, compute_metrics, output_dir, **training):
    return trainer_with(model, train_dataset, eval_dataset, collator, None, output_dir, **training)


@cases.wrong("build_trainer", r"no eval_dataset")
def nothing_to_judge_on(model, train_dataset, eval_dataset, collator, compute_metrics, output_dir, **training):
    return trainer_with(model, train_dataset, None, collator, None, output_dir, **training)


@cases.wrong("build_trainer", r"the body is as it was: it is frozen")
def body_frozen(model, *args, **training):
    model.bert.requires_grad_(False)
    return trainer_with(model, *args, **training)


@cases.wrong("build_trainer", r"the head is as it was")
def head_frozen(model, *args, **training):
    model.classifier.requires_grad_(False)
    return trainer_with(model, *args, **training)


@cases.wrong("build_trainer", r"max_steps=3 was given and is not in the arguments")
def training_not_passed_on(*args, **training):
    return trainer_with(*args)


@cases.wrong("build_trainer", r"learning_rate of \*\*training must win")
def own_rate_wins(*args, **training):
    return trainer_with(*args, **training | {"learning_rate": 1e-4})


@cases.wrong("build_trainer", r"Return the Trainer itself")
def trained_at_once(*args, **training):
    return trainer_with(*args, **{"max_steps": 1, "disable_tqdm": True, **training}).train()


@cases.wrong("build_trainer", r"Checkpoints would go to 'elsewhere'")
def folder_written_down(model, train_dataset, eval_dataset, collator, compute_metrics, output_dir, **training):
    return trainer_with(model, train_dataset, eval_dataset, collator, compute_metrics, "elsewhere", **training)


for setting, message in (
    ({"weight_decay": 10.0}, r"weight_decay is 10: 0 to 0.1 is usual"),
    ({"max_steps": 1}, r"max_steps=1 stops the training, whatever the epochs"),
    ({"warmup_steps": 10000}, r"The warm-up takes 10000 of about 1125 steps"),
    ({"max_grad_norm": 1e-6}, r"every gradient would be cut to nothing"),
    ({"label_smoothing_factor": 0.9}, r"the labels would hardly count"),
    ({"optim": "sgd"}, r"optim is 'sgd': with it this learning rate moves nothing"),
    ({"gradient_accumulation_steps": 100}, r"A step has 800 rows"),
):
    cases.value(
        "build_trainer",
        "wrong",
        message,
        f"with_{next(iter(setting))}",
        lambda *args, setting=setting, **training: trainer_with(*args, **setting | training),
    )


@cases.right("build_trainer")
def with_a_warm_up(*args, **training):
    return trainer_with(*args, **{"warmup_steps": 100, "weight_decay": 0.01, "num_train_epochs": 3, **training})


@cases.wrong("build_trainer", r"weights are frozen, bert.embeddings.word_embeddings.weight for one: here the whole")
def embeddings_frozen(model, *args, **training):
    model.bert.embeddings.requires_grad_(False)
    return trainer_with(model, *args, **training)


@cases.wrong("build_trainer", r"weights are frozen|the head is as it was")
def adapters_alone(model, *args, **training):
    from peft import LoraConfig, get_peft_model

    adapters = LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"])
    return trainer_with(get_peft_model(model, adapters), *args, **training)


@cases.wrong("build_trainer", r"judged on the rows that it trains on")
def judged_on_a_slice_of_training(model, train_dataset, eval_dataset, *args, **training):
    return trainer_with(model, train_dataset, train_dataset.select(range(6)), *args, **training)


@cases.wrong("build_trainer", r"trains on another data set than train_dataset, or on a part of it")
def trained_on_half(model, train_dataset, *args, **training):
    return trainer_with(model, train_dataset.select(range(8)), *args, **training)


@cases.wrong("build_trainer", r"trained or changed already: return the Trainer")
def trained_before_it_is_returned(*args, **training):
    trainer = trainer_with(*args, **{"num_train_epochs": 1, "disable_tqdm": True, **training})
    trainer.train()
    return trainer


@cases.error("build_trainer", r"evaluation_strategy.*It is called eval_strategy now")
def old_name_of_an_argument(*args, **training):
    return trainer_with(*args, **{"evaluation_strategy": "epoch", **training})


@cases.error("build_trainer", r"learning_rate.*It is in \*\*training as well, which wins.*\{\*\*yours, \*\*training\}")
def rate_given_twice(model, train_dataset, eval_dataset, collator, compute_metrics, output_dir, **training):
    args = TrainingArguments(output_dir=output_dir, learning_rate=1e-4, **training)
    return Trainer(
        model,
        args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        data_collator=collator,
        compute_metrics=compute_metrics,
    )


# --- Predictions -----------------------------------------------------------------------------------------------------


def predicted(texts, model, tokenizer, chances=lambda logits: logits.softmax(-1), name=None, mask=True, evaluate=True):
    if evaluate:
        model.eval()
    batch = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        rows = chances(model(**batch if mask else {"input_ids": batch["input_ids"]}).logits).tolist()
    name = name or model.config.id2label.get
    return [{"label": name(row.index(max(row))), "probability": max(row)} for row in rows]


@cases.right("predict")
def one_text_at_a_time(texts, model, tokenizer):
    return [predicted([text], model, tokenizer)[0] for text in texts]


@cases.right("predict")
def the_lessons_predict(texts, model, tokenizer):
    from ftcourse.classification import predict

    return predict(texts, model, tokenizer)


@cases.right("predict")
def a_pipeline(texts, model, tokenizer):
    from transformers import pipeline

    classify = pipeline("text-classification", model=model.eval(), tokenizer=tokenizer)
    return [{"label": row["label"], "probability": row["score"]} for row in classify(texts, truncation=True)]


@cases.wrong("predict", r"dropout is still on. Call model.eval")
def dropout_on(texts, model, tokenizer):
    return predicted(texts, model, tokenizer, evaluate=False)


@cases.wrong("predict", r"the padding is read as text \(pass attention_mask\)")
def mask_left_out(texts, model, tokenizer):
    return predicted(texts, model, tokenizer, mask=False)


@cases.wrong("predict", r"give its name, from model.config.id2label")
def numbers_for_names(texts, model, tokenizer):
    return predicted(texts, model, tokenizer, name=lambda number: number)


@cases.wrong("predict", r"a logit is none; softmax makes one")
def logits_for_chances(texts, model, tokenizer):
    return predicted(texts, model, tokenizer, chances=lambda logits: 9 + logits)


@cases.wrong("predict", r"isn't the softmax over the classes")
def sigmoid_for_softmax(texts, model, tokenizer):
    return predicted(texts, model, tokenizer, chances=torch.sigmoid)


@cases.wrong("predict", r"softmax over the classes|another text or another class")
def softmax_over_the_texts(texts, model, tokenizer):
    return predicted(texts, model, tokenizer, chances=lambda logits: logits.softmax(0))


@cases.wrong("predict", r"in the order of the texts")
def sorted_by_chance(texts, model, tokenizer):
    return sorted(predicted(texts, model, tokenizer), key=lambda row: row["probability"])


@cases.wrong("predict", r"the probability of the other class")
def chance_of_the_other_class(texts, model, tokenizer):
    return [row | {"probability": 1 - row["probability"]} for row in predicted(texts, model, tokenizer)]


@cases.wrong("predict", r"6 here; this is")
def first_text_alone(texts, model, tokenizer):
    return predicted(texts[:1], model, tokenizer)


@cases.wrong("predict", r"write a dictionary")
def labels_alone(texts, model, tokenizer):
    return [row["label"] for row in predicted(texts, model, tokenizer)]


@cases.error("predict", r"A text is longer than the model can read: cut it with truncation=True")
def long_text_not_cut(texts, model, tokenizer):
    model(**tokenizer(texts, padding=True, return_tensors="pt"))


@cases.error("predict", r"raised ValueError.*padding")
def padding_forgotten(texts, model, tokenizer):
    return model(**tokenizer(texts, return_tensors="pt"))


@cases.right("predict")
def yielded_with_tensors(texts, model, tokenizer):
    model.eval()
    for text in texts:
        with torch.no_grad():
            chances = model(**tokenizer(text, truncation=True, max_length=64, return_tensors="pt")).logits[0].softmax(0)
        yield {"label": model.config.id2label[int(chances.argmax())], "probability": chances.max()}


@cases.right("predict")
def as_a_frame(texts, model, tokenizer):
    import pandas as pd

    return pd.DataFrame(predicted(texts, model, tokenizer))


@cases.wrong("predict", r"give its name, from model.config.id2label|its label is not")
def names_written_down(texts, model, tokenizer):
    return predicted(texts, model, tokenizer, name=lambda number: ("pan", "praise", "mixed")[number])


@cases.wrong("predict", r"is right and its label is not: you say .*id2label has the names")
def names_sorted(texts, model, tokenizer):
    return predicted(texts, model, tokenizer, name=lambda number: sorted(model.config.label2id)[number])


@cases.wrong("predict", r"6 here; this is")
def alike_texts_once_predicted(texts, model, tokenizer):
    return predicted(list(dict.fromkeys(texts)), model, tokenizer)


@cases.wrong("predict", r"is rounded, 0.\d+ for 0.\d+: round where it is shown")
def chances_rounded(texts, model, tokenizer):
    return [row | {"probability": round(row["probability"], 1)} for row in predicted(texts, model, tokenizer)]


@cases.wrong("predict", r"or the text is cut too short")
def cut_after_four_tokens(texts, model, tokenizer):
    tokenizer.model_max_length = 4
    return predicted(texts, model, tokenizer)
