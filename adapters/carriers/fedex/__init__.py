"""FedEx, Basic Integrated Visibility (Track API v1): https://developer.fedex.com/api/en-us/catalog/track/v1/docs.html,
with the pushes of Advanced Integrated Visibility, which have the same results in them.

Up to thirty numbers a call. FedEx uses numbers again, so one number may answer with several shipments, told apart
by `trackingNumberUniqueId`: each is a track of its own, and the one sent nearest to our date is ours. Letters
clash between FedEx's groups of codes (EA, CA, SP, RC): there the event's own description decides.
"""

from adapters.carriers.fedex.reading import read, read_code
from adapters.carriers.fedex.source import FedEx, Settings, connect

__all__ = ["FedEx", "Settings", "connect", "read", "read_code"]
