"""Answers to exercise 2."""

import copy

import torch
from peft import LoraConfig, get_peft_model

from failure_matrix import Cases

cases = Cases()

# --- Labels ----------------------------------------------------------------------------------------------------------


def batch(examples, pad, labels, left=False, mask=None):
    """Return a batch whose labels a function makes of prompt, answer and the number of places for padding."""
    width = max(len(prompt) + len(answer) for prompt, answer in examples)
    rows = {"input_ids": [], "attention_mask": [], "labels": []}
    for prompt, answer in examples:
        rest = width - len(prompt) - len(answer)
        ids, ones = [*prompt, *answer], [1] * (width - rest)
        rows["input_ids"].append([pad] * rest + ids if left else ids + [pad] * rest)
        rows["attention_mask"].append(
            mask(rows["input_ids"][-1]) if mask else [0] * rest + ones if left else ones + [0] * rest
        )
        rows["labels"].append(labels(prompt, answer, rest))
    return {name: torch.tensor(values) for name, values in rows.items()}


def answers_alone(prompt, answer, rest):
    return [-100] * len(prompt) + answer + [-100] * rest


@cases.right("collate")
def padded_by_torch(examples, pad_token_id):
    from torch.nn.utils.rnn import pad_sequence

    ids = [torch.tensor(prompt + answer) for prompt, answer in examples]
    labels = [torch.tensor([-100] * len(prompt) + answer) for prompt, answer in examples]
    return {
        "input_ids": pad_sequence(ids, True, pad_token_id),
        "labels": pad_sequence(labels, True, -100),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], True, 0),
    }


@cases.right("collate")
def masked_afterwards(examples, pad_token_id):
    made = batch(examples, pad_token_id, lambda prompt, answer, rest: prompt + answer + [0] * rest)
    starts = torch.tensor([[len(prompt)] for prompt, _ in examples])
    learned = (torch.arange(made["labels"].shape[1]) >= starts) & made["attention_mask"].bool()
    return made | {"labels": made["labels"].masked_fill(~learned, -100)}


@cases.wrong("collate", r"They hold the prompt, so the model would learn to ask")
def labels_are_the_input(examples, pad_token_id):
    return batch(examples, pad_token_id, lambda prompt, answer, rest: prompt + answer + [pad_token_id] * rest)


@cases.wrong("collate", r"They hold the prompt")
def padding_alone_left_out(examples, pad_token_id):
    return batch(examples, pad_token_id, lambda prompt, answer, rest: prompt + answer + [-100] * rest)


@cases.wrong("collate", r"Padding is labelled: the model would learn to write padding")
def prompt_alone_left_out(examples, pad_token_id):
    return batch(
        examples, pad_token_id, lambda prompt, answer, rest: [-100] * len(prompt) + answer + [pad_token_id] * rest
    )


@cases.wrong("collate", r"the other way round")
def answer_left_out(examples, pad_token_id):
    return batch(examples, pad_token_id, lambda prompt, answer, rest: prompt + [-100] * (len(answer) + rest))


@cases.wrong("collate", r"Only -100 is left out of the loss")
def zero_for_minus_100(examples, pad_token_id):
    return batch(examples, pad_token_id, lambda prompt, answer, rest: [0] * len(prompt) + answer + [0] * rest)


@cases.wrong("collate", r"They are shifted. The model shifts them itself")
def shifted_by_hand(examples, pad_token_id):
    return batch(examples, pad_token_id, lambda p, a, r: [-100] * (len(p) - 1) + a + [-100] * (r + 1))


@cases.wrong("collate", r"its last one, too, or the model won't know where to stop")
def end_not_learned(examples, pad_token_id):
    return batch(examples, pad_token_id, lambda p, a, r: [-100] * len(p) + a[:-1] + [-100] * (r + 1))


@cases.wrong("collate", r"Go by the length; the padding's number can be a token")
def mask_by_the_number(examples, pad_token_id):
    return batch(examples, pad_token_id, answers_alone, mask=lambda ids: [int(token != pad_token_id) for token in ids])


@cases.wrong("collate", r"first the prompt, then the answer, then padding")
def padding_first(examples, pad_token_id):
    return batch(examples, pad_token_id, answers_alone, left=True)


@cases.wrong("collate", r"no attention_mask")
def mask_not_made(examples, pad_token_id):
    made = batch(examples, pad_token_id, answers_alone)
    return {"input_ids": made["input_ids"], "labels": made["labels"]}


