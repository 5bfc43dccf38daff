"""Pseudonyms: the only names of cars and drivers that reach a disk.

A pseudonym is the first 16 bytes of HMAC-SHA256 under the key of a month, in hex. Destroying the key of an old month
makes its pseudonyms unlinkable to a car, to each other month's and to anything published. A key that was destroyed is
not made anew: under a second one a car would count for two in its month's statistics. So a mark stays beside each key,
``2026-09.made``, and a mark without a key means that the month is closed for good. Belongs here: keys and the names made
from them. Does not: when a key must go (privacy/erasure).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from pipelines.disk import sync_folder
from pipelines.errors import LakeError

if TYPE_CHECKING:
    from pathlib import Path

_KEY_BYTES = 32
_NAME_BYTES = 16
_DAY_MS = 86_400_000
_REMEMBERED = 200_000  # names kept at hand; about 40 MB at most


class KeyDestroyed(LakeError):  # noqa: N818 - the state of the key is its name
    """The key of a month was there and is gone: nothing can be named under it any more."""


class Pseudonyms:
    """Names under monthly keys.

    A key is read once: who destroys one restarts the processes that may have read it.

    Args:
        keys: the folder of the keys, a file a month; made with the first key.

    Raises:
        KeyDestroyed: by its methods, for a month whose key was destroyed.
    """

    def __init__(self, keys: Path) -> None:
        self._keys = keys
        self._key = lru_cache(maxsize=600)(self._read)
        self._name = lru_cache(maxsize=_REMEMBERED)(self._make)

    def vehicle(self, vehicle: str, at_ms: float) -> str:
        """The pseudonym of a car in the UTC month of ``at_ms`` (epoch milliseconds), 32 hex digits."""
        return self._name(month_of(at_ms), f"vehicle:{vehicle}")

    def driver(self, driver: str, at_ms: float) -> str:
        """The pseudonym of a driver in the UTC month of ``at_ms`` (epoch milliseconds), 32 hex digits."""
        return self._name(month_of(at_ms), f"driver:{driver}")

    def _make(self, month: str, subject: str) -> str:
        return hmac.digest(self._key(month), subject.encode(), hashlib.sha256)[:_NAME_BYTES].hex()

    def _read(self, month: str) -> bytes:
        file, mark = self._keys / f"{month}.key", self._keys / f"{month}.made"
        if mark.exists() and not file.exists():
            raise KeyDestroyed(
                f"the key of {month} was destroyed",
                where=str(file),
                fix=f"restore it from a backup; or delete {mark.name} to begin a new one, under which cars count twice",
            )
        key = key_at(file)
        mark.touch(0o600)
        return key


def month_of(at_ms: float) -> str:
    """The UTC month of ``at_ms`` (epoch milliseconds), as ``2026-09``."""
    return _month(int(at_ms // _DAY_MS))


def key_at(file: Path) -> bytes:
    """The 32-byte key in ``file``, made at first use, readable by its owner alone.

    Two processes that ask at once get the same key.

    Raises:
        LakeError: the file does not hold a key.
    """
    if not file.exists():
        _make_key(file)
    key = file.read_bytes()
    if len(key) != _KEY_BYTES:
        raise LakeError(
            f"the key has {len(key)} bytes instead of {_KEY_BYTES}",
            where=str(file),
            fix="restore it from a backup; deleting it makes a new one and unlinks what the old one named",
        )
    return key


def _make_key(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.chmod(0o700)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(secrets.token_bytes(_KEY_BYTES))
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(draft, file)  # unlike rename, refuses to replace the key that another process has just made
    except FileExistsError:
        return
    finally:
        draft.unlink()
    sync_folder(file.parent)


@lru_cache(maxsize=4096)
def _month(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY_MS / 1000, UTC).strftime("%Y-%m")
