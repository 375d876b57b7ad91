"""The one exception for what a person can mend, and what to quote of a library's."""


class CourseError(Exception):
    """Something that the person at the keyboard can put right.

    The message is one paragraph: the item, file or line that is wrong, the reason, and the remedy. The command line
    prints it without a traceback.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has none, with a full stop at the end.

    Args:
        error: of a library, whose message may run over many lines.
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".") + "."
