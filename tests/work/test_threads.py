"""Matrix products of offline work run in one thread, and large factorisations in several."""

from threadpoolctl import ThreadpoolController, threadpool_limits

from pipelines.work.threads import one_thread, threads_for


def num_threads() -> int:
    """Returns the largest number of threads of the linear algebra libraries."""
    libraries = ThreadpoolController().select(user_api="blas").info()
    return max(library["num_threads"] for library in libraries)


def test_only_large_matrices_have_the_threads_from_before() -> None:
    with threadpool_limits(2, user_api="blas"):
        with one_thread():
            assert num_threads() == 1
            with one_thread(), threads_for(100_000):
                assert num_threads() == 2
            with threads_for(100):
                assert num_threads() == 1
            assert num_threads() == 1
        with threads_for(100_000):
            assert num_threads() == 2
        assert num_threads() == 2


def test_more_threads_than_before_are_never_taken() -> None:
    with threadpool_limits(1, user_api="blas"), one_thread(), threads_for(100_000):
        assert num_threads() == 1
