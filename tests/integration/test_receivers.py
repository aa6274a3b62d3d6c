"""Several receiving processes behind one port: they share the work, and die and are replaced without a loss."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from node.status import StoreStatus
from tests.nodes import Node, running_node, write_config
from tests.peers import wait_for


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """With two receiving processes that take one association each."""
    config = write_config(tmp_path, 1, quiet_period_s=3600.0)
    limited = config.read_text().replace(
        "[listener]\n", "[listener]\nprocesses = 2\nmaximum_associations = 2\n"
    )
    config.write_text(limited)
    with running_node(config, with_worker=False) as running:
        yield running


def _associate(node: Node) -> Association:
    ae = AE(ae_title="PACS")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    return ae.associate("127.0.0.1", node.port, ae_title="SEDAS")


def test_associations_are_shared_out_and_limited_together(node: Node, phantom_study: list[Path]) -> None:
    first, second, third = (_associate(node) for _ in range(3))
    assert (first.is_established, second.is_established, third.is_rejected) == (True, True, True)
    for association, file in (
        (first, phantom_study[0]),
        (second, phantom_study[1]),
        (first, phantom_study[2]),
    ):
        assert association.send_c_store(dcmread(file)).Status == StoreStatus.SUCCESS
    first.release()
    assert wait_for(lambda: (again := _associate(node)).is_established and again, "a place to be free")
    second.release()
    spool = node.config.parent / "state" / "spool"
    assert len(list(spool.rglob("*.dcm"))) == 3


def test_a_receiver_that_dies_costs_its_association_and_is_replaced(
    node: Node, phantom_study: list[Path]
) -> None:
    association = _associate(node)
    assert association.send_c_store(dcmread(phantom_study[0])).Status == StoreStatus.SUCCESS
    former = node.children("receive")
    assert len(former) == 2
    for pid in former:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(node.children("receive")) - set(former)) == 2, "receivers to be replaced")
    wait_for(lambda: not association.is_established, "the association to end")
    again = _associate(node)
    for file in phantom_study[:2]:
        assert again.send_c_store(dcmread(file)).Status == StoreStatus.SUCCESS
    again.release()
    assert b"receiver died" in node.log.read_bytes()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_receivers_end_with_their_node(node: Node, how: signal.Signals) -> None:
    pids = node.children("receive")
    node.process.send_signal(how)
    node.process.wait(60)
    wait_for(lambda: not any(_runs(pid) for pid in pids), "the receivers to end", timeout_s=20)
    assert b"Traceback" not in node.log.read_bytes()


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
