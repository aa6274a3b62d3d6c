"""All tables of the conformance statement by the name of their place."""

from tests.statement.configuration import configuration_tables
from tests.statement.content import content_tables
from tests.statement.iods import iod_tables
from tests.statement.network import network_tables
from tests.statement.statuses import status_tables


def tables() -> dict[str, str]:
    return {
        **network_tables(),
        **status_tables(),
        **configuration_tables(),
        **iod_tables(),
        **content_tables(),
    }
