from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    CTImageStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom import AE, evt
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_out.association import MAX_PDU, Peer
from dicom_out.encode import encode, write
from dicom_out.outcome import Outcome, SendResult, outcome_of, result_of
from dicom_out.scu import contexts, echo, send_files
from tests.analyses import EVERYTHING, PROVENANCE, analysis_of, ct_headers

Handler = Callable[[Event], int | Dataset]


@contextmanager
def _peer(
    handler: Handler, *, sop_classes: Sequence[str], syntaxes: Sequence[str] = (ExplicitVRLittleEndian,)
) -> Iterator[Peer]:
    entity = AE(ae_title="PEER")
    entity.require_called_aet = True
    for sop_class in sop_classes:
        entity.add_supported_context(sop_class, list(syntaxes))
    handlers: list[EventHandlerType] = [(evt.EVT_C_STORE, handler), (evt.EVT_C_ECHO, handler)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield Peer("PEER", "127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    headers = ct_headers(3, rows=64, columns=64)
    analysis = analysis_of(headers, scored=slice(0, 3))
    return write(encode(analysis, headers, PROVENANCE)[1:-1], tmp_path_factory.mktemp("outbox"))


def _status(value: int, comment: str = "") -> Dataset:
    answer = Dataset()
    answer.Status = value
    if comment:
        answer.ErrorComment = comment
    return answer


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x0000, Outcome.STORED),
        (0x0111, Outcome.STORED),
        (0xB000, Outcome.STORED),
        (0xB006, Outcome.STORED),
        (0xB007, Outcome.STORED),
        (0xA700, Outcome.TRY_AGAIN),
        (0xA7FF, Outcome.TRY_AGAIN),
        (0x0110, Outcome.TRY_AGAIN),
        (0x0210, Outcome.TRY_AGAIN),
        (0xA900, Outcome.REFUSED),
        (0xC000, Outcome.REFUSED),
        (0xCFFF, Outcome.REFUSED),
        (0x0122, Outcome.CLASS_REFUSED),
        (0x0124, Outcome.REFUSED),
        (0x0117, Outcome.REFUSED),
    ],
)
def test_each_status_means_one_thing(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


def test_an_answer_carries_the_peers_own_words() -> None:
    assert result_of(_status(0xC123, "patient unknown")) == SendResult(
        Outcome.REFUSED, "status C123: patient unknown", 0xC123
    )


def test_an_empty_answer_is_worth_another_try() -> None:
    assert result_of(Dataset()).outcome is Outcome.TRY_AGAIN


def test_each_file_has_its_own_answer(pictures: list[Path]) -> None:
    statuses = iter([_status(0x0000), _status(0xB000, "coerced"), _status(0xA700, "disk full")])
    with _peer(lambda _: next(statuses), sop_classes=[SecondaryCaptureImageStorage]) as peer:
        results = list(send_files(pictures, peer, timeout_s=10))
    assert [r.outcome for r in results] == [Outcome.STORED, Outcome.STORED, Outcome.TRY_AGAIN]
    assert [r.answer for r in results] == ["", "status B000: coerced", "status A700: disk full"]


def test_a_peer_that_knows_only_implicit_vr_gets_implicit_vr(pictures: list[Path]) -> None:
    received: list[Dataset] = []

    def store(event: Event) -> int:
        received.append(event.dataset)
        return 0x0000

    with _peer(store, sop_classes=[SecondaryCaptureImageStorage], syntaxes=[ImplicitVRLittleEndian]) as peer:
        results = list(send_files(pictures[:1], peer, timeout_s=10))
    assert results[0].outcome is Outcome.STORED
    assert received[0].PixelData == dcmread(pictures[0]).PixelData
    assert received[0].PatientName == "Doe^Jane"


def test_a_compressed_file_is_sent_as_it_is() -> None:
    path = Path(str(get_testdata_file("JPEG2000.dcm")))
    sent = dcmread(path)
    received: list[Dataset] = []

    def store(event: Event) -> int:
        received.append(event.dataset)
        return 0x0000

    syntax = sent.file_meta.TransferSyntaxUID
    with _peer(store, sop_classes=[sent.SOPClassUID], syntaxes=[syntax]) as peer:
        assert [r.outcome for r in send_files([path], peer, timeout_s=10)] == [Outcome.STORED]
    assert received[0].PixelData == sent.PixelData


def test_a_peer_that_takes_no_such_class_says_so(pictures: list[Path]) -> None:
    with _peer(lambda _: 0x0000, sop_classes=[CTImageStorage]) as peer:
        results = list(send_files(pictures, peer, timeout_s=10))
    assert {r.outcome for r in results} == {Outcome.CLASS_REFUSED}


def test_a_class_that_is_not_taken_does_not_keep_the_others_back(
    pictures: list[Path], tmp_path: Path
) -> None:
    headers = ct_headers()
    report = write(encode(analysis_of(headers), headers, PROVENANCE)[-1:], tmp_path)
    with _peer(lambda _: 0x0000, sop_classes=[SecondaryCaptureImageStorage]) as peer:
        results = list(send_files([*report, *pictures], peer, timeout_s=10))
    assert [r.outcome for r in results] == [Outcome.CLASS_REFUSED, *[Outcome.STORED] * len(pictures)]
    assert "Comprehensive 3D SR" in results[0].answer


def test_what_was_asked_for_is_offered_and_taken(tmp_path: Path) -> None:
    headers = ct_headers(3, rows=64, columns=64)
    analysis = analysis_of(headers, scored=slice(0, 3))
    objects = encode(analysis, headers, PROVENANCE, **EVERYTHING)
    classes = [
        SegmentationStorage,
        KeyObjectSelectionDocumentStorage,
        ParametricMapStorage,
        GrayscaleSoftcopyPresentationStateStorage,
    ]
    files = write([ds for ds in objects if ds.SOPClassUID in classes], tmp_path)
    assert {context.abstract_syntax for context in contexts(files)} == set(classes)
    with _peer(lambda _: 0x0000, sop_classes=classes) as peer:
        assert [r.outcome for r in send_files(files, peer, timeout_s=10)] == [Outcome.STORED] * 4


def test_an_abort_leaves_the_rest_for_another_try(pictures: list[Path]) -> None:
    def store(event: Event) -> int:
        event.assoc.abort()
        return 0x0000

    with _peer(store, sop_classes=[SecondaryCaptureImageStorage]) as peer:
        results = list(send_files(pictures, peer, timeout_s=1))
    assert {r.outcome for r in results} == {Outcome.TRY_AGAIN}
    assert len(results) == len(pictures)


def test_a_wrong_ae_title_is_worth_another_try_with_its_reason(pictures: list[Path]) -> None:
    with _peer(lambda _: 0x0000, sop_classes=[SecondaryCaptureImageStorage]) as peer:
        results = list(send_files(pictures, Peer("OTHER", peer.host, peer.port), timeout_s=10))
    assert {r.outcome for r in results} == {Outcome.TRY_AGAIN}
    assert results[0].answer == "the association was rejected: Called AE title not recognised"


def test_only_what_is_sent_is_offered(pictures: list[Path]) -> None:
    compressed = Path(str(get_testdata_file("JPEG2000.dcm")))
    offered = [(c.abstract_syntax, c.transfer_syntax) for c in contexts([*pictures, compressed])]
    assert offered == [
        (SecondaryCaptureImageStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
        (SecondaryCaptureImageStorage, [JPEG2000]),
    ]


def test_the_answers_come_one_by_one(pictures: list[Path]) -> None:
    stored: list[str] = []

    def store(event: Event) -> int:
        stored.append(str(event.dataset.SOPInstanceUID))
        return 0x0000

    with _peer(store, sop_classes=[SecondaryCaptureImageStorage]) as peer:
        answers = send_files(pictures, peer, timeout_s=10)
        next(answers)
        assert stored == [pictures[0].stem]
        list(answers)
    assert len(stored) == len(pictures)


def test_an_echo_is_answered_or_explained() -> None:
    offered: list[int | None] = []

    def answer(event: Event) -> int:
        offered.append(event.assoc.requestor.maximum_length)
        return 0x0000

    with _peer(answer, sop_classes=[Verification]) as peer:
        assert echo(peer, timeout_s=10) == SendResult(Outcome.STORED, status=0)
        rejected = echo(Peer("OTHER", peer.host, peer.port), timeout_s=10)
    assert offered == [MAX_PDU]
    assert rejected.outcome is Outcome.TRY_AGAIN


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_peer_that_is_not_there_is_worth_another_try(host: str) -> None:
    result = echo(Peer("PEER", host, 9), timeout_s=1)
    assert result.outcome is Outcome.TRY_AGAIN
    assert result.answer.startswith(f"no connection to {host}")


def test_a_file_that_is_gone_is_refused_and_the_others_are_sent(pictures: list[Path], tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.dcm"
    rubbish.write_bytes(b"rubbish")
    files = [tmp_path / "gone.dcm", pictures[0], rubbish]
    with _peer(lambda _: 0x0000, sop_classes=[SecondaryCaptureImageStorage]) as peer:
        outcomes = [answer.outcome for answer in send_files(files, peer)]
        assert outcomes == [Outcome.REFUSED, Outcome.STORED, Outcome.REFUSED]
        assert [answer.outcome for answer in send_files(files[:1], peer)] == [Outcome.REFUSED]
