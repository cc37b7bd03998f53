"""What speech recognisers write where nobody speaks: farewells and credits of the subtitles they
were trained on, by language.

Gathered from what users of Whisper report; extend it where a library shows another one. Farewells
are said for real as well, so that the phrase alone condemns nothing: see `ingest.speech_checks`.
"""

from __future__ import annotations

import re
import unicodedata

# fmt: off
_FAREWELLS: dict[str, tuple[str, ...]] = {
    "en": (
        "you", "bye", "bye bye", "goodbye", "the end", "to be continued",
        "thanks", "thank you", "thank you so much", "thank you very much", "thank you all",
        "thanks for watching", "thank you for watching", "thank you all for watching",
        "thank you so much for watching", "thank you for watching this video",
        "thanks for watching this video", "thanks for listening", "thank you for listening",
        "thank you for your attention",
        "see you", "see you next time", "see you next week", "see you in the next video",
        "see you in the next one", "i'll see you next time", "i'll see you in the next video",
        "i'll see you in the next one", "we'll see you next time", "we'll be right back",
        "please subscribe", "please subscribe to my channel", "subscribe to my channel",
        "subscribe to our channel", "please subscribe to our channel", "like and subscribe",
        "please like and subscribe", "don't forget to subscribe", "please like share and subscribe",
        "don't forget to like and subscribe", "please like comment and subscribe",
        "if you enjoyed this video please subscribe", "if you like this video please subscribe",
    ),
    "de": (
        "danke", "danke schön", "vielen dank", "tschüss", "auf wiedersehen", "bis zum nächsten mal",
        "vielen dank fürs zuschauen", "danke fürs zuschauen", "vielen dank für's zuschauen",
        "vielen dank fürs zuhören", "vielen dank für ihre aufmerksamkeit", "bis bald",
        "vielen dank für die aufmerksamkeit", "das war's für heute", "abonniert den kanal",
    ),
    "fr": (
        "merci", "merci beaucoup", "merci à tous", "au revoir", "à bientôt", "à la prochaine",
        "merci d'avoir regardé", "merci d'avoir regardé cette vidéo",
        "merci d'avoir regardé la vidéo", "merci d'avoir écouté", "abonnez-vous",
        "abonnez-vous à la chaîne", "n'oubliez pas de vous abonner",
    ),
    "es": (
        "gracias", "muchas gracias", "gracias por ver", "gracias por ver el video",
        "gracias por ver este video", "gracias por ver la película", "hasta la próxima", "adiós",
        "suscríbete", "suscríbete al canal", "no olvides suscribirte", "chau",
    ),
    "pt": (
        "obrigado", "obrigada", "muito obrigado", "obrigado por assistir", "obrigada por assistir",
        "tchau", "até a próxima", "inscreva-se no canal", "se inscreva no canal",
    ),
    "it": (
        "grazie", "grazie mille", "grazie a tutti", "ciao", "alla prossima",
        "grazie per la visione", "grazie per aver guardato", "grazie per aver guardato il video",
        "iscriviti al canale", "iscrivetevi al canale",
    ),
    "nl": (
        "bedankt", "dank je wel", "dank u wel", "bedankt voor het kijken", "tot de volgende keer",
        "bedankt om te luisteren", "tot ziens",
    ),
    "sv": ("tack", "tack för att du tittade", "tack för att ni tittade", "hej då"),
    "da": ("tak", "tak for at se med", "tak fordi du så med", "tak fordi i så med", "farvel"),
    "no": ("takk", "takk for at du så på", "takk for at dere så på", "ha det bra"),
    "fi": ("kiitos", "kiitos katsomisesta", "kiitos kun katsoit", "nähdään ensi kerralla"),
    "pl": (
        "dziękuję", "dziękuję za uwagę", "dziękuję za oglądanie", "dziękuję za obejrzenie",
        "dzięki za oglądanie", "do zobaczenia", "do następnego razu",
    ),
    "cs": ("děkuji", "děkuji za pozornost", "děkuji za zhlédnutí", "na shledanou"),
    "hu": ("köszönöm", "köszönöm a figyelmet", "köszönöm, hogy megnézted"),
    "ro": ("mulțumesc", "mulțumesc pentru vizionare", "la revedere"),
    "tr": (
        "teşekkürler", "teşekkür ederim", "izlediğiniz için teşekkürler",
        "izlediğiniz için teşekkür ederim", "abone olmayı unutmayın", "hoşça kalın",  # noqa: RUF001
    ),
    "el": ("ευχαριστώ", "ευχαριστώ πολύ", "σας ευχαριστώ"),
    "ru": (
        "спасибо", "спасибо за просмотр", "спасибо за внимание", "продолжение следует", "пока",
        "до новых встреч", "до свидания", "подписывайтесь на канал", "подписывайтесь на мой канал",
    ),
    "uk": ("дякую", "дякую за перегляд", "дякую за увагу", "до побачення"),
    "ar": ("شكرا", "شكرا لكم", "شكرا للمشاهدة", "شكرا على المشاهدة", "اشتركوا في القناة"),
    "he": ("תודה", "תודה רבה", "תודה שצפיתם"),
    "hi": ("धन्यवाद", "देखने के लिए धन्यवाद"),
    "id": ("terima kasih", "terima kasih telah menonton", "sampai jumpa"),
    "vi": (
        "cảm ơn các bạn đã theo dõi", "cảm ơn các bạn", "hẹn gặp lại",
        "hãy subscribe cho kênh ghiền mì gõ để không bỏ lỡ những video hấp dẫn",
    ),
    "ja": (
        "ありがとうございました", "ありがとうございます", "ご視聴ありがとうございました",
        "ご視聴ありがとうございます", "最後までご視聴いただきありがとうございました",
        "ご清聴ありがとうございました", "チャンネル登録お願いします",
        "チャンネル登録をお願いいたします", "おやすみなさい", "次の動画でお会いしましょう",
        "それではまた", "さようなら",
    ),
    "zh": (
        "谢谢", "謝謝", "谢谢大家", "謝謝大家", "谢谢观看", "謝謝觀看", "感谢观看", "感謝觀看",
        "感谢收看", "感謝收看", "感谢您的观看", "多謝您的觀看", "谢谢收看", "我们下期再见", "再见",
        "请不吝点赞订阅转发打赏支持明镜与点点栏目", "請不吝點贊訂閱轉發打賞支持明鏡與點點欄目",
    ),
    "ko": (
        "감사합니다", "고맙습니다", "시청해주셔서 감사합니다", "시청해 주셔서 감사합니다",
        "구독과 좋아요 부탁드립니다", "다음 영상에서 만나요", "다음 시간에 만나요",
    ),
}

