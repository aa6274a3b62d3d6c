"""The command sets of C-STORE (PS3.7 9.3.1), read and written for every single object, which a general codec would slow down."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

C_STORE_RQ = 0x0001
C_STORE_RSP = 0x8001
NO_DATA_SET = 0x0101

# Elements of group 0000 (PS3.7 E.1).
_GROUP_LENGTH = 0x0000
_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
_COMMAND_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE_UID = 0x1000

_HEADER = struct.Struct("<HHL")


@dataclass(frozen=True)
class StoreRequest:
    """A C-STORE-RQ whose data set follows."""

    message_id: int
    sop_class_uid: bytes  # as they were sent
    sop_instance_uid: bytes


@dataclass(frozen=True)
class Answer:
    """What a C-STORE-RSP says; the comment is LO: at most 64 characters, no patient's name."""

    status: int
    comment: str = ""


def read_request(command: bytes) -> StoreRequest | None:
    """None where it is another command, or is not as PS3.7 has it."""
    values = dict(_elements(command))
    try:
        (field,) = struct.unpack("<H", values[_COMMAND_FIELD])
        (data_set,) = struct.unpack("<H", values[_COMMAND_DATA_SET_TYPE])
        if field != C_STORE_RQ or data_set == NO_DATA_SET:
            return None
        (message_id,) = struct.unpack("<H", values[_MESSAGE_ID])
        return StoreRequest(message_id, values[_AFFECTED_SOP_CLASS_UID], values[_AFFECTED_SOP_INSTANCE_UID])
    except (KeyError, struct.error):
        return None


def response(request: StoreRequest, answer: Answer) -> bytes:
    """The command set that answers `request`."""
    comment = answer.comment[:64].encode("ascii", "replace")
    elements = [
        (_AFFECTED_SOP_CLASS_UID, request.sop_class_uid),
        (_COMMAND_FIELD, struct.pack("<H", C_STORE_RSP)),
        (_MESSAGE_ID_BEING_RESPONDED_TO, struct.pack("<H", request.message_id)),
        (_COMMAND_DATA_SET_TYPE, struct.pack("<H", NO_DATA_SET)),
        (_STATUS, struct.pack("<H", answer.status)),
        *([(_ERROR_COMMENT, comment + b" " * (len(comment) % 2))] if comment else []),
        (_AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid),
    ]
    group = b"".join(_HEADER.pack(0, element, len(value)) + value for element, value in elements)
    return _HEADER.pack(0, _GROUP_LENGTH, 4) + struct.pack("<L", len(group)) + group


def _elements(command: bytes) -> Iterator[tuple[int, bytes]]:
    """Of group 0000, as far as they are whole; commands are in Implicit VR Little Endian (PS3.7 6.3.1)."""
    at = 0
    while at + _HEADER.size <= len(command):
        group, element, length = _HEADER.unpack_from(command, at)
        at += _HEADER.size
        if group != 0 or at + length > len(command):
            return
        yield element, command[at : at + length]
        at += length
