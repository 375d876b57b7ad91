"""The checks of exercise 2: LoRA fine-tuning of a language model, by hand and with peft."""

import copy
import math
from typing import Any

from ..train import IGNORED
from . import loops, tiny
from .engine import Exercise, Wrong, require, run, shown
from .reading import as_list, as_numbers

exercise = Exercise("2_lora", "Implement LoRA fine-tuning for a language model")


@exercise.step("Step 1, labels")
def collate(answer: Any) -> str:
    """Judge a function that pads prompts and answers, with labels on the answers alone."""
    _compare_batch(answer, [([5, 6, 7], [8, 9]), ([5], [10, 11, 12, 13]), ([5, 6], [2])], pad=2)
    long = list(range(10, 110))
    _compare_batch(answer, [([3, 4], [0, 5]), (long, [8]), ([6], [*long[:30], 9])], pad=9)
    return "Labels are -100 on prompts and padding, and the answers' tokens elsewhere."


def _compare_batch(answer: Any, examples: Any, pad: int) -> None:
    import torch

    given, longest = copy.deepcopy(examples), max(len(prompt) + len(reply) for prompt, reply in examples)
    batch = run(
        answer, given, pad, clues={"expected sequence of length": "The rows are of different lengths: pad them first."}
    )
    require(hasattr(batch, "keys"), f"Return a dictionary of tensors; this is {shown(batch)}.")
    for name in ("input_ids", "attention_mask", "labels"):
        require(name in batch, f"The batch has {', '.join(batch)} but no {name}.")
        part = batch[name]
        whole = isinstance(part, torch.Tensor) and not part.is_floating_point()
        require(
            whole and (part.dtype == torch.long or name == "attention_mask"),
            f"{name} must be a tensor of whole numbers (torch.long); it is {shown(part)}.",
        )
        require(
            part.ndim == 2 and part.shape[0] == 3 and longest <= part.shape[1] <= 8 * math.ceil(longest / 8),
            f"{name} has the shape {tuple(part.shape)}; three rows, the longest of {longest} tokens, make "
            f"{(3, longest)}.",
        )
    for row, (prompt, reply) in enumerate(examples):
        ids, mask, labels = (batch[name][row].long().tolist() for name in ("input_ids", "attention_mask", "labels"))
        length, rest = len(prompt) + len(reply), len(ids) - len(prompt) - len(reply)
        require(
            ids == [*prompt, *reply] + [pad] * rest,
            f"The prompt {shown(prompt)} and the answer {shown(reply)} became {shown(ids)}: first the prompt, then "
            f"the answer, then padding ({pad}, the pad_token_id that was given).",
        )
        require(
            mask == [1] * length + [0] * rest,
            f"The attention mask of {shown(ids)} is {shown(mask)}: 1 for tokens, 0 for padding. "
            "Go by the length; the padding's number can be a token, too.",
        )
        _compare_labels(labels, prompt, reply)
    require(
        given == examples,
        "Your function changed the lists that it was given, so the same example would come back longer in the next "
        "epoch: make new lists, prompt + answer.",
    )


