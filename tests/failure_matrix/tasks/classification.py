"""Answers to the tasks in lesson 3."""

import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import LabelEncoder
from transformers import DataCollatorWithPadding, TrainingArguments

from failure_matrix import Cases

cases = Cases()
names = {"TrainingArguments": TrainingArguments}  # what the cells of the lesson hand to those of the tasks

# --- Names of classes ------------------------------------------------------------------------------------------------


@cases.right("name_labels")
def with_numpy(labels):
    return np.unique(labels, return_inverse=True)


@cases.right("name_labels")
def with_scikit_learn(labels):
    encoder = LabelEncoder().fit(labels)
    return encoder.classes_, encoder.transform(labels)


@cases.right("name_labels")
def with_a_loop(labels):
    found = []
    for label in labels:
        if label not in found:
            found.append(label)
    found.sort()
    return {"names": found, "numbers": (found.index(label) for label in labels)}


@cases.right("name_labels")
def with_pandas(labels):
    categories = pd.Categorical(labels)
    return categories.categories, categories.codes


@cases.wrong("name_labels", r"'fresh' isn't among the labels.*read the names there")
def names_of_the_course(labels):
    return ["rotten", "fresh"], [int(label == "fresh") for label in labels]


@cases.wrong("name_labels", r"The names come as .*sort them.*order of the rows, or of a set")
def order_of_the_rows(labels):
    found = list(dict.fromkeys(labels))
    return found, [found.index(label) for label in labels]


@cases.wrong("name_labels", r"The names are .*each class has its name once")
def a_name_for_each_row(labels):
    found = sorted(labels)
    return found, [found.index(label) for label in labels]


@cases.wrong("name_labels", r"the names come first, then a number for each example|take them from the labels")
def the_two_swapped(labels):
    found = sorted(set(labels))
    return [found.index(label) for label in labels], found


@cases.wrong("name_labels", r"The numbers go from 1 to 5 for 5 names: count from 0")
def counted_from_one(labels):
    found = sorted(set(labels))
    return found, [1 + found.index(label) for label in labels]


@cases.wrong("name_labels", r"The numbers go from 0 to 6 for 5 names: each is a place among the names, not among")
def places_among_the_labels(labels):
    return sorted(set(labels)), [sorted(labels).index(label) for label in labels]


@cases.wrong("name_labels", r"Return two lists, the names and the numbers; this is \{'account': 0")
def a_dictionary_alone(labels):
    return {name: number for number, name in enumerate(sorted(set(labels)))}


@cases.wrong("name_labels", r"'world news'.*leads to|'US' has no name|isn't among the labels")
def case_is_lost(labels):
    found = sorted({label.lower() for label in labels})
    return found, [found.index(label.lower()) for label in labels]


@cases.wrong("name_labels", r"The numbers are \['returns'.*a model's loss takes integers|a number for each example")
def labels_as_they_were(labels):
    return sorted(set(labels)), labels


@cases.wrong("name_labels", r"Row 0 is 'returns', and its number 1 leads to 'delivery'")
def two_classes_only(labels):
    found = sorted(set(labels))
    return found, [int(label != found[0]) for label in labels]


@cases.wrong("name_labels", r"Row \d is 'returns', and its number 0 leads to|8 labels went in, and 5 numbers")
def numbers_of_the_names(labels):
    return sorted(set(labels)), list(range(len(set(labels))))


# --- A batch ---------------------------------------------------------------------------------------------------------


@cases.right("make_batch")
def with_the_collator(texts, tokenizer, max_length):
    return DataCollatorWithPadding(tokenizer)(
        [tokenizer(text, truncation=True, max_length=max_length) for text in texts]
    )


@cases.right("make_batch")
def padded_afterwards(texts, tokenizer, max_length):
    rows = tokenizer(texts, truncation=True, max_length=max_length)
    return dict(tokenizer.pad(rows, padding="longest", return_tensors="pt"))


@cases.right("make_batch")
def with_pad_sequence(texts, tokenizer, max_length):
    rows = [torch.tensor(ids) for ids in tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]]
    masks = [torch.ones_like(row) for row in rows]
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad(rows, batch_first=True, padding_value=tokenizer.pad_token_id),
        "attention_mask": pad(masks, batch_first=True),
    }


