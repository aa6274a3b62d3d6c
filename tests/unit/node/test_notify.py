import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.settings import Settings
from node import app
from node.notify import READY, notify, watchdog_s
from tests.peers import wait_for


@contextmanager
def service_manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(10)
        yield listening


def test_a_message_reaches_a_socket_in_the_file_system(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with service_manager(address) as heard:
        notify(READY, {"NOTIFY_SOCKET": address})
        assert heard.recv(100) == b"READY=1"


def test_a_message_reaches_an_abstract_socket() -> None:
    name = f"sedas-node-test-{os.getpid()}"
    with service_manager(f"\0{name}") as heard:
        notify(READY, {"NOTIFY_SOCKET": f"@{name}"})
        assert heard.recv(100) == b"READY=1"


def test_without_a_service_manager_nothing_is_said() -> None:
    notify(READY, {})


def test_a_service_manager_that_is_gone_ends_no_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        notify(READY, {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert [r.getMessage() for r in caplog.records] == ["systemd not told"]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "2500000"}, 2.5),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getpid())}, 2.5),
        ({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(os.getppid())}, None),
    ],
)
def test_the_watchdog_of_this_process(environment: dict[str, str], seconds: float | None) -> None:
    assert watchdog_s(environment) == seconds


def test_a_node_says_that_it_listens_that_it_lives_and_that_it_stops(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    with service_manager(address) as heard:
        with app.running(settings) as port:
            assert heard.recv(100) == b"READY=1"
            socket.create_connection(("127.0.0.1", port), 10).close()
            wait_for(lambda: heard.recv(100) == b"WATCHDOG=1", "a sign of life")
        wait_for(lambda: heard.recv(100) == b"STOPPING=1", "the word that it stops")
