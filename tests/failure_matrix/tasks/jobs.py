"""Answers to the tasks in lesson 2."""

import json
import math
from fractions import Fraction
from itertools import cycle

import numpy as np
import pandas as pd

from failure_matrix import Cases

cases = Cases()
names = {"json": json, "pd": pd}

# --- A line of the file ----------------------------------------------------------------------------------------------


@cases.right("make_line")
def with_a_loop(system, texts):
    messages = [{"role": "system", "content": system}]
    for number, text in enumerate(texts, 1):
        message = {"role": "user" if number % 2 else "assistant", "content": text}
        if message["role"] == "assistant":
            message["weight"] = int(number == len(texts))
        messages.append(message)
    return json.dumps({"messages": messages}, ensure_ascii=False)


@cases.right("make_line")
def with_pairs(system, texts):
    messages = [{"content": system, "role": "developer"}]
    for question, answer in zip(texts[::2], texts[1::2], strict=True):
        messages += [{"content": question, "role": "user"}, {"content": answer, "role": "assistant", "weight": 0}]
    del messages[-1]["weight"]
    return json.dumps(dict(messages=messages), separators=(",", ":"), sort_keys=True)


@cases.right("make_line")
def with_pandas(system, texts):
    table = pd.DataFrame({"role": ["system", *["user", "assistant"] * (len(texts) // 2)], "content": [system, *texts]})
    messages = table.to_dict("records")
    for message in messages[2:-1:2]:
        message |= {"weight": 0}
    return json.dumps({"messages": messages})


def example(system, texts):
    return json.loads(with_a_loop(system, texts))


def weights(system, texts, give):
    """Return the line with the weight of each message that a function gives it, None for none."""
    found = example(system, texts)
    for message in found["messages"]:
        message.pop("weight", None)
        if (weight := give(message)) is not None:
            message["weight"] = weight
    return json.dumps(found)


@cases.wrong(
    "make_line", r"'At nine.'|The answer 'Which day\?' is not the last one and would be learned: give it the weight 0"
)
def weights_forgotten(system, texts):
    return weights(system, texts, lambda message: None)


@cases.wrong("make_line", r"The answer 'Yes\?' is not the last one and would be learned")
def weights_by_the_text(system, texts):
    early = {"weight": 0}
    found = example(system, texts)
    found["messages"] = [
        message | early if message["role"] == "assistant" and message["content"] != texts[-1] else
        {"role": message["role"], "content": message["content"]}
        for message in found["messages"]
    ]  # fmt: skip
    return json.dumps(found)


@cases.wrong("make_line", r"The last answer, 'At nine.', has the weight 0: it is the one to learn")
def all_answers_without_weight(system, texts):
    return weights(system, texts, lambda message: 0 if message["role"] == "assistant" else None)


@cases.wrong("make_line", r"A message of the system has a weight, and a service refuses that")
def a_weight_for_everything(system, texts):
    return weights(system, texts, lambda message: int(message["content"] == texts[-1]))


@cases.wrong("make_line", r"A weight is (True|False): it is a number")
def truth_values_as_weights(system, texts):
    return with_a_loop(system, texts).replace('"weight": 0', '"weight": false').replace('"weight": 1', '"weight": true')


@cases.wrong("make_line", r"is not valid JSON.*that is how Python prints a dictionary")
def a_dictionary_printed(system, texts):
    return str(example(system, texts))


@cases.wrong("make_line", r"A line has no break in it|is not valid JSON.*Leave that to json.dumps")
def put_together_by_hand(system, texts):
    parts = [f'{{"role": "system", "content": "{system}"}}']
    for role, text in zip(cycle(["user", "assistant"]), texts, strict=False):
        parts.append(f'{{"role": "{role}", "content": "{text}"}}')
    return f'{{"messages": [{", ".join(parts)}]}}'


@cases.wrong("make_line", r"is not valid JSON.*Leave that to json.dumps")
def put_together_by_hand_without_breaks(system, texts):
    return put_together_by_hand(system, [text.replace("\n", " ") for text in texts])


@cases.wrong("make_line", r"A line has no break in it: .* would be several lines of the file")
def indented(system, texts):
    return json.dumps(example(system, texts), indent=2)


@cases.wrong("make_line", r"ends with a line break or a blank: who writes the file adds the break")
def with_a_break_at_the_end(system, texts):
    return with_a_loop(system, texts) + "\n"


@cases.wrong("make_line", r"Return the line as a string; this is of type dict. json.dumps makes it")
def a_dictionary(system, texts):
    return example(system, texts)


@cases.wrong("make_line", r"Return the line as a string; this is of type bytes")
def as_bytes(system, texts):
    return with_a_loop(system, texts).encode()


@cases.wrong("make_line", r"an example is an object with the one key messages")
def messages_alone(system, texts):
    return json.dumps(example(system, texts)["messages"])


@cases.wrong("make_line", r"an example is an object with the one key messages")
def another_format(system, texts):
    return json.dumps({"system": system, "prompt": texts[0], "completion": texts[-1]})


@cases.wrong("make_line", r"is a text within a text: call json.dumps once")
def dumped_twice(system, texts):
    return json.dumps(with_a_loop(system, texts))


@cases.wrong("make_line", r"The first message has the role 'user': the system message comes first")
def system_forgotten(system, texts):
    found = example(system, texts)
    return json.dumps({"messages": found["messages"][1:]})


@cases.wrong("make_line", r"The roles are system, assistant, user: after the system message come user, assistant")
def roles_exchanged(system, texts):
    swap = {"user": "assistant", "assistant": "user"}
    messages = [
        message | {"role": swap.get(message["role"], "system")} for message in example(system, texts)["messages"]
    ]
    return json.dumps({"messages": messages})


@cases.wrong("make_line", r"4 texts and the system message went in, and 3 messages came out")
def the_last_pair_alone(system, texts):
    return with_a_loop(system, texts[-2:])


@cases.wrong("make_line", r"The roles are system, user, user|The roles are system, user, assistant, user, user")
def roles_by_the_place_of_the_text(system, texts):
    roles = ["user" if texts.index(text) % 2 == 0 else "assistant" for text in texts]
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
    for message in messages[1:-1:2]:
        message["weight"] = 0
    return json.dumps({"messages": [{"role": "system", "content": system}, *messages]})


@cases.wrong("make_line", r"The text ' Is C:.*it stays as it was said")
def trimmed(system, texts):
    return with_a_loop(system, [text.strip() for text in texts])


@cases.wrong("make_line", r"The text 'Is \"Late\\nOpening\" still on\?' became .*it stays as it was said")
def breaks_made_blanks(system, texts):
    return with_a_loop(system, [text.replace("\n", " ") for text in texts])


@cases.wrong("make_line", r"The text 'Till 9, £3.50 .*' became")
def ascii_alone(system, texts):
    return with_a_loop(system, [text.encode("ascii", "ignore").decode() for text in texts])


@cases.error("make_line", r"not JSON serializable.*json.dumps takes dictionaries, lists, texts and numbers")
def pairs_in_a_set(system, texts):
    return json.dumps({"messages": {("system", system), *zip(cycle(["user", "assistant"]), texts, strict=False)}})


# --- How many epochs? ------------------------------------------------------------------------------------------------


@cases.right("most_epochs")
def with_numpy(lengths, max_length, price, budget):
    return np.floor(budget * 1e6 / (np.minimum(lengths, max_length).sum() * price))


@cases.right("most_epochs")
def epoch_by_epoch(lengths, max_length, price, budget):
    tokens, epochs = 0, 0
    for length in lengths:
        tokens += length if length < max_length else max_length
    while (epochs + 1) * tokens * price <= budget * 1_000_000:
        epochs += 1
    return epochs


@cases.right("most_epochs")
def in_fractions(lengths, max_length, price, budget):
    cost = sum(min(length, max_length) for length in lengths) * Fraction(price) / 10**6
    return Fraction(budget) // cost


@cases.right("most_epochs")
def how_many_tokens_the_budget_pays(lengths, max_length, price, budget):
    return math.floor(budget / price * 1e6) // pd.Series(lengths).clip(upper=max_length).sum()


@cases.wrong("most_epochs", r"96,200 are left after a cut at 512.*the service cuts long examples first")
def cut_forgotten(lengths, max_length, price, budget):
    return int(budget / (sum(lengths) * price / 1e6))


@cases.wrong("most_epochs", r"a long example is cut and not left out")
def long_ones_left_out(lengths, max_length, price, budget):
    tokens = sum(length for length in lengths if length <= max_length)
    return int(budget / (tokens * price / 1e6)) if tokens else 0


@cases.wrong("most_epochs", r"a long example is cut and not left out|which the budget still pays")
def long_ones_and_full_ones_left_out(lengths, max_length, price, budget):
    tokens = sum(length for length in lengths if length < max_length)
    return int(budget / (tokens * price / 1e6)) if tokens else 0


@cases.wrong("most_epochs", r"not with those of the longest")
def all_as_long_as_the_longest(lengths, max_length, price, budget):
    return int(budget / (len(lengths) * min(max(lengths), max_length) * price / 1e6))


@cases.wrong("most_epochs", r"you say 4 epochs, and 4 cost 1.439, more than the budget: round down")
def rounded_to_the_nearest(lengths, max_length, price, budget):
    return round(float(in_fractions(lengths, max_length, price, 2 * budget) / 2))


@cases.wrong("most_epochs", r"you say 5 epochs, and 5 cost 12.03, more than the budget")
def rounded_up(lengths, max_length, price, budget):
    return math.ceil(budget / (sum(min(length, max_length) for length in lengths) * price / 1e6))


@cases.wrong("most_epochs", r"an epoch is whole, so cut off what is behind the point")
def not_rounded(lengths, max_length, price, budget):
    return budget / (sum(min(length, max_length) for length in lengths) * price / 1e6)


@cases.wrong("most_epochs", r"the price is for a million tokens, neither for one nor for a thousand")
def price_of_a_thousand(lengths, max_length, price, budget):
    return with_numpy(lengths, max_length, price, budget / 1000)


@cases.wrong("most_epochs", r"the price is for a million tokens, neither for one nor for a thousand")
def price_of_one(lengths, max_length, price, budget):
    return int(budget // (sum(min(length, max_length) for length in lengths) * price))


@cases.wrong("most_epochs", r"that is the price of a single example")
def of_a_mean_example(lengths, max_length, price, budget):
    return with_numpy([np.minimum(lengths, max_length).mean()], max_length, price, budget)


@cases.wrong("most_epochs", r"the limit is that of one example, not of the file")
def the_sum_is_cut(lengths, max_length, price, budget):
    return int(budget / (min(sum(lengths), max_length) * price / 1e6))


@cases.wrong("most_epochs", r"tokens are billed, not examples")
def examples_counted(lengths, max_length, price, budget):
    return int(budget / (len(lengths) * price / 1e6))


@cases.wrong("most_epochs", r"you say 1 epochs, and 1 cost 4.096, more than the budget: round down, to 0")
def one_at_least(lengths, max_length, price, budget):
    return max(1, epoch_by_epoch(lengths, max_length, price, budget))


@cases.wrong("most_epochs", r"you say 12 epochs, and 13 cost 13, which the budget still pays")
def less_than_the_budget(lengths, max_length, price, budget):
    return math.ceil(not_rounded(lengths, max_length, price, budget)) - 1


@cases.error("most_epochs", r"ZeroDivisionError.*rounded to nothing on the way")
def rounded_to_cents_on_the_way(lengths, max_length, price, budget):
    return int(budget // round(sum(min(length, max_length) for length in lengths) * price / 1e6, 2))


@cases.wrong("most_epochs", r"Return one number, how many epochs the budget pays")
def the_cost_as_well(lengths, max_length, price, budget):
    return epoch_by_epoch(lengths, max_length, price, budget), price


# --- The best checkpoint ---------------------------------------------------------------------------------------------


@cases.right("best_step")
def sorted_by_the_loss(results):
    measured = results[results["valid_loss"].notna()].iloc[-3:]
    return measured.sort_values("valid_loss", kind="stable").index[0]


@cases.right("best_step")
def with_min(results):
    losses = {step: loss for step, loss in results["valid_loss"].items() if not math.isnan(loss)}
    return min(list(losses)[-3:], key=losses.get)


@cases.right("best_step")
def with_numpy_places(results):
    places = np.flatnonzero(~np.isnan(results["valid_loss"]))[-3:]
    return results.index[places[np.argmin(results["valid_loss"].to_numpy()[places])]]


@cases.right("best_step")
def read_backwards(results):
    best, step, seen = math.inf, None, 0
    for number, row in results[::-1].iterrows():
        if row["valid_loss"] == row["valid_loss"] and seen < 3:
            seen += 1
            if row["valid_loss"] <= best:
                best, step = row["valid_loss"], number
    return step


@cases.wrong("best_step", r"that epoch was the best, and the service keeps the checkpoints of the last three alone")
def the_best_of_all(results):
    return results["valid_loss"].idxmin()


@cases.wrong("best_step", r"you say 11: that is the lowest training loss, which falls also where examples are learned")
def by_the_training_loss(results):
    return results["train_loss"].idxmin()


@cases.wrong("best_step", r"you say 12: that is the step of the highest token accuracy, and the last one")
def by_the_accuracy(results):
    return results["valid_mean_token_accuracy"].dropna().tail(3).idxmax()


@cases.wrong("best_step", r"you say 12: that is the step of the highest token accuracy, and the last one")
def the_last_one(results):
    return results.index[-1]


@cases.wrong("best_step", r"you say 7: that is the place of the row, counted from 0: the steps are the index")
def place_of_the_row(results):
    return np.nanargmin(results["valid_loss"])


@cases.wrong("best_step", r"you say 1: that is the place among the epochs")
def place_among_the_epochs(results):
    return results["valid_loss"].dropna().argmin()


@cases.wrong("best_step", r"you say 2: that is the number of the epoch")
def number_of_the_epoch(results):
    return results["valid_loss"].dropna().argmin() + 1


@cases.wrong("best_step", r"you say 0: nothing was measured there")
def place_of_the_first_nan(results):
    return np.argmin(results["valid_loss"].to_numpy())


@cases.wrong("best_step", r"you say 1: nothing was measured there, and there is no checkpoint|that is the place among")
def nan_as_zero(results):
    return results["valid_loss"].fillna(0).idxmin()


@cases.wrong("best_step", r"that is the loss. Return the step at which it was measured")
def the_loss_itself(results):
    return results["valid_loss"].dropna().tail(3).min()


@cases.wrong("best_step", r"of two equal losses the earlier step is to be chosen, 60")
def the_later_of_equals(results):
    kept = results["valid_loss"].dropna().tail(3)
    return kept[::-1].idxmin()


@cases.wrong("best_step", r"the lowest of the last three is at step 6")
def losses_rounded(results):
    return results["valid_loss"].dropna().tail(3).round(2).idxmin()


@cases.wrong("best_step", r"that loss is the highest")
def the_highest(results):
    return results["valid_loss"].dropna().tail(3).idxmax()


@cases.error("best_step", r"KeyError.*the columns are those that the result file has above")
def another_column(results):
    return results["eval_loss"].idxmin()


@cases.wrong("best_step", r"you say 12: that is the step of the highest token accuracy, and the last one")
def last_three_rows(results):
    rows = results["valid_loss"].tail(3).dropna()
    return rows.idxmin()


@cases.right("best_step")
def changed_in_place(results):
    results["valid_loss"] = results["valid_loss"].fillna(np.inf)
    return results.loc[results["valid_loss"] < np.inf, "valid_loss"].tail(3).idxmin()


@cases.wrong("best_step", r"Return one number, the step")
def the_row(results):
    return results.loc[with_min(results)]
