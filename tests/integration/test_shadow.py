"""Shadow mode over C-STORE: the node analyses, keeps rows, and sends nothing, not even what waited from before."""

import subprocess
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import select

from config.settings import Release, Settings
from db.models import Delivery, DeliveryState, Job, Result
from db.states import State
from dicom_out.association import Peer
from dicom_out.outcome import Outcome
from dicom_out.scu import send_files
from inference.phantom import LesionKind, write_study
from node.checkup import checkup
from node.release import SHADOW as SHADOW_WORDS
from tests.nodes import Node, recording_pacs, running_node, write_config
from tests.peers import free_port, wait_for
from tests.phantom import small_chest

SHADOW = '[release]\nshadow = true\nautomatic = "score"\nwhen = "at_once"\n'


def _send(node: Node, study: Sequence[Path]) -> None:
    answers = send_files(list(study), Peer("SEDAS", "127.0.0.1", node.port), calling_ae_title="PACS")
    assert {answer.outcome for answer in answers} == {Outcome.STORED}


def test_the_checkup_names_shadow_mode(settings: Settings) -> None:
    paper = StringIO()
    shadowed = settings.model_copy(update={"release": Release(shadow=True)})
    assert checkup(shadowed, Console(file=paper, soft_wrap=True))
    assert f"ok    release: {SHADOW_WORDS}" in paper.getvalue()


def test_nothing_leaves_a_node_in_shadow_mode_and_its_results_are_rows(tmp_path: Path) -> None:
    first, second = (
        write_study(small_chest(seed, LesionKind.PIMA_LIKE), tmp_path / str(seed)) for seed in (9, 10)
    )
    port = free_port()
    with running_node(write_config(tmp_path / "node", port)) as node:
        _send(node, first)
        wait_for(lambda: node.states() == [State.DELIVERING], "the first study to wait for the PACS")
    config = write_config(tmp_path / "node", port, extra=SHADOW)
    with recording_pacs(port) as pacs, running_node(config) as node:
        _send(node, second)
        wait_for(lambda: node.states() == [State.DELIVERING, State.DONE], "the second study to be analysed")
        with pytest.raises(subprocess.CalledProcessError) as refused:
            node.ask("release", "2")
        assert refused.value.returncode == 2
        with node.sessions()() as session:
            (job,) = session.scalars(select(Job).where(Job.state == State.DONE))
            result = session.get_one(Result, job.id)
            assert result.probability is not None
            assert result.acquired_month is not None
            deliveries = session.scalars(select(Delivery)).all()
            assert {(d.job_id == job.id, d.state) for d in deliveries} == {(False, DeliveryState.WAITING)}
    assert pacs.received == {}
    assert b'"shadow mode"' in node.log.read_bytes()
