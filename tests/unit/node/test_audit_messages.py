"""Audit messages: the elements and attributes of PS3.15 A.5.1, in its order."""

from datetime import datetime

import pytest

from node import audit_messages as messages
from node.audit_messages import Message, Process, Result, Study, xml

WHOLE = """\
<?xml version='1.0' encoding='UTF-8'?>
<AuditMessage>\
<EventIdentification EventActionCode="R" EventDateTime="2026-11-24T09:30:00.000000+00:00" EventOutcomeIndicator="8">\
<EventID csd-code="110104" codeSystemName="DCM" originalText="DICOM Instances Transferred" />\
<EventOutcomeDescription>refused</EventOutcomeDescription>\
</EventIdentification>\
<ActiveParticipant UserID="sedas-node@ct1" AlternativeUserID="AETITLES=SEDAS" UserIsRequestor="true" \
NetworkAccessPointID="ct1" NetworkAccessPointTypeCode="1">\
<RoleIDCode csd-code="110153" codeSystemName="DCM" originalText="Source Role ID" />\
</ActiveParticipant>\
<ActiveParticipant UserID="PÄCS" UserIsRequestor="false" \
NetworkAccessPointID="192.0.2.1" NetworkAccessPointTypeCode="2">\
<RoleIDCode csd-code="110152" codeSystemName="DCM" originalText="Destination Role ID" />\
</ActiveParticipant>\
<AuditSourceIdentification AuditSourceID="SEDAS@ct1" />\
<ParticipantObjectIdentification ParticipantObjectID="1.2.3" ParticipantObjectTypeCode="2" \
ParticipantObjectTypeCodeRole="3">\
<ParticipantObjectIDTypeCode csd-code="110180" codeSystemName="DCM" originalText="Study Instance UID" />\
<ParticipantObjectName>1.2.3</ParticipantObjectName>\
<SOPClass UID="1.2.840.10008.5.1.4.1.1.2" NumberOfInstances="60" />\
</ParticipantObjectIdentification>\
</AuditMessage>"""


def test_a_message_has_everything_in_its_place(now: datetime) -> None:
    message = Message(
        now,
        messages.INSTANCES_TRANSFERRED,
        "R",
        (
            Process("sedas-node@ct1", "SEDAS", "ct1", requests=True, role=messages.SOURCE),
            Process("PÄCS", host="192.0.2.1", role=messages.DESTINATION),
        ),
        "SEDAS@ct1",
        Study("1.2.3", {"1.2.840.10008.5.1.4.1.1.2": 60}),
        result=Result.SERIOUS_FAILURE,
        description="refused",
    )
    assert xml(message).decode() == WHOLE


@pytest.mark.parametrize("kind", [messages.APPLICATION_START, messages.APPLICATION_STOP])
def test_a_kind_of_event_follows_the_event(now: datetime, kind: messages.Code) -> None:
    message = Message(now, messages.APPLICATION_ACTIVITY, "E", (Process("p"),), "s", event_type=kind)
    event = '<EventID csd-code="110100" codeSystemName="DCM" originalText="Application Activity" />'
    coded = f'<EventTypeCode csd-code="{kind.value}" codeSystemName="DCM" originalText="{kind.meaning}" />'
    assert event + coded in xml(message).decode()
