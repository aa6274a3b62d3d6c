"""XML from outside, without anything that a document type could make a parser do."""

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers.expat import ExpatError, ParserCreate

from inference.annotations import Unusable


def parse(path: Path) -> Element:
    """Raises Unusable for what is no XML, or has a document type: entities are refused before they are read."""
    content = path.read_bytes()
    parser = ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(content, True)
        return fromstring(content)  # noqa: S314 - it has no document type, so no entity
    except Unusable:
        raise
    except (ExpatError, ParseError, LookupError, ValueError) as error:
        raise Unusable(f"it is no readable XML ({type(error).__name__})") from None


def _refuse(*_: object) -> None:
    raise Unusable("it has a document type, and no entity is read here")
