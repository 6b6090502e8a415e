"""China Post's partner platform on loopback."""

import base64
import json
from datetime import datetime

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.sandbox.carriers.base import HOME, CarrierApi, words
from bot.sandbox.shop import Step


class EmsApi(CarrierApi):
    """China Post's partner platform: a form whose body is sealed with SM4 (facts 3.6; no document is public)."""

    name, path = "ems", "/ems"

    def routes(self) -> list[Route]:
        """The paths of the API."""
        return [Route("/open", self._open, methods=["POST"])]

    def settings(self, base: str) -> dict[str, object]:
        """The bot's config for this account."""
        address = f"{base}/ems/open"
        return {"sender_no": self.user, "authorization": "sandbox", "secret_key": self.secret, "base_url": address}

    async def _open(self, request: Request) -> Response:
        if (busy := self.busy()) is not None:
            return busy
        form = {k: str(v) for k, v in (await request.form()).items()}
        if form.get("senderNo") != self.user or form.get("authorization") != "sandbox":
            return JSONResponse({"retCode": "B00010", "retMsg": "授权码错误", "success": False})
        if form.get("apiCode") != "040001":
            return JSONResponse({"retCode": "B00040", "retMsg": "接口代码错误", "success": False})
        try:
            asked = json.loads(self._unsealed(form.get("logitcsInterface", "")))
        except ValueError:
            return JSONResponse({"retCode": "B00020", "retMsg": "解密失败", "success": False})
        journey = self.journeys.get(str(asked.get("waybillNo", "")))
        items = [self._item(journey.number, *scan) for scan in self.happened(journey)] if journey else []
        body = json.dumps({"responseItems": items}, ensure_ascii=False)
        return JSONResponse({"retCode": "00000", "retMsg": "成功", "success": True, "retBody": body})

    def _unsealed(self, text: str) -> bytes:
        raw = base64.b64decode(text.removeprefix("|$4|"), validate=True)
        cipher = Cipher(algorithms.SM4(bytes.fromhex(self.secret)), modes.ECB()).decryptor()  # noqa: S305
        unpadder = padding.PKCS7(128).unpadder()
        plain = unpadder.update(cipher.update(raw) + cipher.finalize()) + unpadder.finalize()
        key = base64.b64encode(bytes.fromhex(self.secret))
        if not plain.endswith(key):
            raise ValueError("the key does not stand behind the text")
        return plain.removesuffix(key)

    def _item(self, number: str, step: Step, at: datetime) -> dict[str, str]:
        code = words()[step.sub]["ems"]
        return {
            "waybillNo": number,
            "opTime": at.astimezone(HOME).isoformat(),
            "opCode": code,
            "opName": step.text,
            "opDesc": step.text,
            "opOrgCity": step.place,
            "countryCode": step.country,
        }
