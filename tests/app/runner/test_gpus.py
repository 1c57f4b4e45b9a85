"""Tests of the GPUs that the server sees, with a stand-in for NVML."""

import os
from collections.abc import Iterator

import psutil
import pynvml
import pytest

from app.runner import gpus
from jobs.core.errors import JobError
from jobs.core.launcher import GPUS
from tests.support import nvml
from tests.support.nvml import MIB, Card, a100, h200

A, B = "GPU-8f6c1d2e-aaaa", "GPU-8f6c77aa-bbbb"
M, N = "MIG-5d0b2c8e-1111", "MIG-77aa0c8e-2222"


@pytest.fixture(autouse=True)
def _names_are_read_again() -> Iterator[None]:
    gpus.names.cache_clear()
    yield
    gpus.names.cache_clear()


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> list[Card]:
    cards = [a100(A), h200(B)]
    nvml.install(monkeypatch, cards)
    return cards


def test_an_idle_gpu_is_free_whatever_its_driver_reserves(cards: list[Card]) -> None:
    counted = [pynvml.nvmlDeviceGetMemoryInfo(card).used // MIB for card in cards]
    assert counted == [912, 699]
    assert [gpus.is_used(name) for name in gpus.names()] == [False, False]


def test_a_gpu_is_used_by_programs_that_compute_and_not_by_a_desktop(cards: list[Card]) -> None:
    cards[0].drawing[11] = 900 * MIB
    cards[1].computing[os.getpid()] = 2048 * MIB
    cards[1].drawing[os.getpid()] = 2048 * MIB
    assert [gpus.is_used(name) for name in gpus.names()] == [False, True]
    own = psutil.Process().name()
    assert gpus.users(B) == f"{own} (process {os.getpid()}, 2.0 GiB)"
    assert gpus.users(A) == ""


def test_memory_of_other_containers_counts_although_no_process_is_listed(cards: list[Card]) -> None:
    cards[0].hidden = 1024 * MIB
    assert (gpus.is_used(A), gpus.users(A)) == (True, "")


def test_a_test_gets_the_gpu_with_most_free_memory_or_the_cpu(cards: list[Card]) -> None:
    assert gpus.roomiest() == B
    cards[1].computing[12] = 100_000 * MIB
    assert gpus.roomiest() == A
    assert gpus.environment_of_test(A) == {gpus.VISIBLE: A, GPUS: "0"}
    cards[0].hidden = 80_500 * MIB
    cards[1].hidden = 42_500 * MIB
    assert gpus.roomiest() == ""
    assert gpus.environment_of_test("") == {gpus.VISIBLE: ""}


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (None, (A, B)),
        ("1, 0", (B, A)),
        ("GPU-8f6c77", (B,)),
        (B, (B,)),
        ("-1", ()),
        ("", ()),
        ("1,-1,0", (B,)),
    ],
)
def test_visible_gpus_have_full_uuids(
    cards: list[Card], monkeypatch: pytest.MonkeyPatch, listed: str | None, names: tuple[str, ...]
) -> None:
    if listed is not None:
        monkeypatch.setenv(gpus.VISIBLE, listed)
    assert gpus.names() == names


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        ("2", "2 fits no GPU. Use numbers from 0 to 1, or these UUIDs: GPU-8f6c1d2e-aaaa, GPU-"),
        ("GPU-8f6c", "GPU-8f6c fits several GPUs"),
        ("MIG-GPU-8f6c1d2e-aaaa/1/0", "MIG-GPU-8f6c1d2e-aaaa/1/0 fits no GPU"),
        ("0,GPU-8f6c1", "GPU-8f6c1 is listed twice"),
        ("a100", "a100 fits no GPU"),
    ],
)
def test_unclear_names_are_refused(
    cards: list[Card], monkeypatch: pytest.MonkeyPatch, listed: str, why: str
) -> None:
    monkeypatch.setenv(gpus.VISIBLE, listed)
    with pytest.raises(JobError, match=why):
        gpus.names()


def test_mig_instances_stand_for_their_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, [a100(A, instances=[a100(M), a100(N)]), h200(B)])
    assert gpus.names() == (M, N, B)
    for listed, names in {"0": (M,), "MIG-77": (N,), A: (M,), "1,0": (B, M)}.items():
        monkeypatch.setenv(gpus.VISIBLE, listed)
        gpus.names.cache_clear()
        assert gpus.names() == names
    assert [gpus.is_mig(name) for name in (M, B)] == [True, False]


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, [])
    monkeypatch.setenv(gpus.VISIBLE, "0")
    assert gpus.names() == ()
    assert gpus.environment_of_test(gpus.roomiest()) == {}
