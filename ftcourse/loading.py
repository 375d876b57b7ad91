"""Loading a pretrained body with a new head, without a warning about what is meant to be so."""

import logging
import os
from typing import Any


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
        as_meant = not info["mismatched_keys"] and not any(key.startswith(body) for key in info["missing_keys"])
        return model
    finally:
        logger.removeFilter(hold)
        for record in [] if as_meant else held:
            logger.handle(record)
