"""The wheel as a stranger installs it: a clean environment, the command, and a template from inside."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(400)
def test_the_wheel_and_the_sdist_build_and_the_wheel_works_by_itself(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)], check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("wismo-*.whl")
    assert len(list(tmp_path.glob("wismo-*.tar.gz"))) == 1
    home = tmp_path / "env"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    lock = ["-r", str(ROOT / "requirements.lock")]
    subprocess.run([python, "-m", "pip", "install", "-q", *lock], check=True, capture_output=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", str(wheel)], check=True, capture_output=True)
    said = subprocess.run(
        [home / "bin" / "wismo", "--version"], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert said.stdout.startswith("wismo ")
    lint = subprocess.run(
        [home / "bin" / "wismo", "templates", "lint"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert lint.returncode == 0, lint.stderr
    assert str(home) in lint.stdout
    understood = subprocess.run(
        [home / "bin" / "wismo", "understand", "wo ist mein Paket?"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "wismo" in understood.stdout
