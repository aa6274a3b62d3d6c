"""The command sets of C-STORE, against pynetdicom's own reading and writing."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, C_STORE_RSP, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode

from node.store_command import Answer, StoreRequest, read_request, response

UIDS = st.from_regex(r"[1-9][0-9]{0,8}(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True)


def _command(message: DIMSEMessage) -> bytes:
    """Its command set as pynetdicom sends it, in one fragment."""
    (first, *_) = message.encode_msg(1, 0)
    return bytes(first.presentation_data_value_list[0][1][1:])


def _store(sop_class: str, sop_instance: str, number: int) -> bytes:
    request = C_STORE()
    request.MessageID, request.Priority = number, 1
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, sop_instance
    request.MoveOriginatorApplicationEntityTitle = "MOVER"
    request.DataSet = BytesIO(b"ab")
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return _command(message)


@given(UIDS, UIDS, st.integers(0, 0xFFFF))
def test_a_request_is_read_as_it_was_written(sop_class: str, sop_instance: str, number: int) -> None:
    request = read_request(_store(sop_class, sop_instance, number))
    assert request is not None
    assert request.message_id == number
    read = request.sop_class_uid, request.sop_instance_uid
    assert tuple(value.rstrip(b"\0").decode() for value in read) == (sop_class, sop_instance)


@given(
    UIDS,
    UIDS,
    st.integers(0, 0xFFFF),
    st.sampled_from([0x0000, 0xA700, 0xC001]),
    st.sampled_from(["", "odd", "even"]),
)
def test_an_answer_is_what_pynetdicom_would_send(
    sop_class: str, sop_instance: str, number: int, status: int, comment: str
) -> None:
    request = read_request(_store(sop_class, sop_instance, number))
    assert request is not None
    answer: Any = C_STORE()  # whose comment is annotated as None
    answer.MessageIDBeingRespondedTo, answer.Status = number, status
    answer.AffectedSOPClassUID, answer.AffectedSOPInstanceUID = sop_class, sop_instance
    if comment:
        answer.ErrorComment = comment
    message = C_STORE_RSP()
    message.primitive_to_message(answer)
    assert response(request, Answer(status, comment)) == _command(message)


def test_a_comment_is_cut_to_what_its_representation_allows() -> None:
    read = decode(BytesIO(response(StoreRequest(1, b"1.2", b"1.3"), Answer(0xA700, "x" * 100))), True, True)
    assert isinstance(read, Dataset)
    assert read.ErrorComment == "x" * 64


def test_another_command_is_not_ours() -> None:
    echo = C_ECHO()
    echo.MessageID = 1
    message = C_ECHO_RQ()
    message.primitive_to_message(echo)
    assert read_request(_command(message)) is None


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_half_a_command_is_none(cut: int) -> None:
    assert read_request(_store("1.2.840", "1.2.3", 7)[:cut]) is None


@given(st.binary(max_size=200))
def test_rubbish_is_none(command: bytes) -> None:
    assert read_request(command) is None
