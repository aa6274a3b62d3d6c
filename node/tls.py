"""TLS from the settings, in both directions: BCP 195 without downgrading, and a certificate from every peer."""

from pathlib import Path
from ssl import (
    CERT_REQUIRED,
    OP_NO_RENEGOTIATION,
    PROTOCOL_TLS_CLIENT,
    PROTOCOL_TLS_SERVER,
    SSLContext,
    SSLError,
    TLSVersion,
)

from config.load import BadConfig
from config.settings import Archive, Destination, Listener, Tls
from dicom_out.association import Peer, Secured

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2, after RFC 9325 4.2: forward secrecy and authenticated encryption. TLS 1.3 has no others."""


class _Encrypted(Exception):
    """The private key asks for a password."""


def server_context(tls: Tls) -> SSLContext:
    """What the listener serves with. Raises BadConfig."""
    return _context(PROTOCOL_TLS_SERVER, tls, "listener.tls")


def peer_of(to: Destination) -> Peer:
    """The destination as it is called. Raises BadConfig."""
    return _peer(to, f"delivery.destinations, {to.name}: tls")


def archive_peer(archive: Archive) -> Peer:
    """The archive that is asked about studies. Raises BadConfig."""
    return _peer(archive, "completion.archive.tls")


def own_listener(listener: Listener) -> Peer:
    """The node as it is reached from its own machine, with its own certificate. Raises BadConfig."""
    host = "127.0.0.1" if listener.host in ("0.0.0.0", "") else listener.host  # noqa: S104
    if listener.tls is None:
        return Peer(listener.ae_title, host, listener.port)
    context = _context(PROTOCOL_TLS_CLIENT, listener.tls, "listener.tls")
    context.check_hostname = False  # the certificate is for the name that others call
    return Peer(listener.ae_title, host, listener.port, Secured(context, host))


def _peer(to: Destination | Archive, setting: str) -> Peer:
    if to.tls is None:
        return Peer(to.ae_title, to.host, to.port)
    context = _context(PROTOCOL_TLS_CLIENT, to.tls, setting)
    return Peer(to.ae_title, to.host, to.port, Secured(context, to.server_name or to.host))


def _context(protocol: int, tls: Tls, setting: str) -> SSLContext:
    context = SSLContext(protocol)
    context.minimum_version = TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= OP_NO_RENEGOTIATION
    context.verify_mode = CERT_REQUIRED
    _trust(tls.ca, context, f"{setting}.ca")
    _trust(tls.certificate, SSLContext(protocol), f"{setting}.certificate")  # only to tell it from a bad key
    _readable(tls.key, f"{setting}.key")
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except _Encrypted:
        raise BadConfig(f"{setting}.key: is encrypted; the node cannot be asked for a password") from None
    except SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadConfig(f"{setting}.key: is not the key of {setting}.certificate") from None
        raise BadConfig(f"{setting}.key: is no private key in PEM that could be used") from None
    return context


def _trust(path: Path, context: SSLContext, setting: str) -> None:
    _readable(path, setting)
    try:
        context.load_verify_locations(path)
    except SSLError:
        raise BadConfig(f"{setting}: holds no certificate in PEM") from None


def _readable(path: Path, setting: str) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise BadConfig(f"{setting}: {path}: {error.strerror}") from None


def _no_password() -> str:
    raise _Encrypted
