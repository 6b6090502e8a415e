"""Known holes in what we depend on, and secrets in the tree: `.ci/run` calls both, in front of the tests.

    python .ci/scan.py dependencies [LOCK]     pip-audit over every pinned version
    python .ci/scan.py secrets [FOLDER]        kingfisher over the tree and its history, or over a folder

Both exit with 0 where nothing was found and with 1 where something was. `dependencies` needs PyPI's word on each
version: where that is not to be had (a mirror without it, no network), nobody knows, which is neither. It says NOT
SCANNED, how much of it, and exits with 3; so it does where nothing is found in a version that is known to have a hole.
`secrets` never calls out: a finding is not tried at its provider.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FOUND, UNKNOWN = 1, 3
"""Exit codes."""
HERE = Path(__file__).parent
LOCK = "requirements-test.lock"
"""Holds all that `requirements.lock` does."""
CANARY = "jinja2==2.10"
"""PYSEC-2019-217: whoever finds nothing in it has no word on holes. A mirror that gives no list of them looks alike."""
TOOLS = Path(sys.executable).parent
UNTRACKED = ("*.env", "*.pem", "*.key", "*.p12", "*.pfx", "config.yaml")
"""Names under which secrets are kept beside the tree and never in it."""


INVENTED = ("8f742231b10e8888abcd99yyyzzz85a5", "never-print-me")
"""What looks like a secret and is none: Slack's published example of a signing secret, and a test's password."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known of the pinned versions: holes as lines, and the names of those of which nothing is known."""

    holes: Sequence[str] = ()
    unknown: Sequence[str] = ()
    known: int = 0


def main(arguments: Sequence[str]) -> int:
    """Run one scan; its exit code."""
    what, *where = arguments or [""]
    if what == "dependencies":
        return dependencies(where[0] if where else LOCK)
    if what == "secrets":
        return secrets(where[0] if where else "")
    print(__doc__, file=sys.stderr)
    return 2


def dependencies(lock: str) -> int:
    """Ask pip-audit about a lock file and print what came of it."""
    ran = _audit(lock)
    found = read_audit(ran.stdout)
    if found is None:
        print(f"dependencies: NOT SCANNED, {_last_line(ran.stderr) or 'pip-audit gave no report'}")
        return UNKNOWN
    for hole in found.holes:
        print(f"dependencies: {hole}")
    if found.holes:
        return FOUND
    if found.unknown:
        print(f"dependencies: NOT SCANNED, {len(found.unknown)} of {len(found.unknown) + found.known} pinned versions: "
              f"PyPI's word on them is not to be had here ({', '.join(found.unknown[:3])}, ...)")  # fmt: skip
        return UNKNOWN
    if not _sees_holes():
        print(f"dependencies: NOT SCANNED, what answers for PyPI here knows of no hole in {CANARY} either")
        return UNKNOWN
    print(f"dependencies: no known hole in {found.known} pinned versions")
    return 0


def _audit(lock: str) -> subprocess.CompletedProcess[str]:
    asked = ["-r", lock, "--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    return _run([str(TOOLS / "pip-audit"), *asked])


def _sees_holes() -> bool:
    with TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(CANARY, encoding="utf-8")
        found = read_audit(_audit(str(canary)).stdout)
    return bool(found and found.holes)


def read_audit(report: str) -> Audit | None:
    """pip-audit's report; None where it made none."""
    try:
        told: dict[str, Any] = json.loads(report)
    except ValueError:
        return None
    asked = [d for d in told.get("dependencies", ()) if "skip_reason" not in d]
    holes = [
        f"{d['name']} {d['version']}: {v['id']}, fixed in {', '.join(v.get('fix_versions') or ['no version yet'])}"
        for d in asked
        for v in d["vulns"]
    ]
    return Audit(holes, [d["name"] for d in told.get("dependencies", ()) if "skip_reason" in d], len(asked))


def secrets(folder: str) -> int:
    """Look for credentials: by their own rules and by the shapes of those that Wismo is given (`secrets.yml`)."""
    asked = ["--no-validate", "--no-update-check", "--redact", "--confidence", "medium", "--format", "jsonl"]
    asked += ["--rules-path", str(HERE / "secrets.yml"), "--git-history", "none" if folder else "full"]
    asked += ["--exclude", ".venv"]  # other people's packages, with what looks like secrets in their data
    for word in INVENTED:
        asked += ["--skip-word", word]
    ran = _run([str(TOOLS / "kingfisher"), "scan", folder or ".", *asked])
    found = read_findings(ran.stdout)
    named = [] if folder else _run(["git", "ls-files", *UNTRACKED]).stdout.split()
    if ran.returncode and not found:
        print(f"secrets: kingfisher failed: {_last_line(ran.stderr)}")
        return FOUND
    for line in [*found, *(f"{name}: a file of secrets is tracked" for name in named)]:
        print(f"secrets: {line}")
    if found or named:
        return FOUND
    print("secrets: none")
    return 0


def read_findings(report: str) -> list[str]:
    """kingfisher's report, a JSON value a line: where a secret stands and what it is like; never the secret."""
    told = [json.loads(line) for line in report.splitlines() if line.startswith("{")]
    found = [(t["finding"], t["rule"]) for t in told if isinstance(t.get("finding"), dict)]
    return [f"{at['path']}:{at['line']}: {rule['description']}" for at, rule in found]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
