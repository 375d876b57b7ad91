"""Answers to the tasks in lesson 4."""

import math

import numpy as np
import torch
from peft import LoraConfig, get_peft_model

from failure_matrix import Cases

cases = Cases()
names = {"np": np}

# --- Count the parameters --------------------------------------------------------------------------------------------


@cases.right("count_trained")
def with_numpy(shapes, r):
    return r * np.sum(shapes)


@cases.right("count_trained")
def with_peft(shapes, r):
    layers = [torch.nn.Linear(inputs, outputs, bias=False) for outputs, inputs in shapes]
    names = [str(number) for number in range(len(layers))]
    model = get_peft_model(torch.nn.Sequential(*layers), LoraConfig(r=r, target_modules=names))
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


@cases.right("count_trained")
def with_a_loop(shapes, r):
    total = 0
    for outputs, inputs in shapes:
        total += torch.empty(r, inputs).numel()
        total += torch.empty(outputs, r).numel()
    return total


@cases.wrong("count_trained", r"that is the frozen weights themselves")
def the_base(shapes, r):
    return sum(outputs * inputs for outputs, inputs in shapes)


@cases.wrong("count_trained", r"the base is frozen: its weights aren't trained")
def base_and_adapters(shapes, r):
    return the_base(shapes, r) + with_numpy(shapes, r)


@cases.wrong("count_trained", r"A and B are two matrices: add their sizes")
def sizes_multiplied(shapes, r):
    return r * the_base(shapes, r)


@cases.wrong("count_trained", r"that is the first layer alone")
def the_first_layer(shapes, r):
    return r * sum(shapes[0])


@cases.wrong("count_trained", r"layers of the same shape have an adapter each")
def each_shape_once(shapes, r):
    return r * sum(outputs + inputs for outputs, inputs in set(shapes))


@cases.wrong("count_trained", r"each row and column counts as often as the rank")
def rank_forgotten(shapes, r):
    return sum(outputs + inputs for outputs, inputs in shapes)


@cases.wrong("count_trained", r"that is A alone, and B is trained, too")
def a_alone(shapes, r):
    return sum(r * inputs for _, inputs in shapes)


@cases.wrong("count_trained", r"that is B alone, and A is trained, too")
def b_alone(shapes, r):
    return sum(r * outputs for outputs, _ in shapes)


@cases.wrong("count_trained", r"B has as many rows as the layer has outputs")
def square_layers(shapes, r):
    return sum(2 * r * inputs for _, inputs in shapes)


@cases.wrong("count_trained", r"Return one number, over all layers")
def one_for_each_layer(shapes, r):
    return [r * (outputs + inputs) for outputs, inputs in shapes]


# --- Label the answers -----------------------------------------------------------------------------------------------


@cases.right("label_answers")
def with_numpy_s_where(input_ids, spans):
    places = np.arange(len(input_ids))
    inside = np.zeros(len(input_ids), dtype=bool)
    for start, end in spans:
        inside |= (places >= start) & (places < end)
    return np.where(inside, input_ids, -100)


@cases.right("label_answers")
def with_a_tensor(input_ids, spans):
    ids = torch.tensor(input_ids)
    labels = torch.full_like(ids, -100)
    for start, end in spans:
        labels[start:end] = ids[start:end]
    return labels


@cases.right("label_answers")
def with_a_set(input_ids, spans):
    inside = {place for start, end in spans for place in range(start, end)}
    return [token if place in inside else -100 for place, token in enumerate(input_ids)]


@cases.wrong("label_answers", r"that is shifted by one. The model shifts the labels itself")
def shifted(input_ids, spans):
    return [*with_a_set(input_ids, spans)[1:], -100]


@cases.wrong("label_answers", r"that is the questions. What is -100 isn't learned")
def the_questions(input_ids, spans):
    labels = list(input_ids)
    for start, end in spans:
        labels[start:end] = [-100] * (end - start)
    return labels


@cases.wrong("label_answers", r"place 0 isn't in an answer and has the label 0. Only -100 is left out")
def zero_for_nothing(input_ids, spans):
    return [max(0, label) for label in with_a_set(input_ids, spans)]


@cases.wrong("label_answers", r"place 0 isn't in an answer and has the label 7")
def everything(input_ids, spans):
    return list(input_ids)