def _compare_labels(labels: Any, prompt: Any, reply: Any) -> None:
    start, end = len(prompt), len(prompt) + len(reply)
    truth = [IGNORED] * start + reply + [IGNORED] * (len(labels) - end)
    if labels == truth:
        return
    case = (
        f"For the prompt {shown(prompt)} and the answer {shown(reply)} your labels are {shown(labels)}; they should be "
        f"{shown(truth)}. "
    )
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
    """Judge a layer: fresh it changes nothing, A and B alone are trained, and outputs and gradients are right."""
    import torch

    generator = torch.Generator().manual_seed(0)
    for inputs, outputs, r, lora_alpha, bias in ((6, 5, 2, 8, True), (5, 6, 4, 2, False), (64, 48, 8, 12, True)):
        base = torch.nn.Linear(inputs, outputs, bias=bias)
        kept = copy.deepcopy(base)
        x = torch.randn(2, 3, inputs, generator=generator)
        layer = run(answer, base, r, lora_alpha)
        require(
            isinstance(layer, torch.nn.Module),
            f"{shown(layer)} is no layer: make LoRALinear a class below torch.nn.Module.",
        )
        _compare_fresh(layer, kept, x)
        A, B = _compare_parameters(layer, base, r)
        _compare_start(layer, A, B, r)
        _compare_trained(layer, kept, A, B, x, lora_alpha / r, f"r={r} and lora_alpha={lora_alpha}", generator)
        require(
            torch.equal(layer.base.weight, kept.weight),
            "The base's weights changed in forward: it is frozen, and the addition is computed beside it.",
        )
    fresh = [_matrix(run(answer, copy.deepcopy(base), r, lora_alpha), "A") for _ in range(2)]
    require(
        not torch.equal(*fresh) or not fresh[0].any(),
        "Two layers start with the very same random numbers: leave the seed to the notebook, which sets it once.",
    )
    note = ""
    if not isinstance(layer.A, torch.Tensor):
        note = " Your A and B are layers: where a cell further down takes child.A, write child.A.weight."
    return "Fresh, it changes nothing; A and B alone are trained; the addition is scaled by lora_alpha / r." + note


def _matrix(layer: Any, name: str) -> Any:
    """Return A or B of a layer, which may be a linear layer itself."""
    import torch

    part = getattr(layer, name, None)
    return part.weight if isinstance(part, torch.nn.Linear) else part


def _compare_parameters(layer: Any, base: Any, r: int) -> tuple[Any, Any]:
    """Return the matrices of a layer, of which nothing else may be trained."""
    import torch

    inputs, outputs = base.in_features, base.out_features
    for name, shape in (("A", (r, inputs)), ("B", (outputs, r))):
        part = _matrix(layer, name)
        require(
            isinstance(part, torch.nn.Parameter),
            f"{name} is {shown(part)}: make it a torch.nn.Parameter, or no optimiser finds it.",
        )
        require(
            tuple(part.shape) == shape,
            f"{name} has the shape {tuple(part.shape)}; for {inputs} inputs, {outputs} outputs and r={r} it is "
            f"{shape}.",
        )
    A, B = _matrix(layer, "A"), _matrix(layer, "B")
    require(
        isinstance(getattr(layer, "base", None), torch.nn.Linear),
        "The layer has no base: keep the layer that is adapted as self.base.",
    )
    require(
        not any(part.requires_grad for part in layer.base.parameters()),
        "The base's own weights would be trained as well: freeze them with base.requires_grad_(False).",
    )
    for name, part in (("A", A), ("B", B)):
        require(
            part.requires_grad and any(part is one for one in layer.parameters()),
            f"{name} would not be trained: it doesn't require a gradient.",
        )
    trained = sum(part.numel() for part in layer.parameters() if part.requires_grad)
    wanted = r * (inputs + outputs)
    require(
        trained == wanted, f"The layer trains {trained} numbers; r x (in + out) is {wanted}, A and B and nothing else."
    )
    return A, B


def _compare_fresh(layer: Any, kept: Any, x: Any) -> None:
    """Require a fresh layer to say what its base says, of a row and of a batch of rows."""
    import torch

    for given in (x, x[0, 0]):
        plain = kept(given).detach()
        out = run(
            layer,
            given,
            clues={
                "shapes cannot be multiplied": "A has the shape (r, in) and B (out, r); x has its features last, so "
                "it is x @ A.T @ B.T."
            },
        )
        require(
            isinstance(out, torch.Tensor) and out.shape == plain.shape,
            f"For x of shape {tuple(given.shape)} the output is {shown(getattr(out, 'shape', out))}, not "
            f"{tuple(plain.shape)}.",
        )
        change = (out - plain).abs().max().item()
        require(
            change < 1e-5,
            f"Your LoRA changed the output before training, by up to {change:.3f}: B should start at zero, so that "
            "a fresh adapter adds nothing.",
        )


