"""Changes to PDUs, fragments and elements that leave the rest readable; half of the time the lengths are kept right."""

import struct
from collections.abc import Callable
from random import Random

Raw = Callable[[bytes, int], bytes]
"""Changes bytes that it knows nothing about, to at most so many."""

INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
LONG_VRS = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")


def bytes_of(random: Random) -> Raw:
    """Some bytes replaced, taken out or put in."""

    def change(content: bytes, longest: int) -> bytes:
        changed = bytearray(content)
        for _ in range(random.choice((1, 1, 2, 4, 8))):
            at = random.randrange(len(changed) + 1)
            match random.randrange(4):
                case 0:
                    changed[at:at] = random.randbytes(random.choice((1, 2, 4, 16)))
                case 1:
                    del changed[at : at + random.choice((1, 2, 4, 16))]
                case 2:
                    number = random.choice(INTERESTING)
                    form = random.choice(("<L", ">L", "<H", ">H", "B"))
                    packed = struct.pack(form, number & ((1 << 8 * struct.calcsize(form)) - 1))
                    changed[at : at + len(packed)] = packed
                case _:
                    changed[at : at + 1] = random.randbytes(1)
        return bytes(changed[:longest])

    return change


def pdus(content: bytes, longest: int, random: Random, raw: Raw) -> bytes:
    parts = _pdus(content)
    if not parts:
        return raw(content, longest)
    _shuffle(parts, random)
    at = random.randrange(len(parts))
    kind, body = parts[at]
    is_honest = random.random() < 0.5
    if kind == 4 and is_honest:
        fragments = _fragments(body)
        _shuffle(fragments, random)
        number = random.randrange(len(fragments)) if fragments else 0
        if fragments and random.random() < 0.7:
            fragments[number] = raw(fragments[number], 1 << 12)
        body = b"".join(len(value).to_bytes(4, "big") + value for value in fragments)
    elif random.random() < 0.2:
        kind = random.randrange(9)
    else:
        body = raw(body, 1 << 14)
    length = len(body) if is_honest else random.choice((len(body), *INTERESTING))
    made = [struct.pack(">BBL", k, 0, len(b)) + b for k, b in parts]
    made[at] = struct.pack(">BBL", kind, 0, length) + body
    return b"".join(made)[:longest]


def _pdus(content: bytes) -> list[tuple[int, bytes]]:
    """Type and body, as far as the lengths lead."""
    found, at = [], 0
    while at + 6 <= len(content):
        kind, _, length = struct.unpack_from(">BBL", content, at)
        found.append((kind, content[at + 6 : at + 6 + length]))
        at += 6 + length
    return found


def _fragments(body: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 4 <= len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        found.append(body[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def elements(content: bytes, longest: int, random: Random, raw: Raw) -> bytes:
    """Of a file in Explicit VR Little Endian; of another one any bytes."""
    start = 132 if content[128:132] == b"DICM" else 0
    parts = _elements(content[start:])
    if not parts:
        return raw(content, longest)
    if random.random() < 0.3:
        _shuffle(parts, random)
    at = random.randrange(len(parts))
    head, value = parts[at]
    is_honest = random.random() < 0.5
    match random.randrange(4):
        case 0:
            head = (
                head[:4]
                + random.choice((*LONG_VRS, b"UI", b"DS", b"IS", b"US", b"PN", b"AT", b"LO"))
                + head[6:]
            )
        case 1:
            value = bytes.fromhex("feff00e0") + struct.pack("<L", len(value)) + value  # an item around it
        case _:
            value = raw(value, 1 << 14)
    length = len(value) if is_honest else random.choice((len(value), *INTERESTING))
    made = [_element(*part) for part in parts]
    made[at] = _element(head, value, length)
    return (content[:start] + b"".join(made))[:longest]


def _element(head: bytes, value: bytes, length: int | None = None) -> bytes:
    number = len(value) if length is None else length
    if head[4:6] in LONG_VRS:
        return head[:6] + b"\0\0" + struct.pack("<L", number & 0xFFFFFFFF) + value
    return head[:6] + struct.pack("<H", number & 0xFFFF) + value


def _elements(content: bytes) -> list[tuple[bytes, bytes]]:
    """Head (tag, VR) and value of those at the top, as far as the lengths lead."""
    found, at = [], 0
    while at + 8 <= len(content):
        is_long = content[at + 4 : at + 6] in LONG_VRS
        begins = at + (12 if is_long else 8)
        length = struct.unpack_from(
            "<L" if is_long else "<H", content.ljust(begins, b"\0"), begins - (4 if is_long else 2)
        )[0]
        if length == 0xFFFFFFFF:
            length = len(content) - begins
        found.append((content[at : at + 6], content[begins : begins + length]))
        at = begins + length
    return found


def _shuffle(
    parts: list[tuple[int, bytes]] | list[bytes] | list[tuple[bytes, bytes]], random: Random
) -> None:
    """Perhaps one more, one less, or two the other way round."""
    some = list(parts)
    at = random.randrange(len(some)) if some else 0
    match random.randrange(6):
        case 0 if some:
            some.insert(random.randrange(len(some) + 1), some[at])
        case 1 if len(some) > 1:
            del some[at]
        case 2 if some:
            other = random.randrange(len(some))
            some[at], some[other] = some[other], some[at]
        case _:
            pass
    parts[:] = some  # type: ignore[assignment]