@cases.right("make_batch")
def padded_on_the_left(texts, tokenizer, max_length):
    return tokenizer(
        texts, truncation=True, max_length=max_length, padding=True, padding_side="left", return_tensors="pt"
    )


@cases.wrong("make_batch", r"The batch is 32 tokens wide, and its longest text has 7: pad to the longest of the batch")
def padded_to_the_limit(texts, tokenizer, max_length):
    return tokenizer(texts, truncation=True, max_length=max_length, padding="max_length", return_tensors="pt")


@cases.wrong("make_batch", r"With max_length 8 the batch is 12 tokens wide: longer texts are to be cut")
def truncation_forgotten(texts, tokenizer, max_length):
    return tokenizer(texts, padding=True, return_tensors="pt")


@cases.wrong("make_batch", r"With max_length 8 the batch is 12 tokens wide")
def the_limit_of_the_lesson(texts, tokenizer, max_length):
    return tokenizer(texts, truncation=True, max_length=128, padding=True, return_tensors="pt")


@cases.wrong("make_batch", r"Row 0 is filled up with 0, which is the token '\[UNK\]' here.*isn't 0 for every model")
def padded_with_zeros(texts, tokenizer, max_length):
    rows = [torch.tensor(ids) for ids in tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]]
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad(rows, batch_first=True),
        "attention_mask": pad([torch.ones_like(row) for row in rows], batch_first=True),
    }


@cases.wrong("make_batch", r"The attention_mask of row 0 is 1 everywhere, and 3 of its tokens are padding")
def mask_of_ones(texts, tokenizer, max_length):
    batch = tokenizer(texts, truncation=True, max_length=max_length, padding=True, return_tensors="pt")
    return {"input_ids": batch["input_ids"], "attention_mask": torch.ones_like(batch["input_ids"])}


@cases.wrong("make_batch", r"input_ids is of type list: a model takes tensors")
def lists(texts, tokenizer, max_length):
    return tokenizer(texts, truncation=True, max_length=max_length, padding=True)


@cases.error("make_batch", r"raised ValueError: Unable to create tensor.*padding=True fills them up")
def padding_forgotten(texts, tokenizer, max_length):
    return tokenizer(texts, truncation=True, max_length=max_length, return_tensors="pt")


@cases.wrong("make_batch", r"Row 0 holds .*each row has the tokens of its own text, in the order of the texts")
def sorted_by_length(texts, tokenizer, max_length):
    texts = sorted(texts, key=len)
    return tokenizer(texts, truncation=True, max_length=max_length, padding=True, return_tensors="pt")


@cases.wrong("make_batch", r"Row \d holds .*with \[CLS\] and \[SEP\] around them")
def cut_with_a_slice(texts, tokenizer, max_length):
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    return {name: batch[name][:, :max_length] for name in ("input_ids", "attention_mask")}


@cases.wrong("make_batch", r"The batch is 6 tokens wide where 7 fit: a text was cut too early|with \[CLS\] and \[SEP\]")
def no_special_tokens(texts, tokenizer, max_length):
    return tokenizer(
        texts, truncation=True, max_length=max_length, padding=True, return_tensors="pt", add_special_tokens=False
    )


@cases.wrong("make_batch", r"There is no attention_mask in what came back|There is no input_ids")
def ids_alone(texts, tokenizer, max_length):
    return {"input_ids": with_the_collator(texts, tokenizer, max_length)["input_ids"]}


@cases.wrong("make_batch", r"made '\[UNK\]' the padding token of the tokenizer, which was '\[PAD\]'")
def another_padding_token(texts, tokenizer, max_length):
    tokenizer.pad_token = tokenizer.unk_token
    return tokenizer(texts, truncation=True, max_length=max_length, padding=True, return_tensors="pt")


# --- The best epoch --------------------------------------------------------------------------------------------------

BEST = dict(eval_strategy="epoch", save_strategy="epoch", load_best_model_at_end=True, metric_for_best_model="accuracy")


