"""The checks of exercise 2: LoRA fine-tuning of a language model, by hand and with peft."""

import copy
from typing import Any

from ..train import IGNORED
from . import tiny
from .engine import Exercise, Wrong, require, run, shown

exercise = Exercise("2_lora", "Implement LoRA fine-tuning for a language model")


@exercise.step("Step 1, labels")
def collate(answer: Any) -> str:
    """Judge a function that pads prompts and answers, with labels on the answers alone."""
    import torch

    examples = [([5, 6, 7], [8, 9]), ([5], [10, 11, 12, 13]), ([5, 6], [2])]
    batch = run(
        answer, examples, 2, clues={"expected sequence of length": "The rows are of different lengths: pad them first."}
    )
    require(hasattr(batch, "keys"), f"Return a dictionary of tensors; this is {shown(batch)}.")
    for name in ("input_ids", "attention_mask", "labels"):
        require(name in batch, f"The batch has {', '.join(batch)} but no {name}.")
        require(
            isinstance(batch[name], torch.Tensor) and batch[name].dtype == torch.long,
            f"{name} must be a tensor of whole numbers (torch.long); it is {shown(batch[name])}.",
        )
        require(
            tuple(batch[name].shape) == (3, 5),
            f"{name} has the shape {tuple(batch[name].shape)}; three rows, the longest of 5 tokens, make (3, 5).",
        )
    for row, (prompt, reply) in enumerate(examples):
        ids, mask, labels = (batch[name][row].tolist() for name in ("input_ids", "attention_mask", "labels"))
        length = len(prompt) + len(reply)
        require(
            ids == [*prompt, *reply] + [2] * (5 - length),
            f"The prompt {prompt} and the answer {reply} became {ids}: first the prompt, then the answer, then "
            "padding (2).",
        )
        require(
            mask == [1] * length + [0] * (5 - length),
            f"The attention mask of {ids} is {mask}: 1 for tokens, 0 for padding. "
            "Go by the length; the padding's number can be a token, too.",
        )
        _compare_labels(labels, prompt, reply)
    return "Labels are -100 on prompts and padding, and the answers' tokens elsewhere."


def _compare_labels(labels: Any, prompt: Any, reply: Any) -> None:
    start, end = len(prompt), len(prompt) + len(reply)
    truth = [IGNORED] * start + reply + [IGNORED] * (5 - end)
    if labels == truth:
        return
    case = f"For the prompt {prompt} and the answer {reply} your labels are {labels}; they should be {truth}. "
    if labels[start:end] == reply and labels[:start] == prompt:
        raise Wrong(case + "They hold the prompt, so the model would learn to ask instead of to answer.")
    if labels[start:end] == reply and labels[end:] != truth[end:]:
        raise Wrong(
            case + "Padding is labelled: the model would learn to write padding. -100 is what the loss leaves out."
        )
    if labels[:start] == prompt:
        raise Wrong(case + "It is the other way round: the answer is left out and the prompt learned.")
    if IGNORED not in labels:
        raise Wrong(case + "Only -100 is left out of the loss; any other number is a token to be learned.")
    if labels[start - 1 : end - 1] == reply or labels[start + 1 : end] == reply[:-1]:
        raise Wrong(case + "They are shifted. The model shifts them itself: put each label where its token is.")
    raise Wrong(
        case + "Every token of the answer is learned, its last one, too, or the model won't know where to stop."
    )


