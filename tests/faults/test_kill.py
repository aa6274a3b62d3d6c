"""SIGKILL in the middle of work: what was acknowledged is there, and the PACS has each result once."""

import os
import signal
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from db import instances
from tests.databases import Database
from tests.nodes import Node, Pacs, recording_pacs, running_node, write_config
from tests.peers import wait_for
from tests.postgres import Server

SQLITE, POSTGRESQL = (
    pytest.mark.parametrize("empty_database", [kind], indirect=True) for kind in ("sqlite", "postgresql")
)
"""Each test takes half a minute: on both where the database is what the kill may hurt."""


def test_a_node_killed_while_receiving_keeps_what_it_acknowledged(
    tmp_path: Path, phantom_study: list[Path], empty_database: Database
) -> None:
    with recording_pacs() as pacs:
        config = write_config(tmp_path, pacs.port, database=empty_database)
        with running_node(config) as node:
            acknowledged = send(node, phantom_study, kill_after=len(phantom_study) // 2)
            assert 0 < len(acknowledged) < len(phantom_study)
        with running_node(config) as node:
            _assert_kept(node, acknowledged, tmp_path / "state" / "spool")
            assert len(send(node, phantom_study)) == len(phantom_study)
            (*_, job) = node.settled()
            assert "whole and unchanged" in node.ask("audit", "verify")
        assert_delivered_once(pacs, job["state"])


@SQLITE
def test_a_worker_killed_while_analysing_costs_one_attempt(
    tmp_path: Path, phantom_study: list[Path], empty_database: Database
) -> None:
    with recording_pacs() as pacs:
        config = write_config(tmp_path, pacs.port, database=empty_database)
        with running_node(config) as node:
            send(node, phantom_study)
            _kill_worker_while_running(node)
            (job,) = node.settled()
            states = [row["after"] for row in node.audit() if row["after"]]
        assert job["attempts"] == 2
        assert states.count("RUNNING") == 2
        assert_delivered_once(pacs, job["state"])


def test_a_node_killed_with_its_worker_while_analysing_goes_on_after_a_restart(
    tmp_path: Path, phantom_study: list[Path], empty_database: Database
) -> None:
    with recording_pacs() as pacs:
        config = write_config(tmp_path, pacs.port, database=empty_database)
        with running_node(config) as node:
            send(node, phantom_study)
            _kill_worker_while_running(node, with_node=True)
        with running_node(config) as node:
            (job,) = node.settled()
            assert "whole and unchanged" in node.ask("audit", "verify")
        assert_delivered_once(pacs, job["state"])


@SQLITE
def test_a_pacs_that_is_away_gets_everything_once_it_is_back(
    tmp_path: Path, phantom_study: list[Path], empty_database: Database
) -> None:
    with recording_pacs() as pacs:
        port = pacs.port
    config = write_config(tmp_path, port, database=empty_database)
    with running_node(config) as node:
        send(node, phantom_study)
        wait_for(lambda: "DELIVERING" in node.states(), "the delivery to begin")
        with recording_pacs(port) as pacs:
            (job,) = node.settled()
            assert_delivered_once(pacs, job["state"])


@POSTGRESQL
def test_a_database_that_is_killed_while_analysing_costs_nothing(
    tmp_path: Path, phantom_study: list[Path], empty_database: Database, postgres: Server
) -> None:
    with recording_pacs() as pacs:
        config = write_config(tmp_path, pacs.port, database=empty_database)
        with running_node(config) as node:
            send(node, phantom_study)
            wait_for(lambda: "RUNNING" in node.states(), "the job to run")
            with postgres.away():
                wait_for(lambda: b"tick failed" in node.log.read_bytes(), "the node to meet it")
            (job,) = node.settled()
            assert node.process.poll() is None
            assert "whole and unchanged" in node.ask("audit", "verify")
        assert_delivered_once(pacs, job["state"])


def send(node: Node, files: list[Path], *, kill_after: int | None = None) -> list[str]:
    """Send the files; the UIDs that were acknowledged with success."""
    ae = AE(ae_title="PACS")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    assoc = ae.associate("127.0.0.1", node.port, ae_title="SEDAS")
    acknowledged = []
    for number, file in enumerate(files):
        if number == kill_after:
            node.kill()
        ds = dcmread(file)
        try:
            answer = assoc.send_c_store(ds)
        except RuntimeError:  # the association is gone, and with it the node
            break
        if answer.get("Status") == 0x0000:
            acknowledged.append(str(ds.SOPInstanceUID))
    if assoc.is_established:
        assoc.release()
    return acknowledged


def _assert_kept(node: Node, acknowledged: list[str], spool: Path) -> None:
    with node.sessions()() as session:
        rows = {uid: instances.known(session, uid) for uid in acknowledged}
    for uid, row in rows.items():
        assert row is not None
        assert dcmread(spool / row.path).SOPInstanceUID == uid


def _kill_worker_while_running(node: Node, *, with_node: bool = False) -> None:
    wait_for(lambda: "RUNNING" in node.states(), "the job to run")
    worker = wait_for(node.worker_pid, "the worker's process")
    if with_node:
        node.kill()
    os.kill(worker, signal.SIGKILL)


def assert_delivered_once(pacs: Pacs, state: str) -> None:
    """One report and its pictures; an object sent twice was the same bytes."""
    assert state == "DONE"
    objects = [dcmread(BytesIO(contents[0])) for contents in pacs.received.values()]
    assert [ds.Modality for ds in objects].count("SR") == 1
    assert [ds.Modality for ds in objects].count("OT") >= 1
    assert all(len(set(contents)) == 1 for contents in pacs.received.values())
