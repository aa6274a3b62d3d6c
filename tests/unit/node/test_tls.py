from pathlib import Path
from ssl import CERT_REQUIRED, TLSVersion

import pytest

from config.load import BadConfig
from config.settings import Destination, Listener, Tls
from node.tls import own_listener, peer_of, server_context
from tests.certificates import Authority, authority, encrypted


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls") / "hospital")


@pytest.fixture(scope="module")
def node(hospital: Authority) -> Tls:
    return hospital.issue("node")


def _destination(tls: Tls | None, server_name: str | None = None) -> Destination:
    return Destination(
        name="pacs", ae_title="PACS", host="pacs.example", port=104, tls=tls, server_name=server_name
    )


def test_nothing_is_negotiated_down(node: Tls) -> None:
    context = server_context(node)
    assert context.minimum_version == TLSVersion.TLSv1_2
    assert context.verify_mode == CERT_REQUIRED
    for cipher in context.get_ciphers():
        assert cipher["aead"], cipher["name"]
        assert cipher["name"].startswith(("TLS_", "ECDHE-")), cipher["name"]  # TLS_: those of TLS 1.3


def test_a_destination_is_verified_by_its_name(node: Tls) -> None:
    for server_name, expected in ((None, "pacs.example"), ("archive", "archive")):
        secured = peer_of(_destination(node, server_name)).tls
        assert secured is not None
        assert secured.server_name == expected
        assert secured.context.check_hostname
        assert secured.context.verify_mode == CERT_REQUIRED


def test_without_the_setting_there_is_no_tls() -> None:
    assert peer_of(_destination(None)).tls is None
    assert own_listener(Listener()).tls is None


@pytest.mark.parametrize("key", ["certificate", "key", "ca"])
def test_a_file_that_is_not_there_is_named_by_its_setting(node: Tls, tmp_path: Path, key: str) -> None:
    gone = node.model_copy(update={key: tmp_path / "gone.pem"})
    with pytest.raises(BadConfig, match=rf"listener\.tls\.{key}: .*No such file"):
        server_context(gone)
    with pytest.raises(BadConfig, match=rf"delivery\.destinations, pacs: tls\.{key}: .*No such file"):
        peer_of(_destination(gone))


@pytest.mark.parametrize("key", ["certificate", "key", "ca"])
def test_a_file_of_another_kind_is_named_and_not_quoted(node: Tls, tmp_path: Path, key: str) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("a secret in the wrong file")
    with pytest.raises(BadConfig, match=rf"listener\.tls\.{key}: ") as refusal:
        server_context(node.model_copy(update={key: rubbish}))
    assert "secret" not in str(refusal.value)


def test_a_key_of_another_certificate_is_refused(node: Tls, hospital: Authority) -> None:
    other = hospital.issue("other")
    with pytest.raises(BadConfig, match=r"listener\.tls\.key: is not the key of listener\.tls\.certificate"):
        server_context(node.model_copy(update={"key": other.key}))


def test_nobody_is_asked_for_the_password_of_a_key(node: Tls) -> None:
    with pytest.raises(BadConfig, match=r"listener\.tls\.key: is encrypted"):
        server_context(node.model_copy(update={"key": encrypted(node.key)}))
