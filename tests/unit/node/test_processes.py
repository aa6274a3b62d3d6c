"""A signal ends a process, whichever of its threads the kernel gives it to."""

import subprocess
import sys

from tests.conftest import ROOT

SCRIPT = """
import signal, threading, time
from node.processes import until

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())

def struck():
    time.sleep(0.5)  # the main thread waits by now
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(60)

threading.Thread(target=struck, daemon=True).start()
until(stop)
print("ended")
"""


def test_a_signal_that_another_thread_gets_ends_the_wait() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=False, timeout=20
    )
    assert ran.stdout == "ended\n", ran.stderr
