"""Figures that everybody can read: a colour-blind-safe palette, and a text alternative with every picture.

`style` has what they share, `scores`, `losses` and `text` what several lessons show, each other module what one does.
"""

from .classification import show_attention, show_masking, show_padding, show_weights
from .evaluation import show_reliability, show_slices
from .jobs import show_chat_lengths, show_token_accuracy
from .lora import show_forgetting, show_memory, show_quantised
from .losses import live_losses, show_losses
from .ner import show_alignment
from .overview import results_figure, show_results
from .qa import show_question, show_span_chances, show_thresholds, show_windows
from .scores import confusion_figure, show_confusion, show_groups, show_learning_curve, show_runs, show_scores
from .style import BLACK, BLUE, GREEN, ORANGE, PALETTE, PURPLE, SKY, TINTS, VERMILION, YELLOW, live, set_style, show
from .text import chat_html, entities_html, show_chat, show_entities, show_labels, show_words
from .transfer import show_images, show_unfreezing
from .tuning import show_range_test, show_rates, show_schedules, show_settings, show_sweep, show_trials

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "ORANGE",
    "PALETTE",
    "PURPLE",
    "SKY",
    "TINTS",
    "VERMILION",
    "YELLOW",
    "chat_html",
    "confusion_figure",
    "entities_html",
    "live",
    "live_losses",
    "results_figure",
    "set_style",
    "show",
    "show_alignment",
    "show_attention",
    "show_chat",
    "show_chat_lengths",
    "show_confusion",
    "show_entities",
    "show_forgetting",
    "show_groups",
    "show_images",
    "show_labels",
    "show_learning_curve",
    "show_losses",
    "show_masking",
    "show_memory",
    "show_padding",
    "show_quantised",
    "show_question",
    "show_range_test",
    "show_rates",
    "show_reliability",
    "show_results",
    "show_runs",
    "show_schedules",
    "show_scores",
    "show_slices",
    "show_span_chances",
    "show_settings",
    "show_sweep",
    "show_thresholds",
    "show_token_accuracy",
    "show_trials",
    "show_unfreezing",
    "show_weights",
    "show_windows",
    "show_words",
]
