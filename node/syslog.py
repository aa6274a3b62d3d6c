"""Syslog over TLS: messages of RFC 5424 in frames of RFC 5425, and whether they have arrived."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ssl import OP_NO_RENEGOTIATION, PROTOCOL_TLS_CLIENT, SSLContext, SSLError, TLSVersion

from config.load import BadConfig
from config.settings import Syslog
from db.chain import instant

PRIORITY = 10 * 8 + 5  # security and authorization, normal but significant: PS3.15 A.6
MESSAGE_ID = "DICOM+RFC3881"  # PS3.15 A.6
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # before UTF-8: RFC 5424 6.4


@dataclass(frozen=True)
class Record:
    """What is sent as one message."""

    at: datetime
    number: int  # of the audit row
    content: bytes  # UTF-8


def frame(record: Record, *, host: str) -> bytes:
    """MSG-LEN SP SYSLOG-MSG, the number as `sequenceId` of RFC 5424 7.3.1; a repetition has the same bytes."""
    at = instant(record.at).replace("+00:00", "Z")
    header = f'<{PRIORITY}>1 {at} {host} sedas-node - {MESSAGE_ID} [meta sequenceId="{record.number}"] '
    message = header.encode("ascii", errors="replace") + BYTE_ORDER_MARK + record.content
    return b"%d %s" % (len(message), message)


class Repository:
    """Who collects the records. Raises BadConfig for certificates that cannot be used."""

    def __init__(self, settings: Syslog, own_host: str) -> None:
        self.settings = settings
        self.own_host = own_host
        self._context = _context_of(settings)

    def send(self, records: Iterable[Record], *, timeout_s: float) -> None:
        """Send on one connection; raises OSError unless the repository has read everything.

        Syslog knows no acknowledgement. But who receives our close_notify must answer with its own (RFC 5425 4.4),
        and has read by then what went before; a reset means that something was left unread.
        """
        address = (self.settings.host, self.settings.port)
        with (
            socket.create_connection(address, timeout=timeout_s) as plain,
            self._context.wrap_socket(plain, server_hostname=self.settings.host) as secured,
        ):
            for record in records:
                secured.sendall(frame(record, host=self.own_host))
            rest = secured.unwrap()
            rest.shutdown(socket.SHUT_WR)
            rest.recv(1)  # its end of the connection, or the reset


def _context_of(settings: Syslog) -> SSLContext:
    """TLS 1.2 or newer; the repository shows a certificate for its name."""
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLSVersion.TLSv1_2
    context.options |= OP_NO_RENEGOTIATION
    try:
        context.load_verify_locations(settings.ca_file)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key, password=_no_password)
    except SSLError:
        raise BadConfig("audit.syslog: a certificate or the key cannot be used: PEM, not encrypted") from None
    except OSError as error:
        raise BadConfig(f"audit.syslog: its certificates or key: {error.strerror}") from None
    return context


def _no_password() -> str:
    return ""
