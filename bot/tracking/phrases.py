"""What a scan's own words add to its code: rules in `phrases/<language>.csv`.

A text names the cause of a status that a code gave, or says which step of the way an unknown code or a bare
"in transit" was. It never makes a parcel delivered or lost, which only a code can (§6.2.5), and it takes one claim
back: "delivered" at a station or locker is ready for pickup (§6.2.2), to the next carrier a step of the way, to the
sender a return, and none at all where the words say so. A row without `to` is a plan and no event: the status stays.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from unicodedata import normalize

from msgspec import Struct
from msgspec.structs import replace

from bot.model.tracks import Scan, Status
from bot.tracking.vocabulary import known

KINDS = (
    "kept",  # delivered, whatever else it tells
    "returned",  # "delivered" to its sender
    "denied",  # says itself that it was not delivered
    "collected",  # taken out of the locker or over the counter by the buyer: delivered after all
    "counter",  # "delivered" to a counter or locker
    "handed_on",  # "delivered" to the next carrier
    "planned",  # a delivery that is still to come
    "halfway",  # "delivered" to a place on the way
    "failed",  # the delivery is said to have failed
    "locker",  # put into a locker
    "data",  # data only
    "no_event",  # a plan, and no event
    "back",  # goes back to its sender
    "door",  # what happens at the buyer's door or counter
    "customs",  # what customs does
    "step",  # a step of the way
    "exception",  # what an exception is
    "plain",  # on the way, and no more
    "cause",  # names the cause only
)
"""What a rule tells, in the order in which rules are asked, whatever their language; then as their file has them."""
_SCRIPTS = {
    "latin": re.compile("[a-z]"),
    "cyrillic": re.compile("[а-яё]"),
    "han": re.compile("[\u3040-\u30ff\u4e00-\u9fff]"),
    "hangul": re.compile("[\uac00-\ud7a3]"),
    "arabic": re.compile("[\u0600-\u06ff]"),
}
_SIMPLE = str.maketrans(
    "簽遞達郵國際關稅單號裝運離發過經處轉給係聯繫電話無網點櫃門領驛員間時進貨車機場報驗檢損壞遲誤錯遺丟開說戶舖鋪續備預計將請憑碼態資訊訂倉庫輸"
    "啟飛從屬務滯餘閉週約補繳結總區縣廠業於順豐敗費證絡現實辦儲攬攔親鄰兩條個鎖擊異緊儘責確認問題舊納許駁徵動輛線環節臺灣賣買調換優溝應後來樓層ı",
    "签递达邮国际关税单号装运离发过经处转给系联系电话无网点柜门领驿员间时进货车机场报验检损坏迟误错遗丢开说户铺铺续备预计将请凭码态资讯订仓库输"
    "启飞从属务滞余闭周约补缴结总区县厂业于顺丰败费证络现实办储揽拦亲邻两条个锁击异紧尽责确认问题旧纳许驳征动辆线环节台湾卖买调换优沟应后来楼层i",
    "\u0307",
)
"""Traditional characters as simplified ones and the Turkish i as ours, in texts and patterns alike."""
_WRITTEN_IN = {"ru": "cyrillic", "zh": "han", "ja": "han", "ko": "hangul", "ar": "arabic"}
"""The script of a language that is not written in Latin letters."""

_AT_THE_START = re.compile(r"(?<!\[)\^(?!\(\?[!=])")
_START = r"(?:^|(?<=: )|(?<=[】\]])|(?<=[】\]\d] ))"
"""A sentence begins where the text does, or behind the name of a place: "Berlin: held at depot"."""

_ESCAPED = re.compile(r"\\.|\[[^\]]*\]|[^\W\d_](?=[?*]|\{0)")
"""What in a pattern is no letter of its own, or one that may be missing."""
HEAD = 3
"""Letters by which stems are looked up, and the fewest that make one."""
_RUN = re.compile(rf"[^\W\d_]{{{HEAD},}}")
_COMMON = frozenset(
    {"the", "for", "and", "has", "was", "been", "have", "der", "die", "das", "den", "les", "une", "por", "par"}
)


class Rule(Struct, frozen=True):
    """What a pattern makes of a text. `stems` are words of which it needs one; where there are none, it is always
    tried."""

    pattern: re.Pattern[str]
    to: Status
    cause: str
    stems: tuple[str, ...]


class _Index(Struct, frozen=True):
    """The rules of one status by the first letters of their stems: most texts have the stems of a few rules only,
    and to try every pattern costs ten times as much."""

    rules: tuple[Rule, ...]
    always: frozenset[int]
    stems: Mapping[str, Sequence[tuple[str, int]]]

    def worth_asking(self, text: str) -> Iterator[Rule]:
        """The rules that the text could meet, in their order."""
        found = set(self.always)
        for start in range(len(text) - HEAD + 1):
            for stem, place in self.stems.get(text[start : start + HEAD], ()):
                if text.startswith(stem, start):
                    found.add(place)
        return map(self.rules.__getitem__, sorted(found))


def stems(pattern: str) -> tuple[str, ...]:
    """The words of a pattern in Latin or Cyrillic letters, at least one of which stands in whatever it meets."""
    if _SCRIPTS["han"].search(pattern) or _SCRIPTS["hangul"].search(pattern):
        return ()
    words = dict.fromkeys(_RUN.findall(_ESCAPED.sub(" ", pattern)))
    return tuple(word for word in words if word not in _COMMON)


@cache
def rules(scripts: frozenset[str] = frozenset(_SCRIPTS)) -> Mapping[Status, tuple[Rule, ...]]:
    """The rules of each status that a code can give, in the order in which they are asked; those alone that a text
    in these scripts can meet. Patterns are of small letters, as is the text that they are tried on."""
    found: dict[Status, list[Rule]] = defaultdict(list)
    written = [row for script in sorted(scripts) for row in _written_in(script)]
    for _, statuses, rule in sorted(written, key=lambda row: row[0]):
        for status in statuses:
            found[status].append(replace(rule, to=status) if rule.to is Status.UNKNOWN else rule)
    return {status: tuple(some) for status, some in found.items()}


@cache
def _index(scripts: frozenset[str], status: Status) -> _Index:
    some = rules(scripts).get(status, ())
    stemmed: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for place, rule in enumerate(some):
        for stem in rule.stems:
            stemmed[stem[:HEAD]].append((stem, place))
    return _Index(some, frozenset(place for place, rule in enumerate(some) if not rule.stems), stemmed)


@cache
def _written_in(script: str) -> Sequence[tuple[int, Sequence[Status], Rule]]:
    """The rows of the languages of a script, each with its kind's place; a rule without a word for `to` leads to
    the status it is asked of."""
    found = []
    tables = files("bot.tracking").joinpath("phrases").iterdir()
    for table in sorted((t for t in tables if t.name.endswith(".csv")), key=lambda t: t.name):
        if _WRITTEN_IN.get(table.name.removesuffix(".csv"), "latin") != script:
            continue
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
            spelled = row["pattern"].translate(_SIMPLE)
            pattern = re.compile(_AT_THE_START.sub(lambda _: _START, spelled))
            rule = Rule(pattern, Status(row["to"] or Status.UNKNOWN), row["cause"], stems(spelled))
            found.append((KINDS.index(row["kind"]), [Status(s) for s in row["status"].split("|")], rule))
    return found


def refine(scan: Scan) -> Scan:
    """The scan with what its text adds; the same scan where that is nothing. Applying it twice changes nothing."""
    if scan.cause and not known(scan.status, scan.cause):
        # A list may bring causes of its own; one that the vocabulary has not is none.
        return refine(replace(scan, cause=""))
    said = scan.raw_text or ("" if scan.known else scan.raw_code)
    if not said or (scan.cause and not _doubtful(scan)):
        return scan
    status, cause = _told(scan.status, said, scan.known or scan.status not in _PLAIN)
    if status is scan.status and (scan.cause or not cause) and not _asked_for(scan, cause):
        return scan
    physical = scan.physical and status is not Status.LABEL_CREATED
    return replace(scan, status=status, cause=cause, physical=physical)


_DIGITS = re.compile(r"[0-9]+")
_JOINED = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where the words of a code are written together: OutForDelivery."""
_ENDLESS = re.compile("[a-z\u00df-\u024f\u0400-\u04ff]{60,}")
"""Letters that are no word; a pattern would try to run on from each of their places."""
_PLAIN = frozenset({Status.UNKNOWN, Status.IN_TRANSIT, Status.DELIVERY_ATTEMPTED})
_GRAVE = frozenset({Status.RETURNING, Status.EXCEPTION})
"""What a code that nobody knows does not become from `_PLAIN`, whatever its words are."""


