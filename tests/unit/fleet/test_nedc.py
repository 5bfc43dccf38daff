"""The cycle against its definition's totals and, where present, against JRC's list of it."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.fleet.cycles.nedc import SECONDS, nedc, nedc_cycle

JRC = Path(__file__).parents[3] / "../shared/data/vehicles/cycles/V_nedc.txt"


def test_totals_are_those_of_the_regulation() -> None:
    speed = nedc() * 3.6
    assert len(speed) == SECONDS + 1 == 1181
    assert speed.sum() / 3600 == pytest.approx(11.013, abs=0.001)
    assert speed.max() == pytest.approx(120)
    assert speed[0] == speed[-1] == 0
    assert speed[:781].sum() / 3600 == pytest.approx(4 * 1.013, abs=0.01)  # part one


def test_distance_does_not_depend_on_the_rate() -> None:
    fine, _ = nedc_cycle().at(10)
    assert fine.sum() / 10 == pytest.approx(nedc().sum(), rel=1e-4)
    assert fine[::10] == pytest.approx(nedc())


@pytest.mark.skipif(not JRC.exists(), reason="JRC's speed list is not in ../shared/data")
def test_every_second_agrees_with_jrc() -> None:
    theirs = np.array(JRC.read_text(encoding="ascii").split(), dtype=float)  # from second 1
    assert np.abs(nedc()[1:] * 3.6 - theirs).max() < 0.01
