"""Starts TensorFlow without its messages on stderr, and traces a training step once."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)


def start_tensorflow() -> None:
    """Imports TensorFlow and lets it find its devices; later calls do nothing.

    Both steps write messages that no setting of TensorFlow holds back, so stderr goes to a file meanwhile.
    The messages are logged at DEBUG, or written to stderr if TensorFlow does not start.
    """
    if "tensorflow" in sys.modules:
        return
    with _stderr_aside():
        import tensorflow as tf

        tf.config.list_logical_devices()


def traced_step(take_step: Callable[..., Any], batch: Any) -> Callable[..., Any]:
    """Compiles a training step for batches of any length with a single trace.

    A trace costs about half a second. TensorFlow alone would trace again when the length of a batch changes,
    and would first convert the Python code of the step, which halves the speed of a small build.

    The step takes a batch, a learning rate and a seed of two numbers; no branch in it depends on a tensor.
    The given batch, a named tuple of arrays, tells the types and the numbers of dimensions.
    """
    import tensorflow as tf

    parts = type(batch)(*(tf.TensorSpec([None] * part.ndim, part.dtype) for part in batch))
    signature = (parts, tf.TensorSpec([], tf.float32), tf.TensorSpec([2], tf.int32))
    traced: Callable[..., Any] = tf.function(take_step, input_signature=signature, autograph=False)
    return traced


@contextmanager
def _stderr_aside() -> Iterator[None]:
    """Sends what any language writes to stderr to a temporary file."""
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
