"""Files that are there whole or not at all, also after a power cut.

Belongs here: what every stage that keeps state needs of the file system. Does not: what is in the files, or where they go.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a small UTF-8 file; a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.write_text(text, encoding="utf-8")
    settle(draft, path)


def settle(draft: Path, path: Path) -> None:
    """Give a finished ``draft`` its final name, on the same file system; returns when it would survive a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sync_file(draft)
    draft.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make what was written to ``path`` survive a power cut; its name does not until its folder is synced, too."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make renames and new files in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
