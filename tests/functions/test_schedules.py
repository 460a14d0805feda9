"""A taste of the random schedules; `schedules.py --seeds` runs as many as you like."""

import pytest
from schedules import run_schedules

MUST_HAPPEN = """
    claimed, ended, entry released, event without text, expired, full, hole in the events, replied, said twice,
    stopped later, stopped now, trimmed history
"""


@pytest.mark.slow
def test_random_schedules():
    stats = run_schedules(range(1, 401))
    for what in map(str.strip, MUST_HAPPEN.split(",")):
        assert stats[what] > 0, f"no schedule had this: {what}"
