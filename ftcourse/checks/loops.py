"""A loop of training held against a reference loop: the weights before each step, the optimiser, and the losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .engine import require

_USUAL = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}  # torch's own choices for AdamW
_NEAR = 0.05  # two states are alike if they differ by less than this share of a step


@dataclass
class Trace:
    """What a loop did: the batch and the trained weights of each pass forward, and each step of an optimiser."""

    ids: list[Any] = field(default_factory=list)
    states: list[Any] = field(default_factory=list)
    steps: list[tuple[Any, list[float]]] = field(default_factory=list)  # (optimiser, its learning rates)


def _flat(model: Any) -> Any:
    """Return all adapters of a model as one row of numbers."""
    import torch

    return torch.cat([part.detach().flatten() for name, part in model.named_parameters() if name[-2:] in (".A", ".B")])


@contextmanager
def watch(model: Any) -> Iterator[Trace]:
    """Note what a loop does with a model: yield a `Trace`, whole at the end.

    Args:
        model: the one that is trained.
    """
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    trace = Trace()

    def before(_: Any, args: Any, kwargs: Any) -> None:
        if torch.is_grad_enabled():
            trace.ids.append(kwargs.get("input_ids", args[0] if args else None))
            trace.states.append(_flat(model))

    def after(optimiser: Any, *_: Any) -> None:
        trace.steps.append((optimiser, [group["lr"] for group in optimiser.param_groups]))

    hooks = [model.register_forward_pre_hook(before, with_kwargs=True), register_optimizer_step_post_hook(after)]
    try:
        yield trace
        trace.states.append(_flat(model))
    finally:
        for hook in hooks:
            hook.remove()


def reference(
    model: Any,
    batches: Sequence[Any],
    learning_rate: float,
    options: dict[str, Any] | None = None,
    zero: bool = True,
    sign: int = 1,
) -> tuple[list[float], list[Any]]:
    """Train a model as the step asks, or with a fault; return the losses, and the adapters before and after each step.

    Args:
        model: with adapters; it is changed.
        batches: of the model.
        learning_rate: of the optimiser.
        options: of AdamW.
        zero: forget the gradients of the last step.
        sign: -1 goes uphill.
    """
    import torch

    weights = [part for part in model.parameters() if part.requires_grad]
    optimiser, losses, states = torch.optim.AdamW(weights, lr=learning_rate, **(options or {})), [], [_flat(model)]
    for batch in batches:
        if zero:
            optimiser.zero_grad()
        loss = model(**batch).loss
        (sign * loss).backward()
        optimiser.step()
        losses.append(loss.item())
        states.append(_flat(model))
    return losses, states


def judge_passes(trace: Trace, batches: Sequence[Any]) -> None:
    """Require one pass forward for each batch, in order.

    Args:
        trace: of the learner's loop.
        batches: that the loop was given.
    """
    import torch

    order = [
        next((n for n, batch in enumerate(batches) if given is not None and torch.equal(batch["input_ids"], given)), -1)
        for given in trace.ids
    ]
    require(order, "The loop never calls the model on a batch: take model(**batch).loss.")
    require(-1 not in order, "The model is called on something that is none of the batches: hand over each as it is.")
    often = max(order.count(number) for number in order)
    require(
        often == 1,
        f"A batch goes through the model {often} times, with gradients: every batch once, and a step for each.",
    )
    require(
        len(order) == len(batches),
        f"{len(order)} of {len(batches)} batches went through the model: take all of them, the last one, too.",
    )
    require(
        order == sorted(order), f"The batches, numbered from 0, come in the order {order}: take them as they are given."
    )


def judge_optimiser(trace: Trace, model: Any, learning_rate: float, count: int) -> dict[str, Any]:
    """Require a step of AdamW a batch, on all adapters, at the given rate; return the options that it was made with.

    Args:
        trace: of the learner's loop.
        model: that was trained.
        learning_rate: that the loop was given.
        count: of the batches.
    """
    import torch

    if not trace.steps:  # an optimiser of the learner's own: the weights alone can tell
        return {}
    first = trace.steps[0][0]
    kind = type(first).__name__
    require(
        isinstance(first, torch.optim.AdamW),
        f"The optimiser is {kind}; the step asks for AdamW"
        + {
            "Adam": ", which pulls the weights towards zero as well.",
            "SGD": ": with plain SGD every number moves by its own gradient, and adapters hardly learn.",
        }.get(kind, "."),
    )
    require(
        len({id(optimiser) for optimiser, _ in trace.steps}) == 1,
        "A new optimiser is made for each step: AdamW steps by what it remembers of the steps before. Make it once, "
        "before the loop.",
    )
    held = {id(part) for group in first.param_groups for part in group["params"]}
    missing = [name for name, part in model.named_parameters() if part.requires_grad and id(part) not in held]
    require(
        not missing,
        f"{len(missing)} of the adapters' matrices are not in the optimiser, {', '.join(missing[:1])} for one: give "
        "it every parameter that requires a gradient.",
    )
    require(
        len(trace.steps) == count,
        f"{count} batches made {len(trace.steps)} steps of the optimiser: make one step for each batch, once.",
    )
    rates = {rate for _, group in trace.steps for rate in group}
    require(
        rates == {learning_rate},
        f"The steps were made with a learning rate of {', '.join(f'{rate:g}' for rate in sorted(rates)[:3])} where "
        f"{learning_rate:g} was given: use learning_rate as it is, at every step.",
    )
    options = {name: first.param_groups[0][name] for name in (*_USUAL, "amsgrad", "maximize")}
    betas, decay = options["betas"], options["weight_decay"]
    require(not options["maximize"], "With maximize the loss climbs: leave it out.")
    require(decay <= 0.1, f"weight_decay is {decay:g}: that pulls the adapters to zero; 0 to 0.1 is usual.")
    require(
        0.8 <= betas[0] <= 0.95 and 0.9 <= betas[1] < 1 and options["eps"] <= 1e-5,
        f"AdamW has betas={betas} and eps={options['eps']:g}: leave them as they are, (0.9, 0.999) and 1e-8.",
    )
    return options


def judge_states(trace: Trace, states: Sequence[Any], faults: dict[str, Any]) -> None:
    """Require the weights before each step and after the last to be those of the reference loop.

    Args:
        trace: of the learner's loop.
        states: the adapters of the reference loop, before the first step and after each.
        faults: what may be wrong, to a function that returns the states of a reference loop with that fault.
    """
    wrong = _first_difference(trace.states, states)
    if wrong is None:
        return
    why = next((text for text, make in faults.items() if _first_difference(trace.states, make()) is None), "")
    still = wrong and bool((trace.states[wrong] == trace.states[wrong - 1]).all())
    require(
        False,
        f"After {wrong} of {len(states) - 1} batches the adapters are not where a step of AdamW for each puts them. "
        + (
            why
            or (
                "They did not move at this batch: make the step in every round."
                if still
                else "For each batch, in this order: the loss of the model as it is, its gradients alone, one step."
            )
        ),
    )


def _first_difference(ours: Sequence[Any], theirs: Sequence[Any]) -> int | None:
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        step = (other - theirs[max(number - 1, 0)]).norm()
        if (one - other).norm() > _NEAR * step + 1e-6:
            return number
    return None


def judge_losses(losses: Sequence[float], truth: Sequence[float]) -> None:
    """Require the losses to be those of the batches, each before its own step.

    Args:
        losses: of the learner's loop.
        truth: of the reference loop.
    """
    for number, (loss, true) in enumerate(zip(losses, truth, strict=True), 1):
        if abs(loss - true) <= 2e-3 * max(1, abs(true)):
            continue
        mean = sum(truth[:number]) / number
        why = {
            mean: "that is the mean of all so far, which hides what the last batches did",
            -true: "the sign is turned",
            sum(truth[:number]): "that is the sum of all so far",
        }
        known = next((text for value, text in why.items() if abs(loss - value) < 1e-3), "note the loss of the batch")
        known = "it is rounded" if loss in (round(true, 1), round(true, 2)) else known
        require(
            False,
            f"Loss {number} is {loss:.4f}; the model's loss on this batch, before its step, was {true:.4f}: {known}.",
        )
