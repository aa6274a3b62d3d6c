"""What pydicom and its decoders raise on damaged or unknown content."""

import struct
import zlib

from pydicom.errors import BytesLengthException, InvalidDicomError

UNREADABLE = (ArithmeticError, AttributeError, BytesLengthException, EOFError, InvalidDicomError, LookupError,
              NotImplementedError, RuntimeError, TypeError, ValueError, struct.error, zlib.error)  # fmt: skip
"""All but OSError, which may be the disk's: see `is_of_content`."""


def is_of_content(error: OSError) -> bool:
    """pydicom raises OSError too where a sequence ends early; the system's has a number."""
    return error.errno is None
