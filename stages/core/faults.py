"""The one exception for what a user can mend."""


class Fault(Exception):
    """A user's mistake or a fact of their machine: one message that names place, value and remedy.

    Whatever is not a `Fault` is a bug of reprolm and keeps its traceback.
    """
