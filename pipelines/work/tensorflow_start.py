"""Starts TensorFlow without what its C++ parts write to stderr before anything can tell them not to."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


def start_tensorflow() -> None:
    """Imports TensorFlow and lets it find its devices, both of which it comments on; later calls do nothing.

    None of its settings keeps these lines back, so the process's stderr is put aside meanwhile.
    What was said is logged at DEBUG, and where starting fails it is written out.
    """
    if "tensorflow" in sys.modules:
        return
    with _stderr_aside():
        import tensorflow as tf

        tf.config.list_logical_devices()


@contextmanager
def _stderr_aside() -> Iterator[None]:
    """Puts aside what is written to the file behind stderr, by whatever language."""
    with tempfile.TemporaryFile() as aside:
        stderr = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(stderr, aside.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        aside.seek(0)
        logger.debug("TensorFlow started, saying: %s", aside.read().decode("utf-8", errors="replace"))
