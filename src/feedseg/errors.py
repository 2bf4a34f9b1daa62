"""The one kind of error whose text is meant for the user: what is wrong, with which input, what to do."""


class FeedsegError(Exception):
    """An input or an environment that cannot be used, in one line that says what to do about it.

    The command line prints the text alone; any other exception is a defect of the program.
    """
