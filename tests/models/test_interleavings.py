"""One speaker under everything at once: 10,000 interleavings in memory, 500 on each real database.

`python -m tests.benchmarks.interleavings` runs 10,000 on all three and prints seed and count.
"""

from pathlib import Path

import pytest

from tests.models.runs import in_memory, on_database

SEED = 20261125
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


async def test_ten_thousand_in_memory(tmp_path: Path) -> None:
    await in_memory(range(SEED, SEED + 10_000), tmp_path)


async def test_five_hundred_on_a_real_database(database_url: str, tmp_path: Path) -> None:
    await on_database(database_url, range(SEED, SEED + 500), tmp_path)
