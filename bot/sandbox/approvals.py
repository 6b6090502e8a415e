"""WhatsApp's templates as Meta's documents describe them: handed in, approved at once, filled in when sent.

Real reviews take up to a day; here `judge` says what a reviewer or the buyers would. Tables: rules/whatsapp.csv.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bot.sandbox.platform import Press, Rules, first_fault

CATEGORIES = {
    "AUTHENTICATION": range(30, 900 + 1),
    "MARKETING": range(43_200, 2_592_000 + 1),
    "UTILITY": range(30, 43_200 + 1),
}
"""Each with the seconds for which delivery may be tried."""
UNSET = -1
"""The seconds that stand for thirty days."""
PAGE = 25
"""Templates a page where nobody asks for another number."""
_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2,3})?")
_PLACE = re.compile(r"\{\{(.*?)\}\}")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]*")
_CROWDED = re.compile(r"^\W*\{\{|\}\}\W*$|\}\}\W*\{\{")
_UNSENDABLE = {"PAUSED": (132015, "Template is Paused"), "DISABLED": (132016, "Template is Disabled")}


def _may_be_tried(body: Mapping[str, Any]) -> bool:
    seconds = body.get("message_send_ttl_seconds", UNSET)
    return seconds == UNSET or seconds in CATEGORIES.get(body["category"], ())


class Shelf:
    """The templates of one business."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._templates: dict[tuple[str, str], dict[str, Any]] = {}

    def submit(self, serial: int, body: Mapping[str, Any]) -> dict[str, str]:
        """Take what `fault` found nothing against."""
        kept = {"id": str(serial), "status": "APPROVED", "quality_score": {"score": "UNKNOWN"}}
        self._templates[body["name"], body["language"]] = {**body, **kept}
        return {"id": str(serial), "status": "APPROVED", "category": body["category"]}

    def judge(self, name: str, language: str, **now: Any) -> None:
        """A reviewer's or the buyers' verdict: `status`, `category`, `quality_score`."""
        self._templates[name, language] |= now

    def page(self, after: str, limit: int, url: str) -> dict[str, Any]:
        """Some of the list, and the way to the rest."""
        start = int(after) if after.isdecimal() else 0
        found = list(self._templates.values())
        some, end = found[start : start + limit], start + limit
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(end)}}
        if end < len(found):
            paging["next"] = f"{url}?limit={limit}&after={end}"
        return {"data": some, "paging": paging} if some else {"data": []}

    def fault(self, body: Mapping[str, Any]) -> str:
        """Why a template is not taken, or empty."""
        if fault := self._rules.fault("message_templates", body):
            return fault
        parts = body["components"]
        if not all(isinstance(p, dict) for p in parts) or [p.get("type") for p in parts].count("BODY") != 1:
            return "components need one BODY"
        known = (body["name"], body["language"]) in self._templates
        return first_fault(
            (
                "" if _NAME.fullmatch(body["name"]) else "name",
                "" if _LANGUAGE.fullmatch(body["language"]) else "language",
                "" if body["category"] in CATEGORIES else "category",
                "" if _may_be_tried(body) else "message_send_ttl_seconds",
                "" if body.get("parameter_format") == "NAMED" else "parameter_format: only NAMED is played here",
                "content in this language already exists" if known else "",
                *(self._component(p) for p in parts),
            )
        )

    def _component(self, part: Mapping[str, Any]) -> str:
        kinds = {"BODY": "template_body", "BUTTONS": "template_buttons"}
        kind = kinds.get(part.get("type", ""))
        if kind is None:
            return "components.type"
        if fault := self._rules.fault(kind, part):
            return fault
        if kind == "template_body":
            return _body_fault(part["text"], part.get("example") or {})
        return first_fault([_button_fault(self._rules, b) for b in part["buttons"]])

    # ---- sent --------------------------------------------------------------------------------------------

    def refusal(self, content: Mapping[str, Any]) -> tuple[int, str] | None:
        """The code and the words with which a template message is refused."""
        found = self._templates.get((content["name"], (content["language"] or {}).get("code", "")))
        if found is None or found["status"] not in {"APPROVED", *_UNSENDABLE}:
            return 132001, "Template name does not exist in the translation"
        if found["status"] in _UNSENDABLE:
            return _UNSENDABLE[found["status"]]
        wanted = _PLACE.findall(_text(found))
        given = _given(content)
        if len(given) != len(wanted):
            return 132000, "Number of parameters does not match the expected number of params"
        if {p.get("parameter_name") for p in given} != set(wanted) or not all(_fits(p) for p in given):
            return 132012, "Parameter format does not match format in the created template"
        pressed = [c for c in content.get("components") or () if c.get("type") == "button"]
        if any(str(c.get("index")) not in {str(n) for n in range(len(_titles(found)))} for c in pressed):
            return 132000, "Number of buttons does not match the expected number"
        return None

    def filled(self, content: Mapping[str, Any]) -> tuple[str, tuple[Press, ...]]:
        """What the buyer reads, and the buttons under it; one without a payload comes back as its title."""
        found = self._templates[content["name"], content["language"]["code"]]
        values = {p["parameter_name"]: p["text"] for p in _given(content)}
        payloads = {
            str(c["index"]): c["parameters"][0]["payload"] for c in content.get("components") or () if "index" in c
        }
        buttons = tuple(Press(title, payloads.get(str(n), title)) for n, title in enumerate(_titles(found)))
        return _PLACE.sub(lambda m: values[m[1]], _text(found)), buttons


def _body_fault(text: str, example: Mapping[str, Any]) -> str:
    placed = _PLACE.findall(text)
    given = {e.get("param_name"): e.get("example") for e in example.get("body_text_named_params") or ()}
    return first_fault(
        (
            *("a parameter is named in a-z, 0-9 and _" for p in placed if not _PARAMETER.fullmatch(p)),
            *(f"the parameter {p} stands twice" for p, times in Counter(placed).items() if times > 1),
            *(f"the parameter {p} has no example" for p in placed if not given.get(p)),
            "a parameter stands first, last or beside another" if _CROWDED.search(text) else "",
        )
    )


def _button_fault(rules: Rules, button: Any) -> str:
    if not isinstance(button, dict):
        return "buttons"
    fault = rules.fault("template_button", button)
    return fault or ("" if button["type"] == "QUICK_REPLY" else "buttons.type: only QUICK_REPLY is played here")


def _fits(parameter: Mapping[str, Any]) -> bool:
    text = parameter.get("text")
    if parameter.get("type") != "text" or not isinstance(text, str):
        return False
    return bool(text) and "\n" not in text and "\t" not in text and "     " not in text


def _given(content: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    parts = content.get("components") or ()
    return [p for c in parts if c.get("type") == "body" for p in c.get("parameters") or ()]


def _text(template: Mapping[str, Any]) -> str:
    return str(next(c["text"] for c in template["components"] if c["type"] == "BODY"))


def _titles(template: Mapping[str, Any]) -> list[str]:
    return [b["text"] for c in template["components"] if c["type"] == "BUTTONS" for b in c["buttons"]]
