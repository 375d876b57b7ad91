"""What the estimate of a training's memory counts."""

from unittest.mock import patch

import pytest
import torch
from transformers import Gemma2Config, LlamaConfig

from ftcourse import memory

SIZES = dict(
    vocab_size=32, hidden_size=16, intermediate_size=24, num_attention_heads=2, num_key_value_heads=2, head_dim=8
)


def body(config, num_layers, **options):
    config = config(num_hidden_layers=num_layers, **SIZES, **options)
    return memory.empty_model(config, torch.float32, "eager").get_decoder()


@pytest.mark.parametrize("num_layers", [1, 2, 3, 7])
@pytest.mark.parametrize("config", [LlamaConfig, Gemma2Config])
def test_layers_that_are_alike_keep_what_all_of_them_keep(config, num_layers):
    decoder = body(config, num_layers)
    whole = memory._kept_bytes(decoder, 2, 5, torch.float32)
    assert memory.kept_bytes(decoder, 2, 5, torch.float32) == whole > 0
    assert len(decoder.layers) == num_layers


def test_two_layers_run_for_many_that_are_alike():
    with patch.object(memory, "_kept_bytes", side_effect=lambda decoder, *_: 100 + 10 * len(decoder.layers)):
        assert memory.kept_bytes(body(LlamaConfig, 7), 2, 5, torch.float32) == 170


def test_an_odd_layer_is_counted():
    decoder = body(LlamaConfig, 4)
    decoder.layers[2] = body(LlamaConfig, 1).layers[0].to(torch.bfloat16)
    assert not memory._alike(decoder.layers, decoder.config)
    mixed = body(Gemma2Config, 4)
    assert not memory._alike(mixed.layers, mixed.config)  # every second one looks at a window alone
