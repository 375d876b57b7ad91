"""A new head is loaded without a warning; a body that lacks weights isn't."""

import logging

import pytest
import torch
from transformers import AutoModelForQuestionAnswering, BertConfig, BertModel

from ftcourse.loading import load_with_new_head


@pytest.fixture
def body(tmp_path):
    torch.manual_seed(0)
    small = BertConfig(vocab_size=20, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    BertModel(small).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def said():
    """What transformers' own handlers print."""
    records = []

    class Keep(logging.Handler):
        def emit(self, record):
            records.append(record.getMessage())

    handler = Keep()
    logging.getLogger("transformers").addHandler(handler)
    yield records
    logging.getLogger("transformers").removeHandler(handler)


def test_a_new_head_is_no_news(body, said):
    AutoModelForQuestionAnswering.from_pretrained(body)
    assert "LOAD REPORT" in said.pop()  # what is silenced below; if this fails, transformers has changed its words
    model = load_with_new_head(AutoModelForQuestionAnswering, body, hidden_dropout_prob=0.0)
    assert said == [] and model.config.hidden_dropout_prob == 0
    AutoModelForQuestionAnswering.from_pretrained(body)
    assert len(said) == 1  # nothing is silenced afterwards


def test_a_body_that_lacks_weights_is_news(body, said):
    model = BertModel.from_pretrained(body)
    state = {name: tensor for name, tensor in model.state_dict().items() if "attention.self.query" not in name}
    model.save_pretrained(body, state_dict=state)
    load_with_new_head(AutoModelForQuestionAnswering, body)
    assert len(said) == 1 and "LOAD REPORT" in said[0] and "query" in said[0]


def test_the_report_is_shown_where_loading_fails(body, said):
    with pytest.raises(RuntimeError, match="above report"):
        load_with_new_head(AutoModelForQuestionAnswering, body, vocab_size=30)
    assert len(said) == 1 and "MISMATCH" in said[0]
