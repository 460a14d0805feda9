"""A taste of the random schedules; `schedules.py --seeds` runs as many as you like."""

from schedules import run_schedules


def test_random_schedules():
    stats = run_schedules(range(1, 301))
    for what in ("replied", "claimed", "stopped now", "stopped later", "hole in the events", "begun again", "said twice",
                 "event without text", "entry released", "ended", "expired", "trimmed history", "full"):  # fmt: skip
        assert stats[what] > 0, f"no schedule had this: {what}"
