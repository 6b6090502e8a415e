"""TNT on loopback."""

from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.sandbox.carriers.base import CarrierApi, words

TNT_BATCH = 50


class TntApi(CarrierApi):
    """TNT ExpressConnect Tracking v3.1: XML in a form field, Basic authentication (ExpressConnect Tracking guide)."""

    name, path = "tnt", "/tnt"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [Route("/ectrack/track", self._track, methods=["POST"])]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        address = f"{base}/tnt/ectrack/track"
        return {"username": self.user, "password": self.secret, "base_url": address, "rate": {"per_second": 50}}

    async def _track(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        if not self.basic(request):
            return Response(status_code=401)
        written = str((await request.form()).get("xml_in", ""))
        if "<!" in written.replace("<![CDATA[", ""):
            return Response(status_code=400)
        numbers = [n.text or "" for n in ET.fromstring(written).iter("ConsignmentNumber")]  # noqa: S314 - no DTD got here
        answer = ET.Element("TrackResponse")
        if not 1 <= len(numbers) <= TNT_BATCH:
            error = ET.SubElement(answer, "Error")
            ET.SubElement(error, "Code").text = "1"
            ET.SubElement(error, "Message").text = "between 1 and 50 consignments"
        for number in numbers[:TNT_BATCH]:
            self._consignment(answer, number)
        told: bytes = ET.tostring(answer, encoding="utf-8", xml_declaration=True)
        return Response(told, media_type="text/xml")

    def _consignment(self, answer: ET.Element, number: str) -> None:
        part = ET.SubElement(answer, "Consignment", access="public")
        ET.SubElement(part, "ConsignmentNumber").text = number
        journey = self.journeys.get(number)
        if journey is None:
            ET.SubElement(part, "SummaryCode").text = "CNF"
            return
        scans = [scan for scan in self.happened(journey) if scan[0].sub != "InfoReceived"]
        done = bool(scans) and scans[-1][0].sub == "Delivered_Other"
        ET.SubElement(part, "SummaryCode").text = "DEL" if done else "INT"
        country = ET.SubElement(part, "DestinationCountry")
        ET.SubElement(country, "CountryCode").text = self.destination(journey)
        for step, at in reversed(scans):
            data = ET.SubElement(part, "StatusData")
            ET.SubElement(data, "StatusCode").text = words()[step.sub]["tnt"]
            ET.SubElement(data, "StatusDescription").text = f"{step.text}."
            ET.SubElement(data, "LocalEventDate", format="YYYYMMDD").text = f"{at:%Y%m%d}"
            ET.SubElement(data, "LocalEventTime", format="HHMM").text = f"{at:%H%M}"
            ET.SubElement(data, "DepotName").text = step.place
