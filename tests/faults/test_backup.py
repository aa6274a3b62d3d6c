"""A backup of a node at work, started elsewhere: what was acknowledged is there, and goes on."""

import shutil
from pathlib import Path
from threading import Event, Thread

from db import instances
from tests.faults.test_kill import assert_delivered_once, send
from tests.nodes import Node, recording_pacs, running_node, write_config
from tests.peers import wait_for
from tests.phantom import short_study


def test_a_backup_taken_under_load_goes_on_elsewhere(tmp_path: Path, phantom_study: list[Path]) -> None:
    others = short_study(tmp_path / "others")
    copy, state = tmp_path / "copy", tmp_path / "restored" / "state"
    with recording_pacs() as pacs:
        config = write_config(tmp_path / "first", pacs.port)
        with running_node(config) as node:
            acknowledged = send(node, phantom_study)
            wait_for(lambda: "RUNNING" in node.states(), "the job to run", 200.0)
            acknowledged += _back_up_while_sending(node, others, copy)
            node.settled(2)
            before = len(pacs.received)
        shutil.copytree(copy, state)
        shutil.copy(tmp_path / "first" / "state" / "audit.key", state)
        with running_node(write_config(tmp_path / "restored", pacs.port)) as node:
            states = {job["study_instance_uid"]: job["state"] for job in node.settled(2)}
            assert "whole and unchanged" in node.ask("audit", "verify")
            with node.sessions()() as session:
                rows = [instances.known(session, uid) for uid in acknowledged]
            assert all(row and (state / "spool" / row.path).exists() for row in rows)
        assert sorted(states.values()) == ["DONE", "REJECTED"]
        assert len(pacs.received) == before
        assert_delivered_once(pacs, "DONE")


def _back_up_while_sending(node: Node, files: list[Path], copy: Path) -> list[str]:
    """What was acknowledged before the copy began."""
    acknowledged = send(node, files)
    ended = Event()

    def load() -> None:
        while not ended.is_set():
            send(node, files)

    thread = Thread(target=load)
    thread.start()
    try:
        said = node.ask("backup", str(copy))
    finally:
        ended.set()
        thread.join()
    assert "not copied: the configuration, and the audit key" in said
    assert not (copy / "audit.key").exists()
    return acknowledged
