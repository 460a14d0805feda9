"""A short run of scripts/chaos: what is promised holds while processes die, stall, leave and lose each other."""

import random
import sys

import pytest

from banter import ROOT

sys.path.insert(0, str(ROOT / "tests" / "chaos"))
from chaos import Run  # noqa: E402


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["banter", str(random.SystemRandom().randrange(10**6))], ids=["fixed", "drawn"])
def test_promises_hold_in_chaos(tmp_path_factory, seed):
    run = Run(tmp_path_factory.mktemp("chaos"), seed, seconds=10, sessions=20)
    faults = run.run()
    print("\n".join(run.report()))
    assert not faults, f"{len(faults)} faults with seed {seed}"
