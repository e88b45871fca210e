"""Limits the threads of NumPy's and SciPy's matrix products in builds, evaluations and tuning.

Matrix products run in one thread, because most matrices in a build are small. Several threads that compute
the product of small matrices take several times the processor time of one thread, because threads that wait
for each other keep their processors busy. Several threads are used only in a block `with threads_for(...)`,
which factorises or inverts a large matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

_THREADS_FROM = 2000
"""The least number of rows of a square matrix for which the matrix is factorised by several threads; one
thread factorises smaller matrices."""
_allowed: list[int] = []
"""One number for each block `with one_thread()` that is running; the outermost block has the first number. A
block's number says how many threads matrix products were allowed to use before the block began. The block's
number is appended to `_allowed` when the block begins, and removed when the block ends. The function
`threads_for` allows matrix products as many threads as the first number in `_allowed`."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits all matrix products of the process to one thread; for a `with` statement, or as a decorator."""
    from threadpoolctl import ThreadpoolController

    with suppress(ImportError):  # A light installation has no SciPy.
        import scipy.linalg  # noqa: F401  (Only a library that is loaded can be limited.)
    controller = ThreadpoolController().select(user_api="blas")
    _allowed.append(max((library["num_threads"] for library in controller.info()), default=1))
    try:
        with controller.limit(limits=1):
            yield
    finally:
        _allowed.pop()


@contextmanager
def threads_for(num_rows: int) -> Iterator[None]:
    """Runs matrix products in several threads within a `with` statement, if the matrix has many rows.

    Within a block `with one_thread()`, matrix products run in one thread. For a large matrix, `threads_for`
    lifts the limit of one thread: matrix products may use as many threads as before the outermost block `with
    one_thread()` began. Outside of any block `with one_thread()`, `threads_for` changes nothing. For a matrix
    with fewer than _THREADS_FROM rows, `threads_for` changes nothing.
    """
    from threadpoolctl import threadpool_limits

    is_large = bool(_allowed) and num_rows >= _THREADS_FROM
    with threadpool_limits(_allowed[0] if is_large else None, user_api="blas"):
        yield
