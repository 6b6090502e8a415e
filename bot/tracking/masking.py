"""Names and phone numbers of couriers and signers in scan texts, covered before anybody is shown them.

EMS and others write the courier's name and mobile into the event (facts §7.8). The raw text is kept as it
came; whatever is shown or logged goes through `mask`.
"""

import re
from functools import lru_cache

COVER = "***"

_NAME = r"[A-ZÀ-ÞА-ЯЁ][\w'’.*]*"
_NAMES = rf"{_NAME}(?:[ \-]{_NAME}){{0,3}}"
_TITLE = r"(?i:mr|mrs|ms|miss|dr|herr|frau|m|mme|mlle|sr|sra|señora?|senhora?|г-н|г-жа)\.?\s+"
_PLACES = (
    r"(?!(?i:parcel|locker|agent|store|shop|front|back|side|door|post|office|reception|mail|neighbou?r|point|cent|"
    r"access|security|garage|porch|concierge|address|city|customer|recipient|sender|the|your|our|a|an)\b)"
)
_PERSON_ZH = re.compile(
    r"((?:揽投员|投递员|快递员|派件员|派送员|配送员|揽收员|揽件员|业务员|收派员|签收人|收件人|联系人|投递人|门卫|代收人|派件人|"
    r"派送人|收件员|投递人员|派送人员|揽投人员|快递小哥|经办人|负责人|寄件人|发件人)"
    r"(?:姓名)?\s*(?:是|为)?\s*[:：]?\s*[\[【(（]?\s*)"
    r"([\u4e00-\u9fff·]{2,4}?(?=[\s,，;；。、\]】)）(（:：]|联系|电话|手机|正在|$)|[\u4e00-\u9fff]\*+|[A-Za-z*]+)"
)
_SIGNED_ZH = re.compile(
    r"(由\s*[\[【(（]?\s*)(?!本人|他人|家人|邮局|门卫|前台|物业|丰巢|菜鸟|驿站|快递|智能|收发|同事|邻居|单位|自提)"
    r"([\u4e00-\u9fff·]{2,4}|[A-Za-z ]{2,30})(?=\s*[\]】)）]?\s*代?签收)"
)
_SIGNED = re.compile(
    r"((?i:\b(?:signed(?: for)? by|signed|signature|signatory(?: name)?|pod name|proof of delivery(?: signed)?|"
    r"assinado por|firmado por|recebedor|destinatario|sign[eé] par|unterschrieben von|signiert von|подпись)"
    r"(?: name)?)\s*[:：\-]\s*|"
    r"(?i:\b(?:signed(?: for)? by|assinado por|firmado por|sign[eé] par|unterschrieben von)\s+))"
    r"([\w'’.*]+(?:[ \-][\w'’.*]+){0,3})"
)
"""A signature may be in small letters: after these words nothing but a name is written."""
_WHO_ZH = re.compile(r"((?:[【\[\s,，。、的]|^))([\u4e00-\u9fff·]{2,4}?)(?=\s*[（(【\[]\s*1[3-9]\d{9})")
_BY_ZH = re.compile(r"(由\s*[【\[]?)([\u4e00-\u9fff·]{2,4}?)(?=[】\]]?\s*(?:正在|为您|负责)?(?:派送|派件|投递))")
_PERSON = re.compile(
    r"((?i:\b(?:courier|driver|delivered by|signed(?: for)? by|received by|recipient|postman|agent|zusteller|"
    r"unterschrieben von|empf[aä]nger|empfangen von|livreur|sign[eé] par|re[cç]u par|repartidor|"
    r"firmado por|recibido por|entregador|recebido por|recebedor|assinado por|"
    r"kurier|doręczyciel|курьер|получил|получатель|вручено|сдано|"
    r"получено(?: адресатом)?|neighbou?r|nachbar(?:in)?|voisine?|vecin[oa]|vizinh[oa]|receptionist|сосед\w*)"
    rf"(?: name)?\b)\s*[:：\-]?\s*(?:{_TITLE})?)({_NAMES})"
)
_GIVEN = re.compile(
    r"((?i:\b(?:delivered to|left with|livr[eé]e? (?:à|a)|remise? (?:à|a)|entregado a|entregue (?:a|à|ao)|"
    r"zugestellt an|[uü]bergeben an|abgegeben bei|вручено))\s*)"
    rf"(?:(:\s*)({_NAMES})|({_TITLE})({_NAMES})|{_PLACES}({_NAME} {_PLACES}{_NAMES}))"
)
"""Handed to somebody: a place may be named as well, so only after a colon, a title or as two names."""
_CALLED = re.compile(
    r"((?i:联系电话|联系方式|电话|手机号?码?|\btel(?:ephone|efon|éfono|efone)?\b|\bphone\b|\bmobile\b|\bcontact\b|\bhandy\b|"
    r"тел(?:ефон)?)\.?\s*(?:是|为)?\s*[:：]?\s*[\[【(（]?\s*)(\+?\d[\d\s().\-]{4,18}\d)"
)
_PHONE = re.compile(
    r"(?<![A-Za-z0-9+])(?:\+\d[\d\s().\-]{6,18}\d|1[3-9]\d[\s\-]?\d{4}[\s\-]?\d{4}|0\d{2,3}-\d{7,8}|\(\d{3}\)\s?\d{3}-\d{4}"
    r"|(?:1-)?\d{3}-\d{3}-\d{4}|8[\s\-]?\(?9\d{2}\)?[\s\-]?\d{3}[\s\-]?\d{2}[\s\-]?\d{2})(?![A-Za-z0-9\-])"
)
_BESIDE = re.compile(r"(\*{3}[\s,，(（:：]{0,3})(\+?\d[\d\s().\-]{6,18}\d)")
"""Digits right behind a covered name are their phone."""


@lru_cache(maxsize=1024)  # carriers say the same few sentences; the patterns take 10 us
def mask(text: str) -> str:
    """The text with people's names and phone numbers covered; dates, places and tracking numbers stay."""
    for pattern in (_CALLED, _PERSON_ZH, _WHO_ZH, _BY_ZH, _SIGNED_ZH, _SIGNED, _PERSON):
        text = pattern.sub(rf"\g<1>{COVER}", text)
    text = _GIVEN.sub(lambda m: f"{m[1]}{m[2] or m[4] or ''}{COVER}", text)
    return _PHONE.sub(COVER, _BESIDE.sub(rf"\g<1>{COVER}", text))
