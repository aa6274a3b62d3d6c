"""Writes the tables of docs/conformance-statement.md anew: `make conformance`."""

import logging

from tests.statement.document import STATEMENT, filled
from tests.statement.tables import tables

logging.disable()  # the node's answers to faults are asked for here, and nobody has to be told of them
STATEMENT.write_text(filled(STATEMENT.read_text(), tables()))
