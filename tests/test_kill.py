"""kill -9 and SIGSTOP at random: a short run of `tests/benchmarks/kill.py`, which tells what it does."""

from pathlib import Path

import pytest

from tests.benchmarks.kill import trial


@pytest.mark.timeout(240)
async def test_nothing_acknowledged_is_lost_when_processes_are_killed(database_url: str, tmp_path: Path) -> None:
    result = await trial(database_url, messages=160, workers=2, seconds=15.0, folder=tmp_path, patience=90.0)
    assert result.kills + result.stops >= 5
    assert result.acknowledged == 160
    assert result.unanswered == 0
    assert result.disordered == 0
    assert result.dead == 0
    assert result.doubles <= result.in_flight_at_kills