# How a credit for subtitles begins; what follows is a name. "Subtitles by default are off" begins
# so too.
_CREDITS = (
    r"(closed )?(subtitles?|subtitling|captions?|captioning|transcription|transcript) "
    r"(are |were |is |was )?(made |created |provided |sponsored |done |edited )?by\b",
    r"(subs|sync|translated|transcribed|subtitled|captioned) by\b",
    r"untertitel(ung)? (von|im auftrag|der|des|aufgrund|erstellt)\b",
    r"copyright (wdr|zdf|ndr|br)\b",
    r"sous titr(es|age|e) (realises?|faits?|par|de|st)\b", r"sous titrage\b",
    r"subtitul(os|ado)( realizados| creados)? por\b", r"subtitulos (de|en espanol)\b",
    r"legendas? (pela|por|criadas?)\b", r"transcricao e legendas\b",
    r"sottotitoli (creati|e revisione|a cura|di)\b", r"ondertitel(s|d|ing) (ingediend|door|voor)\b",
    r"(under)?tekst(er|et|ing|ning)? (av|af|fra)\b", r"undertexter (fran|av)\b",
    r"svensktextning\b",
    r"napisy (stworzone|wykona|opracowa)", r"titulky (vytvoril|prelozil)", r"altyazi\b",
    r"субтитры (сделал|делал|создавал|подготовил)", r"редактор субтитров",
    r"субтитри (зробив|створив)", r"(한글 ?)?자막 ?(by|제공|제작)",
    r"字幕 ?(by|由|志愿者|製作|制作|組|提供|翻譯|翻译)", r"由.{0,16}提供的?字幕",
)
# fmt: on
# Whoever these are, no one says them.
_SIGNATURES = re.compile(
    r"amara org|zeoranger|mooji org|qtss|dimatorzok|明鏡與點點|明镜与点点|ghiền mì gõ|ghien mi go"
    r"|字幕視聴ありがとうございました"
)
_APOSTROPHES = re.compile(r"['\u2019\u02bc`]")
_SENTENCE_ENDS = re.compile(r"[.!?…。！？♪\n]+")  # noqa: RUF001
_ACCENTS = re.compile(r"[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]")
_LONGEST_CREDIT = 14  # words


def folded(text: str) -> str:
    """Lower case words without accents and marks, a space between two.

    Points over Hebrew and Arabic go as well. The signs of scripts that always write vowels as
    marks are no accents: they stay.
    """
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text).casefold())
    composed = unicodedata.normalize("NFKC", _ACCENTS.sub("", plain))
    spaced = (c if unicodedata.category(c)[0] in "LMN" else " " for c in composed)
    return " ".join("".join(spaced).split())


_FOLDED_FAREWELLS = frozenset(
    folded(phrase).replace(" ", "") for phrases in _FAREWELLS.values() for phrase in phrases
)
_CREDIT = re.compile("|".join(rf"^(?:{begin})" for begin in _CREDITS))


def is_farewell(text: str) -> bool:
    """Whether the whole of `text` is farewells, thanks and requests to subscribe."""
    sentences = [folded(part).replace(" ", "") for part in _SENTENCE_ENDS.split(text)]
    said = [sentence for sentence in sentences if sentence]
    whole = folded(text).replace(" ", "")
    return whole in _FOLDED_FAREWELLS or (
        bool(said) and all(sentence in _FOLDED_FAREWELLS for sentence in said)
    )


def is_credit(text: str) -> bool:
    """Whether `text` reads like a credit for subtitles."""
    plain = folded(text)
    return len(plain.split()) <= _LONGEST_CREDIT and bool(_CREDIT.search(plain))


def is_signature(text: str) -> bool:
    """Whether `text` is a credit that is never spoken: it names who made the subtitles."""
    plain = folded(text)
    return len(plain.split()) <= _LONGEST_CREDIT and bool(_SIGNATURES.search(plain))
