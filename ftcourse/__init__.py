"""ftcourse: a hands-on course on fine-tuning models, and the helpers that it builds."""

import logging
import warnings

__version__ = "0.1.0"

# transformers' Trainer imports bitsandbytes, which warns of a package that it could use and that nothing here needs;
# with int8 on a processor it logs a line a layer and step.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)  # peft asks transformers by an old name
warnings.filterwarnings("ignore", "'pin_memory' argument is set as true", UserWarning)  # the default, without a GPU
