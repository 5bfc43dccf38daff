"""Bytes onto disk: whole, verified, content-addressed, and asked for only when they may have changed.

``fetch`` brings a resource of the catalogue, any URL or a local file, and gives a ``Snapshot``: the bytes of a resource
at one fetch. What is in the bytes is ``conform``'s business; here they are only refused when they are no table at all.

The raw store (``settings.raw``)::

    ab/abcdef…               the bytes, named by their sha256, never changed
    resources/KEY.json       the last snapshot of a resource whose ingest succeeded (``remember``)
    incoming/KEY.part, .json a download under way and what it is part of; the next run goes on from there
    incoming/KEY.lock        held by the process that is fetching KEY
"""

from pipelines.fetch.bring import fetch
from pipelines.fetch.snapshots import Snapshot, address_key, last_snapshot, raw_path, remember, resource_key

__all__ = ["Snapshot", "address_key", "fetch", "last_snapshot", "raw_path", "remember", "resource_key"]
