"""The errors whose text is meant for the user: they say what is wrong, with which input, what to do."""


class FeedsegError(Exception):
    """An input or an environment that cannot be used, in one line that says what to do about it.

    The command line prints the text alone; any other exception is a defect of the program.
    """


def first_line(error: BaseException) -> str:
    """The first line of an exception's text that says something, or its class's name."""
    lines = (line.strip(" .") for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)
