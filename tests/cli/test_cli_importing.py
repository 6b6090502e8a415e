"""`wismo import`: what it asks, what it keeps for the next time, and that its counts are true."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

Wismo = Callable[..., Result]
HEAD = "order,email,order date,product,tracking\n"


@pytest.fixture
def shop(write_config: Callable[..., Path]) -> Path:
    return write_config()


def placed(folder: Path) -> dict[str, str]:
    with sqlite3.connect(folder / "data" / "wismo.db") as connection:
        rows = connection.execute("SELECT number, placed_at FROM orders").fetchall()
    connection.close()
    return {number: str(at)[:10] for number, at in rows}


def file_of(folder: Path, *rows: str) -> str:
    path = folder / "orders.csv"
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return str(path)


@pytest.mark.usefixtures("shop")
def test_what_is_there_already_is_counted_as_unchanged(wismo: Wismo, tmp_path: Path) -> None:
    rows = ("1001,a@example.org,2026-11-01,Lamp,RB123456785CN", "1002,b@example.org,2026-11-02,Cup,")
    first = wismo("import", file_of(tmp_path, *rows), "--yes")
    assert "✓ 2 orders imported, 0 unchanged, 0 rows left out" in first.output
    again = wismo("import", file_of(tmp_path, *rows), "--yes")
    assert "✓ 0 orders imported, 2 unchanged, 0 rows left out" in again.output
    more = (rows[0].replace("Lamp", "Lantern"), rows[1] + "LX123456785CN", "1003,c@example.org,2026-11-03,Hat,")
    changed = wismo("import", file_of(tmp_path, *more, "1004,nobody,2026-11-03,Hat,"), "--yes")
    assert "✓ 3 orders imported, 0 unchanged, 1 rows left out" in changed.output


@pytest.mark.usefixtures("shop")
def test_a_date_that_can_be_two_days_is_asked_for_once(wismo: Wismo, tmp_path: Path) -> None:
    path = file_of(tmp_path, "1001,a@example.org,26-11-24,Lamp,")
    silent = wismo("import", path, "--yes")
    assert silent.exit_code == 2
    assert "26 November 2024 (day first) or 24 November 2026 (year first)" in silent.output
    assert "--dates" in silent.output
    assert not (tmp_path / "data" / "wismo.db").exists()
    asked = wismo("import", path, typed="year first\ny\n")
    assert (asked.exit_code, placed(tmp_path)) == (0, {"1001": "2026-11-24"})
    again = wismo("import", path, "--yes")
    assert again.exit_code == 0
    assert "“order date” is read year first: 26-11-24 is 24 November 2026." in again.output
    kept = yaml.safe_load((tmp_path / "data" / "import-columns.yaml").read_text())
    assert kept["dates"] == {"order date": "year first"}


@pytest.mark.usefixtures("shop")
def test_a_column_that_tells_is_read_as_it_tells_and_shown(wismo: Wismo, tmp_path: Path) -> None:
    path = file_of(tmp_path, "1001,a@example.org,26-11-24,Lamp,", "1002,b@example.org,26-10-31,Cup,")
    done = wismo("import", path, "--yes")
    assert "is read year first" in done.output
    assert placed(tmp_path) == {"1001": "2026-11-24", "1002": "2026-10-31"}


@pytest.mark.usefixtures("shop")
def test_day_or_month_is_the_countrys_way_where_nobody_says(wismo: Wismo, tmp_path: Path) -> None:
    path = file_of(tmp_path, "1001,a@example.org,03/04/2026,Lamp,")
    guessed = wismo("import", path, "--yes")
    assert "is read day first: 03/04/2026 is 03 April 2026." in guessed.output
    told = wismo("import", path, "--yes", "--dates", "month first")
    assert "is read month first: 03/04/2026 is 04 March 2026." in told.output
    assert placed(tmp_path) == {"1001": "2026-03-04"}
