"""The name of the device of a training."""

import pytest
import torch

from jobs.networks.device import cpu_name, device_name


@pytest.mark.parametrize(("threads", "text"), [(1, "1 thread"), (2, "2 threads")])
def test_the_name_of_a_processor_counts_its_threads(
    threads: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert device_name(torch.device("cpu")) == f"{cpu_name()}, {text}"
