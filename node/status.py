"""C-STORE answers by name (PS3.4 B.2.3, PS3.7 annex C)."""

from enum import IntEnum


class StoreStatus(IntEnum):
    SUCCESS = 0x0000
    OUT_OF_RESOURCES = 0xA700  # the sender may try again later
    DOES_NOT_MATCH_SOP_CLASS = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    OTHER_CONTENT_UNDER_KNOWN_UID = 0xC001
