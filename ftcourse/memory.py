"""What the estimate of a training's memory counts: models without weights, and what a forward pass keeps."""

from typing import Any

import torch

# Of a quantised weight, with its share of the scales: NF4 has one for 64 weights, which double quantisation packs into
# a byte, with a float32 for 256 of them; the one that int8 has for a row isn't worth counting.
BYTES = {"nf4": 0.5 + 1 / 64 + 4 / (64 * 256), "int8": 1.0}


def empty_model(config: Any, dtype: torch.dtype, attn_implementation: str) -> Any:
    """Return a causal language model on PyTorch's meta device: shapes without weights.

    Args:
        config: a configuration of transformers, such as ``AutoConfig.from_pretrained`` gives.
        dtype: of the weights.
        attn_implementation: the attention that will be used, ``"eager"`` or ``"sdpa"``.
    """
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config=config, attn_implementation=attn_implementation, dtype=dtype)


def act_quantised(model: Any) -> Any:
    """Let an empty model with adapters keep and compute what a quantised one does; return it.

    What isn't quantised becomes float32, as lesson 4's `prepare` does, and a quantised layer answers in the dtype of
    its input, as in bitsandbytes.

    Args:
        model: on the meta device, with peft's adapters.
    """
    for name, weights in model.named_parameters():
        if not _is_quantised(name, weights):
            weights.data = weights.data.float()
    for name, layer in model.named_modules():
        if name.endswith("base_layer"):
            layer.register_forward_hook(lambda layer, inputs, output: output.to(inputs[0].dtype))
    return model


def weight_bytes(model: Any, kind: str | None = None) -> float:
    """Return the memory of a model's weights in bytes.

    Args:
        model: any model of PyTorch; an empty one will do.
        kind: a key of `BYTES`, to count the matrices as if they were quantised; None for a model as it is.
    """
    return sum(
        weights.numel() * (BYTES[kind] if kind and _is_quantised(name, weights) else weights.element_size())
        for name, weights in model.named_parameters()
    )


def _is_quantised(name: str, weights: torch.Tensor) -> bool:
    """Say whether bitsandbytes would quantise a parameter of that name."""
    return weights.ndim == 2 and not any(part in name for part in ("lora_", "embed", "lm_head"))


def kept_bytes(decoder: Any, batch_size: int, sequence_length: int, dtype: torch.dtype = torch.bfloat16) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, without the weights themselves.

    The real code of the model runs on fake tensors, which have a shape and a type and no content: it takes no memory.
    Of layers that are alike only two run: each further one keeps what the second does.

    Args:
        decoder: the body of a causal language model, ``model.get_decoder()``; an empty one will do.
        batch_size: sequences at once.
        sequence_length: tokens in each.
        dtype: in which to compute; with ``torch.bfloat16`` under autocast.
    """
    layers = getattr(decoder, "layers", None)
    if not isinstance(layers, torch.nn.ModuleList) or len(layers) < 3 or not _alike(layers, decoder.config):
        return _kept_bytes(decoder, batch_size, sequence_length, dtype)
    try:
        kept = []
        for number in (1, 2):
            decoder.layers = layers[:number]
            kept.append(_kept_bytes(decoder, batch_size, sequence_length, dtype))
    finally:
        decoder.layers = layers
    return kept[0] + (len(layers) - 1) * (kept[1] - kept[0])


def _alike(layers: torch.nn.ModuleList, config: Any) -> bool:
    """Say whether all layers of a decoder are of one make: class, weights and kind of attention."""
    makes = {
        (type(layer), *((name, weights.shape, weights.dtype) for name, weights in layer.named_parameters()))
        for layer in layers
    }
    return len(makes) == 1 and len(set(getattr(config, "layer_types", None) or [None])) == 1


def _kept_bytes(decoder: Any, batch_size: int, sequence_length: int, dtype: torch.dtype) -> int:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():

        def fake(like: torch.Tensor) -> torch.Tensor:
            return torch.empty(like.shape, dtype=like.dtype, requires_grad=like.requires_grad)

        state = {name: fake(part) for name, part in (*decoder.named_parameters(), *decoder.named_buffers())}
        weights = {part.untyped_storage()._cdata for part in state.values()}
        ids = torch.ones(batch_size, sequence_length, dtype=torch.long)
        seen, alive = {}, []

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in weights:
                seen[storage._cdata] = storage.nbytes()
                alive.append(tensor)  # else another tensor could get the same address
            return tensor

        with (
            torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16),
        ):
            inputs = {"input_ids": ids, "attention_mask": ids, "use_cache": False}
            torch.func.functional_call(decoder, state, (), inputs)
    return sum(seen.values())
