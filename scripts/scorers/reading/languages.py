"""How answers are announced, language by language."""

from __future__ import annotations

from typing import NamedTuple


class Announcing(NamedTuple):
    """How one language announces an answer: a noun, what may describe it, and a verb or a colon."""

    nouns: str
    """A pattern for the word that means "answer"; without groups."""
    verbs: str
    """A pattern for what may stand between noun and answer instead of a colon."""
    seen_by: tuple[str, ...]
    """Texts in lower case of which one is in every announcement of this language."""
    after: str = ""
    """A pattern for what may describe the noun after it, "respuesta correcta"; a space precedes it."""
    begins_word: bool = True
    """Whether no letter can stand right before the noun."""
    is_spaced: bool = True
    """Whether spaces stand around the verb."""


LANGUAGES = (
    Announcing(
        r"answers?(?:\s+(?:choice|option|letter|number))?",
        r"is|are|was|should\s+be|would\s+be|must\s+be|will\s+be|(?:could|may|might|can\s+only)\s+be|has\s+to\s+be|becomes|equals"
        r"|[—–-](?=\s+\(?(?-i:[A-Z\d]))",
        ("answer",),
        r"(?:here|above|below|therefore|then|to|for|of)\b(?:\s+(?!is\b|are\b)[\w'’-]{1,20}+){0,6}?",
    ),
    Announcing(
        r"(?<=\bfinal )(?:result|value|solution|choice|option|decision|verdict|conclusion)", r"is", ("final",)
    ),
    Announcing(
        r"(?:correct|right|best|most\s+\w{3,20})\s+(?:answer\s+)?"
        r"(?:option|choice|letter|alternative|response|statement|one|conclusion|completion)",
        r"is|would\s+be|should\s+be|must\s+be",
        ("correct", "right", "best", "most"),
        r"here|(?:of|among|from)\s+(?:these|the\s+options)|in\s+this\s+case",
    ),
    Announcing(
        r"(?:eind)?antwoord|antwort(?:möglichkeit|option)?|richtig|korrekt",
        r"ist|lautet|wäre|muss|is|luidt|zou",
        ("antwort", "antwoord", "richtig", "korrekt"),
        r"(?:auf|op|zu|van)\b(?:\s+(?!ist\b|lautet\b|is\b|luidt\b)[\w'’-]{1,20}+){0,6}?",
    ),
    Announcing(
        r"respuesta|(?:opción|alternativa)(?=\s+correcta)",
        r"(?:es|sería|debe\s+ser)(?:\s+(?:la|el)(?=\s+(?:opción|letra|[A-Z]\b)))?",
        ("respuesta", "opción", "alternativa"),
        r"correcta|final|definitiva|adecuada|más\s+adecuada|(?:a|de)\s+(?:la|esta)\s+pregunta",
    ),
    Announcing(
        r"r[ée]ponse|option(?=\s+correcte)",
        r"(?:est|serait|doit\s+être)(?:\s+la(?=\s+(?:lettre|[A-Z]\b)))?",
        ("réponse", "reponse", "correcte"),
        r"correcte|finale|exacte|définitive|juste|à\s+(?:la|cette)\s+question",
    ),
    Announcing(
        r"risposta|(?:opzione|alternativa)(?=\s+corretta)",
        r"(?:è|e['’]|sarebbe|deve\s+essere)(?:\s+la(?=\s+(?:lettera|[A-Z]\b)))?",
        ("risposta", "opzione", "alternativa"),
        r"corretta|finale|esatta|giusta|definitiva",
    ),
    Announcing(
        r"resposta|(?:opção|alternativa)(?=\s+(?:correta|certa))",
        r"(?:é|seria|deve\s+ser)(?:\s+a(?=\s+(?:letra|opção|alternativa|[A-Z]\b)))?",
        ("resposta", "opção", "alternativa"),
        r"correta|certa|final|definitiva",
    ),
    Announcing(
        r"odpowied(?:ź|zią)|odpověď|odpoveď",
        r"to|jest|brzmi|będzie|je|zní|znie",
        ("odpowied", "odpov"),
        r"końcowa|ostateczna|prawidłowa|poprawna",
    ),
    Announcing(
        r"ответ|відповідь|отговор|правильный\s+вариант|одговор",
        r"(?:это|является|есть|будет|равен|це|є|е|је)(?=\s)|[—–-]",
        ("ответ", "відповідь", "отговор", "вариант", "одговор"),
        r"на\s+(?:этот\s+)?вопрос",
    ),
    Announcing(r"svar(?:et)?", r"är|er|blir", ("svar",)),
    Announcing(r"vastaus|válasz|vastus", r"on|az?", ("vastaus", "válasz", "vastus")),
    Announcing(r"răspuns(?:ul)?|raspuns(?:ul)?", r"este|e", ("răspuns", "raspuns"), r"corect|final"),
    Announcing(r"απάντηση", r"είναι", ("απάντηση",)),
    Announcing(
        r"cevap|yanıt|cavab", r"\s(?=\(?[A-Z]\)?['’]d[ıi]r)", ("cevap", "yanıt", "cavab"), is_spaced=False
    ),
    Announcing(r"jawaban(?:nya)?", r"adalah|ialah", ("jawaban",), r"yang\s+(?:benar|tepat)|akhir(?:nya)?"),
    Announcing(r"đáp\s+án|câu\s+trả\s+lời", r"là", ("đáp án", "trả lời"), r"đúng|cuối\s+cùng|chính\s+xác"),
    Announcing(
        r"(?:答案|选项|選項)(?:应该|應該|应|應)?",
        r"是|为|為|选择|选|選",
        ("答案", "选项", "選項"),
        begins_word=False,
        is_spaced=False,
    ),
    Announcing(r"答え|解答|回答|正解|正答|答", r"は", ("答", "正解"), begins_word=False, is_spaced=False),
    Announcing(r"정답|답변|해답|답", r"은|는", ("답",), is_spaced=False),
    Announcing(
        r"(?:إجابة|اجابة|جواب)",
        r"هي|هو",
        ("إجابة", "اجابة", "جواب"),
        r"الصحيحة|الصحيح|النهائية|النهائي",
        begins_word=False,
    ),
    Announcing(r"پاسخ|جواب", r"(?!)", ("پاسخ", "جواب"), r"صحیح|درست|نهایی"),
    Announcing(r"תשובה", r"היא|הוא", ("תשובה",), r"הנכונה|הסופית", begins_word=False),
    Announcing(r"उत्तर|जवाब", r"है(?=\s*:)|(?=\(?[A-Z]\)?\s+है)", ("उत्तर", "जवाब"), is_spaced=False),
    Announcing(r"উত্তর", r"হল|হলো", ("উত্তর",)),
    Announcing(r"คำตอบ", r"คือ", ("คำตอบ",), r"ที่ถูกต้อง|สุดท้าย", begins_word=False, is_spaced=False),
    Announcing(r"jibu", r"ni", ("jibu",), r"sahihi|la\s+mwisho"),
)