@exercise.step("Step 2, the layer")
def LoRALinear(answer: Any) -> str:  # noqa: N802 - the name of the learner's class
    """Judge a layer: fresh it changes nothing, A and B alone are trained, and the scale is right."""
    import torch

    generator = torch.Generator().manual_seed(0)
    base = torch.nn.Linear(6, 5)
    x = torch.randn(2, 3, 6, generator=generator)
    plain = base(x).detach()
    layer = run(answer, base, 2, 8)
    require(
        isinstance(layer, torch.nn.Module),
        f"{shown(layer)} is no layer: make LoRALinear a class below torch.nn.Module.",
    )
    out = run(
        layer,
        x,
        clues={
            "shapes cannot be multiplied": "A has the shape (r, in) and B (out, r); x has its features last, so "
            "it is x @ A.T @ B.T."
        },
    )
    require(
        isinstance(out, torch.Tensor) and out.shape == plain.shape,
        f"For x of shape {tuple(x.shape)} the output is {shown(getattr(out, 'shape', out))}, not {tuple(plain.shape)}.",
    )
    change = (out - plain).abs().max().item()
    require(
        change < 1e-6,
        f"Your LoRA changed the output before training, by up to {change:.3f}: B should start at zero, so that "
        "a fresh adapter adds nothing.",
    )
    _compare_parameters(layer, base)
    out.square().sum().backward()
    require(
        any(part.grad is not None and part.grad.abs().sum() > 0 for part in (layer.A, layer.B)),
        "Neither A nor B gets a gradient at the start. If both are zero, each one's gradient is zero, and they stay "
        "so: only B "
        "starts at zero, A is random.",
    )
    with torch.no_grad():
        for part in (layer.A, layer.B):
            part.copy_(torch.randn(part.shape, generator=generator))
            part.grad = None
    out = layer(x)
    out.square().sum().backward()
    for name in "AB":
        gradient = getattr(layer, name).grad
        require(
            gradient is not None and gradient.abs().sum() > 0,
            f"{name} gets no gradient: it is detached, or not used in forward.",
        )
    added = (out - plain).detach()
    product = (x @ layer.A.T @ layer.B.T).detach()
    factor = (added * product).sum().item() / product.square().sum().item()
    require(
        torch.allclose(added, factor * product, atol=1e-4), "What the layer adds is not x @ A.T @ B.T times a number."
    )
    require(
        abs(factor - 4) < 1e-3,
        f"For r=2 and lora_alpha=8 the addition is scaled by {factor:.2f}; it should be lora_alpha / r, 4. "
        + ("Divide by r: else a higher rank means larger steps, too." if abs(factor - 8) < 1e-3 else ""),
    )
    return "Fresh, it changes nothing; A and B alone are trained; the addition is scaled by lora_alpha / r."


def _compare_parameters(layer: Any, base: Any) -> None:
    import torch

    for name, shape in (("A", (2, 6)), ("B", (5, 2))):
        part: Any = getattr(layer, name, None)
        require(
            isinstance(part, torch.nn.Parameter),
            f"{name} is {shown(part)}: make it a torch.nn.Parameter, or no optimiser finds it.",
        )
        require(
            tuple(part.shape) == shape,
            f"{name} has the shape {tuple(part.shape)}; for 6 inputs, 5 outputs and r=2 it is {shape}.",
        )
    require(
        not any(part.requires_grad for part in base.parameters()),
        "The base's own weights would be trained as well: freeze them with base.requires_grad_(False).",
    )
    trained = sum(part.numel() for part in layer.parameters() if part.requires_grad)
    require(trained == 22, f"The layer trains {trained} numbers; r x (in + out) is 22, A and B and nothing else.")


@exercise.step("Step 3, the model")
def add_adapters(answer: Any) -> str:
    """Judge a function that puts adapters on the named layers of a model."""
    import torch

    from ..lora import LoRALinear as Layer

    model, ids, names = tiny.decoder(), torch.tensor([[3, 4, 5, 6]]), ("q_proj", "v_proj")
    before = model(input_ids=ids).logits.detach()
    model = run(answer, model, names, lambda linear: Layer(linear, r=2, lora_alpha=4))
    require(isinstance(model, torch.nn.Module), f"Return the model; this is {shown(model)}.")
    placed = [name for name, part in model.named_modules() if isinstance(part, Layer)]
    require(
        placed,
        "No layer has an adapter. A layer's full name is like model.layers.0.self_attn.q_proj; the names that you are "
        "given are its last part, and setattr(parent, name, ...) puts a layer in its place.",
    )
    wanted = [f"model.layers.{n}.self_attn.{name}" for n in range(2) for name in names]
    missing, extra = sorted(set(wanted) - set(placed)), sorted(set(placed) - set(wanted))
    require(
        not missing,
        f"{len(missing)} of {len(wanted)} layers have no adapter, {', '.join(missing)}: go through all of the model.",
    )
    require(not extra, f"Layers that were not named have an adapter: {', '.join(extra)}.")
    parameters = dict(model.named_parameters())
    ours = {name for name in parameters if name.rpartition(".")[2] in ("A", "B")}
    too_many = [name for name, part in parameters.items() if part.requires_grad and name not in ours]
    require(
        not too_many,
        f"{len(too_many)} of the model's own weights would be trained, {too_many[0] if too_many else ''} for one: "
        "freeze the model with requires_grad_(False) before you add adapters.",
    )
    frozen = [name for name in ours if not parameters[name].requires_grad]
    require(
        not frozen,
        f"{len(frozen)} parts of the adapters are frozen, so nothing would be learned: freeze the model first, and "
        "then add adapters.",
    )
    change = (model(input_ids=ids).logits - before).abs().max().item()
    require(
        change < 1e-5,
        f"With fresh adapters the model's scores changed by up to {change:.3f}: hand adapt the very layer that "
        "stood there.",
    )
    trained = sum(parameters[name].numel() for name in ours)
    return f"{len(placed)} layers have an adapter, {trained:,} numbers are trained, and the model still says the same."


