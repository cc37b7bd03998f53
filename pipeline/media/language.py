"""Language codes as containers and file names write them, as ISO 639-1."""

from __future__ import annotations

# ISO 639-2 (both the B and the T form) : 639-1, for the languages met in subtitle tracks.
_CODES = """
afr:af alb:sq sqi:sq amh:am ara:ar arm:hy hye:hy aze:az baq:eu eus:eu bel:be ben:bn bos:bs bul:bg
bur:my mya:my cat:ca chi:zh zho:zh cze:cs ces:cs cym:cy wel:cy dan:da dut:nl nld:nl eng:en epo:eo
est:et fas:fa per:fa fil:tl fin:fi fra:fr fre:fr geo:ka kat:ka ger:de deu:de gla:gd gle:ga glg:gl
gre:el ell:el guj:gu hau:ha heb:he hin:hi hrv:hr hun:hu ibo:ig ice:is isl:is ind:id ita:it jav:jv
jpn:ja kan:kn kaz:kk khm:km kor:ko kur:ku lao:lo lat:la lav:lv lit:lt ltz:lb mac:mk mkd:mk mal:ml
mar:mr may:ms msa:ms mlt:mt mon:mn nep:ne nor:no nob:nb nno:nn pan:pa pol:pl por:pt pus:ps ron:ro
rum:ro rus:ru sin:si slo:sk slk:sk slv:sl som:so spa:es srp:sr sun:su swa:sw swe:sv tam:ta tel:te
tgl:tl tha:th tur:tr ukr:uk urd:ur uzb:uz vie:vi xho:xh yid:yi yor:yo yue:zh zul:zu
"""
_TWO_OF_THREE = dict(pair.split(":") for pair in _CODES.split())
_TWO = frozenset(_TWO_OF_THREE.values())


def normal(code: str | None) -> str:
    """en for "eng" and "en-US", pt for "pt_BR"; "" for what names no language."""
    first = (code or "").replace("_", "-").split("-")[0].strip().lower()
    return first if first in _TWO else _TWO_OF_THREE.get(first, "")
