"""What all tests share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def require() -> Callable[[str, str], Path]:
    """`require("mosquitto", "mosquitto")`: the path of a program, or a skip that says which package has it."""

    def path_of(binary: str, package: str) -> Path:
        found = shutil.which(binary, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if found:
            return Path(found)
        say = f"{binary} is not installed: apt-get install {package}"
        if os.environ.get("ROCADE_REQUIRE_ALL") == "1":
            pytest.fail(say)
        pytest.skip(say)

    return path_of
