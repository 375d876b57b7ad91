"""Answers to the tasks inside the lessons, a module a lesson."""
