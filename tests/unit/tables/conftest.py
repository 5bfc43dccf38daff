"""A world is a state folder with helpers to fill it and to look at it: see table_worlds.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from table_worlds import World

from pipelines.settings import Settings


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Settings(home=tmp_path / "state"))


@pytest.fixture
def new_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], World]:
    """For tests that need several, or one an example."""
    return lambda: World(Settings(home=tmp_path_factory.mktemp("world") / "state"))
