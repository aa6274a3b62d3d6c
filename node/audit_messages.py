"""Audit messages in the XML of PS3.15 A.5.1, which descends from RFC 3881. Pure; no patient is in it, not even an ID."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from ipaddress import ip_address
from typing import NamedTuple
from xml.etree import ElementTree

from db.chain import instant


class Code(NamedTuple):
    """Of the DICOM terminology, DCM."""

    value: str
    meaning: str


APPLICATION_ACTIVITY = Code("110100", "Application Activity")
BEGIN_TRANSFERRING = Code("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = Code("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = Code("110104", "DICOM Instances Transferred")
SECURITY_ALERT = Code("110113", "Security Alert")

APPLICATION_START = Code("110120", "Application Start")
APPLICATION_STOP = Code("110121", "Application Stop")
NODE_AUTHENTICATION = Code("110126", "Node Authentication")

APPLICATION = Code("110150", "Application")
DESTINATION = Code("110152", "Destination Role ID")
SOURCE = Code("110153", "Source Role ID")

STUDY_INSTANCE_UID = Code("110180", "Study Instance UID")
NODE_ID = Code("110182", "Node ID")


class Result(IntEnum):
    """Event Outcome Indicator."""

    SUCCESS = 0
    MINOR_FAILURE = 4
    SERIOUS_FAILURE = 8


@dataclass(frozen=True)
class Process:
    """An active participant: a program, here or at a peer."""

    user_id: str
    ae_title: str | None = None
    host: str | None = None  # its name or address, where it is known
    requests: bool = False
    role: Code | None = None


@dataclass(frozen=True)
class Study:
    """A participant object: a study, and how many of which SOP class the event is about."""

    study_instance_uid: str
    sop_classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Alert:
    """A participant object: what a security alert is about, a node of the network."""

    node: str
    description: str


@dataclass(frozen=True)
class Message:
    at: datetime
    event: Code
    action: str  # C, R, U, D or E: create, read, update, delete, execute
    participants: tuple[Process, ...]
    source: str  # who audits
    about: Study | Alert | None = None
    event_type: Code | None = None
    result: Result = Result.SUCCESS
    description: str = ""  # of the result


def xml(message: Message) -> bytes:
    """The message in UTF-8, with its elements and attributes as the schema has them."""
    root = ElementTree.Element("AuditMessage")
    event = ElementTree.SubElement(
        root,
        "EventIdentification",
        EventActionCode=message.action,
        EventDateTime=instant(message.at),
        EventOutcomeIndicator=str(int(message.result)),
    )
    _code(event, "EventID", message.event)
    if message.event_type is not None:
        _code(event, "EventTypeCode", message.event_type)
    if message.description:
        ElementTree.SubElement(event, "EventOutcomeDescription").text = message.description
    for participant in message.participants:
        _participant(root, participant)
    ElementTree.SubElement(root, "AuditSourceIdentification", AuditSourceID=message.source)
    match message.about:
        case Study():
            _study(root, message.about)
        case Alert():
            _alert(root, message.about)
    content: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return content


def _code(parent: ElementTree.Element, name: str, code: Code) -> None:
    attributes = {"csd-code": code.value, "codeSystemName": "DCM", "originalText": code.meaning}
    ElementTree.SubElement(parent, name, attributes)


def _participant(root: ElementTree.Element, process: Process) -> None:
    attributes = {"UserID": process.user_id}
    if process.ae_title is not None:
        attributes["AlternativeUserID"] = f"AETITLES={process.ae_title}"
    attributes["UserIsRequestor"] = "true" if process.requests else "false"
    if process.host is not None:
        attributes["NetworkAccessPointID"] = process.host
        attributes["NetworkAccessPointTypeCode"] = "2" if _is_address(process.host) else "1"
    participant = ElementTree.SubElement(root, "ActiveParticipant", attributes)
    if process.role is not None:
        _code(participant, "RoleIDCode", process.role)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _study(root: ElementTree.Element, study: Study) -> None:
    described = ElementTree.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=study.study_instance_uid,
        ParticipantObjectTypeCode="2",  # a system object
        ParticipantObjectTypeCodeRole="3",  # a report
    )
    _code(described, "ParticipantObjectIDTypeCode", STUDY_INSTANCE_UID)
    ElementTree.SubElement(described, "ParticipantObjectName").text = study.study_instance_uid
    for uid, count in sorted(study.sop_classes.items()):
        ElementTree.SubElement(described, "SOPClass", UID=uid, NumberOfInstances=str(count))


def _alert(root: ElementTree.Element, alert: Alert) -> None:
    described = ElementTree.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=alert.node,
        ParticipantObjectTypeCode="2",  # a system object
        ParticipantObjectTypeCodeRole="13",  # a security resource
    )
    _code(described, "ParticipantObjectIDTypeCode", NODE_ID)
    ElementTree.SubElement(described, "ParticipantObjectName").text = alert.node
    value = b64encode(alert.description.encode()).decode("ascii")
    ElementTree.SubElement(described, "ParticipantObjectDetail", type="Alert Description", value=value)
