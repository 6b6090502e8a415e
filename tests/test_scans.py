"""CI's scans see what they are for: every kind of credential that Wismo is given, and what pip-audit tells.

PyPI's answers are written after docs.pypi.org/api/json, "Known vulnerabilities".
"""

import json
import os
import random
import ssl
import string
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SCAN = Path(__file__).parents[1] / ".ci" / "scan.py"
WORD, HEX = string.ascii_letters + string.digits, "0123456789abcdef"


def made(kind: str, length: int, letters: str = WORD) -> str:
    """Something of this length that could be a real one; put together here, so that this file holds none."""
    dice = random.Random(kind)
    return "".join(dice.choice(letters) for _ in range(length))


SLACK = "-".join(("xoxb", made("a", 12, string.digits), made("b", 13, string.digits), made("s", 24)))
KEY = "\n".join(made(f"k{n}", 64) for n in range(20))
PLANTED = {
    "telegram": "token: " + made("t", 10, string.digits) + ":AA" + made("tt", 33),
    "slack bot": "bot_token: " + SLACK,
    "slack signing": "signing_secret: '" + made("ss", 32, HEX) + "'",
    "whatsapp": 'access_token = "EA' + "A" + made("w", 180) + '"',
    "whatsapp app": "WHATSAPP_APP_SECRET=" + made("wa", 32, HEX),
    "17TRACK": "key: " + made("17", 32, HEX.upper()),
    "fedex": "client_secret: " + made("f", 32, HEX),
    "ups": "client_secret: " + made("u", 64),
    "dhl": "api_key: " + made("d", 32),
    "database": "url: postgresql://wismo:" + made("p", 16) + "@db.example.net/wismo",
    "private key": "-----BEGIN " + f"PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----",
}  # fmt: skip


@pytest.fixture(scope="module")
def scan() -> ModuleType:
    spec = spec_from_file_location("scan", SCAN)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["scan"] = module
    spec.loader.exec_module(module)
    return module


def secrets_in(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCAN, "secrets", str(folder)], capture_output=True, text=True, check=False)


def test_every_kind_of_credential_is_seen_and_none_is_printed(tmp_path: Path) -> None:
    for number, line in enumerate(PLANTED.values()):
        (tmp_path / f"f{number}.yaml").write_text(f"some:\n  {line}\n")
    told = secrets_in(tmp_path)
    assert told.returncode == 1
    seen = {kind for number, kind in enumerate(PLANTED) if f"f{number}.yaml" in told.stdout}
    assert seen == set(PLANTED)
    assert not any(line.split()[-1] in told.stdout for line in PLANTED.values())


def test_other_peoples_packages_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "data.yaml").write_text(f"{PLANTED['slack bot']}\n")
    told = secrets_in(tmp_path)
    assert (told.returncode, told.stdout) == (0, "secrets: none\n")