def _compare_start(layer: Any, A: Any, B: Any, r: int) -> None:
    """Require a start from which all of the rank can be learned: one matrix is zero, the other random."""
    import torch

    name, part = ("A", A) if A.any() else ("B", B)
    require(
        part.any(),
        "Neither A nor B gets a gradient at the start. If both are zero, each one's gradient is zero, and they stay "
        "so: only B starts at zero, A is random.",
    )
    rank = int(torch.linalg.matrix_rank(part.detach().double()))
    require(
        rank == r,
        f"{name} starts with the rank {rank} where r={r}: rows that are alike get like gradients and stay alike. Fill "
        "it with random numbers.",
    )
    size = part.detach().square().mean().sqrt().item()
    require(
        1e-4 < size < 5,
        f"The numbers in {name} start at a size of {size:.2g}: "
        + ("one step of training would blow up the output" if size > 1 else "B would hardly get a gradient")
        + ". Small random numbers do, such as torch.randn(r, inputs) / inputs**0.5.",
    )


def _compare_trained(layer: Any, kept: Any, A: Any, B: Any, x: Any, scaling: float, case: str, generator: Any) -> None:
    """Require outputs and gradients as the formula has them, with A and B as training would leave them."""
    import torch

    with torch.no_grad():
        for part in (A, B):
            part.copy_(torch.randn(part.shape, generator=generator))
            part.grad = None
    x = x.clone().requires_grad_()
    out = layer(x)
    direction = torch.randn(out.shape, generator=generator)
    product = (x @ A.T @ B.T).detach()
    added = (out - kept(x)).detach()
    factor = (added * product).sum().item() / product.square().sum().item()
    require(
        torch.allclose(added, factor * product, atol=1e-3 * float(product.abs().max())),
        "What the layer adds is not x @ A.T @ B.T times a number.",
    )
    require(
        abs(factor - scaling) < 1e-3,
        f"For {case} the addition is scaled by {factor:.2f}; it should be lora_alpha / r, {scaling:g}. "
        + ("Divide by r: else a higher rank means larger steps, too." if scaling and factor > scaling else ""),
    )
    truth = torch.autograd.grad((kept(x) + scaling * (x @ A.T @ B.T)).mul(direction).sum(), (A, B, x))
    if out.requires_grad:
        out.mul(direction).sum().backward()
    for name, part, true in zip(("A", "B", "x"), (A, B, x), truth, strict=True):
        got = torch.zeros_like(true) if part.grad is None else part.grad
        if torch.allclose(got, true, atol=1e-3 * float(true.abs().max())):
            continue
        if name == "x":
            raise Wrong(
                "The outputs are right and the gradient that reaches x is not, so the layers below would learn the "
                "wrong thing: something in forward is detached, or computed under torch.no_grad(). A frozen base needs "
                "neither."
            )
        raise Wrong(
            f"{name} gets {'no' if not got.any() else 'a wrong'} gradient: it is detached, or not used in forward."
        )


@exercise.step("Step 3, the model")
def add_adapters(answer: Any) -> str:
    """Judge a function that puts adapters on the named layers of a model."""
    praise = _compare_placed(answer, ("q_proj", "v_proj"))
    _compare_placed(answer, ("down_proj", "k_proj"))
    return praise


