"""How sharp a reconstruction kernel is, by the vendors' names for them."""

import re
from enum import StrEnum


class Sharpness(StrEnum):
    SHARP = "sharp"
    SOFT = "soft"
    UNKNOWN = "unknown"


_GE_SHARP = ("LUNG", "BONE", "EDGE", "CHST", "CHEST", "ULTRA")  # and with PLUS, + or a number behind
_GE_SOFT = ("SOFT", "STANDARD", "STND")
_PHILIPS_SHARP = {"D", "E", "L", "YA", "YB", "YC", "YD"}
_PHILIPS_SOFT = {"A", "B", "C", "IA", "IB", "SA", "SB"}
_SIEMENS = re.compile(r"(?:[ABHIUQSTD][A-Z]?)(\d{2})[A-Z]{0,2}(?:[\\/].*)?")  # B70f, Br40d\3, I50f, Bl57d
_CANON = re.compile(r"FC(\d{2})")
_SIEMENS_SHARP_FROM = 50


def sharpness(kernel: str) -> Sharpness:
    """`UNKNOWN` for a name of no vendor we know: a limitation is stated only where it is sure."""
    name = kernel.strip().upper().replace(" ", "")
    if siemens := _SIEMENS.fullmatch(name):
        return _sharp_if(int(siemens[1]) >= _SIEMENS_SHARP_FROM)
    if canon := _CANON.match(name):
        number = int(canon[1])
        return _sharp_if(30 <= number < 40 or 50 <= number < 60 or 80 <= number < 90)
    word = name.split("\\")[0].removeprefix("HD")
    if word in _PHILIPS_SHARP or word.startswith(_GE_SHARP):
        return Sharpness.SHARP
    return Sharpness.SOFT if word in _PHILIPS_SOFT or word.startswith(_GE_SOFT) else Sharpness.UNKNOWN


def _sharp_if(sharp: bool) -> Sharpness:
    return Sharpness.SHARP if sharp else Sharpness.SOFT
