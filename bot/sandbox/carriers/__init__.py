"""The carriers' own tracking APIs, and AfterShip's, as their documents describe them, on loopback.

Each knows of a number what lies before the shop's clock, in its own codes (rules/carrier_words.csv), asks for its
own credentials, and refuses what its document refuses: an unknown number, too many numbers, a wrong signature.
"""

from bot.sandbox.carriers.aftership import AfterShipApi
from bot.sandbox.carriers.base import CarrierApi, words
from bot.sandbox.carriers.dhl import DhlApi, MyDhlApi
from bot.sandbox.carriers.ems import EmsApi
from bot.sandbox.carriers.fedex import FedExApi
from bot.sandbox.carriers.sf import SfApi
from bot.sandbox.carriers.tnt import TntApi
from bot.sandbox.carriers.ups import UpsApi

__all__ = [
    "AfterShipApi",
    "CarrierApi",
    "DhlApi",
    "EmsApi",
    "FedExApi",
    "MyDhlApi",
    "SfApi",
    "TntApi",
    "UpsApi",
    "words",
]
