"""The OHIF viewer over an Orthanc's DICOMweb, served on one port of this machine."""

import json
import os
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.peers import FOREIGN_PATH

ROOT = Path(__file__).parent.parent
OHIF = ROOT / ".ohif/package/dist"
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PICTURES = "SEDAS_OHIF_PICTURES"
"""In the environment: the folder for screenshots, which `make ohif` asks for."""

_BROWSERS = ("chromium-headless-shell", "chromium")
_DATA_SOURCE = {
    "wadoUriRoot": "/dicom-web",
    "qidoRoot": "/dicom-web",
    "wadoRoot": "/dicom-web",
    "imageRendering": "wadors",
    "thumbnailRendering": "wadors",
    "enableStudyLazyLoad": True,
}
_CONFIGURATION: dict[str, object] = {
    "routerBasename": None,
    "extensions": [],
    "modes": [],
    "customizationService": {"ohif.tours": {"$set": []}},
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "pacs",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "pacs",
            "configuration": _DATA_SOURCE | {"friendlyName": "PACS", "name": "pacs"},
        }
    ],
}


def chromium() -> str:
    """The browser; where it, OHIF or DICOMweb is missing the test is skipped, or fails where pictures are asked for."""
    found = [path for name in _BROWSERS if (path := shutil.which(name, path=FOREIGN_PATH))]
    parts = {"Chromium": bool(found), "OHIF": OHIF.is_dir(), "Orthanc's DICOMweb plugin": DICOMWEB.exists()}
    missing = [name for name, here in parts.items() if not here]
    if missing:
        reason = f"{', '.join(missing)}: not here; `make ohif` brings all of it"
        if PICTURES in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found[0]


class _Handler(SimpleHTTPRequestHandler):
    """OHIF's files, the page for every other path, and DICOMweb from the archive behind."""

    def __init__(self, *arguments: object, archive: str, **named: object) -> None:
        self.archive = archive
        super().__init__(*arguments, **named)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        with suppress(ConnectionError):  # of a page that was left
            if self.path.startswith("/dicom-web/"):
                self._forward()
            elif self.path == "/app-config.js":
                content = f"window.config = {json.dumps(_CONFIGURATION)};"
                self._answer(HTTPStatus.OK, "text/javascript", content.encode())
            else:
                if not Path(self.translate_path(self.path)).is_file():
                    self.path = "/index.html"
                super().do_GET()

    def _forward(self) -> None:
        request = urllib.request.Request(self.archive + self.path)
        request.add_header("Accept", self.headers.get("Accept", "*/*"))
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                self._answer(answer.status, answer.headers["Content-Type"], answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                self._answer(refused.code, "text/plain", refused.read())

    def _answer(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@contextmanager
def ohif(archive_port: int) -> Iterator[str]:
    """The address of an OHIF that shows what the archive on that port of this machine has."""
    handler = partial(_Handler, directory=str(OHIF), archive=f"http://127.0.0.1:{archive_port}")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
