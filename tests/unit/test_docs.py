"""The documentation follows the code: generated pages are fresh, links lead somewhere, commands exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import typer.main

from pipelines import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def test_generated_pages_are_fresh() -> None:
    stale = [
        name
        for name, text in _generated().items()
        if (ROOT / "docs/reference" / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path) -> None:
    commands = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    for name, rest in re.findall(
        r"^(?:\$ )?(?:[A-Z_]+=\S+ )*rocade ([a-z]+)(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE
    ):
        assert name in commands, name
        known = {option for parameter in commands[name].params for option in parameter.opts}
        used = re.findall(r"(?<= )--?[a-z][a-z-]*", re.sub(r'"[^"]*"', "", rest))
        assert set(used) <= known | {"--help"}, (name, used)