@cases.wrong("collate", r"has the shape \(3, 16\)")
def too_wide(examples, pad_token_id):
    made = batch(examples, pad_token_id, answers_alone)
    return {name: torch.nn.functional.pad(part, (0, 11)) for name, part in made.items()}


@cases.error("collate", r"The rows are of different lengths: pad them first")
def not_padded(examples, pad_token_id):
    return {"input_ids": torch.tensor([prompt + answer for prompt, answer in examples])}


@cases.wrong("collate", r"tensor of whole numbers")
def lists_alone(examples, pad_token_id):
    return {name: part.tolist() for name, part in batch(examples, pad_token_id, answers_alone).items()}


@cases.right("collate")
def mask_of_truth_values(examples, pad_token_id):
    made = batch(examples, pad_token_id, answers_alone)
    return made | {"attention_mask": made["attention_mask"].bool()}


@cases.right("collate")
def to_a_multiple_of_eight(examples, pad_token_id):
    made = batch(examples, pad_token_id, answers_alone)
    fillings = {"input_ids": pad_token_id, "attention_mask": 0, "labels": -100}
    rest = -made["labels"].shape[1] % 8
    return {name: torch.nn.functional.pad(part, (0, rest), value=fillings[name]) for name, part in made.items()}


@cases.wrong("collate", r"\(9, the pad_token_id that was given\)|\(2, the pad_token_id that was given\)")
def padding_of_another_model(examples, pad_token_id):
    return batch(examples, 0, answers_alone)


@cases.wrong("collate", r"the longest of 101 tokens, make \(3, 101\)")
def cut_after_64(examples, pad_token_id):
    return {name: part[:, :64] for name, part in batch(examples, pad_token_id, answers_alone).items()}


@cases.wrong("collate", r"changed the lists that it was given.*prompt \+ answer")
def answer_added_to_the_prompt(examples, pad_token_id):
    made = batch(examples, pad_token_id, answers_alone)
    for prompt, answer in examples:
        prompt += answer
    return made


@cases.wrong("collate", r"tensor of whole numbers")
def tensors_of_floats(examples, pad_token_id):
    return {name: part.float() for name, part in batch(examples, pad_token_id, answers_alone).items()}


# --- The layer -------------------------------------------------------------------------------------------------------


class Layer(torch.nn.Module):
    """A right layer, of which the others differ in a line."""

    def __init__(self, base, r, lora_alpha):
        super().__init__()
        self.base, self.scaling = base.requires_grad_(False), lora_alpha / r
        self.A = torch.nn.Parameter(torch.randn(r, base.in_features))
        self.B = torch.nn.Parameter(torch.zeros(base.out_features, r))

    def forward(self, x):
        return self.base(x) + self.scaling * (x @ self.A.T @ self.B.T)