@exercise.step("Step 4, training")
def train_adapters(answer: Any) -> str:
    """Judge a training loop by its losses, its gradients and what it moves."""
    import torch

    model, batches = _adapted(), [_batch(n) for n in range(12)]
    held_out, start = _batch(50), copy.deepcopy(model.state_dict())
    with torch.no_grad():
        first, before = (model(**batch).loss.item() for batch in (batches[0], held_out))
    seen = _watch_gradients(model)
    losses = run(answer, model, batches, 3e-2)
    require(
        isinstance(losses, (list, tuple)) and len(losses) == len(batches),
        f"{len(batches)} batches make {len(batches)} losses; what came back is {shown(losses)}.",
    )
    require(
        not any(isinstance(loss, torch.Tensor) and loss.requires_grad for loss in losses),
        "The losses are tensors that keep all that they were computed from in memory: take their numbers with "
        "loss.item().",
    )
    require(
        abs(float(losses[0]) - first) < 1e-3,
        f"Your first loss is {float(losses[0]):.3f}; the model's own loss on the first batch "
        f"is {first:.3f}: take model(**batch).loss, which knows the labels' -100.",
    )
    end = model.state_dict()
    moved = [name for name in start if not torch.equal(start[name], end[name])]
    spoilt = [name for name in moved if name.rpartition(".")[2] not in ("A", "B")]
    require(
        not spoilt,
        f"Weights that were frozen have changed, {', '.join(spoilt[:1])} for one: train what requires a gradient.",
    )
    require(
        moved, "No adapter has changed: loss.backward() computes gradients, and optimizer.step() moves the weights."
    )
    require(
        all(torch.isfinite(end[name]).all() for name in moved),
        "The adapters hold values that are no numbers: the steps are too large.",
    )
    require(
        not seen["piled"],
        "Gradients pile up: each step still has those of the steps before. Call optimizer.zero_grad().",
    )
    with torch.no_grad():
        after = model(**held_out).loss.item()
    require(
        after < before,
        f"The loss on held-out text went from {before:.3f} to {after:.3f}: it should fall. Is learning_rate used as "
        "it is, and each batch, once?",
    )
    for rate in (0.0, 1e-4):
        gentle = _adapted()
        run(answer, gentle, batches[:2], rate)
        step = max((part - start[name]).abs().max().item() for name, part in gentle.state_dict().items())
        require(
            step <= 20 * rate,
            f"With a learning rate of {rate:g} the adapters moved by up to {step:.4f} in two steps: use "
            "learning_rate as it is.",
        )
    return (
        f"The loss on held-out text fell from {before:.2f} to {after:.2f}, and the frozen weights are what they "
        "were, bit by bit."
    )


def _adapted() -> Any:
    """Return the tiny language model with lesson 4's adapters on two kinds of layers."""
    import torch

    from ..lora import LoRALinear as Layer

    model = tiny.decoder().requires_grad_(False)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for block in model.model.layers:
            for name in ("q_proj", "v_proj"):
                setattr(block.self_attn, name, Layer(getattr(block.self_attn, name), r=4, lora_alpha=8))
    return model


def _batch(start: Any) -> Any:
    """Return a batch of two texts that count up, of which the second half is learned."""
    import torch

    ids = torch.tensor([[3 + (start * 5 + row * 3 + n) % 28 for n in range(8)] for row in range(2)])
    labels = ids.clone()
    labels[:, :4] = IGNORED
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def _watch_gradients(model: Any) -> Any:
    """Note whether a gradient that is added up differs from the one of this step alone."""
    import torch

    seen: dict[str, bool] = {"piled": False}
    step: dict[str, Any] = {}
    part = next(part for name, part in model.named_parameters() if name.endswith(".B"))
    part.register_hook(lambda gradient: step.update(own=gradient.detach().clone()))

    def compare(part: Any) -> None:
        seen["piled"] |= not torch.allclose(part.grad, step["own"], rtol=1e-4, atol=1e-7)

    part.register_post_accumulate_grad_hook(compare)
    return seen


