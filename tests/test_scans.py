"""CI's scans see what they are for: every kind of credential that Wismo is given, and what pip-audit tells."""

import json
import random
import string
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

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
