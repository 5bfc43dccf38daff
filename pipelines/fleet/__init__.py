"""Cars to try Rocade with: a simulated fleet, and real logs played back over MQTT.

What belongs here: everything that stands on the car's side of the broker, and the small broker itself for a machine
that has none. Nothing here reads the lake or knows how the collector works; the broker is the only way across.
"""
