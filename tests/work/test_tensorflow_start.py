import os
import subprocess
import sys

import pytest

from pipelines.work.tensorflow_start import _stderr_aside


@pytest.mark.slow
def test_tensorflow_starts_and_works_without_a_word() -> None:
    script = (
        "from pipelines.work.tensorflow_start import start_tensorflow\n"
        "start_tensorflow(); start_tensorflow()\n"
        "import tensorflow as tf\n"
        "print(int(tf.constant(1) + tf.constant(2)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_reviews", "given", "expected"),
    [(100, None, 1), (100, "3", 0), (10**6, None, max(1, (os.cpu_count() or 1) // 2)), (None, None, 0)],
)
def test_few_reviews_are_trained_on_in_one_thread_and_many_in_half_of_all(
    num_reviews: int | None, given: str | None, expected: int
) -> None:
    script = (
        "from pipelines.work.tensorflow_start import start_tensorflow\n"
        f"start_tensorflow({num_reviews})\n"
        "import tensorflow as tf\n"
        "print(tf.config.threading.get_intra_op_parallelism_threads())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_NUM")}
    environment |= {} if given is None else {"TF_NUM_INTRAOP_THREADS": given}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert int(done.stdout) == expected


def test_what_was_put_aside_is_written_out_where_starting_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        os.write(2, b"no such library\n")
        raise ImportError

    with pytest.raises(ImportError), _stderr_aside():
        fail()
    with _stderr_aside():
        os.write(2, b"all is well\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "no such library\nafter\n"
