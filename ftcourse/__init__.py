"""ftcourse: a hands-on course on fine-tuning models, and the helpers that it builds."""

__version__ = "0.1.0"