def test_a_reference_to_a_secret_is_none(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("token: ${TELEGRAM_TOKEN}\nurl: postgresql://wismo:${PASSWORD}@db/wismo\n")
    told = secrets_in(tmp_path)
    assert (told.returncode, told.stdout) == (0, "secrets: none\n")


def audited(scan: ModuleType, monkeypatch: pytest.MonkeyPatch, report: str, error: str = "") -> int:
    ran = subprocess.CompletedProcess([], 1, report, error)
    monkeypatch.setattr(scan, "_run", lambda _: ran)
    monkeypatch.setattr(scan, "_sees_holes", lambda: True)
    return int(scan.dependencies("a.lock"))


def report(**found: object) -> str:
    pinned = {"name": "jinja2", "version": "3.1.6"} | found
    return json.dumps({"dependencies": [{"name": "yarl", "version": "1.25.1", "vulns": []}, pinned], "fixes": []})


def test_a_hole_fails_and_names_the_version_that_has_none(
    scan: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hole = {"id": "PYSEC-2026-1", "fix_versions": ["3.1.7"], "description": ""}
    assert audited(scan, monkeypatch, report(vulns=[hole])) == 1
    assert capsys.readouterr().out == "dependencies: jinja2 3.1.6: PYSEC-2026-1, fixed in 3.1.7\n"


def test_no_hole_passes(scan: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(scan, monkeypatch, report(vulns=[])) == 0
    assert "no known hole in 2 pinned versions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "error"), [(report(skip_reason="not found"), ""), ("", "ConnectionError: no network"), ("", "")]
)
def test_what_nobody_knows_is_never_a_pass(
    scan: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, error: str
) -> None:
    assert audited(scan, monkeypatch, said, error) == 3
    assert "NOT SCANNED" in capsys.readouterr().out


# ---- the whole of it, at a PyPI of our own ------------------------------------------------------------------


HOLE: Mapping[str, Any] = {
    "id": "PYSEC-2026-1",
    "aliases": ["CVE-2026-1"],
    "details": "Anything goes.",
    "summary": None,
    "fixed_in": ["3.1.7"],
    "link": "https://osv.dev/vulnerability/PYSEC-2026-1",
    "source": "osv",
    "withdrawn": None,
}


@dataclass
class PyPI:
    """What stands at pypi.org, by the path of a version; `None` is a mirror that has no list of holes."""

    folder: Path
    port: int = 0
    holes: dict[str, list[Mapping[str, Any]] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def scan(self, *pinned: str) -> subprocess.CompletedProcess[str]:
        """`scan.py dependencies` as CI runs it, by way of a proxy that leads here."""
        lock = self.folder / "a.lock"
        lock.write_text("\n".join(pinned))
        known = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        way = {"HTTPS_PROXY": f"http://127.0.0.1:{self.port}", "REQUESTS_CA_BUNDLE": str(self.folder / "ca.pem")}
        home = {"HOME": str(self.folder), "PIP_CACHE_DIR": str(self.folder / "cache")}
        asked = [sys.executable, str(SCAN), "dependencies", str(lock)]
        return subprocess.run(asked, capture_output=True, text=True, check=False, env={**known, **way, **home})

    def answer(self, path: str) -> bytes:
        """GET /pypi/<name>/<version>/json."""
        self.asked.append(path)
        told: dict[str, Any] = {"info": {}, "urls": []}
        found = self.holes.get(path, [])
        return json.dumps(told if found is None else told | {"vulnerabilities": found}).encode()


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate for pypi.org, which only this test trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(datetime.now(UTC) - timedelta(days=1))
    made = made.not_valid_after(datetime.now(UTC) + timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("pypi.org")]), critical=False)
    (folder / "ca.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    kinds = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *kinds))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@pytest.fixture
def pypi(tmp_path: Path) -> Iterator[PyPI]:
    made, context = PyPI(tmp_path), certificate(tmp_path)

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            self.send_response(200)
            self.end_headers()
            with context.wrap_socket(self.connection, server_side=True) as line:
                reading = line.makefile("rb")
                path = reading.readline().split()[1].decode()
                while reading.readline().strip():
                    pass
                body = made.answer(path)
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                line.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        made.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


CANARY = "/pypi/jinja2/2.10/json"


def test_a_vulnerable_version_fails_the_scan(pypi: PyPI) -> None:
    pypi.holes = {CANARY: [HOLE], "/pypi/yarl/1.25.1/json": [HOLE]}
    told = pypi.scan("jinja2==3.1.6", "yarl==1.25.1")
    assert (told.returncode, told.stdout) == (1, "dependencies: yarl 1.25.1: PYSEC-2026-1, fixed in 3.1.7\n")
    assert {"/pypi/jinja2/3.1.6/json", "/pypi/yarl/1.25.1/json"} <= set(pypi.asked)


def test_sound_versions_pass_where_holes_are_known(pypi: PyPI) -> None:
    pypi.holes = {CANARY: [HOLE], "/pypi/yarl/1.25.1/json": [{**HOLE, "withdrawn": "2026-11-01T00:00:00Z"}]}
    told = pypi.scan("jinja2==3.1.6", "yarl==1.25.1")
    assert (told.returncode, told.stdout) == (0, "dependencies: no known hole in 2 pinned versions\n")


@pytest.mark.parametrize("holes", [None, []])
def test_a_mirror_that_knows_of_no_holes_is_no_pass(pypi: PyPI, holes: list[Mapping[str, Any]] | None) -> None:
    pypi.holes = {CANARY: holes, "/pypi/yarl/1.25.1/json": holes}
    told = pypi.scan("yarl==1.25.1")
    assert told.returncode == 3
    assert "NOT SCANNED" in told.stdout
