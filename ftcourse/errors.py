"""The one exception for what a person can mend."""


class CourseError(Exception):
    """Something that the person at the keyboard can put right.

    The message is one paragraph: the item, file or line that is wrong, the reason, and the remedy. The command line
    prints it without a traceback.
    """
