"""Tiny models of text and a tokenizer for them, random and made in an instant, of several architectures."""

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerFast,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "</s>"]
WORDS = "a good bad film dull warm story is the in never less than gripping".split()
SIZE = dict(
    vocab_size=len(SPECIAL) + len(WORDS),
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=64,
)


def tokenizer(**options):
    """Return a tokenizer of whole words; options such as pad_token=None or padding_side change it."""
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", eos_token="</s>")
    names = {name: token for name, token in {**names, **options}.items() if token is not None}
    return PreTrainedTokenizerFast(tokenizer_object=plain, model_input_names=["input_ids", "attention_mask"], **names)


def bert(**config):
    """Return a classifier that reads its answer off the first token."""
    return BertForSequenceClassification(BertConfig(**{**SIZE, **config})).eval()


def gpt2(**config):
    """Return a classifier that reads its answer off the last token, without a padding token of its own."""
    size = dict(vocab_size=SIZE["vocab_size"], n_positions=64, n_embd=16, n_layer=1, n_head=2)
    return GPT2ForSequenceClassification(GPT2Config(**size, bos_token_id=4, eos_token_id=4, **config)).eval()


def save_body(folder, kept=None):
    """Save a BERT without a head, and its tokenizer; return the folder as `files.model_path` takes it."""
    BertModel(BertConfig(**SIZE)).save_pretrained(folder)
    (kept or tokenizer()).save_pretrained(folder)
    return folder
