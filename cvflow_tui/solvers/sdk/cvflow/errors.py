"""What a solver raises when the caller is at fault."""


class InputError(ValueError):
    """The picture, a parameter or a dataset can't be used; the message is one line for the caller (a 400), not a failure of the solver."""
