"""TLS with DCMTK, in both directions: a peer with a certificate that we trust is served, and nobody else."""

import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from config.settings import Destination, Settings, Tls
from dicom_out.outcome import Outcome, SendResult
from dicom_out.scu import echo, send_files
from inference.phantom import chest, write_study
from node import app
from node.checkup import EXPECTED, checkup
from node.commission import commission
from node.commission_record import Site
from node.outbound import addressed, echo_peer, send_path
from node.tls import own_listener, peer_of
from tests.certificates import Authority, authority
from tests.nodes import recording_pacs
from tests.peers import free_port, require, run_peer, storescu, wait_for

SCREEN = Console(quiet=True)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls") / "hospital")


@pytest.fixture(scope="module")
def node(hospital: Authority) -> Tls:
    return hospital.issue("node")


@pytest.fixture(scope="module")
def pacs(hospital: Authority) -> Tls:
    return hospital.issue("pacs")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, hospital: Authority) -> Tls:
    """Another authority's certificate; who has it trusts ours."""
    issued = authority(tmp_path_factory.mktemp("tls") / "elsewhere").issue("pacs")
    return issued.model_copy(update={"ca": hospital.certificate})


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    phantom = chest(seed=2, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=100.0)
    return write_study(phantom, tmp_path_factory.mktemp("ct"))


@pytest.fixture
def secured(settings: Settings, node: Tls) -> Settings:
    listener = settings.listener.model_copy(update={"tls": node, "network_timeout_s": 3.0})
    return settings.model_copy(update={"listener": listener})


@pytest.fixture
def port(secured: Settings) -> Iterator[int]:
    with app.running(secured) as port:
        yield port


def _dcmtk(tls: Tls) -> Sequence[str | Path]:
    return "+tls", tls.key, tls.certificate, "+cf", tls.ca


def _echoscu(port: int, *security: str | Path) -> int:
    return run_peer(
        "echoscu", "-to", "5", *security, "-aet", "PACS", "-aec", "SEDAS", "127.0.0.1", str(port)
    ).returncode


@pytest.mark.peers
def test_dcmtk_with_a_certificate_is_served(
    port: int, pacs: Tls, slices: list[Path], secured: Settings
) -> None:
    sent = storescu(*_dcmtk(pacs), "-aet", "PACS", "-aec", "SEDAS", "127.0.0.1", str(port), *slices)
    assert sent.returncode == 0, sent.stderr
    assert len(list(secured.storage.spool.rglob("*.dcm"))) == len(slices)
    assert _echoscu(port, *_dcmtk(pacs)) == 0


@pytest.mark.peers
@pytest.mark.parametrize("who", ["nobody", "foreign", "plain"])
def test_dcmtk_without_a_certificate_of_ours_is_not_served(
    port: int, pacs: Tls, foreign: Tls, slices: list[Path], secured: Settings, who: str
) -> None:
    security: Sequence[str | Path] = {
        "nobody": ("+tla", "+cf", pacs.ca),
        "foreign": _dcmtk(foreign),
        "plain": (),
    }[who]
    sent = storescu("-to", "5", *security, "-aet", "PACS", "-aec", "SEDAS", "127.0.0.1", str(port), *slices)
    assert sent.returncode != 0
    assert _echoscu(port, *security) != 0
    assert not secured.storage.spool.exists()
    assert _echoscu(port, *_dcmtk(pacs)) == 0


def test_what_is_not_forward_secret_or_not_authenticated_encryption_is_not_negotiated(
    port: int, pacs: Tls
) -> None:
    for ciphers in ("kRSA", "ECDHE+AES:!AESGCM:!AESCCM"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(pacs.ca)
        context.load_cert_chain(pacs.certificate, pacs.key)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(connection)


def test_peers_that_say_nothing_hold_up_nobody_and_are_ended(port: int, secured: Settings) -> None:
    known = own_listener(secured.listener.model_copy(update={"port": port}))
    silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(5)]
    try:
        silent[0].sendall(b"\x16\x03\x01\x02\x00\x01")  # a ClientHello that does not go on
        assert echo(known, calling_ae_title="PACS", timeout_s=2).outcome is Outcome.STORED
        assert [connection.recv(1) for connection in silent] == [b""] * len(silent)
    finally:
        for connection in silent:
            connection.close()


