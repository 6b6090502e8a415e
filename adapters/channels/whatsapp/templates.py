"""The approved templates of a WhatsApp Business Account: listed page by page, and handed in.

Source: Meta's Business Management API pages "Message templates" (fields, named parameters, cursors) and "Time-to-live"
(`message_send_ttl_seconds`, 30 to 43,200 for utility), and the Graph API's "WhatsApp Business HSM" (what is listed).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from bot.errors import Refused
from bot.model.templates import Body, ListedTemplate
from bot.ports import TemplateRegistry

FIELDS = "name,language,status,category,quality_score,message_send_ttl_seconds,components"
PAGE = 100
"""Templates a page."""


class Templates(TemplateRegistry):
    """One account's templates; `call` speaks to the Graph API and raises our errors."""

    def __init__(self, call: Callable[..., Awaitable[dict[str, Any]]], url: str) -> None:
        self._call = call
        self._url = url

    async def listed(self) -> Sequence[ListedTemplate]:
        found: list[ListedTemplate] = []
        after: str | None = ""
        seen: set[str] = set()
        while after is not None:
            query = {"fields": FIELDS, "limit": str(PAGE)} | ({"after": after} if after else {})
            told = await self._call("GET", self._url, params=query)
            found += [_listed(t) for t in _list(told.get("data")) if isinstance(t, dict)]
            seen.add(after)
            after = _next(told.get("paging"))
            if after in seen:
                raise Refused("WhatsApp's list of templates leads back to a page that was read")
        return found

    async def submit(self, body: Body) -> str:
        told = await self._call("POST", self._url, json=submission(body))
        return str(told.get("status") or "")


def submission(body: Body) -> dict[str, Any]:
    """A template as it is handed in."""
    text: dict[str, Any] = {"type": "BODY", "text": body.text}
    if body.samples:
        examples = [{"param_name": name, "example": sample} for name, sample in body.samples]
        text["example"] = {"body_text_named_params": examples}
    components = [text]
    if body.buttons:
        buttons = [{"type": "QUICK_REPLY", "text": title} for title in body.buttons]
        components.append({"type": "BUTTONS", "buttons": buttons})
    return {
        "name": body.name,
        "language": body.language,
        "category": body.category,
        "parameter_format": "NAMED",
        "components": components,
    } | ({"message_send_ttl_seconds": body.tried} if body.tried else {})


def _next(paging: Any) -> str | None:
    """The cursor of the next page; the last page has cursors too, and no `next`."""
    if not isinstance(paging, dict) or not paging.get("next"):
        return None
    cursors = paging.get("cursors")
    return str(cursors["after"]) if isinstance(cursors, dict) and cursors.get("after") else None


def _listed(told: dict[str, Any]) -> ListedTemplate:
    parts = {str(c.get("type")).upper(): c for c in _list(told.get("components")) if isinstance(c, dict)}
    buttons = _list(parts.get("BUTTONS", {}).get("buttons"))
    quality = told.get("quality_score")
    return ListedTemplate(
        name=str(told.get("name") or ""),
        language=str(told.get("language") or ""),
        status=str(told.get("status") or ""),
        category=str(told.get("category") or ""),
        text=str(parts.get("BODY", {}).get("text") or ""),
        buttons=tuple(str(b.get("text") or "") for b in buttons if isinstance(b, dict)),
        quality=str(quality.get("score") or "") if isinstance(quality, dict) else "",
        tried=tried if isinstance(tried := told.get("message_send_ttl_seconds"), int) else 0,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
