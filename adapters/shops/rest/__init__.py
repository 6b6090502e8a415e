"""The signed REST by which a shop, a warehouse or a forwarder tells us of orders and scans.

    PUT /api/orders/{number}                    scope orders
    PUT /api/parcels/{carrier}/{number}/scans   scope scans
    GET /api/openapi.json                       the schema, for anybody

Headers X-Wismo-Key, X-Wismo-Timestamp (Unix seconds, within 300 s of the machine's clock) and
X-Wismo-Signature: v1=<hex HMAC-SHA256(secret, timestamp.METHOD.path?query.body)>. A body is checked at once
(422 names each field), stored as an event and answered 202; an older `updated_at` than known is ignored later.
"""

from adapters.shops.rest.bodies import OrderBody, ScansBody, order_of, track_of
from adapters.shops.rest.port import Rest, Settings, connect
from adapters.shops.rest.schema import openapi

__all__ = ["OrderBody", "Rest", "ScansBody", "Settings", "connect", "openapi", "order_of", "track_of"]
