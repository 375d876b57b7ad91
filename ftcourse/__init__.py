"""ftcourse: a hands-on course on fine-tuning models, and the helpers that it builds."""

import logging

__version__ = "0.1.0"

# transformers' Trainer imports it, and then it warns of a package that it could use and that nothing here needs.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