def _compare_placed(answer: Any, names: Any) -> str:
    import torch

    from ..lora import LoRALinear as Layer

    model, ids, made = tiny.decoder(), torch.tensor([[3, 4, 5, 6]]), []
    for block in model.model.layers:  # a layer whose name ends alike, as some models have
        block.self_attn.add_module(f"fused_{names[0]}", torch.nn.Linear(16, 16))
    wanted = [name for name, _ in model.named_modules() if name.rpartition(".")[2] in names]
    before = model(input_ids=ids).logits.detach()

    def adapt(layer: Any) -> Any:
        require(
            isinstance(layer, torch.nn.Linear),
            f"adapt was handed {shown(type(layer).__name__)}, no linear layer of the model: each of them, once.",
        )
        made.append(Layer(layer, r=2, lora_alpha=4))
        return made[-1]

    model = run(answer, model, names, adapt)
    require(isinstance(model, torch.nn.Module), f"Return the model; this is {shown(model)}.")
    placed = [name for name, part in model.named_modules() if any(part is one for one in made)]
    require(
        placed,
        "No layer has an adapter. A layer's full name is like model.layers.0.self_attn.q_proj; the names that you are "
        "given are its last part, and setattr(parent, name, ...) puts what adapt returns in its place.",
    )
    missing, extra = sorted(set(wanted) - set(placed)), sorted(set(placed) - set(wanted))
    require(
        not missing,
        f"{len(missing)} of {len(wanted)} layers have no adapter, {', '.join(missing)}: go through all of the model, "
        "and make a new adapter for each.",
    )
    require(
        not extra,
        f"Layers that were not named have an adapter: {', '.join(extra)}. Compare the last part of the name as a "
        "whole.",
    )
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
    """Judge a training loop against a reference loop: passes, optimiser, weights after each step, losses."""
    import torch

    batches, held_out = [_batch(n) for n in range(12)], _batch(50)
    model = _adapted()
    start = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        before = model(**held_out).loss.item()
    _compare_loop(answer, model, start, batches, 3e-2)
    with torch.no_grad():
        after = model(**held_out).loss.item()
    gentle = _adapted()
    _compare_loop(answer, gentle, start, batches[:3], 1e-4)
    return (
        f"The loss on held-out text fell from {before:.2f} to {after:.2f}, and the frozen weights are what they "
        "were, bit by bit."
    )


def _compare_loop(answer: Any, model: Any, start: Any, batches: Any, rate: float) -> None:
    import torch

    with loops.watch(model) as trace:
        came = run(answer, model, [dict(batch) for batch in batches], rate)
    losses = as_list(came)
    require(
        losses is not None and len(losses) == len(batches),
        f"{len(batches)} batches make {len(batches)} losses; what came back is {shown(came)}.",
    )
    require(
        not any(isinstance(loss, torch.Tensor) and loss.requires_grad for loss in losses or []),
        "The losses are tensors that keep all that they were computed from in memory: take their numbers with "
        "loss.item().",
    )
    numbers = as_numbers(losses)
    require(numbers, f"The losses are {shown(came)}: give a number for each batch.")
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
    loops.judge_passes(trace, batches)
    options = loops.judge_optimiser(trace, model, rate, len(batches))
    truth, states = loops.reference(_adapted(), batches, rate, options)
    _explain_first(numbers[0], truth[0], batches[0], rate)
    faults = {
        "Gradients pile up: each step still has those of the steps before. Call optimizer.zero_grad().": dict(
            zero=False
        ),
        "The loss should fall, and each step makes it larger: the sign is turned.": dict(sign=-1),
    }
    loops.judge_states(
        trace,
        states,
        {
            text: lambda fault=fault: loops.reference(_adapted(), batches, rate, options, **fault)[1]
            for text, fault in faults.items()
        },
    )
    loops.judge_losses(numbers, truth)


