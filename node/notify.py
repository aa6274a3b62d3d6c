"""What systemd is told of a program's state: the protocol of sd_notify(3), without its library."""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def notify(message: str, environment: Mapping[str, str] = os.environ) -> None:
    """Send it to the socket that systemd named, if it named one; work goes on where nobody listens there."""
    address = environment.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # the abstract namespace of unix(7)
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.setblocking(False)  # who does not listen must not stop the work
            to.sendto(message.encode(), address)
    except OSError as error:
        log.warning("systemd not told", extra={"reason": error.strerror})


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """After so long without ALIVE systemd ends this process; None: never."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None  # it is meant for our parent
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
