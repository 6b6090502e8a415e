"""Names and phone numbers of couriers and signers in scan texts, covered before anybody is shown them.

EMS and others write the courier's name and mobile into the event (facts §7.8). The raw text is kept as it
came; whatever is shown or logged goes through `mask`.
"""

import re
from functools import lru_cache

COVER = "***"

_NAME = r"[A-ZÀ-ÞĀ-ŽА-ЯЁ][\w'’.*]*"
_NAMES = rf"{_NAME}(?:[ \-](?:(?:d[aeiou]s?|del|la|le|van|von|de[rn]|el|al|bin|y|e) ){{0,2}}{_NAME}){{0,4}}"
_NOBODY = (
    r"(?!(?i:usps|ups|dhl|fedex|dpd|gls|tnt|royal|deutsche|canada|australia|china|japan|post\w*|poste|line ?haul|"
    r"airline|carrier|customs|facility|partner|processing|pick-?up|express|not|refus\w+|rejected|unavailable|available|absent|"
    r"moved|unknown|reception|front|sorting|local|delivery|en|is|was|has|line|mail)\b)"
)
"""After a word for a person, a name that is none: a firm, a place, or how the sentence goes on."""
_TITLE = r"(?i:mr|mrs|ms|miss|dr|herr|frau|m|mme|mlle|sr|sra|señora?|senhora?|г-н|г-жа)\.?\s+"
_PLACES = (
    r"(?!(?i:parcel|locker|agent|store|shop|front|back|side|door|post|office|reception|mail|neighbou?r|point|cent|"
    r"access|security|garage|porch|concierge|address|city|customer|recipient|sender|the|your|our|a|an)\b)"
)
_PERSON_ZH = re.compile(
    r"((?:揽投|投[递遞]|快[递遞]|派件|派送|配送|揽收|揽件|收派|收件|[业業][务務]|投递人|派送人|揽投人)[员員]|"
    r"(?:[签簽]收人|收件人|联系人|投递人|门卫|代收人|派件人|派送人|快递小哥|经办人|负责人|寄件人|发件人))"
    r"((?:姓名)?\s*(?:是|为)?\s*[:：]?\s*[\[【(（]?\s*)"
    r"(?!本人|他人|家人|同事|前台|[门門][卫衛]|物业|正在|已|将|[为為]您|[会會]|未|不|派|[电電][话話]|联系)"
    r"([\u4e00-\u9fff·]{2,4}?(?=[\s,，;；。、\]】)）(（:：]|联系|[电電][话話]|手机|正在|$)|[\u4e00-\u9fff]\*+|[A-Za-z*]+)"
)
_SIGNED_ZH = re.compile(
    r"(由\s*[\[【(（]?\s*)(?!本人|他人|家人|邮局|门卫|前台|物业|丰巢|菜鸟|驿站|快递|智能|收发|同事|邻居|单位|自提)"
    r"([\u4e00-\u9fff·]{2,4}|[A-Za-z ]{2,30})(?=\s*[\]】)）]?\s*代?[签簽]?收)"
)
_CALLED_ZH = re.compile(r"([\u4e00-\u9fff])(?=先生|女士|小姐|阿姨|[师師]傅|大爷|大叔)")
"""A surname before its title."""
_PERSON_JA_KO = re.compile(
    r"((?:受取人|受領者|配達員|担当者?|ドライバー|署名)\s*[:：]\s*|"
    r"(?:배송기사|배달원|집배원|수령인|인수자)\s*[:：]?\s*)"
    r"(?!부재|불명|거절|거부|확인|방문|본인|ご?本人|不在)([\u3040-\u30ff\u4e00-\u9fff]{2,8}|[가-힣]{2,4}(?=[\s(,.]|$))"
)
_SIGNED = re.compile(
    r"((?i:\b(?:signed(?: for)? by|signed|signature|signatory(?: name)?|pod name|proof of delivery(?: signed)?|"
    r"assinado por|firmado por|recebedor|destinatario|sign[eé] par|unterschrieben von|signiert von|unterschrift|pod|"
    r"signature on file|firmato da|getekend door|подпись)"
    r"(?: name)?)\s*[:：\-]\s*|"
    r"(?i:\b(?:signed(?: for)? by|assinado por|firmado por|sign[eé] par|unterschrieben von)\s+))"
    r"([\w'’.*]+(?:[ \-][\w'’.*]+){0,3})"
)
"""A signature may be in small letters: after these words nothing but a name is written."""
_WHO_ZH = re.compile(r"((?:[【\[\s,，。、的]|^))([\u4e00-\u9fff·]{2,4}?)(?=\s*[（(【\[]\s*1[3-9]\d{9})")
_BY_ZH = re.compile(
    r"(由\s*[【\[]?)(?!中国|顺丰|京东|邮政|圆通|中通|申通|韵达|极兔|德邦|快递|速运|承运|当地)([\u4e00-\u9fff·]{2,4}?)(?=[】\]]?\s*(?:正在|为您|负责)?(?:派送|派件|投递))"
)
_PERSON = re.compile(
    r"((?i:\b(?:courier|driver|delivered by|signed(?: for)? by|received by|accepted by|recipient|postman|agent|"
    r"zusteller|unterschrieben von|empf[aä]nger|empfangen von|livreur|sign[eé] par|re[cç]u par|repartidor|"
    r"firmado por|recibido por|entregador|recebido por|recebedor|assinado por|"
    r"kurier|doręczyciel|odebrał[ao]?|teslim alan|kurye|corriere|motorista|r[eé]ceptionn[eé] par|recibi[oó]|firmato da|"
    r"getekend door|familie|курьер\w*|представител\w+|получил|получатель|вручено|сдано|"
    r"получено(?: адресатом)?|neighbou?r|nachbar(?:in)?|voisine?|vecin[oa]|vizinh[oa]|receptionist|сосед\w*)"
    rf"(?: name)?\b)\s*[:：\-]?\s*(?:{_TITLE})?){_NOBODY}({_NAMES})"
)
_GIVEN = re.compile(
    r"((?i:\b(?:delivered to|handed to|left with|consegnat[oa] a|doręczon[oa]|"
    r"livr[eé]e? (?:à|a)|remise? (?:à|a)|entregado a|entregue (?:a|à|ao)|"
    r"zugestellt an|[uü]bergeben an|abgegeben bei|вручено))\s*)"
    rf"(?:(:\s*)({_NAMES})|({_TITLE})({_NAMES})|{_PLACES}({_NAME} {_PLACES}{_NAMES}))"
)
"""Handed to somebody: a place may be named as well, so only after a colon, a title or as two names."""
_TITLED = re.compile(
    r"((?i:\b(?:mr|mrs|ms\.|mme|mlle|herr|frau|señora?|senhora?|sra|signora?|de heer|mevrouw|г-н|г-жа)(?!\w))\.?\s+)"
    rf"{_NOBODY}({_NAMES})"
)
"""No Dr, M or bare MS: a street, a letter and Mississippi as often."""
_NAMED = re.compile(
    rf"((?i:\b(?:consignee|receiver|addressee|signee|destinataire|destinatario|destinatário)(?: name)?\s*[:：]\s*|"
    rf"\bsignature (?:obtained|received|provided) (?:from|by)\s+)){_NOBODY}({_NAMES})"
)
_MAIL = re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63})+")
_CALLED = re.compile(
    r"((?i:联系电话|联系方式|电话|手机号?码?|\btel(?:ephone|efon|éfono|efone)?\b|\bphone\b|\bmobile\b|\bcontact\b|\bhandy\b|"
    r"тел(?:ефон)?|電話|聯絡電話|手機|전화)\.?\s*(?:是|为)?\s*[:：]?\s*[\[【(（]?\s*)(\+?\d[\d\s().\-]{4,18}\d)"
)
_PHONE = re.compile(
    r"(?<![A-Za-z0-9+])(?:\+\d[\d\s().\-]{6,18}\d|1[3-9]\d[\s\-]?\d{4}[\s\-]?\d{4}|0\d{2,3}-\d{7,8}|01\d-\d{3,4}-\d{4}|\(\d{3}\)\s?\d{3}-\d{4}"
    r"|(?:1-)?\d{3}-\d{3}-\d{4}|8[\s\-]?\(?9\d{2}\)?[\s\-]?\d{3}[\s\-]?\d{2}[\s\-]?\d{2})(?![A-Za-z0-9\-])"
)
_ASKED_TO_CALL = re.compile(
    r"((?i:\b(?:call|contact|courier|driver|kurier|kurye|corriere|livreur|repartidor|motorista)\b)"
    r"(?:(?!(?i:number|waybill|parcel|shipment|\bno\b))[^\d\n]){0,30}?)(\+?\(?\d[\d\s().\-]{5,16}\d)(?![A-Za-z0-9])"
)
_BESIDE = re.compile(r"(\*{3}[\s,，(（:：]{0,3})(\+?\d[\d\s().\-]{6,18}\d)")
"""Digits right behind a covered name are their phone."""


@lru_cache(maxsize=1024)  # carriers say the same few sentences; the patterns take 10 us
def mask(text: str) -> str:
    """The text with people's names and phone numbers covered; dates, places and tracking numbers stay."""
    text = _PERSON_ZH.sub(rf"\g<1>\g<2>{COVER}", text)
    for pattern in (
        _CALLED,
        _WHO_ZH,
        _BY_ZH,
        _SIGNED_ZH,
        _PERSON_JA_KO,
        _SIGNED,
        _PERSON,
        _TITLED,
        _NAMED,
        _ASKED_TO_CALL,
    ):
        text = pattern.sub(rf"\g<1>{COVER}", text)
    text = _CALLED_ZH.sub(COVER, text)
    text = _GIVEN.sub(lambda m: f"{m[1]}{m[2] or m[4] or ''}{COVER}", text)
    text = _MAIL.sub(COVER, text)
    return _PHONE.sub(COVER, _BESIDE.sub(rf"\g<1>{COVER}", text))
