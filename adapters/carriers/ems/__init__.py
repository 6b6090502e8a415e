"""EMS and China Post through the partner platform of China Post's express company, for customers with a contract.

The official text (中小电商企业接口规范, api.ems.com.cn) lies behind a login; what stands here is what several clients
agree on (facts 3.6): one address, `apiCode` 040001 to ask and 040002 to be told, the body as JSON sealed with SM4 in
the field `logitcsInterface` (their spelling), and times that are China's wall clock. Without a contract these parcels
are an aggregator's. An ordinary small packet (U…CN, or nine digits) is not tracked from end to end: its scans may end
at the border.
"""

from adapters.carriers.ems.reading import carrier_of, read, read_code
from adapters.carriers.ems.seal import opened, sealed
from adapters.carriers.ems.source import Settings, connect

__all__ = ["Settings", "carrier_of", "connect", "opened", "read", "read_code", "sealed"]
