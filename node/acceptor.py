"""The side of the network that accepts: one thread for each connection, none of which a silent peer can hold."""

import logging
import socket
import time
from functools import partial
from ssl import SSLContext, SSLSocket
from threading import Thread
from typing import Any, cast

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from dicom_out.association import in_words
from node.reactor import Begin, Served

log = logging.getLogger(__name__)

SPARE_CONNECTIONS = 32  # that have not asked for an association yet

GIVE_WAY_S = 0.004  # for each association, before another is accepted
MOST_GIVEN_WAY = 10

Handlers = list[tuple[Any, Any] | tuple[Any, Any, list[Any]]]


class _Handler(RequestHandler):
    """Makes an association of our kind; pynetdicom has no setting for it."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        association.dul.event_queue.get_nowait()  # Evt5, a connection is there: the socket tells it again
        association.__class__ = Served
        cast("Served", association).assume(self.request, cast("Acceptor", self.ae).begin)
        return association


class _Server(ThreadedAssociationServer):
    """Accepts and nothing else: what may wait for the peer waits in the peer's own thread, for a limited time."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, *arguments: Any, **named: Any) -> None:
        self._listener = listener
        self._shaking_hands: set[Any] = set()
        super().__init__(*arguments, **named)

    def server_bind(self) -> None:
        """The socket listens already."""
        self.socket = self._listener.dup()

    def server_activate(self) -> None:
        pass

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Let a process that has fewer associations go first; raises BlockingIOError where one has."""
        if cast("Acceptor", self.ae).has_companions:
            time.sleep(GIVE_WAY_S * min(len(self.active_associations), MOST_GIVEN_WAY))
        connection, address = cast("socket.socket", self.socket).accept()
        if self.ssl_context is not None:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's
        """Is there room for another connection, beside as many as may become associations?"""
        if (
            len(self.active_associations) + len(self._shaking_hands)
            < self.ae.maximum_associations + SPARE_CONNECTIONS
        ):
            return True
        log.warning("too many connections", extra={"address": client_address[0]})
        return False

    def finish_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(self.ae.network_timeout)
        if isinstance(request, SSLSocket):
            self._shaking_hands.add(request)
            try:
                request.do_handshake()
            except OSError as error:
                log.warning("TLS refused", extra={"address": client_address[0], "reason": in_words(error)})
                self.shutdown_request(request)
                return
            finally:
                self._shaking_hands.discard(request)
        super().finish_request(request, client_address)


class Acceptor(AE):
    """An application entity that listens with such a server."""

    has_companions = False
    """Other processes accept from the same socket."""

    begin: Begin
    """Is called when the data set of a C-STORE begins to come."""

    @property
    def active_associations(self) -> list[Association]:
        """Those that have asked for something; silent connections take nobody's place."""
        return [a for a in super().active_associations if a.requestor.primitive is not None]

    def shutdown(self) -> None:
        for connection in super().active_associations:
            connection.abort()
        super().shutdown()

    def serve(self, listener: socket.socket, context: SSLContext | None, handlers: Handlers) -> int:
        """Accept from `listener` until `shutdown`; gives its port."""
        server = self.make_server(
            listener.getsockname(),
            ssl_context=context,
            evt_handlers=cast("Any", handlers),
            server_class=cast("Any", partial(_Server, listener)),
            request_handler=_Handler,
        )
        self._servers.append(server)
        Thread(target=server.serve_forever, name="listener", daemon=True).start()
        return int(server.server_address[1])
