"""Models and a tokenizer of a few thousand numbers, random and made in an instant, to try a learner's code on."""

from collections.abc import Sequence
from typing import Any

WORDS = tuple("a dull film warm story the plot is never less than gripping what shop you".split())


def tokenizer(words: Sequence[str] = WORDS, pad_last: bool = False) -> Any:
    """Return a tokenizer that knows a few words and marks start and end as BERT's does.

    Args:
        words: what it knows; each is one token.
        pad_last: give padding the last number in place of 0, as many models do.
    """
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    names = ["[UNK]", "[CLS]", "[SEP]", *words, "[PAD]"] if pad_last else ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]
    backend = Tokenizer(WordLevel({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, names.index(name)) for name in ("[CLS]", "[SEP]")],
    )
    marks = dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=512, **marks)


def encoder(labels: Sequence[str] = ("pan", "praise"), dropout: float = 0.0, seed: int = 0) -> Any:
    """Return a BERT with a classification head and random weights.

    Args:
        labels: names of the classes.
        dropout: share of activations that is dropped in training.
        seed: of the weights.
    """
    from transformers import BertForSequenceClassification

    names = {"id2label": dict(enumerate(labels)), "label2id": {label: number for number, label in enumerate(labels)}}
    return _bert(BertForSequenceClassification, seed, dropout, **names)


def body(seed: int = 0) -> Any:
    """Return a BERT without a head and with random weights.

    Args:
        seed: of the weights.
    """
    from transformers import BertModel

    return _bert(BertModel, seed)


def _bert(kind: Any, seed: int, dropout: float = 0.0, **config: Any) -> Any:
    """Return a BERT of some kind with random weights."""
    import torch
    from transformers import BertConfig

    config |= dict(
        vocab_size=4 + len(WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.5,
        pad_token_id=0,
    )
    with torch.random.fork_rng():  # the learner's own random numbers stay as they are
        torch.manual_seed(seed)
        return kind(BertConfig(**config)).eval()


def decoder(seed: int = 0) -> Any:
    """Return a Llama with random weights.

    Args:
        seed: of the weights.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        tie_word_embeddings=False,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()
