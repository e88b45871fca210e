"""How many threads compute the matrix products of answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np  # noqa: F401 - its library of matrix products must be loaded
import pytest
from threadpoolctl import ThreadpoolController

from engine import threads
from engine.threads import one_thread


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes each test begin without answers under way, whatever other tests have left running."""
    monkeypatch.setattr(threads, "_limit", threads._Limit())


def num_threads() -> set[int]:
    """Returns the number of threads of NumPy's library of matrix products."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return {each.num_threads for each in libraries if "numpy" in str(Path(*Path(each.filepath).parts[-3:]))}


def test_answers_use_one_thread_and_leave_the_threads_of_others_as_they_were() -> None:
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        with one_thread():
            assert num_threads() == {1}
            with one_thread():
                assert num_threads() == {1}
            assert num_threads() == {1}
        assert num_threads() == {2}


def test_an_answer_that_fails_restores_the_threads() -> None:
    @one_thread()
    def failing() -> None:
        raise ValueError("no answer")

    with ThreadpoolController().limit(limits=2, user_api="blas"):
        with pytest.raises(ValueError, match="no answer"):
            failing()
        assert num_threads() == {2}


def test_the_last_of_several_answers_restores_the_threads() -> None:
    together = Barrier(4)

    @one_thread()
    def answer(number: int) -> set[int]:
        together.wait(10)
        seen = num_threads()
        together.wait(10)
        return seen

    before = num_threads()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, range(4))) == [{1}] * 4
    assert num_threads() == before
