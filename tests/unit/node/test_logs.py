"""Every line of a log is one event, whoever wrote it."""

import json
import subprocess
import sys

WRITERS = """
import logging, sys, threading, warnings
from node.logs import log_uncaught, start_logging
start_logging()
log_uncaught()
logging.getLogger("node.app").info("listening", extra={"port": 11112})
warnings.warn("header of Doe^Jane", stacklevel=1)
for library in ("pynetdicom.assoc", "alembic.runtime", "apscheduler.executors"):
    logging.getLogger(library).error("two\\nlines of Doe^Jane")
try:
    raise ValueError("Doe^Jane")
except ValueError:
    logging.getLogger("elsewhere").exception("it\\nfailed")

def fail():
    raise ValueError("Doe^Jane")

class Gone:
    def __del__(self):
        fail()

thread = threading.Thread(target=fail, name="worker thread")
thread.start()
thread.join()
Gone()
fail()
"""


def test_every_line_is_an_event_with_facts_and_quotes_no_text_of_others() -> None:
    ran = subprocess.run([sys.executable, "-c", WRITERS], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stdout == ""
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    uncaught = "uncaught error"
    assert [line["event"] for line in lines] == ["listening", "it\nfailed", uncaught, uncaught, uncaught]
    assert [line.get("in_thread") for line in lines[2:]] == ["worker thread", "MainThread", "main"]
    assert lines[0]["port"] == 11112
    assert "Doe" not in ran.stderr
    assert all(line["error"].startswith("ValueError at") for line in lines[2:])
