"""Fuzz one target, guided by coverage: `python -m tests.fuzz.run TARGET`, then libFuzzer's arguments."""

import logging
import sys
import warnings
from random import Random

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["pydicom", "pynetdicom", "node", "inference", "dicom_out"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz import mutation

STREAMS = ("conversation", "pdu")
"""Targets that take PDUs."""


def main(name: str, arguments: list[str]) -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")  # what pydicom thinks of bad values
    shape = None
    if name in STREAMS:
        shape = mutation.pdus
    elif name != "command":
        shape = mutation.elements

    def mutate(content: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        raw = atheris.Mutate if random.random() < 0.5 else mutation.bytes_of(random)
        if shape is None or random.random() < 0.2:
            return bytes(raw(content, longest))
        return shape(content, longest, random, raw)

    atheris.Setup([sys.argv[0], *arguments], TARGETS[name], custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
