"""A small contract and a way to conform text by it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.conform import Conformed, conform
from pipelines.contracts import Contract, load_contract
from pipelines.progress import Silent
from pipelines.settings import Settings


@pytest.fixture
def accidents() -> Contract:
    return load_contract("accidents")


@pytest.fixture
def run(tmp_path: Path, accidents: Contract) -> Callable[..., Conformed]:
    """Conform bytes by the accidents contract."""

    def run(content: bytes | str, name: str = "lieux-2019.csv") -> Conformed:
        data = content.encode() if isinstance(content, str) else content
        source = tmp_path / name
        source.write_bytes(data)
        settings = Settings(home=tmp_path / "home")
        settings.staging.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(data).hexdigest()
        return conform(
            source,
            accidents,
            settings,
            Silent(),
            name=name,
            resource=name,
            sha256=digest,
            target=settings.staging / "clean.parquet",
        )

    return run
