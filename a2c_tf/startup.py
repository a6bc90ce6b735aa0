"""Importing TensorFlow without the banner that it writes to stderr."""

from __future__ import annotations

import importlib
import os
import sys


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras; their notes on oneDNN and CUDA are not the user's concern.

    The notes are written to the file descriptor before any setting can stop them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        importlib.import_module("tensorflow")
        importlib.import_module("keras")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
