"""SIGTERM in the middle of work: the node ends by itself in time, and nothing is lost or promised falsely."""

import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from db import instances
from tests.faults.test_kill import assert_delivered_once, send
from tests.nodes import Node, recording_pacs, running_node, write_config
from tests.peers import wait_for

STOP_S = 30.0  # what systemd waits for


def _stop(node: Node) -> None:
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(STOP_S) == 0


def test_a_stop_while_images_come_promises_nothing_that_it_does_not_keep(
    tmp_path: Path, phantom_study: list[Path]
) -> None:
    with recording_pacs() as pacs:
        config = write_config(tmp_path, pacs.port)
        with running_node(config) as node:
            acknowledged = _send_and_stop(node, phantom_study)
            assert node.process.wait(STOP_S) == 0
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", node.port))
            with node.sessions()() as session:
                rows = [instances.known(session, uid) for uid in acknowledged]
            assert all(row and (tmp_path / "state" / "spool" / row.path).exists() for row in rows)
        with running_node(config) as node:
            assert len(send(node, phantom_study)) == len(phantom_study)
            (job,) = node.settled()
            assert "whole and unchanged" in node.ask("audit", "verify")
        assert_delivered_once(pacs, job["state"])


def _send_and_stop(node: Node, files: list[Path]) -> list[str]:
    """Send over one association and stop the node on the way; what was acknowledged."""
    ae = AE(ae_title="PACS")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", node.port, ae_title="SEDAS")
    acknowledged = []
    with suppress(RuntimeError):  # the association is gone
        for number, file in enumerate(files * 100):
            if number == len(files) // 2:
                node.process.send_signal(signal.SIGTERM)
            ds = dcmread(file)
            if association.send_c_store(ds).get("Status") == 0x0000:
                acknowledged.append(str(ds.SOPInstanceUID))
    assert not association.is_established
    return acknowledged


def test_a_stop_does_not_wait_for_a_silent_destination(tmp_path: Path, phantom_study: list[Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = write_config(tmp_path, port)
        with running_node(config) as node:
            send(node, phantom_study)
            silent.settimeout(120.0)
            connection, _ = silent.accept()
            with connection:
                _stop(node)
    with recording_pacs(port) as pacs, running_node(config) as node:
        (job,) = node.settled()
        assert_delivered_once(pacs, job["state"])


def test_a_stop_while_a_study_is_analysed_costs_no_attempt(tmp_path: Path, phantom_study: list[Path]) -> None:
    with recording_pacs() as pacs:
        config = write_config(tmp_path, pacs.port)
        with running_node(config) as node:
            send(node, phantom_study)
            wait_for(lambda: "RUNNING" in node.states(), "the job to run", 200.0)
            _stop(node)
        with running_node(config) as node:
            (job,) = node.settled()
            assert "whole and unchanged" in node.ask("audit", "verify")
            assert job["attempts"] == 1
        assert_delivered_once(pacs, job["state"])
