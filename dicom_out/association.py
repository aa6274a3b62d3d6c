"""An association as its requestor opens it: over plain TCP or TLS, on a socket that no peer holds for ever."""

import errno
import socket
import time
from dataclasses import dataclass
from importlib.metadata import version
from ssl import SSLCertVerificationError, SSLContext, SSLError, SSLSocket
from typing import Any, cast

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationSocket

from dicom_out.identity import IMPLEMENTATION_CLASS_UID, implementation_version_name

MAX_PDU = 131072
LONGEST_PDU = 1 << 20  # that is read at all; no setting allows a longer one
MOST_WAITING = 2  # messages of a peer that does not wait for answers


@dataclass(frozen=True)
class Secured:
    """How a peer is spoken to over TLS: our certificate and whom we trust, and the name its certificate is for."""

    context: SSLContext
    server_name: str


@dataclass(frozen=True)
class Peer:
    ae_title: str
    host: str
    port: int
    tls: Secured | None = None


Handlers = list[tuple[Any, Any]]


class NoConnection(Exception):
    """The peer's host is unknown or does not take a connection."""


class Connection(AssociationSocket):
    """The socket of an association, of ours or of a peer's: no peer holds it for ever, and TLS that ended says why."""

    alert = ""  # in TLS 1.3 a peer refuses our certificate only after the handshake

    @property
    def ready(self) -> bool:
        """Is there something to be read? Not while messages wait: memory does not grow with what a peer sends ahead."""
        return self.assoc.dimse.msg_queue.qsize() < MOST_WAITING and super().ready

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes, or fewer where the peer is gone; all of them within the network timeout, not each.

        Raises OSError, TimeoutError when it is over.
        """
        connection = cast("socket.socket", self.socket)
        if nr_bytes > LONGEST_PDU:
            raise OSError(errno.EMSGSIZE, f"a PDU of {nr_bytes} bytes")
        limit = self.assoc.network_timeout
        until = None if limit is None else time.monotonic() + limit
        received = bytearray(nr_bytes)
        left = memoryview(received)
        try:
            while left:
                if until is not None:
                    connection.settimeout(max(until - time.monotonic(), 0.001))
                count = connection.recv_into(left)
                if count == 0:
                    break
                left = left[count:]
            connection.settimeout(limit)
        except SSLError as error:
            self.alert = in_words(error)
            raise
        return received[: nr_bytes - len(left)] if left else received

    def _shutdown_socket(self) -> None:
        """pynetdicom 3.0.4 leaves a socket open whose peer is gone already, or never was there."""
        super()._shutdown_socket()
        if self.socket is not None:
            self.socket.close()


def in_words(error: OSError) -> str:
    """What went wrong with a connection, in OpenSSL's words where they say more than the number."""
    if isinstance(error, SSLCertVerificationError):
        return f"its certificate: {error.verify_message}"
    if isinstance(error, SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return error.strerror or str(error) or type(error).__name__


def uncompressed(sop_class: UID) -> PresentationContext:
    """The context of a service whose data sets hold no pixels."""
    return build_context(sop_class, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])


class Requestor(AE):
    """An application entity for one association."""

    _connection: Connection | None = None
    _is_connected = False
    _failure = ""

    def open(
        self,
        peer: Peer,
        offered: list[PresentationContext],
        timeout_s: float,
        handlers: Handlers | None = None,
    ) -> Association:
        self.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        self.implementation_version_name = implementation_version_name(version("sedas-node"))
        self.connection_timeout = self.acse_timeout = self.dimse_timeout = self.network_timeout = timeout_s
        try:
            association = self.associate(
                peer.host,
                peer.port,
                contexts=offered,
                ae_title=peer.ae_title,
                max_pdu=MAX_PDU,
                tls_args=None if peer.tls is None else (peer.tls.context, peer.tls.server_name),
                evt_handlers=[(evt.EVT_CONN_OPEN, self._connected), *(handlers or ())],
            )
        except OSError as error:
            raise NoConnection(f"no connection to {peer.host}: {error.strerror}") from error
        if not self._is_connected:
            raise NoConnection(f"no connection to {peer.host} port {peer.port}{self._failure}")
        if not association.is_established and self._connection is not None and self._connection.alert:
            raise NoConnection(f"{peer.host} port {peer.port} ended TLS: {self._connection.alert}")
        return association

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> AssociationSocket:
        """Small messages do not wait for the acknowledgement of the one before (Nagle), which costs 40 ms each."""
        self._connection = created = Connection(assoc, address=address)
        plain = cast("socket.socket", created.socket)  # it has one until it is closed
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls_args is not None:  # not left to pynetdicom, which tells no reason
            context, server_name = tls_args
            created.socket = context.wrap_socket(
                plain, server_hostname=server_name, do_handshake_on_connect=False
            )
        return created

    def _connected(self, event: Event) -> None:
        """Shake hands here, where a failure can be told; no read waits longer than the network timeout from now on."""
        connection = cast("AssociationSocket", event.assoc.dul.socket).socket
        if connection is None:
            return
        connection.settimeout(self.network_timeout)
        if isinstance(connection, SSLSocket):
            try:
                connection.do_handshake()
            except OSError as error:
                self._failure = f": TLS: {in_words(error)}"
                connection.close()
                return
        self._is_connected = True
