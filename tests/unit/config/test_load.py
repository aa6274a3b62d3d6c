"""Configuration: read once, refused as a whole."""

import re
from pathlib import Path

import pytest

from config.load import BadConfig, load
from config.settings import Listener, Settings
from tests.conftest import ROOT

EXAMPLE = ROOT / "config" / "example.toml"


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load(_file(tmp_path, ""), {}) == Settings()


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    path = _file(tmp_path, '[listener]\nae_titel = "X"\nport = 70000\n[delivery]\nfirst_retry_s = "soon"')
    with pytest.raises(BadConfig) as refusal:
        load(path, {})
    for mistake in ("listener.ae_titel", "listener.port", "delivery.first_retry_s"):
        assert mistake in str(refusal.value)


def test_the_environment_stands_above_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, "[listener]\nport = 104")
    environment = {"SEDAS_NODE_LISTENER__PORT": "11113", "SEDAS_NODE_LISTENER__AE_TITLE": "NODE 2"}
    listener = load(path, environment).listener
    assert (listener.port, listener.ae_title) == (11113, "NODE 2")


@pytest.mark.parametrize(
    ("credential", "section", "key"),
    [("audit.key", "audit", "key_file"), ("database-password", "storage", "database_password_file")],
)
def test_a_systemd_credential_is_a_secret_unless_the_file_names_one(
    tmp_path: Path, credential: str, section: str, key: str
) -> None:
    def named() -> object:
        settings = load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
        return getattr(getattr(settings, section), key)

    path = _file(tmp_path, "")
    assert named() is None
    (tmp_path / credential).touch()
    assert named() == tmp_path / credential
    path.write_text(f'[{section}]\n{key} = "/elsewhere"')
    assert named() == Path("/elsewhere")


@pytest.mark.parametrize(
    ("url", "mistake"),
    [
        ("postgresql://sedas:secret@host/sedas", "holds a password"),
        ("postgresql+psycopg://sedas@host/sedas?password=secret", "holds a password"),
        ("mysql://host/sedas", "expected sqlite:///PATH or postgresql://"),
        ("/var/lib/sedas.sqlite", "expected sqlite:///PATH or postgresql://"),
    ],
)
def test_a_database_url_that_holds_a_secret_or_is_none_is_refused(
    tmp_path: Path, url: str, mistake: str
) -> None:
    with pytest.raises(BadConfig, match=mistake) as refusal:
        load(_file(tmp_path, f'[storage]\ndatabase_url = "{url}"'), {})
    assert "secret" not in str(refusal.value)


def test_a_database_url_of_each_kind_is_taken(tmp_path: Path) -> None:
    for url in ("sqlite:////a.sqlite", "postgresql://u@host:5432/name?sslmode=require", "postgresql:///name"):
        taken = load(_file(tmp_path, f'[storage]\ndatabase_url = "{url}"'), {})
        assert taken.storage.url == url


def test_a_list_in_the_environment_is_toml(tmp_path: Path) -> None:
    environment = {"SEDAS_NODE_LISTENER__CALLING_AE_TITLES": '["A", "B"]'}
    assert load(_file(tmp_path, ""), environment).listener.calling_ae_titles == ("A", "B")


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, "[listener]\nport = 104")
    assert load(None, {"SEDAS_NODE_CONFIG": str(path)}).listener.port == 104


@pytest.mark.parametrize("text", ["port = ", "\xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadConfig, match="not TOML"):
        load(path, {})


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="No such file"):
        load(tmp_path / "none.toml", {})


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "back\\slash", "tab\t"])
def test_an_impossible_ae_title_is_refused(tmp_path: Path, title: str) -> None:
    with pytest.raises(BadConfig, match=r"listener\.ae_title"):
        load(_file(tmp_path, f"[listener]\nae_title = {title!r}"), {})


@pytest.mark.parametrize(
    ("addresses", "mistake"),
    [
        ('{ CT = ["10.0.0.0/8"] }', "listener.caller_addresses names CT, who may not associate"),
        ('{ PACS = ["10.0.0.300"] }', "listener.caller_addresses.PACS.0"),
        ('{ PACS = ["10.0.0.1/8"] }', "listener.caller_addresses.PACS.0"),
    ],
)
def test_an_address_of_nobody_and_no_address_are_refused(
    tmp_path: Path, addresses: str, mistake: str
) -> None:
    text = f'[listener]\ncalling_ae_titles = ["PACS"]\ncaller_addresses = {addresses}'
    with pytest.raises(BadConfig) as refusal:
        load(_file(tmp_path, text), {})
    assert mistake in str(refusal.value)


@pytest.mark.parametrize(
    ("title", "address", "is_admitted"),
    [
        ("PACS", "10.1.2.3", True),
        ("PACS", "11.1.2.3", False),
        ("PACS", "::ffff:10.1.2.3", True),
        ("PACS", "fd00::1", True),
        ("CT", "11.1.2.3", True),
    ],
)
def test_a_title_is_admitted_from_its_addresses(title: str, address: str, is_admitted: bool) -> None:
    listener = Listener.model_validate({"caller_addresses": {"PACS": ["10.0.0.0/8", "fd00::/8"]}})
    assert listener.admits(title, address) is is_admitted


def test_two_destinations_of_one_name_are_refused(tmp_path: Path) -> None:
    one = '[[delivery.destinations]]\nname = "a"\nae_title = "A"\nhost = "h"\nport = 104\n'
    with pytest.raises(BadConfig, match="two destinations are named a"):
        load(_file(tmp_path, one + one), {})


def test_the_example_names_every_setting_with_its_default() -> None:
    example, default = load(EXAMPLE, {}), Settings()
    assert example.listener.model_copy(update={"calling_ae_titles": ()}) == default.listener
    assert example.delivery.model_copy(update={"destinations": ()}) == default.delivery
    for section in Settings.model_fields.keys() - {"listener", "delivery"}:
        assert getattr(example, section) == getattr(default, section)
    text = EXAMPLE.read_text()
    for section, kind in Settings.model_fields.items():
        for key in type(getattr(default, section)).model_fields:
            assert f"{key} = " in text or f"[{section}.{key}]" in text, f"{section}.{key} of {kind}"


def test_a_key_for_syslog_has_a_certificate(tmp_path: Path) -> None:
    text = '[audit.syslog]\nhost = "audit.example"\nca_file = "ca.pem"\nkey = "key.pem"'
    with pytest.raises(BadConfig, match="certificate and key go together"):
        load(_file(tmp_path, text), {})


def test_what_the_example_leaves_out_can_be_taken_in(tmp_path: Path) -> None:
    text = re.sub(r"^# (?=\[|\w+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    taken = load(_file(tmp_path, text), {})
    (destination,) = taken.delivery.destinations
    assert taken.listener.tls is not None
    assert destination.tls == taken.listener.tls
    assert destination.server_name == "pacs.example"


def _file(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path
