"""JSON out of a payload, or the reason why not."""

from __future__ import annotations

from typing import Any

import orjson

from pipelines.collect.formats.message import Unreadable, quoted


def loads(payload: bytes, wanted: str) -> Any:
    """The JSON value in ``payload``.

    Args:
        payload: the bytes of a message.
        wanted: what the sender should send, for people.

    Raises:
        Unreadable: it is not JSON.
    """
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise Unreadable("not_json", f"the payload is not JSON ({error}): {quoted(payload)}; send {wanted}") from error