@exercise.step("Step 5, merging")
def merge(answer: Any) -> str:
    """Judge a function that adds an adapter to the weights of its layer."""
    import torch

    generator = torch.Generator().manual_seed(0)
    A, B, x = (torch.randn(shape, generator=generator) for shape in ((2, 6), (5, 2), (3, 6)))
    for bias in (True, False):
        base = torch.nn.Linear(6, 5, bias=bias)
        kept = copy.deepcopy(base)
        with torch.no_grad():
            plain, added = base(x), x @ A.T @ B.T
        merged = run(
            answer,
            base,
            A,
            B,
            4.0,
            clues={
                "must match the size": "The weights have the shape (out, in), as B @ A has.",
                "cannot be multiplied": "The weights have the shape (out, in), as B @ A has.",
                "leaf Variable that requires grad": "Work within torch.no_grad(): this is no step of training.",
            },
        )
        require(isinstance(merged, torch.nn.Linear), f"Return a torch.nn.Linear; this is {shown(merged)}.")
        require(
            torch.equal(base.weight, kept.weight) and merged is not base,
            "The base itself was changed, so merging again would add the adapter twice: work on a copy.",
        )
        with torch.no_grad():
            out = merged(x)
        if torch.allclose(out, plain + 4 * added, atol=1e-4):
            continue
        for factor, why in (
            (1, "the scaling is missing"),
            (0, "the adapter is not in it"),
            (-4, "the adapter is subtracted"),
            (8, "the adapter is in it twice"),
        ):
            require(
                not torch.allclose(out, plain + factor * added, atol=1e-4),
                f"It doesn't compute the same as base and adapter: {why}.",
            )
        require(not bias or merged.bias is not None, "The base has a bias and the merged layer has none.")
        error = (out - plain - 4 * added).abs().max().item()
        raise Wrong(
            f"The merged layer's output differs by up to {error:.3f} from base(x) + 4 * x @ A.T @ B.T"
            + (": is the base's bias in it?" if bias else ": the base has no bias, so it has none either.")
        )
    return "One plain layer computes the same as base and adapter, and the base is as it was."


@exercise.step("Step 6, the same with peft")
def with_peft(answer: Any) -> str:
    """Judge a function that does the same with peft."""
    import torch
    from peft import PeftModel

    model, ids, names = tiny.decoder(), torch.tensor([[3, 4, 5, 6]]), ["q_proj", "down_proj"]
    before = model(input_ids=ids).logits.detach()
    model = run(
        answer,
        model,
        names,
        3,
        12,
        clues={"odules": "target_modules takes the names that the layers have in this model."},
    )
    require(isinstance(model, PeftModel), f"Return what get_peft_model returns; this is {shown(type(model).__name__)}.")
    trained = {name: tuple(part.shape) for name, part in model.named_parameters() if part.requires_grad}
    others = [name for name in trained if "lora_" not in name]
    require(
        not others,
        f"{len(others)} weights beside the adapters would be trained, {', '.join(others[:1])} for one: leave bias and "
        "modules_to_save as they are.",
    )
    require(trained, "Nothing is trained: the adapter is frozen, as one for inference is.")
    placed = {name.partition(".lora_")[0].rpartition(".")[2] for name in trained}
    require(
        placed == set(names),
        f"Adapters are on {', '.join(sorted(placed))}; asked for were {', '.join(names)}: target_modules says so.",
    )
    rank = {shape[0] for name, shape in trained.items() if "lora_A" in name}
    require(
        rank == {3},
        f"The rank is {', '.join(map(str, rank))} where r was 3"
        + (": r and lora_alpha are swapped." if rank == {12} else "."),
    )
    alpha = model.peft_config["default"].lora_alpha
    require(alpha == 12, f"lora_alpha is {alpha} where 12 was given.")
    change = (model.eval()(input_ids=ids).logits - before).abs().max().item()
    require(
        change < 1e-5,
        f"With fresh adapters the scores changed by up to {change:.3f}: leave init_lora_weights as it is, so that B "
        "starts at zero.",
    )
    return f"peft put adapters of rank 3 on {len(trained) // 2} layers, and the model still says the same."
