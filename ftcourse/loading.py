"""Loading a pretrained body with a new head, without a warning about what is meant to be so."""

import logging
import os
from collections.abc import Sequence
from typing import Any

from .errors import CourseError
from .inputs import as_class_names


def load_with_new_head(kind: Any, name: str | os.PathLike[str], **arguments: Any) -> Any:
    """Call ``kind.from_pretrained`` without its report that the weights of the head are new.

    The report warns of weights that the checkpoint has and the model hasn't, and the other way round. For a head that
    is to be trained both are meant. If a weight of the body is missing or has another shape, or if loading fails, the
    report is shown.

    Args:
        kind: a class with ``from_pretrained``, such as ``AutoModelForQuestionAnswering``.
        name: folder or name on the hub, as `ftcourse.files.model_path` returns it.
        **arguments: of ``from_pretrained``.

    Returns:
        The model.
    """
    return _load(kind, name, **arguments)[0]


def load_for_classes(
    kind: Any, name: str | os.PathLike[str], labels: Sequence[str] | None, new_head: bool = False, **arguments: Any
) -> Any:
    """Load a pretrained body with a head for classes, without giving a trained head the names of others.

    Args:
        kind: a class with ``from_pretrained``, such as ``AutoModelForSequenceClassification``.
        name: folder or name on the hub.
        labels: names of the classes, in order; None keeps those of the checkpoint.
        new_head: whether a head that was trained for other classes gives way to a new one.
        **arguments: of ``from_pretrained``.

    Returns:
        The model.

    Raises:
        CourseError: if the checkpoint's head was trained for other classes and `new_head` is False, or the labels are
            no different names.
    """
    if labels is None:
        return load_with_new_head(kind, name, **arguments)
    from transformers import AutoConfig

    labels = as_class_names(labels)
    config = AutoConfig.from_pretrained(name, revision=arguments.get("revision"))
    own = [config.id2label[number] for number in sorted(config.id2label)]
    nameless = own == [f"LABEL_{number}" for number in range(len(own))]
    arguments |= {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    if own == labels:
        return load_with_new_head(kind, name, **arguments)
    model, info = _load(kind, name, ignore_mismatched_sizes=True, **arguments)
    body = f"{model.base_model_prefix}."
    fresh = any(not key.startswith(body) for key in info["missing_keys"])
    if fresh or (nameless and len(own) == len(labels)):
        return model
    if not new_head:
        raise CourseError(
            f"{os.path.basename(name)} was trained for the classes {', '.join(own)}, and you ask for "
            f"{', '.join(labels)}: leave the labels out to keep its own, or pass new_head=True to train a new head."
        )
    for part, layer in model.named_modules():
        if f"{part}." != body and not part.startswith(body) and hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return model


def _load(kind: Any, name: str | os.PathLike[str], **arguments: Any) -> tuple[Any, dict[str, Any]]:
    """Return a model and what its checkpoint lacked, without the report on the head."""
    logger, held, as_meant = logging.getLogger("transformers.modeling_utils"), [], False

    def hold(record: logging.LogRecord) -> bool:
        report = "LOAD REPORT" in record.getMessage()
        if report:
            held.append(record)
        return not report

    logger.addFilter(hold)
    try:
        model, info = kind.from_pretrained(name, output_loading_info=True, **arguments)
        body = f"{model.base_model_prefix}."
        strange = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
        as_meant = not any(key.startswith(body) for key in strange)
        return model, info
    finally:
        logger.removeFilter(hold)
        for record in [] if as_meant else held:
            logger.handle(record)
