"""Studies: runs over several seeds or sizes whose records in ``results/`` the lessons render.

A study skips the runs that already have a record, so that it continues where it was stopped.
"""

from .evaluation import best_practices_ways, best_practices_ways_tried
from .few_examples import text_classification_few, text_classification_few_tried
from .forgetting import lora_forgetting
from .lora import lora, lora_curve, lora_memory, lora_sweep
from .ner import ner, ner_variants
from .openai_job import openai_job
from .qa import qa, qa_curve, qa_frozen
from .quality import best_practices_data
from .text_classification import text_classification, text_classification_curve, text_classification_negation
from .transfer import transfer, transfer_curve, transfer_tried
from .tuning import best_practices_rates, best_practices_search, best_practices_sweep

STUDIES = {
    "transfer_tried": transfer_tried,
    "transfer": transfer,
    "transfer_curve": transfer_curve,
    "openai_job": openai_job,
    "text_classification": text_classification,
    "text_classification_curve": text_classification_curve,
    "text_classification_negation": text_classification_negation,
    "text_classification_few_tried": text_classification_few_tried,
    "text_classification_few": text_classification_few,
    "lora": lora,
    "lora_sweep": lora_sweep,
    "lora_memory": lora_memory,
    "lora_curve": lora_curve,
    "lora_forgetting": lora_forgetting,
    "ner": ner,
    "ner_variants": ner_variants,
    "qa": qa,
    "qa_frozen": qa_frozen,
    "qa_curve": qa_curve,
    "best_practices_data": best_practices_data,
    "best_practices_sweep": best_practices_sweep,
    "best_practices_search": best_practices_search,
    "best_practices_rates": best_practices_rates,
    "best_practices_ways_tried": best_practices_ways_tried,
    "best_practices_ways": best_practices_ways,
}