@contextmanager
def _storescp(folder: Path, *security: str | Path) -> Iterator[int]:
    """DCMTK's storescp, which keeps what it takes in `folder`."""
    folder.mkdir()
    port = free_port()
    command = [require("storescp"), *map(str, security), "-aet", "PACS", "-od", str(folder), str(port)]
    with (folder.with_suffix(".log")).open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_for(lambda: _listens(port), "storescp to listen")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _destination(port: int, tls: Tls | None, server_name: str | None = None) -> Destination:
    return Destination(
        name="pacs", ae_title="PACS", host="127.0.0.1", port=port, tls=tls, server_name=server_name
    )


def _send(to: Destination, files: Sequence[Path]) -> SendResult:
    """The answer that all the files have."""
    (answer,) = {
        SendResult(r.outcome, r.answer, r.status) for r in send_files(files, peer_of(to), timeout_s=5)
    }
    return answer


@pytest.mark.peers
def test_dcmtk_receives_from_us(tmp_path: Path, node: Tls, pacs: Tls, slices: list[Path]) -> None:
    with _storescp(tmp_path / "archive", *_dcmtk(pacs)) as port:
        for name in (None, "localhost"):
            assert _send(_destination(port, node, name), slices).outcome is Outcome.STORED
    assert len(list((tmp_path / "archive").iterdir())) == len(slices)


@pytest.mark.peers
def test_dcmtk_does_not_receive_from_us_in_any_other_way(
    tmp_path: Path, node: Tls, pacs: Tls, foreign: Tls, slices: list[Path]
) -> None:
    with _storescp(tmp_path / "archive", *_dcmtk(pacs)) as port:
        refused = _send(_destination(port, foreign), slices)
        misnamed = _send(_destination(port, node, "other.example"), slices)
        plain = _send(_destination(port, None), slices)
    with _storescp(tmp_path / "impostor", *_dcmtk(foreign)) as port:
        impostor = _send(_destination(port, node), slices)
    with _storescp(tmp_path / "unsecured") as port:
        unsecured = _send(_destination(port, node), slices)
    assert {r.outcome for r in (refused, misnamed, plain, impostor, unsecured)} == {Outcome.TRY_AGAIN}
    assert "TLS" in refused.answer
    assert "not valid for 'other.example'" in misnamed.answer
    assert "unable to get local issuer certificate" in impostor.answer
    assert "TLS" in unsecured.answer
    for folder in ("archive", "impostor", "unsecured"):
        assert list((tmp_path / folder).iterdir()) == []


def test_the_commands_take_a_destination_by_its_name(
    secured: Settings, node: Tls, pacs: Tls, slices: list[Path], tmp_path: Path
) -> None:
    with recording_pacs(tls=pacs) as archive:
        delivery = secured.delivery.model_copy(update={"destinations": (_destination(archive.port, node),)})
        configured = secured.model_copy(update={"delivery": delivery})
        to = addressed("pacs", None, lambda: configured)
        assert to.calling == "SEDAS"
        assert echo_peer(to, SCREEN)
        assert send_path(slices[0].parent, to, SCREEN)
        assert len(archive.received) == len(slices)
        with app.running(configured) as port:
            listener = configured.listener.model_copy(update={"port": port})
            known = configured.model_copy(update={"listener": listener})
            site = Site(known.delivery.destinations[0], known, app.open_sessions(known), app.now)
            record = tmp_path / "record.html"
            assert commission(site, record, SCREEN), record.read_text()
            assert "with certificates to the destination, with certificates to the node" in record.read_text()


def test_the_checkup_tries_certificates_and_destinations(secured: Settings, node: Tls, pacs: Tls) -> None:
    with recording_pacs(tls=pacs) as archive:
        there = (_destination(archive.port, node), _destination(archive.port, None))
        delivery = secured.delivery.model_copy(update={"destinations": there[:1]})
        assert checkup(secured.model_copy(update={"delivery": delivery}), SCREEN)
        delivery = secured.delivery.model_copy(update={"destinations": there[1:]})
        assert not checkup(secured.model_copy(update={"delivery": delivery}), SCREEN)


def test_a_bad_certificate_stops_the_node_before_it_listens(secured: Settings, tmp_path: Path) -> None:
    assert secured.listener.tls is not None
    tls = secured.listener.tls.model_copy(update={"key": tmp_path / "gone"})
    listener = secured.listener.model_copy(update={"tls": tls})
    with (
        pytest.raises(EXPECTED, match=r"listener\.tls\.key"),
        app.running(secured.model_copy(update={"listener": listener})),
    ):
        pytest.fail("it runs")
