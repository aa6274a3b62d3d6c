"""The fragments of a message are read as pynetdicom reads them, and where it would fail we do."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import P_DATA_TF

from node.reactor import Fragments

Item = tuple[int, bytes]
ITEMS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=4)


def _pdu(items: list[Item]) -> bytes:
    body = b"".join(struct.pack(">LB", len(value) + 1, context) + value for context, value in items)
    return struct.pack(">BBL", 4, 0, len(body)) + body


def _read(pdu: bytes) -> list[Item]:
    return [
        (context, bytes(value)) for context, value in Fragments(bytearray(pdu)).presentation_data_value_list
    ]


def _read_by_pynetdicom(pdu: bytes) -> list[Item]:
    decoded = P_DATA_TF()
    decoded.decode(pdu)
    return [(context, value) for context, value in decoded.to_primitive().presentation_data_value_list]


@given(ITEMS)
def test_fragments_are_those_that_were_sent(items: list[Item]) -> None:
    assert _read(_pdu(items)) == items == _read_by_pynetdicom(_pdu(items))


@given(ITEMS, st.binary(min_size=1, max_size=12))
def test_what_pynetdicom_cannot_read_is_refused(items: list[Item], rest: bytes) -> None:
    pdu = _pdu(items) + rest
    try:
        expected = _read_by_pynetdicom(pdu)
    except (AssertionError, struct.error):
        with pytest.raises(ValueError, match="an item of"):
            Fragments(bytearray(pdu))
    else:
        assert _read(pdu) == expected


def test_fragments_are_not_copied() -> None:
    pdu = bytearray(_pdu([(1, b"\2fragment")]))
    [(_, value)] = Fragments(pdu).presentation_data_value_list
    pdu[-1:] = b"T"
    assert bytes(value) == b"\2fragmenT"
