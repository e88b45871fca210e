"""Starts TensorFlow without messages on stderr, and compiles training steps once for all networks."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from engine.errors import DataError

logger = logging.getLogger(__name__)


ONE_THREAD_UP_TO = 150_000
"""The largest number of reviews for which trainings run one after another, in one thread of TensorFlow. The
training steps on few reviews are so small that waiting for other threads takes longer than the other threads
save."""
_TRAININGS_AT_ONCE = 2
"""The number of trainings among which TensorFlow's threads are divided, because on many reviews the relevance
head and the rating head are trained at the same time."""
_starting = threading.Lock()
"""A lock that is held while TensorFlow is imported, because two threads may begin trainings at the same
time."""


def start_tensorflow(num_reviews: int | None = None) -> None:
    """Imports TensorFlow, sets TensorFlow's threads, and searches for devices; later calls do nothing.

    TensorFlow cannot change its number of threads after the start. If the environment sets the variable
    `TF_NUM_INTRAOP_THREADS`, TensorFlow uses the number of threads that the variable gives.

    During the import and the search for devices, stderr is redirected to a temporary file, because no setting
    silences all messages of TensorFlow. The messages that TensorFlow writes during the import and the search
    for devices are logged at the level DEBUG. If the import or the search for devices raises an error,
    TensorFlow's messages are written to stderr, and not to the log.

    Args:
        num_reviews: the number of reviews to train on. For few reviews, a training uses one thread; for more
            reviews, a training uses half of the processors. If `num_reviews` is None, a training may use all
            processors.
    """
    with _starting, ExitStack() as stack:
        if "tensorflow" in sys.modules:
            return
        stack.enter_context(_stderr_aside())
        stack.enter_context(_without_collections())
        import tensorflow as tf

        is_small = num_reviews is not None and num_reviews <= ONE_THREAD_UP_TO
        if num_reviews is not None and "TF_NUM_INTRAOP_THREADS" not in os.environ:
            half = max(1, (os.cpu_count() or 1) // _TRAININGS_AT_ONCE)
            tf.config.threading.set_intra_op_parallelism_threads(1 if is_small else half)
            tf.config.threading.set_inter_op_parallelism_threads(1 if is_small else _TRAININGS_AT_ONCE)
        tf.config.list_logical_devices()


def traced(take_step: Callable[..., Any]) -> Any:
    """Turns a Python function that takes one training step into a TensorFlow function.

    Pass the TensorFlow function that `traced` returns to `bound_step`, as the first argument. TensorFlow's
    default, the conversion of Python code by AutoGraph, is switched off, because AutoGraph would halve the
    speed of a small build. The function `take_step` takes variables, a batch, a learning rate and a seed of
    two integers, and has no branch that depends on a tensor.
    """
    import tensorflow as tf

    return tf.function(take_step, autograph=False)


def bound_step(traced_step: Any, variables: Any, batch: Any) -> Callable[[Any, float, int], Any]:
    """Returns a function that takes one training step on always the same variables, for any batch length.

    The returned function takes a batch, a learning rate and a seed. TensorFlow takes about half a second to
    compile a training step. Networks of one process share a compiled training step if their variables have
    the same data types and shapes. If the number of rows in a variable's shape is None, the variable may have
    any number of rows. By default, TensorFlow would compile the training step again for each new batch
    length.

    The returned function saves time by running the compiled training step with TensorFlow's low-level
    operation `StatefulPartitionedCall`, which skips TensorFlow's usual checks of the variables. A
    `tf.types.experimental.ConcreteFunction`, the usual way to run a compiled training step, checks every
    variable at every training step. To check every variable takes longer than to run a small training step.

    Args:
        traced_step: a training step that `traced` returned, which returns one number, the loss.
        variables: the variables that the training step reads and updates, in tuples and lists; None may
            stand in place of a variable, and a variable may occur twice.
        batch: an example of a batch, a named tuple of arrays; the arrays of all batches must have the same
            data types and numbers of dimensions.
    """
    import tensorflow as tf

    parts = type(batch)(*(tf.TensorSpec([None] * part.ndim, part.dtype) for part in batch))
    signature = (parts, tf.TensorSpec([], tf.float32), tf.TensorSpec([2], tf.int32))
    compiled = traced_step.get_concrete_function(variables, *signature)
    given = [variable for variable in tf.nest.flatten(variables) if variable is not None]
    handles = list({variable.ref(): variable.handle for variable in given}.values())
    call = tf.raw_ops.StatefulPartitionedCall

    def take_step(batch: Any, learning_rate: float, seed: int) -> Any:
        inputs = [*map(tf.constant, batch), tf.constant(learning_rate), tf.constant([seed, 0])]
        return call(args=[*handles, *inputs], Tout=[tf.float32], f=compiled)[0]

    return take_step


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keeps the garbage collector from scanning imported objects during a large import and afterwards."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def _stderr_aside() -> Iterator[None]:
    """Redirects the file descriptor of stderr to a temporary file, even for output of C++ code."""
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
