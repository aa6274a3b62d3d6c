"""The DICOM Conformance Statement says what the code does."""

import re
from importlib.metadata import version

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from config.settings import Listener
from dicom_out import codes
from dicom_out.commitment import PUSH_MODEL
from dicom_out.outcome import Outcome
from node import scp
from node.status import StoreStatus
from node.storing import gathered
from tests.analyses import ct_header
from tests.statement.document import STATEMENT, Unmatched, filled
from tests.statement.negotiated import HOST, accepted, proposed
from tests.statement.statuses import NotOneMeaning, _one
from tests.statement.tables import tables


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return tables()


def test_every_table_is_as_the_code_has_it(made: dict[str, str]) -> None:
    text = STATEMENT.read_text()
    assert text == filled(text, made), "run `make conformance`"


def test_a_table_without_a_place_is_told() -> None:
    with pytest.raises(Unmatched, match="lost"):
        filled("<!-- generated: found -->\n<!-- end -->", {"found": "", "lost": ""})


def test_no_table_ages_with_the_version(made: dict[str, str]) -> None:
    text = "".join(made.values())
    assert version("sedas-node") not in text
    assert not re.search(r"\b20\d\d(0[1-9]|1[0-2])[0-3]\d\b", text)


def test_no_created_object_extends_its_iod(made: dict[str, str]) -> None:
    assert "not in the IOD" not in "".join(made.values())


@pytest.mark.parametrize(
    "code", [c for c in vars(codes).values() if isinstance(c, tuple) and hasattr(c, "meaning")]
)
def test_every_code_of_ours_is_listed(code: tuple[str, ...], made: dict[str, str]) -> None:
    listed = made["private codes"] + made["standard codes"]
    assert f"| {code[0]} |" in listed


def test_what_is_accepted_is_what_the_listener_declares() -> None:
    _, taken = accepted()
    declared = {uid: tuple(map(str, syntaxes)) for uid, syntaxes in scp.CONTEXTS.items()}
    assert {uid: taken[uid] for uid in taken if uid not in (scp.VERIFICATION, PUSH_MODEL)} == declared


def test_nothing_but_classes_of_section_1_1_is_proposed_with_results(made: dict[str, str]) -> None:
    _, contexts = proposed()["Send results"]
    assert all(uid.name in made["created objects"] for uid in contexts)


def test_a_family_of_statuses_that_is_not_treated_alike_is_told() -> None:
    with pytest.raises(NotOneMeaning):
        _one([Outcome.STORED, Outcome.REFUSED])


def test_a_fault_of_the_node_is_answered_as_stated() -> None:
    def keep(*_: object) -> None:
        raise ZeroDivisionError

    settings = Listener(host=HOST, port=0, calling_ae_titles=("PEER",))
    ae = AE("PEER")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    with scp.listening(settings, gathered(keep)) as port:
        association = ae.associate(HOST, port, ae_title="SEDAS")
        answer = association.send_c_store(_image())
        association.release()
    assert answer.Status == StoreStatus.UNFORESEEN


def _image() -> Dataset:
    ds = ct_header(0)
    ds.ensure_file_meta()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds
