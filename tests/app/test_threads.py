"""Tests of work apart from the server's loop."""

import threading

import gevent

from app.threads import THREADS, in_thread, in_thread_at_paths


def test_paths_of_clients_that_hang_do_not_stop_the_server() -> None:
    release = threading.Event()
    hanging = [gevent.spawn(in_thread_at_paths, release.wait, 60) for _ in range(2 * THREADS)]
    try:
        gevent.sleep(0)  # They begin, in the order in which they were spawned.
        with gevent.Timeout(60):
            assert in_thread(str, 1) == "1"
        assert not any(greenlet.ready() for greenlet in hanging)
    finally:
        release.set()
        gevent.joinall(hanging)
