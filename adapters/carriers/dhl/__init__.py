"""DHL's Shipment Tracking - Unified v1.5.8 and its Push v1.2.5: https://developer.dhl.com/api-reference/shipment-tracking.

One answer for all divisions, each in its own words: an event's `status` is two letters with Express, a number, a name
or a fixed sentence elsewhere. Where no table has it, the event's `statusCode` is all that is said. Numbers clash
between divisions, so `service` is always sent. A push is a shipment too, mostly with its newest status alone.
"""

from adapters.carriers.dhl.reading import read, read_track
from adapters.carriers.dhl.source import Dhl, Settings, connect
from adapters.carriers.dhl.words import read_code

__all__ = ["Dhl", "Settings", "connect", "read", "read_code", "read_track"]