@cases.right("LoRALinear")
class Kaiming(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        torch.nn.init.kaiming_uniform_(self.A, a=5**0.5)

    def forward(self, x):
        low = torch.nn.functional.linear(x, self.A)
        return torch.nn.functional.linear(low, self.scaling * self.B) + self.base(x)


@cases.right("LoRALinear")
class MatricesMultipliedFirst(Layer):
    def forward(self, x):
        return torch.nn.functional.linear(x, self.base.weight + self.scaling * self.B @ self.A, self.base.bias)


@cases.right("LoRALinear")
class ZeroIsA(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        torch.nn.init.zeros_(self.A)
        torch.nn.init.normal_(self.B)


@cases.wrong("LoRALinear", r"Your LoRA changed the output before training, by up to \d.*B should start at zero")
class BothRandom(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        torch.nn.init.normal_(self.B)


@cases.wrong("LoRALinear", r"If both are zero, each one's gradient is zero")
class BothZero(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        torch.nn.init.zeros_(self.A)


@cases.wrong("LoRALinear", r"base's own weights would be trained as well")
class BaseNotFrozen(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        base.requires_grad_(True)


@cases.wrong("LoRALinear", r"scaled by 1.00; it should be lora_alpha / r, 4")
class NotScaled(Layer):
    def forward(self, x):
        return self.base(x) + x @ self.A.T @ self.B.T


@cases.wrong("LoRALinear", r"scaled by 8.00.*Divide by r")
class NotDividedByR(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        self.scaling = lora_alpha


@cases.wrong("LoRALinear", r"scaled by 0.25")
class ScaledTheOtherWayRound(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        self.scaling = r / lora_alpha


@cases.wrong("LoRALinear", r"A is .*make it a torch.nn.Parameter")
class PlainTensors(torch.nn.Module):
    def __init__(self, base, r, lora_alpha):
        super().__init__()
        self.base, self.A, self.B = (
            base.requires_grad_(False),
            torch.randn(r, base.in_features),
            torch.zeros(base.out_features, r),
        )

    def forward(self, x):
        return self.base(x) + x @ self.A.T @ self.B.T


@cases.wrong("LoRALinear", r"A gets no gradient: it is detached")
class ADetached(Layer):
    def forward(self, x):
        return self.base(x) + self.scaling * (x @ self.A.detach().T @ self.B.T)


@cases.wrong("LoRALinear", r"A has the shape \(6, 2\)")
class OtherShapes(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        self.A = torch.nn.Parameter(torch.randn(base.in_features, r))

    def forward(self, x):
        return self.base(x) + self.scaling * (x @ self.A @ self.B.T)


@cases.error("LoRALinear", r"shapes cannot be multiplied.*x @ A.T @ B.T")
class NotTransposed(Layer):
    def forward(self, x):
        return self.base(x) + self.scaling * (x @ self.A @ self.B)


@cases.wrong("LoRALinear", r"trains 27 numbers; r x \(in \+ out\) is 22")
class BiasOfItsOwn(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        self.bias = torch.nn.Parameter(torch.zeros(base.out_features))

    def forward(self, x):
        return super().forward(x) + self.bias


@cases.wrong("LoRALinear", r"changed the output before training")
class BaseForgotten(Layer):
    def forward(self, x):
        return self.scaling * (x @ self.A.T @ self.B.T)


@cases.wrong("LoRALinear", r"not x @ A.T @ B.T times a number")
class WithANonlinearity(Layer):
    def forward(self, x):
        return self.base(x) + self.scaling * (torch.relu(x @ self.A.T) @ self.B.T)


@cases.right("LoRALinear")
class MatricesAsLayers(torch.nn.Module):
    def __init__(self, base, r, lora_alpha):
        super().__init__()
        self.base, self.scaling = base.requires_grad_(False), lora_alpha / r
        self.A = torch.nn.Linear(base.in_features, r, bias=False)
        self.B = torch.nn.Linear(r, base.out_features, bias=False)
        torch.nn.init.zeros_(self.B.weight)

    def forward(self, x):
        return self.base(x) + self.scaling * self.B(self.A(x))


@cases.right("LoRALinear")
class BaseCopied(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(copy.deepcopy(base), r, lora_alpha)


@cases.right("LoRALinear")
class ScalingAsABuffer(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        del self.scaling
        self.register_buffer("scaling", torch.tensor(lora_alpha / r))


@cases.wrong("LoRALinear", r"the gradient that reaches x is not.*torch.no_grad")
class BaseWithoutGradients(Layer):
    def forward(self, x):
        with torch.no_grad():
            out = self.base(x)
        return out + self.scaling * (x @ self.A.T @ self.B.T)


@cases.wrong("LoRALinear", r"the gradient that reaches x is not")
class InputDetached(Layer):
    def forward(self, x):
        return self.base(x) + self.scaling * (x.detach() @ self.A.T @ self.B.T)


@cases.wrong("LoRALinear", r"A starts with the rank 1 where r=2")
class AllOnes(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        torch.nn.init.ones_(self.A)


@cases.wrong("LoRALinear", r"The numbers in A start at a size of .*blow up the output")
class HugeStart(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        torch.nn.init.normal_(self.A, std=100)


@cases.wrong("LoRALinear", r"B would hardly get a gradient")
class TinyStart(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        torch.nn.init.normal_(self.A, std=1e-9)


@cases.wrong("LoRALinear", r"start with the very same random numbers: leave the seed to the notebook")
class Seeded(Layer):
    def __init__(self, base, r, lora_alpha):
        torch.manual_seed(0)
        super().__init__(base, r, lora_alpha)


@cases.wrong("LoRALinear", r"For r=4 and lora_alpha=2 the addition is scaled by 0.00; it should be lora_alpha / r, 0.5")
class WholeNumbersDivided(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        self.scaling = lora_alpha // r


@cases.wrong("LoRALinear", r"scaled by 5.66; it should be lora_alpha / r, 4")
class RankStabilised(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        self.scaling = lora_alpha / r**0.5


@cases.wrong("LoRALinear", r"A would not be trained: it doesn't require a gradient")
class AFrozen(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        self.A.requires_grad_(False)


@cases.wrong("LoRALinear", r"not x @ A.T @ B.T times a number")
class WithDropout(Layer):
    def forward(self, x):
        return self.base(x) + self.scaling * (torch.nn.functional.dropout(x, 0.1) @ self.A.T @ self.B.T)


@cases.wrong("LoRALinear", r"trains 23 numbers")
class ScalingTrained(Layer):
    def __init__(self, base, r, lora_alpha):
        super().__init__(base, r, lora_alpha)
        self.scaling = torch.nn.Parameter(torch.tensor(lora_alpha / r))


# --- The model -------------------------------------------------------------------------------------------------------


@cases.right("add_adapters")
def by_full_name(model, names, adapt):
    for part in model.parameters():
        part.requires_grad = False
    for name, layer in list(model.named_modules()):
        parent, _, last = name.rpartition(".")
        if last in names:
            setattr(model.get_submodule(parent), last, adapt(layer))
    return model


@cases.right("add_adapters")
def block_by_block(model, names, adapt):
    model.requires_grad_(False)
    for block in model.model.layers:
        for part in (block.self_attn, block.mlp):
            for name in set(names) & set(dict(part.named_children())):
                setattr(part, name, adapt(getattr(part, name)))
    return model


@cases.wrong("add_adapters", r"of the model's own weights would be trained, model.embed_tokens.weight for one")
def rest_not_frozen(model, names, adapt):
    model = by_full_name(model, names, adapt)
    return model.requires_grad_(True) and model


@cases.wrong("add_adapters", r"8 parts of the adapters are frozen.*freeze the model first")
def frozen_last(model, names, adapt):
    return by_full_name(model, names, adapt).requires_grad_(False)


@cases.wrong("add_adapters", r"No layer has an adapter. A layer's full name is like")
def full_names_compared(model, names, adapt):
    model.requires_grad_(False)
    for name, layer in list(model.named_modules()):
        if name in names:
            setattr(model, name, adapt(layer))
    return model


@cases.wrong("add_adapters", r"No layer has an adapter")
def made_and_dropped(model, names, adapt):
    model.requires_grad_(False)
    for name, layer in model.named_modules():
        if name.rpartition(".")[2] in names:
            layer = adapt(layer)
    return model


@cases.wrong("add_adapters", r"2 of 4 layers have no adapter, model.layers.1")
def first_block_alone(model, names, adapt):
    model.requires_grad_(False)
    for name in names:
        setattr(model.model.layers[0].self_attn, name, adapt(getattr(model.model.layers[0].self_attn, name)))
    return model


@cases.wrong("add_adapters", r"2 of 4 layers have no adapter.*v_proj")
def first_name_alone(model, names, adapt):
    return by_full_name(model, names[:1], adapt)


@cases.wrong("add_adapters", r"Layers that were not named have an adapter: lm_head")
def every_linear_layer(model, names, adapt):
    return by_full_name(model, (*names, "lm_head"), adapt)


@cases.wrong("add_adapters", r"scores changed by up to .*the very layer that stood there")
def new_layers(model, names, adapt):
    return by_full_name(
        model, names, lambda layer: adapt(torch.nn.Linear(layer.in_features, layer.out_features, bias=False))
    )


@cases.wrong("add_adapters", r"returns None")
def model_not_returned(model, names, adapt):
    by_full_name(model, names, adapt)


@cases.wrong("add_adapters", r"Return the model; this is \[")
def adapters_returned(model, names, adapt):
    return [adapt(layer) for name, layer in model.named_modules() if name.rpartition(".")[2] in names]


@cases.right("add_adapters")
def in_a_copy(model, names, adapt):
    return by_full_name(copy.deepcopy(model), names, adapt)


def where(model, adapt, matches):
    """Put adapters on the layers whose full name matches."""
    model.requires_grad_(False)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, torch.nn.Linear) and matches(name):
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, adapt(layer))
    return model


@cases.wrong("add_adapters", r"not named have an adapter: model.layers.0.self_attn.fused_q_proj.*as a whole")
def name_within_the_name(model, names, adapt):
    return where(model, adapt, lambda full: any(name in full for name in names))


@cases.wrong("add_adapters", r"not named have an adapter: model.layers.0.self_attn.fused_q_proj")
def end_of_the_name(model, names, adapt):
    return where(model, adapt, lambda full: full.endswith(tuple(names)))


@cases.wrong("add_adapters", r"2 of 4 layers have no adapter, model.layers.0.mlp.down_proj")
def attention_alone(model, names, adapt):
    return where(model, adapt, lambda full: "self_attn" in full and full.rpartition(".")[2] in names)


@cases.wrong("add_adapters", r"2 of 4 layers have no adapter.*make a new adapter for each")
def one_adapter_for_all_of_a_name(model, names, adapt):
    made = {}
    return by_full_name(model, names, lambda layer: made.setdefault(layer.weight.shape, adapt(layer)))


@cases.wrong("add_adapters", r"adapt was handed 'LoRALinear', no linear layer of the model: each of them, once")
def adapted_twice(model, names, adapt):
    return by_full_name(by_full_name(model, names, adapt), names, adapt)


# --- Training --------------------------------------------------------------------------------------------------------


def loop(
    model,
    batches,
    learning_rate,
    weights=None,
    backward=True,
    step=True,
    zero=True,
    keep=lambda loss: loss.item(),
    loss_of=lambda model, batch: model(**batch).loss,
    optimiser=torch.optim.AdamW,
):
    losses = []
    optimizer = optimiser(weights or [part for part in model.parameters() if part.requires_grad], lr=learning_rate)
    for one in batches:
        loss = loss_of(model, one)
        if backward:
            loss.backward()
        if step:
            optimizer.step()
        if zero:
            optimizer.zero_grad()
        losses.append(keep(loss))
    return losses


@cases.right("train_adapters")
def all_parameters_given(model, batches, learning_rate):
    return loop(model.train(), batches, learning_rate, weights=list(model.parameters()))


@cases.right("train_adapters")
def zeroed_first_and_clipped(model, batches, learning_rate):
    optimizer, losses = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), learning_rate), []
    for one in batches:
        optimizer.zero_grad()
        loss = model(**one)["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@cases.wrong("train_adapters", r"Gradients pile up.*zero_grad")
def zero_grad_forgotten(model, batches, learning_rate):
    return loop(model, batches, learning_rate, zero=False)


@cases.wrong("train_adapters", r"No adapter has changed.*optimizer.step")
def step_forgotten(model, batches, learning_rate):
    return loop(model, batches, learning_rate, step=False)


@cases.wrong("train_adapters", r"No adapter has changed: loss.backward")
def backward_forgotten(model, batches, learning_rate):
    return loop(model, batches, learning_rate, backward=False)


@cases.wrong("train_adapters", r"Weights that were frozen have changed")
def everything_trained(model, batches, learning_rate):
    return loop(model.requires_grad_(True), batches, learning_rate)


@cases.wrong("train_adapters", r"take their numbers with loss.item")
def tensors_kept(model, batches, learning_rate):
    return loop(model, batches, learning_rate, keep=lambda loss: loss)


@cases.wrong("train_adapters", r"Your first loss is .*which knows the labels' -100")
def prompt_learned(model, batches, learning_rate):
    return loop(
        model, batches, learning_rate, loss_of=lambda model, one: model(**one | {"labels": one["input_ids"]}).loss
    )


@cases.wrong("train_adapters", r"The loss should fall, and each step makes it larger")
def uphill(model, batches, learning_rate):
    return [-loss for loss in loop(model, batches, learning_rate, loss_of=lambda model, one: -model(**one).loss)]


@cases.wrong("train_adapters", r"learning rate of 30 where 0.03 was given")
def rate_far_too_high(model, batches, learning_rate):
    return loop(model, batches, 1000 * learning_rate)


@cases.wrong("train_adapters", r"learning rate of 0.01 where 0.03 was given")
def rate_written_down(model, batches, learning_rate):
    return loop(model, batches, 1e-2)


@cases.wrong("train_adapters", r"12 batches make 12 losses; what came back is \d")
def last_loss_alone(model, batches, learning_rate):
    return loop(model, batches, learning_rate)[-1]


@cases.wrong("train_adapters", r"12 batches make 12 losses")
def returned_in_the_loop(model, batches, learning_rate):
    return loop(model, batches[:1], learning_rate)


@cases.right("train_adapters")
def array_of_losses_without_decay(model, batches, learning_rate):
    losses = loop(
        model, batches, learning_rate, optimiser=lambda weights, lr: torch.optim.AdamW(weights, lr, weight_decay=0)
    )
    return torch.tensor(losses).numpy()


@cases.right("train_adapters")
def loss_of_the_learners_own(model, batches, learning_rate):
    def loss_of(model, one):
        scores = model(input_ids=one["input_ids"], attention_mask=one["attention_mask"]).logits[:, :-1]
        return torch.nn.functional.cross_entropy(scores.flatten(0, 1), one["labels"][:, 1:].flatten())

    return tuple(loop(model, batches, learning_rate, loss_of=loss_of, keep=lambda loss: loss.detach()))


@cases.right("train_adapters")
def yielded_one_by_one(model, batches, learning_rate):
    optimizer = torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=learning_rate)
    for one in batches:
        loss = model(**one).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        yield loss.item()


@cases.wrong("train_adapters", r"The optimiser is SGD; the step asks for AdamW")
def plain_sgd(model, batches, learning_rate):
    return loop(model, batches, learning_rate, optimiser=torch.optim.SGD)


@cases.wrong("train_adapters", r"The optimiser is Adam; the step asks for AdamW")
def without_the_w(model, batches, learning_rate):
    return loop(model, batches, learning_rate, optimiser=torch.optim.Adam)


@cases.wrong("train_adapters", r"A new optimiser is made for each step")
def optimiser_anew(model, batches, learning_rate):
    return [loop(model, [one], learning_rate)[0] for one in batches]


@cases.wrong("train_adapters", r"A batch goes through the model 2 times")
def two_steps_a_batch(model, batches, learning_rate):
    return loop(model, [one for one in batches for _ in range(2)], learning_rate)[::2]


@cases.wrong("train_adapters", r"12 batches made 1 steps of the optimiser")
def one_step_for_all(model, batches, learning_rate):
    optimizer = torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=learning_rate)
    losses = [model(**one).loss for one in batches]
    sum(losses).backward()
    optimizer.step()
    return [loss.item() for loss in losses]


@cases.wrong("train_adapters", r"12 batches made 6 steps of the optimiser")
def every_second_batch_a_step(model, batches, learning_rate):
    optimizer = torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=learning_rate)
    losses = []
    for number, one in enumerate(batches):
        loss = model(**one).loss
        loss.backward()
        losses.append(loss.item())
        if number % 2:
            optimizer.step()
            optimizer.zero_grad()
    return losses


@cases.wrong("train_adapters", r"11 of 12 batches went through the model")
def last_batch_left_out(model, batches, learning_rate):
    losses = loop(model, batches[:-1], learning_rate)
    return [*losses, losses[-1]]


@cases.wrong("train_adapters", r"come in the order \[11, 10")
def from_the_last_to_the_first(model, batches, learning_rate):
    return loop(model, batches[::-1], learning_rate)


@cases.wrong("train_adapters", r"6 of the adapters' matrices are not in the optimiser")
def two_of_many(model, batches, learning_rate):
    return loop(model, batches, learning_rate, weights=[p for p in model.parameters() if p.requires_grad][:2])


@cases.wrong("train_adapters", r"Loss 2 is .*that is the mean of all so far")
def running_mean(model, batches, learning_rate):
    losses = loop(model, batches, learning_rate)
    return [sum(losses[: number + 1]) / (number + 1) for number in range(len(losses))]


@cases.wrong("train_adapters", r"it is rounded")
def rounded(model, batches, learning_rate):
    return [round(loss, 1) for loss in loop(model, batches, learning_rate)]


@cases.wrong("train_adapters", r"that is the loss after the step")
def loss_after_the_step(model, batches, learning_rate):
    optimizer = torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=learning_rate)
    losses = []
    for one in batches:
        model(**one).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            losses.append(model(**one).loss.item())
    return losses


@cases.wrong("train_adapters", r"attention_mask is not handed over")
def mask_not_handed_over(model, batches, learning_rate):
    return loop(
        model,
        batches,
        learning_rate,
        loss_of=lambda model, one: model(input_ids=one["input_ids"], labels=one["labels"]).loss,
    )


@cases.wrong("train_adapters", r"learning rate of .* where 0.03 was given: use learning_rate as it is, at every step")
def rate_that_falls(model, batches, learning_rate):
    optimizer = torch.optim.AdamW([part for part in model.parameters() if part.requires_grad], lr=learning_rate)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0.1, len(batches))
    losses = []
    for one in batches:
        loss = model(**one).loss
        loss.backward()
        optimizer.step()
        falling.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@cases.wrong("train_adapters", r"weight_decay is 10: that pulls the adapters to zero")
def heavy_decay(model, batches, learning_rate):
    return loop(
        model, batches, learning_rate, optimiser=lambda weights, lr: torch.optim.AdamW(weights, lr, weight_decay=10)
    )


# --- Merging ---------------------------------------------------------------------------------------------------------


def merged_with(base, addition, bias=True):
    layer = torch.nn.Linear(base.in_features, base.out_features, bias=bias and base.bias is not None)
    with torch.no_grad():
        layer.weight.copy_(base.weight + addition)
        if layer.bias is not None:
            layer.bias.copy_(base.bias)
    return layer


@cases.right("merge")
def new_layer(base, A, B, scaling):
    return merged_with(base, scaling * B @ A)


@cases.right("merge")
def added_to_the_data_of_a_copy(base, A, B, scaling):
    layer = copy.deepcopy(base)
    layer.weight.data.add_(torch.einsum("or,ri->oi", B, A), alpha=scaling)
    return layer


@cases.wrong("merge", r"the scaling is missing")
def merged_unscaled(base, A, B, scaling):
    return merged_with(base, B @ A)


@cases.wrong("merge", r"The base itself was changed, so merging again would add the adapter twice")
def base_changed(base, A, B, scaling):
    base.weight.data += scaling * B @ A
    return base


@cases.wrong("merge", r"The base itself was changed")
def copy_of_a_changed_base(base, A, B, scaling):
    base.weight.data += scaling * B @ A
    return copy.deepcopy(base)


@cases.wrong("merge", r"The base has a bias and the merged layer has none")
def bias_lost(base, A, B, scaling):
    return merged_with(base, scaling * B @ A, bias=False)


@cases.wrong("merge", r"is the base's bias in it|has none either")
def fresh_bias(base, A, B, scaling):
    layer = torch.nn.Linear(base.in_features, base.out_features)
    layer.weight.data = base.weight.data + scaling * B @ A
    return layer


@cases.error("merge", r"weights have the shape \(out, in\), as B @ A has")
def transposed(base, A, B, scaling):
    return merged_with(base, scaling * A.T @ B.T)


@cases.error("merge", r"Work within torch.no_grad")
def gradients_not_off(base, A, B, scaling):
    layer = copy.deepcopy(base)
    layer.weight += scaling * B @ A
    return layer


@cases.wrong("merge", r"the adapter is not in it")
def base_copied(base, A, B, scaling):
    return copy.deepcopy(base)


@cases.wrong("merge", r"the adapter is subtracted")
def subtracted(base, A, B, scaling):
    return merged_with(base, -scaling * B @ A)


@cases.wrong("merge", r"Return a torch.nn.Linear")
def weights_alone(base, A, B, scaling):
    return base.weight + scaling * B @ A


@cases.wrong("merge", r"differs by up to")
def base_left_out(base, A, B, scaling):
    return merged_with(base, scaling * B @ A - base.weight.detach())


@cases.right("merge")
def loaded_from_a_dictionary(base, A, B, scaling):
    layer = torch.nn.Linear(base.in_features, base.out_features, base.bias is not None)
    state = {name: part.clone() for name, part in base.state_dict().items()}
    layer.load_state_dict(state | {"weight": state["weight"] + scaling * B.detach() @ A.detach()})
    return layer


@cases.wrong("merge", r"shares numbers with the base.*Copy the bias, too")
def bias_shared(base, A, B, scaling):
    layer = torch.nn.Linear(base.in_features, base.out_features)
    layer.weight, layer.bias = torch.nn.Parameter((base.weight + scaling * B @ A).detach()), base.bias
    return layer


@cases.wrong("merge", r"The layer's output is right and its weight is not")
def adapter_beside_the_weight(base, A, B, scaling):
    class Both(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) + scaling * x @ A.T @ B.T

    layer = Both(base.in_features, base.out_features, base.bias is not None)
    layer.load_state_dict(base.state_dict())
    return layer


@cases.wrong("merge", r"merged.weight, a torch.nn.Parameter")
def weight_that_is_no_parameter(base, A, B, scaling):
    layer = copy.deepcopy(base)
    del layer.weight
    layer.weight = base.weight + scaling * B @ A
    return layer


# --- peft ------------------------------------------------------------------------------------------------------------


def by_peft(model, names, r, lora_alpha, **more):
    return get_peft_model(model, LoraConfig(r=r, lora_alpha=lora_alpha, target_modules=names, **more))


@cases.right("with_peft")
def with_dropout(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, lora_dropout=0.1, task_type="CAUSAL_LM")


@cases.right("with_peft")
def without_a_task(model, names, r, lora_alpha):
    return by_peft(model, set(names), r, lora_alpha)


@cases.wrong("with_peft", r"The rank is 12 where r was 3: r and lora_alpha are swapped")
def rank_and_alpha_swapped(model, names, r, lora_alpha):
    return by_peft(model, names, lora_alpha, r)


@cases.wrong("with_peft", r"Adapters are on q_proj, v_proj; asked for were q_proj, down_proj")
def targets_left_to_peft(model, names, r, lora_alpha):
    return by_peft(model, None, r, lora_alpha)


@cases.wrong("with_peft", r"Adapters are on .*gate_proj")
def all_linear(model, names, r, lora_alpha):
    return by_peft(model, "all-linear", r, lora_alpha)


@cases.wrong("with_peft", r"scores changed by up to .*init_lora_weights")
def random_start(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, init_lora_weights=False)


@cases.wrong("with_peft", r"weights beside the adapters would be trained.*lm_head")
def head_trained_too(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, modules_to_save=["lm_head"])


@cases.wrong("with_peft", r"lora_alpha is 8 where 12 was given")
def alpha_left_out(model, names, r, lora_alpha):
    return get_peft_model(model, LoraConfig(r=r, target_modules=names))


@cases.wrong("with_peft", r"Nothing is trained: the adapter is frozen")
def for_inference(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, inference_mode=True)


@cases.wrong("with_peft", r"Return what get_peft_model returns; this is 'LoraConfig'")
def configuration_alone(model, names, r, lora_alpha):
    return LoraConfig(r=r, lora_alpha=lora_alpha, target_modules=names)


@cases.error("with_peft", r"takes the names that the layers have in this model")
def names_of_another_model(model, names, r, lora_alpha):
    return by_peft(model, ["query", "value"], r, lora_alpha)


@cases.wrong("with_peft", r"The rank is 8 where r was 3\.")
def rank_left_out(model, names, r, lora_alpha):
    return get_peft_model(model, LoraConfig(lora_alpha=lora_alpha, target_modules=names))


@cases.right("with_peft")
def adapter_of_another_name(model, names, r, lora_alpha):
    return get_peft_model(model, LoraConfig(r=r, lora_alpha=lora_alpha, target_modules=names), adapter_name="shop")


@cases.right("with_peft")
def names_as_a_pattern(model, names, r, lora_alpha):
    return by_peft(model, rf".*\.({'|'.join(names)})", r, lora_alpha, init_lora_weights="gaussian")


@cases.wrong("with_peft", r"something other than lora_alpha / r = 4 times B @ A.*use_rslora")
def rank_stabilised(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, use_rslora=True)


@cases.wrong("with_peft", r"task_type is 'SEQ_CLS': a language model that continues a text is 'CAUSAL_LM'")
def another_task(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, task_type="SEQ_CLS")


@cases.wrong("with_peft", r"2 of 4 layers of these names have no adapter, model.layers.1")
def first_block_by_peft(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, layers_to_transform=[0])


@cases.wrong("with_peft", r"adapters twice: call get_peft_model once")
def nested(model, names, r, lora_alpha):
    return by_peft(by_peft(model, names, r, lora_alpha), names, r, lora_alpha)


@cases.wrong("with_peft", r"adapters twice")
def two_adapters(model, names, r, lora_alpha):
    model = by_peft(model, names, r, lora_alpha)
    model.add_adapter("second", LoraConfig(r=r, lora_alpha=lora_alpha, target_modules=names))
    return model


@cases.wrong("with_peft", r"bias is 'all'")
def biases_too(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, bias="all")


@cases.wrong("with_peft", r"another method, DoRA")
def dora(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, use_dora=True)


@cases.wrong("with_peft", r"lora_dropout is 0.9")
def most_dropped(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, lora_dropout=0.9)


@cases.wrong("with_peft", r"itself have changed: with the usual init_lora_weights they stay")
def start_from_the_weights(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, init_lora_weights="pissa")


@cases.wrong("with_peft", r"The rank is 1, 3 where r was 3")
def another_rank_for_one_name(model, names, r, lora_alpha):
    return by_peft(model, names, r, lora_alpha, rank_pattern={names[0]: 1})
