"""Starts TensorFlow without messages on stderr, and compiles a training step with a single trace."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from engine.errors import DataError

logger = logging.getLogger(__name__)


def start_tensorflow() -> None:
    """Imports TensorFlow and lets TensorFlow find its devices; later calls do nothing.

    The import and the search for devices write messages that no setting of TensorFlow silences, so stderr is
    redirected to a temporary file. The messages are logged at DEBUG, or written to stderr after an error.
    """
    if "tensorflow" in sys.modules:
        return
    with _stderr_aside():
        import tensorflow as tf

        tf.config.list_logical_devices()


def traced_step(take_step: Callable[..., Any], batch: Any) -> Callable[..., Any]:
    """Compiles a training step for batches of any length with a single trace.

    A trace takes about half a second. By default, TensorFlow would trace a step again for each new batch
    length. By default, TensorFlow would convert the step's Python code with AutoGraph, which would halve the
    speed of a small build.

    The function `take_step` takes a batch, a learning rate and a seed of two integers, and has no branch that
    depends on a tensor. `batch` is an example of a batch: a named tuple of arrays. The arrays of all batches
    must have the same data types and numbers of dimensions.
    """
    import tensorflow as tf

    parts = type(batch)(*(tf.TensorSpec([None] * part.ndim, part.dtype) for part in batch))
    signature = (parts, tf.TensorSpec([], tf.float32), tf.TensorSpec([2], tf.int32))
    traced: Callable[..., Any] = tf.function(take_step, input_signature=signature, autograph=False)
    return traced


@contextmanager
def _stderr_aside() -> Iterator[None]:
    """Redirects the file descriptor of stderr to a temporary file, which catches even output of C++ code."""
    with ExitStack() as stack:
        try:
            aside = stack.enter_context(tempfile.TemporaryFile())
        except OSError as error:
            raise DataError(
                f"Cannot make a temporary file: {error.strerror}; name another folder in TMPDIR"
            ) from error
        stderr = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except Exception:
            aside.seek(0)
            os.write(stderr, aside.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        aside.seek(0)
        logger.debug("TensorFlow started, saying: %s", aside.read().decode("utf-8", errors="replace"))
