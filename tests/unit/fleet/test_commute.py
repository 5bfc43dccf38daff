"""Generated driving: it arrives, keeps near the limits, and its accelerations are a driver's."""

import numpy as np
import pytest

from pipelines.fleet.cycles.commute import commute
from pipelines.fleet.vehicles import Style

CALM, SPORTY = Style(0.75, 0.95, 2000), Style(1.4, 1.08, 3000)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("hz", [1, 4])
def test_a_drive_begins_and_ends_standing_and_has_the_length_asked_for(seed: int, hz: float) -> None:
    speed = commute(15_000, SPORTY, np.random.default_rng(seed), hz)
    assert not speed[: round(5 * hz)].any()
    assert not speed[-round(5 * hz) :].any()
    assert (speed[:-1] + speed[1:]).sum() / 2 / hz == pytest.approx(15_000, abs=20)
    assert (speed >= 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_nobody_drives_much_faster_than_110(seed: int) -> None:
    assert commute(20_000, CALM, np.random.default_rng(seed)).max() * 3.6 < 125


@pytest.mark.parametrize("seed", range(8))
def test_accelerations_are_a_drivers(seed: int) -> None:
    change = np.diff(commute(15_000, CALM, np.random.default_rng(seed)))
    assert change.max() < 2
    assert change.min() > -3.5


def test_a_sporty_driver_accelerates_harder() -> None:
    calm, sporty = (np.diff(commute(15_000, style, np.random.default_rng(3))) for style in (CALM, SPORTY))
    assert np.quantile(sporty, 0.98) > 1.3 * np.quantile(calm, 0.98)
