"""Rocade: French open data and connected-car telemetry, in one validated lake.

The folders are the flow, left to right: ``catalog`` and ``fetch`` bring bytes, ``conform`` makes them typed rows,
``collect`` does the same for MQTT, ``quality`` gives the verdict, ``lake`` keeps what passed, ``tables`` derives the
rest. A stage reads from its left and knows nothing of its right.
"""

__version__ = "0.1.0"