FINAL = (
    r"\bfinal(?:e|ni|nal)?\b|\bendg[üu]ltige?\b|\bdefinitiv[ae]\b|\bdéfinitive\b|\beindantwoord\b|\buiteindelijke\b"
    r"|\bostateczna\b|\bkońcowa\b|окончательн|итогов|остаточн|\bslutgiltig|\bsluttelig|\blopullinen\b|\bvégső\b"
    r"|\bnihai\b|\bakhir|cuối\s+cùng|最终|最終|최종|النهائي|نهایی|הסופית|अंतिम|চূড়ান্ত|สุดท้าย|τελική"
)
"""What says of an announcement that it is the final one."""

HYPOTHETICAL = (
    r"\b(?:what|whether|why|if|hope(?:\s+that)?|suppose(?:\s+that)?|assum(?:e|ing)(?:\s+that)?|si|se|als|если|jeśli|"
    r"esp[eè]r[eo]\s+que|spero\s+che)\s+"
    r"(?:(?:the|my|your|this|that|our|an?|la|le|il|o|a|de|het|correct|right|best|final)\s+)*$"
)
"""What before the noun says that nothing is announced: "I hope the answer is helpful"."""

NOT = r"(?:not|never|nicht|kein\w*|pas|non|não|niet|geen|nie|не|없)\b"
"""What after the verb says which answer it is not."""

CONTRAST = (
    r"(?:\bbut(?:\s+rather)?|\brather|\binstead|\bit(?:['’]s|\s+is|\s+must\s+be|\s+should\s+be)"
    r"|\bsondern|\bsino|\bmais|\bma|\bmas|\bmaar|\bа)\b[\s,:*_]*+(?:it(?:['’]s|\s+is)\s+)?+"
)
"""What then says which it is: "not A but B", "not A. It is B"."""

ADVERBS = (
    r"(?:therefore|thus|hence|indeed|simply|then|probably|actually|definitely|certainly|clearly|obviously|undoubtedly"
    r"|most\s+likely|also|daher|somit|folglich|donc"
    r"|por\s+(?:lo\s+)?tanto|quindi|dunque|portanto|dus|więc)[ \t*_:,]++(?=[^\s.,!])"
)
"""What may stand between verb and answer."""

ENDINGS = r"(?:입니다|이에요|예요|이다|です|である|でしょう|['’]d[ıiuü]r|\s(?:है|हैं|ہے|است))(?=\W*$)"
"""Verbs that end a sentence after the answer."""