def _explain_first(loss: float, truth: float, batch: Any, rate: float) -> None:
    """Raise `Wrong` with the likely reason if the first loss is not the model's own."""
    import torch

    if abs(loss - truth) < 2e-3:
        return
    model = _adapted()
    with torch.no_grad():
        known = {
            model(**batch | {"labels": batch["input_ids"]}).loss.item(): "the prompt and the padding are learned, too",
            model(**batch | {"attention_mask": None}).loss.item(): "attention_mask is not handed over",
        }
    loops.reference(model, [batch], rate)
    with torch.no_grad():
        known[model(**batch).loss.item()] = "that is the loss after the step"
    if loss in (round(truth, 1), round(truth, 2)):
        known[loss] = "it is rounded"
    why = next((text for value, text in known.items() if abs(value - loss) < 2e-3), "")
    raise Wrong(
        f"Your first loss is {loss:.4f}; the model's own loss on the first batch, before its step, is {truth:.4f}: "
        + (f"{why}. Take" if why else "take")
        + " model(**batch).loss, which knows the labels' -100, as it is."
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
                setattr(block.self_attn, name, Layer(getattr(block.self_attn, name), r=4, lora_alpha=1))
    return model


def _batch(start: Any) -> Any:
    """Return a batch of two texts that count up, of which the second half is learned; one has padding before it."""
    import torch

    ids = torch.tensor([[3 + (start * 5 + row * 3 + n) % 28 for n in range(8)] for row in range(2)])
    labels, mask = ids.clone(), torch.ones_like(ids)
    labels[:, : 3 + start % 3] = IGNORED
    ids[0, : 1 + start % 2], mask[0, : 1 + start % 2] = 0, 0
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@exercise.step("Step 5, merging")
def merge(answer: Any) -> str:
    """Judge a function that adds an adapter to the weights of its layer."""
    import torch

    generator = torch.Generator().manual_seed(0)
    A, B, x = (torch.randn(shape, generator=generator) for shape in ((2, 6), (5, 2), (3, 6)))
    matrices = A.clone(), B.clone()
    for bias in (True, False):
        A, B = (torch.nn.Parameter(part) if bias else part for part in (A.detach(), B.detach()))  # as a layer has them
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
        require(
            torch.equal(A, matrices[0]) and torch.equal(B, matrices[1]),
            "A or B was changed: they are still needed, if the adapter is to be trained on.",
        )
        with torch.no_grad():
            out = merged(x)
        if torch.allclose(out, plain + 4 * added, atol=1e-4):
            _compare_apart(merged, base, kept, base.weight + 4 * B @ A)
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


def _compare_apart(merged: Any, base: Any, kept: Any, truth: Any) -> None:
    """Require a merged layer to hold what it computes in weights of its own."""
    import torch

    require(
        isinstance(merged.weight, torch.nn.Parameter) and torch.allclose(merged.weight, truth, atol=1e-4),
        "The layer's output is right and its weight is not: put the base's weights plus scaling * B @ A into "
        "merged.weight, a torch.nn.Parameter, so that the layer can be saved and nothing is computed beside it.",
    )
    with torch.no_grad():
        for part in merged.parameters():
            part.add_(1.0)
    require(
        all(torch.equal(part, old) for part, old in zip(base.parameters(), kept.parameters(), strict=True)),
        "The merged layer shares numbers with the base: what happens to one would happen to both. Copy the bias, too.",
    )


@exercise.step("Step 6, the same with peft")
def with_peft(answer: Any) -> str:
    """Judge a function that does the same with peft."""
    import torch
    from peft import PeftModel

    model, ids, names, r, alpha = tiny.decoder(), torch.tensor([[3, 4, 5, 6]]), ["q_proj", "down_proj"], 3, 12
    start = copy.deepcopy(model.state_dict())
    before = model(input_ids=ids).logits.detach()
    model = run(
        answer,
        model,
        list(names),
        r,
        alpha,
        clues={"odules": "target_modules takes the names that the layers have in this model."},
    )
    require(isinstance(model, PeftModel), f"Return what get_peft_model returns; this is {shown(type(model).__name__)}.")
    settings = _compare_settings(model)
    trained = {name: tuple(part.shape) for name, part in model.named_parameters() if part.requires_grad}
    others = [name for name in trained if ".lora_A." not in name and ".lora_B." not in name]
    require(
        not others,
        f"{len(others)} weights beside the adapters would be trained, {', '.join(others[:1])} for one: leave bias and "
        "modules_to_save as they are.",
    )
    require(trained, "Nothing is trained: the adapter is frozen, as one for inference is.")
    placed = {name.partition(".lora_")[0].removeprefix("base_model.model.") for name in trained}
    kinds = {name.rpartition(".")[2] for name in placed}
    require(
        kinds == set(names),
        f"Adapters are on {', '.join(sorted(kinds))}; asked for were {', '.join(names)}: target_modules says so.",
    )
    wanted = {name.removesuffix(".weight") for name in start if name.split(".")[-2] in names}
    missing = sorted(wanted - placed)
    require(
        not missing,
        f"{len(missing)} of {len(wanted)} layers of these names have no adapter, {', '.join(missing[:1])} for one: "
        "all of them get one.",
    )
    ranks = {shape[0] for name, shape in trained.items() if ".lora_A." in name}
    require(
        ranks == {r},
        f"The rank is {', '.join(map(str, sorted(ranks)))} where r was {r}"
        + (": r and lora_alpha are swapped." if ranks == {alpha} else "."),
    )
    require(settings.lora_alpha == alpha, f"lora_alpha is {settings.lora_alpha} where {alpha} was given.")
    change = (model.eval()(input_ids=ids).logits - before).abs().max().item()
    require(
        change < 1e-5,
        f"With fresh adapters the scores changed by up to {change:.3f}: leave init_lora_weights as it is, so that B "
        "starts at zero.",
    )
    _compare_addition(model, start, wanted, ids, alpha / r)
    return f"peft put adapters of rank {r} on {len(placed)} layers, and the model still says the same."


def _compare_settings(model: Any) -> Any:
    """Return the configuration of a model that has one, of plain LoRA."""
    from peft import LoraConfig, PeftModel

    require(
        not any(isinstance(part, PeftModel) for part in model.modules() if part is not model)
        and len(model.peft_config) == 1,
        "The model has adapters twice: call get_peft_model once, with one configuration.",
    )
    (settings,) = model.peft_config.values()
    require(
        isinstance(settings, LoraConfig), f"The configuration is a {type(settings).__name__}: LoRA's is LoraConfig."
    )
    task = getattr(settings.task_type, "value", settings.task_type)
    require(
        task in (None, "CAUSAL_LM"), f"task_type is {task!r}: a language model that continues a text is 'CAUSAL_LM'."
    )
    require(settings.bias == "none", f"bias is {settings.bias!r}: with it biases would be trained beside the adapters.")
    require(
        settings.lora_dropout <= 0.5,
        f"lora_dropout is {settings.lora_dropout}: it drops most of what the adapters see; 0 to 0.1 is usual.",
    )
    require(
        not settings.use_dora,
        "With use_dora it is another method, DoRA, which trains a length for each output as well: leave it out.",
    )
    return settings


def _compare_addition(model: Any, start: Any, wanted: Any, ids: Any, scaling: float) -> None:
    """Require trained adapters to add scaling * B @ A to the very weights that the model came with."""
    import torch

    base, generator = tiny.decoder(), torch.Generator().manual_seed(0)
    parts = dict(model.named_parameters())
    name_of = {
        name.partition(".lora_")[0].removeprefix("base_model.model."): name for name in parts if ".lora_A." in name
    }
    with torch.no_grad():
        for name in sorted(wanted):
            A, B = (parts[name_of[name].replace(".lora_A.", f".lora_{one}.")] for one in "AB")
            kept = parts[f"base_model.model.{name}.base_layer.weight"]
            require(
                torch.equal(kept, start[f"{name}.weight"]),
                f"The weights of {name} itself have changed: with the usual init_lora_weights they stay as they are.",
            )
            for part in (A, B):
                part.copy_(torch.randn(part.shape, generator=generator))
            base.get_submodule(name).weight += scaling * B @ A
        error = (model(input_ids=ids).logits - base(input_ids=ids).logits).abs().max().item()
    require(
        error < 1e-2,
        f"Once trained, the adapters would add something other than lora_alpha / r = {scaling:g} times B @ A: leave "
        "use_rslora and its like as they are.",
    )