@cases.right("keep_best")
def by_its_whole_name(output_dir):
    return TrainingArguments(output_dir, **{**BEST, "metric_for_best_model": "eval_accuracy"}, save_total_limit=1)


@cases.right("keep_best")
def saved_when_best(output_dir):
    return TrainingArguments(output_dir=output_dir, **{**BEST, "save_strategy": "best"}, num_train_epochs=5)


@cases.right("keep_best")
def by_setters(output_dir):
    arguments = TrainingArguments(output_dir, **BEST, greater_is_better=True)
    return arguments.set_logging(strategy="epoch")


@cases.wrong("keep_best", r"\*Best\* goes by loss: without metric_for_best_model the lowest loss is kept")
def best_by_the_loss(output_dir):
    return TrainingArguments(output_dir, **{**BEST, "metric_for_best_model": None})


@cases.error("keep_best", r"unexpected keyword argument 'evaluation_strategy'.*Today it is called eval_strategy")
def the_old_name(output_dir):
    rest = {name: value for name, value in BEST.items() if name != "eval_strategy"}
    return TrainingArguments(output_dir, evaluation_strategy="epoch", **rest)


@cases.error(
    "keep_best", r"(?s)raised ValueError.*save and measure at the same times, save_strategy like eval_strategy"
)
def saving_forgotten(output_dir):
    return TrainingArguments(output_dir, **{**BEST, "save_strategy": "steps"})


@cases.wrong("keep_best", r"load_best_model_at_end is False: the run ends with its last weights")
def best_not_loaded(output_dir):
    return TrainingArguments(output_dir, **{**BEST, "load_best_model_at_end": False})


@cases.wrong("keep_best", r"Nothing is measured during the run: eval_strategy is 'no', its default")
def saved_and_not_measured(output_dir):
    return TrainingArguments(output_dir, save_strategy="epoch", metric_for_best_model="accuracy")


@cases.wrong("keep_best", r"It measures by steps, every 500: the task asks for once an epoch")
def measured_by_steps(output_dir):
    both = {"eval_strategy": "steps", "save_strategy": "steps", "eval_steps": 500, "save_steps": 500}
    return TrainingArguments(output_dir, **{**BEST, **both})


@cases.wrong("keep_best", r"greater_is_better is False: the epoch with the lowest accuracy would be kept")
def the_lowest_accuracy(output_dir):
    return TrainingArguments(output_dir, **BEST, greater_is_better=False)


@cases.wrong("keep_best", r"\*Best\* goes by 'f1': what compute_metrics returns is called 'accuracy'")
def another_metric(output_dir):
    return TrainingArguments(output_dir, **{**BEST, "metric_for_best_model": "f1"})


@cases.wrong("keep_best", r"The checkpoints would go to .*elsewhere.*hand output_dir on")
def a_folder_of_its_own(output_dir):
    return TrainingArguments("elsewhere", **BEST)


@cases.wrong("keep_best", r"Return TrainingArguments; this is \{'eval_strategy'")
def a_dictionary(output_dir):
    return BEST


@cases.right("keep_best")
def words_set_afterwards(output_dir):
    arguments = TrainingArguments(output_dir)
    arguments.eval_strategy = arguments.save_strategy = "epoch"
    arguments.load_best_model_at_end, arguments.metric_for_best_model = True, "accuracy"
    arguments.greater_is_better = True
    return arguments


@cases.wrong("keep_best", r"With num_train_epochs=1 and max_steps=-1 the run may end within its first epoch")
def one_epoch(output_dir):
    return TrainingArguments(output_dir, **BEST, num_train_epochs=1)


@cases.wrong("keep_best", r"With num_train_epochs=3 and max_steps=10 the run may end within its first epoch")
def a_few_steps(output_dir):
    return TrainingArguments(output_dir, **BEST, max_steps=10)


@cases.wrong("keep_best", r"eval_delay is 2, and not every epoch would be measured")
def measured_late(output_dir):
    return TrainingArguments(output_dir, **BEST, eval_delay=2)


@cases.wrong("keep_best", r"eval_delay is None.*also after set_evaluate, which makes it None")
def by_set_evaluate(output_dir):
    return TrainingArguments(output_dir, **BEST).set_evaluate(strategy="epoch")
