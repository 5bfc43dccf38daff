"""From bytes to typed rows and rejected rows.

Belongs here: finding out what a file is (encoding, separator, header), which layout of the contract it has, casting it in
one scan, and splitting clean rows from rejected ones. Does not: deciding whether the result may be published (quality), or
where it goes (lake).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.lazy import lazily

if TYPE_CHECKING:
    from pipelines.conform.split import Conformed, conform

__getattr__ = lazily(__name__, {"Conformed": "split", "conform": "split"})

__all__ = ["Conformed", "conform"]
