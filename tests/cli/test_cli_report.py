"""`wismo report`: for people and for programs."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Wismo


def test_a_new_shop_has_a_report_too(wismo: Wismo, write_config: Callable[..., Path]) -> None:
    write_config()
    assert "questions" in wismo("report").output
    told = json.loads(wismo("report", "--json", "--days", "7").output)
    assert (told["duplicates"], told["lost"], told["double_speakers"]) == (0, 0, 0)
    assert told["per_hundred"] is None
