"""Names and phone numbers of couriers and signers in scan texts, covered before anybody is shown them.

EMS and others write the courier's name and mobile into the event (facts §7.8). The raw text is kept as it
came; whatever is shown or logged goes through `mask`.
"""

import re
from functools import lru_cache

COVER = "***"

_PERSON_ZH = re.compile(
    r"((?:揽投员|投递员|快递员|派件员|派送员|配送员|揽收员|揽件员|业务员|收派员|签收人|收件人|联系人|投递人|派件人|派送人|收件员|投递人员|派送人员|揽投人员|快递小哥|经办人|负责人|寄件人|发件人)"
    r"(?:姓名)?\s*[:：]?\s*[\[【(（]?\s*)([\u4e00-\u9fff·]{2,4}?(?=[\s,，;；。、\]】)）:：]|联系|电话|手机|正在|$)|[A-Za-z*]+)"
)
_WHO_ZH = re.compile(r"((?:[【\[\s,，。、的]|^))([\u4e00-\u9fff·]{2,4}?)(?=\s*[（(【\[]\s*1[3-9]\d{9})")
_BY_ZH = re.compile(
    r"(由\s*[【\[]?)([\u4e00-\u9fff·]{2,4}?)(?=[】\]]?\s*(?:正在|为您|负责)?(?:派送|派件|投递|签收|代收))"
)
_PERSON = re.compile(
    r"((?i:\b(?:courier|driver|delivered by|signed(?: for)? by|received by|recipient|postman|agent|zusteller|"
    r"unterschrieben von|empf[aä]nger|livreur|sign[eé] par|re[cç]u par|repartidor|firmado por|recibido por|"
    r"entregador|recebido por|assinado por|курьер|получил|получатель|вручено)(?: name)?\b)\s*[:：\-]?\s*)"
    r"((?:[A-ZÀ-ÞА-ЯЁ][\w'’.]*)(?:[ \-][A-ZÀ-ÞА-ЯЁ][\w'’.]*){0,3})"
)
_CALLED = re.compile(
    r"((?i:联系电话|联系方式|电话|手机号?码?|\btel(?:ephone|efon|éfono|efone)?\b|\bphone\b|\bmobile\b|\bcontact\b|\bhandy\b|"
    r"тел(?:ефон)?)\.?\s*[:：]?\s*[\[【(（]?\s*)(\+?\d[\d\s().\-]{4,18}\d)"
)
_PHONE = re.compile(
    r"(?<![\w+])(?:\+\d[\d\s().\-]{6,18}\d|1[3-9]\d[\s\-]?\d{4}[\s\-]?\d{4}|0\d{2,3}-\d{7,8}|\(\d{3}\)\s?\d{3}-\d{4}"
    r"|\d{3}-\d{3}-\d{4}|8[\s\-]?\(?9\d{2}\)?[\s\-]?\d{3}[\s\-]?\d{2}[\s\-]?\d{2})(?![\w\-])"
)


@lru_cache(maxsize=1024)  # carriers say the same few sentences; the four patterns take 10 us
def mask(text: str) -> str:
    """The text with people's names and phone numbers covered; dates, places and tracking numbers stay."""
    for pattern in (_CALLED, _PERSON_ZH, _WHO_ZH, _BY_ZH, _PERSON):
        text = pattern.sub(rf"\g<1>{COVER}", text)
    return _PHONE.sub(COVER, text)
