"""Answers by name, to a C-STORE (PS3.4 B.2.3) and to an N-EVENT-REPORT (PS3.7 10.1.1.1.8)."""

from enum import IntEnum


class StoreStatus(IntEnum):
    SUCCESS = 0x0000
    NOT_AUTHORIZED = 0x0124
    OUT_OF_RESOURCES = 0xA700  # the sender may try again later
    DOES_NOT_MATCH_SOP_CLASS = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    OTHER_CONTENT_UNDER_KNOWN_UID = 0xC001
    UNFORESEEN = 0xC211


class EventStatus(IntEnum):
    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110  # the sender may try again later
    INVALID_ARGUMENT = 0x0115
