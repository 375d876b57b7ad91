"""The checks of the tasks in lesson 4: the parameters of LoRA, labels for the answers alone, perplexity."""

import math
from typing import Any

from ..engine import require, run, shown
from ..reading import as_number, as_numbers
from . import new_tasks

tasks = new_tasks("04_lora_qlora")


@tasks.step("Your turn, count the parameters")
def count_trained(answer: Any) -> str:
    """Judge an answer to: Your turn, count the parameters."""
    for shapes, rank in (
        ([(192, 576)], 16),
        ([(576, 576), (192, 576), (192, 576), (1536, 576), (576, 1536)], 8),
        ([(4, 6), (4, 6), (10, 2)], 1),
    ):
        found = as_number(run(answer, list(shapes), rank))
        require(found is not None, "Return one number, over all layers.")
        assert found is not None
        right = sum(rank * (rows + columns) for rows, columns in shapes)
        said = (
            f"For rank {rank} and weights of {shown(shapes)} there are {right:,} numbers to train; you say {found:,.0f}"
        )
        for wrong, why in (
            (sum(rows * columns for rows, columns in shapes), "that is the frozen weights themselves"),
            (right + sum(rows * columns for rows, columns in shapes), "the base is frozen: its weights aren't trained"),
            (sum(rank * rows * columns for rows, columns in shapes), "A and B are two matrices: add their sizes"),
            (rank * sum(shapes[0]), "that is the first layer alone"),
            (rank * sum(map(sum, set(shapes))), "layers of the same shape have an adapter each"),
            (sum(map(sum, shapes)), "each row and column counts as often as the rank"),
            (rank * sum(columns for _, columns in shapes), "that is A alone, and B is trained, too"),
            (rank * sum(rows for rows, _ in shapes), "that is B alone, and A is trained, too"),
            (sum(2 * rank * columns for _, columns in shapes), "B has as many rows as the layer has outputs"),
        ):
            require(found != wrong or wrong == right, f"{said}: {why}.")
        require(found == right, f"{said}: A is rank times inputs, B is outputs times rank, in each layer.")
    return "Rank times inputs and outputs, added up over the layers."


@tasks.step("Your turn, label the answers")
def label_answers(answer: Any) -> str:
    """Judge an answer to: Your turn, label the answers."""
    for ids, spans in (
        ([7, 3, 9, 4, 4, 2, 8, 1], [(3, 6)]),
        ([5, 0, 5, 6, 0, 2, 5, 6, 3, 2], [(2, 4), (7, 10)]),
        ([4, 4, 4], []),
    ):
        given = list(ids)
        labels = as_numbers(run(answer, given, list(spans)))
        require(given == ids, "Your function changed input_ids, which the model still reads: make a list of its own.")
        require(
            len(labels) == len(ids),
            f"{len(ids)} tokens went in, and {len(labels)} labels came out: one for each token. The model itself "
            "shifts them by one.",
        )
        inside = [any(start <= place < end for start, end in spans) for place in range(len(ids))]
        right = [token if own else -100 for token, own in zip(ids, inside, strict=True)]
        said = f"For the tokens {ids} and answers at {spans} you return {[int(label) for label in labels]}"
        require(
            labels == right or labels != [*right[1:], -100],
            f"{said}: that is shifted by one. The model shifts the labels itself; each stands at its own token.",
        )
        require(
            labels == right or labels != [-100 if own else token for token, own in zip(ids, inside, strict=True)],
            f"{said}: that is the questions. What is -100 isn't learned.",
        )
        for place, (label, wanted) in enumerate(zip(labels, right, strict=True)):
            require(
                label == wanted or wanted != -100,
                f"{said}: place {place} isn't in an answer and has the label {label:g}. Only -100 is left out of the "
                "loss.",
            )
            require(
                label == wanted,
                f"{said}: place {place} is in an answer and has the label {label:g}, not its token {wanted}. Every "
                "answer is learned, from its first token to the mark at its end, just before the second number.",
            )
    return "Every answer is learned whole, and nothing else."


@tasks.step("Your turn, perplexity")
def find_perplexity(answer: Any) -> str:
    """Judge an answer to: Your turn, perplexity."""
    for losses, counts in (
        ([2.0, 1.0], [10, 90]),
        ([0.5, 3.0, 1.5], [200, 10, 40]),
        ([1.2, math.nan, 0.8], [50, 0, 30]),
        ([0.7], [12]),
    ):
        found = as_number(run(answer, list(losses), list(counts), clues={"ZeroDivision": "A batch may hold no label."}))
        require(found is not None, "Return one number.")
        assert found is not None
        pairs = [(loss, count) for loss, count in zip(losses, counts, strict=True) if count]
        total = sum(count for _, count in pairs)
        mean = sum(loss * count for loss, count in pairs) / total
        plain = sum(loss for loss, _ in pairs) / len(pairs)
        right = math.exp(mean)
        said = f"For losses of {losses} over {counts} labels the perplexity is {right:.3f}; you say {found:.3f}"
        require(not math.isnan(found), f"{said}: a batch without a label has no loss (nan), and takes no part.")
        for wrong, why in (
            (math.exp(plain), "batches differ in size, and each label counts the same: weight each loss by its count"),
            (sum(math.exp(loss) for loss, _ in pairs) / len(pairs), "the mean comes first, then the exponential"),
            (
                sum(math.exp(loss) * count for loss, count in pairs) / total,
                "the mean comes first, then the exponential",
            ),
            (mean, "that is the mean loss"),
            (2**mean, "the loss is counted with natural logarithms: exp, not 2 to the power"),
            (10**mean, "the loss is counted with natural logarithms: exp, not 10 to the power"),
            (math.exp(-mean), "that is how likely a token is on average; perplexity is one divided by it"),
        ):
            same = math.isclose(wrong, right, rel_tol=1e-6)
            require(same or not math.isclose(found, wrong, rel_tol=1e-6), f"{said}: {why}.")
        require(math.isclose(found, right, rel_tol=1e-6), f"{said}: the exponential of the mean over all labels.")
    return "Each label counts the same, in whichever batch it was."
