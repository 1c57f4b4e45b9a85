"""Several threads restore a video: the frames stay in order, and an error ends all of them."""

import threading
from collections.abc import Iterator

import pytest
import torch

from jobs.restoring.pipeline import in_order

THREADS = 3


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_items_however_long_each_takes() -> None:
    later_one_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert later_one_is_done.wait(60), "no second thread works with the first"
        if item == 2:
            later_one_is_done.set()
        return 10 * item

    assert list(in_order(work, range(7), THREADS)) == [0, 10, 20, 30, 40, 50, 60]


def test_each_thread_runs_the_operations_of_torch_by_itself() -> None:
    def threads_of_torch(_: int) -> int:
        return torch.get_num_threads()

    assert set(in_order(threads_of_torch, range(4), THREADS)) == {1}
    assert torch.get_num_threads() == 2
    assert set(in_order(threads_of_torch, range(4), 1)) == {2}


def test_an_error_reaches_the_caller_and_no_further_items_are_taken() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    def work(item: int) -> int:
        if item == 1:
            raise ValueError("item 1")
        return item

    results = in_order(work, items(), THREADS)
    assert next(results) == 0
    with pytest.raises(ValueError, match="item 1"):
        list(results)
    assert len(taken) <= 2 + THREADS
    assert torch.get_num_threads() == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("network")]
