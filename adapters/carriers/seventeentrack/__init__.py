"""17TRACK, the aggregator: https://asset.17track.net/api/document/v2.4_en/index.html (API v2.4).

HTTP 200 does not mean success: the envelope decides per number. Registering a number returns no events; they
come minutes later by push. One number costs one quota unit, asking again is free. The tables beside this
package hold its statuses, errors and carrier keys.
"""

from adapters.carriers.seventeentrack.reading import read
from adapters.carriers.seventeentrack.source import Settings, connect

__all__ = ["Settings", "connect", "read"]
