"""Texts that were written for this course, each with a data card (`.md`) beside it."""
