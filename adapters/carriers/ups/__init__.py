"""UPS: Track v1 by number and Track Alert by push (https://github.com/UPS-API/api-documentation, MIT).

A status is read by its number first, then by type and code, then by the type alone. The types promise little: D
is a loaded van as much as a delivery, X may still come on time. GMT fields are the instant, `date` and `time` the
wall clock on the spot. A number that UPS does not know is a 200 with a warning (TW0001) as often as a 404.
"""

from adapters.carriers.ups.reading import ALERT_TIME, TIME, read, read_status, read_time
from adapters.carriers.ups.source import Settings, Ups, connect

__all__ = ["ALERT_TIME", "TIME", "Settings", "Ups", "connect", "read", "read_status", "read_time"]
