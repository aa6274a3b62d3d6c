"""`sedas-node check`: every part the node needs, tried once, each on its own line."""

import socket
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from rich.console import Console

from config.load import BadConfig
from config.settings import Destination, Settings, Syslog, Tls
from db.audit import OtherAuditKey
from db.session import DatabaseUnusable, installation_id
from dicom_out.durable import write_durably
from dicom_out.outcome import Outcome
from dicom_out.scu import echo
from inference.bundle import BadBundle
from node import app
from node.release import SHADOW
from node.syslog import Repository
from node.tls import peer_of, server_context
from node.watermark import NoRoom, Watermark

EXPECTED = (OSError, DatabaseUnusable, BadBundle, BadConfig, NoRoom, OtherAuditKey, RuntimeError)
"""What an unfit installation raises."""


class Unfit(RuntimeError):
    """A part that answers, and not as it should."""


def checkup(settings: Settings, screen: Console) -> bool:
    """Is everything fit to run? Prints one line for each part."""
    parts: dict[str, Callable[[], str]] = {
        "callers": partial(_callers, settings),
        "storage": partial(_storage, settings),
        "database": partial(_database, settings),
        "models": partial(_models, settings),
    }
    if settings.release.shadow:
        parts["release"] = lambda: SHADOW
    if settings.listener.tls is not None:
        parts["TLS"] = partial(_certificate, settings.listener.tls)
    for destination in settings.delivery.destinations:
        parts[f"destination {destination.name}"] = partial(_destination, settings, destination)
    if settings.audit.syslog is not None:
        parts["audit repository"] = partial(_audit_repository, settings.audit.syslog, settings)
    fit = [_try(name, part, screen) for name, part in parts.items()]  # every part, also after a wrong one
    return all(fit)


def _try(name: str, part: Callable[[], str], screen: Console) -> bool:
    try:
        screen.print(f"ok    {name}: {part()}")
    except EXPECTED as error:
        screen.print(f"wrong {name}: {error}", style="red")
        return False
    return True


def _callers(settings: Settings) -> str:
    callers = settings.listener.calling_ae_titles
    if not callers:
        raise Unfit("listener.calling_ae_titles is empty, so that nobody could send")
    return f"{', '.join(callers)} may send to {settings.listener.ae_title}"


def _storage(settings: Settings) -> str:
    for folder in (settings.storage.spool, settings.storage.outbox):
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(b"", folder / f"check-{uuid4()}").unlink()
    Watermark(settings.storage.folder, settings.storage.minimum_free_bytes).check()
    return f"{settings.storage.folder} can be written"


def _database(settings: Settings) -> str:
    with app.open_sessions(settings)() as session:
        return f"{session.get_bind().dialect.name}, installation {installation_id(session)}"


def _models(settings: Settings) -> str:
    models = app.in_process(settings).models
    parts = (models.segment.identity, models.classify.identity)
    said = ["; ".join(f"{p.name} {p.version} ({p.digest[:12]})" for p in parts)]
    if models.candidate is not None:
        beside = models.candidate.identity
        said.append(f"candidate, shown to nobody: {beside.name} {beside.version} ({beside.digest[:12]})")
    scorers = filter(None, (models.classify, models.candidate))
    said += filter(None, (scorer.bundle.of_other_lungs(models.segment.identity) for scorer in scorers))
    return "; ".join(said)


def _certificate(tls: Tls) -> str:
    server_context(tls)
    return f"{tls.certificate} and its key can be used"


def _destination(settings: Settings, destination: Destination) -> str:
    peer = peer_of(destination)
    result = echo(peer, calling_ae_title=settings.listener.ae_title)
    if result.outcome is not Outcome.STORED:
        raise Unfit(f"{peer.ae_title} at {peer.host}:{peer.port}: {result.answer}")
    return f"{peer.ae_title} at {peer.host}:{peer.port} answers"


def _audit_repository(syslog: Syslog, settings: Settings) -> str:
    Repository(syslog, socket.gethostname()).send([], timeout_s=settings.delivery.timeout_s)
    return f"{syslog.host}:{syslog.port} takes messages over TLS"