@cases.wrong("label_answers", r"place 5 is in an answer and has the label -100.*to the mark at its end")
def end_mark_left_out(input_ids, spans):
    return with_a_set(input_ids, [(start, end - 1) for start, end in spans])


@cases.wrong("label_answers", r"place 6 isn't in an answer and has the label 8")
def one_too_many(input_ids, spans):
    return with_a_set(input_ids, [(start, end + 1) for start, end in spans])


@cases.wrong("label_answers", r"place 2 is in an answer and has the label -100.*Every answer is learned")
def the_last_answer_alone(input_ids, spans):
    return with_a_set(input_ids, spans[-1:])


@cases.wrong("label_answers", r"Your function changed input_ids, which the model still reads")
def changed_in_place(input_ids, spans):
    labels = with_a_set(input_ids, spans)
    input_ids[:] = labels
    return input_ids


@cases.wrong("label_answers", r"8 tokens went in, and 3 labels came out: one for each token")
def the_answers_alone(input_ids, spans):
    return [token for start, end in spans for token in input_ids[start:end]]


@cases.wrong("label_answers", r"place 3 is in an answer and has the label 1, not its token 4")
def a_mask(input_ids, spans):
    return [1 if label != -100 else -100 for label in with_a_set(input_ids, spans)]


@cases.wrong("label_answers", r"place \d is in an answer and has the label -100")
def unknown_tokens_taken_for_padding(input_ids, spans):
    return [-100 if label in (0, 2) else label for label in with_a_set(input_ids, spans)]


# --- Perplexity ------------------------------------------------------------------------------------------------------


@cases.right("find_perplexity")
def with_numpy_s_average(losses, counts):
    losses, counts = np.array(losses), np.array(counts)
    return np.exp(np.average(losses[counts > 0], weights=counts[counts > 0]))


@cases.right("find_perplexity")
def with_a_running_sum(losses, counts):
    total = number = 0
    for loss, count in zip(losses, counts, strict=True):
        if count > 0:
            total += loss * count
            number += count
    return math.exp(total / number)


@cases.right("find_perplexity")
def with_torch(losses, counts):
    losses, counts = torch.tensor(losses, dtype=torch.float64), torch.tensor(counts, dtype=torch.float64)
    return torch.exp(torch.nan_to_num(losses) @ counts / counts.sum())


@cases.wrong("find_perplexity", r"each label counts the same: weight each loss by its count")
def mean_of_the_batches(losses, counts):
    return math.exp(sum(losses) / len(losses))


@cases.wrong("find_perplexity", r"the mean comes first, then the exponential")
def mean_of_the_exponentials(losses, counts):
    return float(np.nanmean(np.exp(losses)))


@cases.wrong("find_perplexity", r"the mean comes first, then the exponential")
def weighted_mean_of_the_exponentials(losses, counts):
    return float(np.average(np.exp(losses), weights=counts))


@cases.wrong("find_perplexity", r"that is the mean loss")
def the_loss(losses, counts):
    return math.log(with_a_running_sum(losses, counts))


@cases.wrong("find_perplexity", r"natural logarithms: exp, not 2 to the power")
def in_bits(losses, counts):
    return 2 ** the_loss(losses, counts)


@cases.wrong("find_perplexity", r"natural logarithms: exp, not 10 to the power")
def powers_of_ten(losses, counts):
    return 10 ** the_loss(losses, counts)


@cases.wrong("find_perplexity", r"that is how likely a token is on average; perplexity is one divided by it")
def sign_turned(losses, counts):
    return math.exp(-the_loss(losses, counts))


@cases.wrong("find_perplexity", r"a batch without a label has no loss \(nan\), and takes no part")
def nan_let_in(losses, counts):
    return math.exp(sum(loss * count for loss, count in zip(losses, counts, strict=True)) / sum(counts))


@cases.wrong("find_perplexity", r"the exponential of the mean over all labels")
def losses_taken_for_sums(losses, counts):
    return math.exp(sum(losses) / sum(counts))


@cases.wrong("find_perplexity", r"Return one number")
def one_for_each_batch(losses, counts):
    return [math.exp(loss) for loss in losses]
