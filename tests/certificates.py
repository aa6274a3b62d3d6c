"""Certificates for tests, made by the openssl program: two authorities, and who has a certificate of which."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.settings import Tls
from tests.peers import require

_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True)
class Authority:
    """A certification authority in a folder of its own."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, names: str = _NAMES) -> Tls:
        """A certificate for that name, its key, and this authority as the one to be trusted."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        _openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}", "-addext", names)
        _openssl(
            "x509", "-req", "-in", request, "-out", certificate, "-days", "2", "-copy_extensions", "copy",
            "-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
        )  # fmt: skip
        return Tls(certificate=certificate, key=key, ca=self.certificate)


def authority(folder: Path) -> Authority:
    """A new one."""
    folder.mkdir(parents=True)
    made = Authority(folder)
    key = folder / "ca.key"
    _openssl(
        "req", "-x509", *_NEW_KEY, "-keyout", key, "-out", made.certificate, "-days", "2", "-subj", f"/CN={folder.name}"
    )  # fmt: skip
    return made


def encrypted(key: Path) -> Path:
    """The same key behind a password."""
    locked = key.with_suffix(".locked")
    _openssl("pkey", "-in", key, "-out", locked, "-aes256", "-passout", "pass:secret")
    return locked


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([require("openssl"), *map(str, arguments)], capture_output=True, check=True, timeout=60)
