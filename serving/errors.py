"""The errors of the server; the text of each is one line for the person who can fix it."""

from __future__ import annotations


class InvalidInputError(ValueError):
    """A text or tensor from outside is not what it should be."""


class ModelError(Exception):
    """The model cannot be served."""


class ListenError(Exception):
    """The address cannot be listened on."""
