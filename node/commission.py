"""`sedas-node commission`: does everything between the node and one destination work, both ways? For the record.

Only questions are sent, unless a test patient is asked for: its way is in `node.commission_patient`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from rich.console import Console

from config.load import BadConfig
from config.settings import Destination, Settings
from db import instances
from db.session import installation_id
from dicom_out.association import NoConnection, Peer
from dicom_out.commitment import PUSH_MODEL
from dicom_out.durable import write_durably
from dicom_out.iods import IODS
from dicom_out.outcome import Outcome
from dicom_out.report_classes import CLASSES
from dicom_out.scu import echo, negotiate
from node import commission_page
from node.commission_record import Record, Site, Step, Verdict

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


class WentWrong(Exception):
    """It did not come out as it should."""


class WorthANote(Exception):
    """It works, and somebody should know something about it."""


Try = Callable[[], str]
"""Tries one thing and says what it saw; raises WentWrong or WorthANote."""


def destination_named(settings: Settings, name: str) -> Destination:
    for destination in settings.delivery.destinations:
        if destination.name == name:
            return destination
    known = ", ".join(d.name for d in settings.delivery.destinations) or "none"
    raise BadConfig(f"delivery.destinations: none is named {name!r}; there is {known}")


def commission(
    site: Site, out: Path, screen: Console, further: Callable[[Site], Iterator[tuple[str, Try]]] | None = None
) -> bool:
    """Try everything, and then what is `further` to try if all was fine; write the record. Was all fine?"""
    with site.sessions() as session:
        installation = installation_id(session)
    record = Record(site, installation, version("sedas-node"), site.now())
    _take(record, _questions(record), screen)
    if further is not None and record.is_fine:
        _take(record, further(site), screen)
    write_durably(commission_page.html(record).encode(), out)
    screen.print(f"Record  {out}")
    return record.is_fine


def _take(record: Record, steps: Iterator[tuple[str, Try]], screen: Console) -> None:
    """Take the steps in their order, each as soon as the one before has ended, up to the first that goes wrong."""
    for name, go in steps:
        started = time.monotonic()
        verdict = Verdict.FINE
        try:
            said = go()
        except WorthANote as note:
            verdict, said = Verdict.NOTE, str(note)
        except (WentWrong, NoConnection, OSError) as error:
            verdict, said = Verdict.WRONG, str(error)
        record.steps.append(Step(name, verdict, said, time.monotonic() - started))
        screen.print(f"{verdict:5} {name}: {said}", style="red" if verdict is Verdict.WRONG else None)
        if verdict is Verdict.WRONG:
            return


def _questions(record: Record) -> Iterator[tuple[str, Try]]:
    site = record.site
    yield "The destination answers", lambda: _echo(site.peer, site.settings.listener.ae_title)
    yield "It takes what the node sends", lambda: _contexts(record)
    yield "The node lets the destination in", lambda: _let_in(site)
    yield "The destination has sent to the node", lambda: _has_sent(site)


def _echo(peer: Peer, calling: str) -> str:
    answer = echo(peer, calling_ae_title=calling, timeout_s=20)
    where = f"{peer.ae_title} at {peer.host}:{peer.port}"
    if answer.outcome is not Outcome.STORED:
        raise WentWrong(f"{where}, called as {calling}: {answer.answer}")
    return f"{where} answers C-ECHO to {calling}"


def wanted(settings: Settings, to: Destination) -> Mapping[UID, str]:
    """The SOP classes that the destination has to take, each with what it is for; of the reports one is enough."""
    classes = {SecondaryCaptureImageStorage: "summary card and pictures"}
    if settings.results.segmentation:
        classes[SegmentationStorage] = "results.segmentation"
    if settings.results.key_objects:
        classes[KeyObjectSelectionDocumentStorage] = "results.key_objects"
    if settings.results.parametric_map:
        classes[ParametricMapStorage] = "results.parametric_map"
    if settings.results.presentation_state:
        classes[GrayscaleSoftcopyPresentationStateStorage] = "results.presentation_state"
    if to.commitment:
        classes[PUSH_MODEL] = "its commitment"
    return classes


def _contexts(record: Record) -> str:
    """Every SOP class that the node can send, asked for on its own in each transfer syntax."""
    site = record.site
    asked = (*IODS, PUSH_MODEL)
    pairs = [(sop_class, syntax) for sop_class in asked for syntax in SYNTAXES]
    own = site.settings.listener.ae_title
    record.contexts = negotiate(site.peer, pairs, calling_ae_title=own, timeout_s=20)
    taken = {n.sop_class for n in record.contexts if n.result == 0}
    lacking = [f"{c.name} ({use})" for c, use in wanted(site.settings, site.to).items() if c not in taken]
    reports = [sop_class for sop_class in CLASSES if sop_class in taken]
    if not reports:
        lacking.append("a report: " + ", ".join(c.name for c in CLASSES))
    if lacking:
        raise WentWrong(f"{site.to.ae_title} does not take " + "; ".join(lacking))
    if reports[0] != CLASSES[0]:
        raise WorthANote(f"reports go as {reports[0].name}, since {CLASSES[0].name} is not taken")
    if KeyObjectSelectionDocumentStorage not in taken:
        raise WorthANote(
            "rejection notes (Key Object Selection) are not taken, so that nothing can be withdrawn"
        )
    return f"reports as {reports[0].name}; {len(taken)} of {len(asked)} SOP classes taken"


def _let_in(site: Site) -> str:
    """The node under the destination's own AE title, from this machine."""
    callers = site.settings.listener.calling_ae_titles
    if site.settings.listener.port == 0:
        raise WentWrong("listener.port is 0, any free port: no sender can be told it; give it a number")
    if site.to.ae_title not in callers and not site.to.commitment:
        raise WorthANote(
            f"{site.to.ae_title} is not among listener.calling_ae_titles ({', '.join(callers)}), "
            "so that it could not send"
        )
    own = site.listener
    if not site.settings.listener.admits(site.to.ae_title, own.host):
        raise WorthANote(
            f"{site.to.ae_title} may not call from {own.host} (listener.caller_addresses), so that it was not tried"
        )
    return _echo(own, site.to.ae_title)


def _has_sent(site: Site) -> str:
    senders = {site.to.ae_title, *site.to.senders}
    with site.sessions() as session:
        last = instances.last_received_from(session, senders)
    named = " or ".join(sorted(senders))
    if last is None:
        raise WorthANote(f"nothing has come from {named} yet: send a CT to try its routing")
    return f"the last object from {named} came {last:%Y-%m-%d %H:%M:%S} UTC"