def _doubtful(scan: Scan) -> bool:
    """Whether words can say more or less than a code that named a cause: "signed" may have been at a station, and
    customs may hold for something that somebody has to give: papers or, where a source has one code for both, duty."""
    held = scan.status is Status.CUSTOMS and scan.cause in {"held", "info_required"}
    return held or (scan.status is Status.DELIVERED and scan.cause != "collected")


def _asked_for(scan: Scan, cause: str) -> bool:
    return scan.status is Status.CUSTOMS and cause in {"info_required", "duty_due"}


@lru_cache(maxsize=16_384)
def _told(status: Status, text: str, grave: bool) -> tuple[Status, str]:
    # No rule asks for a number, and numbers are what makes two sentences of a carrier's different.
    return _read(status, _DIGITS.sub("0", text), grave)


@lru_cache(maxsize=16_384)
def _read(said: Status, text: str, grave: bool) -> tuple[Status, str]:
    text = text.strip().replace("_", " ")
    if " " not in text:
        text = _JOINED.sub(" ", text)
    text = _ENDLESS.sub(" ", normalize("NFC", text).lower().translate(_SIMPLE))
    text = " ".join(text.split())
    scripts = frozenset(script for script, letters in _SCRIPTS.items() if letters.search(text))
    status, passed = said, {said}
    while (told := _first(_index(scripts, status), text, grave)) is not None:
        to, cause = told
        if cause or to is status:
            return to, cause
        if to in passed:
            # "Not attempted, not delivered": words that lead in a circle say nothing.
            return said, ""
        # The step it was may have a cause that the same words name.
        status = to
        passed.add(to)
    return status, ""


def _first(some: _Index, text: str, grave: bool) -> tuple[Status, str] | None:
    """Where the first rule that the text meets leads."""
    for rule in some.worth_asking(text):
        if (grave or rule.to not in _GRAVE) and rule.pattern.search(text):
            return rule.to, rule.cause
    return None
