"""What a node says of itself over HTTP."""

import http.client
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config.settings import Settings
from db import refusals
from db.states import State
from node import app
from tests.peers import wait_for


@pytest.fixture
def port(settings: Settings, caplog: pytest.LogCaptureFixture) -> Iterator[int]:
    with caplog.at_level("INFO", "node"), app.running(settings):
        yield port_of(caplog)


def port_of(caplog: pytest.LogCaptureFixture) -> int:
    (line,) = [r for r in caplog.records if r.getMessage() == "answering over HTTP"]
    return int(vars(line)["port"])


def _get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _values(port: int) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(_get(port, "/metrics")[1])
    return {(s.name, ",".join(s.labels.values())): s.value for f in families for s in f.samples}


def test_a_running_node_is_alive_and_ready(port: int) -> None:
    assert _get(port, "/healthz") == (200, "alive\n")
    assert _get(port, "/readyz") == (200, "ready\n")
    assert _get(port, "/healthz", "HEAD") == (200, "")


def test_nothing_else_is_answered(port: int) -> None:
    assert _get(port, "/")[0] == 404
    assert _get(port, "/metrics", "POST")[0] == 501


def test_what_is_not_ready_is_listed(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    storage = settings.storage.model_copy(update={"minimum_free_bytes": 1 << 60})
    with (
        caplog.at_level("INFO", "node"),
        app.running(settings.model_copy(update={"storage": storage})),
    ):
        port = port_of(caplog)
        status, text = _get(port, "/readyz")
        assert status == 503
        assert f"fewer than storage.minimum_free_bytes ({1 << 60})" in text
        assert _get(port, "/healthz")[0] == 200


def test_the_metrics_are_prometheus_text_and_name_their_units(port: int) -> None:
    families = list(text_string_to_metric_families(_get(port, "/metrics")[1]))
    ours = {f.name: f for f in families if f.name.startswith("sedas_node_")}
    assert all(f.documentation for f in ours.values())
    assert {f.name for f in families if not f.name.startswith(("sedas_node_", "process_"))} == set()
    assert {"process_resident_memory_bytes", "process_open_fds"} <= {f.name for f in families}
    for family in ours.values():
        is_counter = family.type == "counter"
        assert is_counter == any(s.name.endswith("_total") for s in family.samples) or not family.samples
    values = _values(port)
    assert values["sedas_node_database_up", ""] == 1
    assert values["sedas_node_shadow_mode", ""] == 0
    assert {s.value for s in State} == {label for name, label in values if name == "sedas_node_jobs"}


def test_the_ticks_are_timed(port: int) -> None:
    wait_for(lambda: ("sedas_node_tick_seconds_count", "completion") in _values(port), "a tick")
    values = _values(port)
    assert values["sedas_node_tick_last_success_timestamp_seconds", "completion"] > 1.7e9
    assert values["sedas_node_tick_failures_total", "completion"] == 0


def test_a_refused_image_is_counted_across_a_restart(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    refusals.count(app.open_sessions(settings), 0xC000)
    with caplog.at_level("INFO", "node"), app.running(settings):
        assert _values(port_of(caplog))["sedas_node_images_refused_total", "C000"] == 1
