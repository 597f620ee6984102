"""Written English → the words that are said: lower case a–z and the apostrophe, single spaces.

In go sentences as people write them ("Mr. O'Neil paid $3.50 on 4 May."), out come the words as a transcript's
reference has them ("mister o'neil paid three dollars and fifty cents on the fourth of may"), because a language model
scores what the acoustic model spells. A sentence that cannot be read aloud with these letters (an address, program
code, another script) is refused as a whole (None): words left out of its middle would teach wrong neighbours.

The rules run in the order in which they stand here; each one's reason stands beside it.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from ..alphabet import without_accents
from . import numbers

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

# Signs that mean the same as a plain one, letters that accents-off does not unfold
PLAIN = str.maketrans({
    "’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "—": " - ", "―": " - ", "–": "-", "‒": "-", "‐": "-", "‑": "-", "−": "-", "…": "... ", "\u00a0": " ",
    "\u2009": " ", "\u200b": "", "\ufeff": "", "\u00ad": "", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o",
    "Ø": "O", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3",
    "⅔": " 2/3", "°": " degrees ", "×": " by ", "§": " section ",
})  # fmt: skip

ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "messrs": "messieurs", "dr": "doctor", "prof": "professor", "rev": "reverend",
    "gen": "general", "col": "colonel", "capt": "captain", "lt": "lieutenant", "sgt": "sergeant", "hon": "honourable",
    "gov": "governor", "sen": "senator", "mme": "madame", "mlle": "mademoiselle", "jr": "junior", "sr": "senior",
    "vs": "versus", "etc": "et cetera", "esq": "esquire", "inc": "incorporated", "ltd": "limited",
    "corp": "corporation", "dept": "department", "approx": "approximately", "vol": "volume", "chap": "chapter",
    "bros": "brothers", "st": "saint", "mt": "mount", "ft": "fort", "jan": "january", "feb": "february",
    "mar": "march", "apr": "april", "aug": "august", "sept": "september", "oct": "october", "nov": "november",
    "dec": "december", "e.g": "for example", "i.e": "that is", "viz": "namely",
}  # fmt: skip
# these end a sentence as often as they shorten a word, so they need a capital or a digit behind them
ONLY_BEFORE_NAME = {
    "st", "mt", "ft", "gen", "col", "hon", "gov", "sen", "jan", "feb", "mar", "apr", "aug", "sept", "oct", "nov", "dec",
}  # fmt: skip
KINGS = (
    "henry|louis|charles|george|william|edward|james|richard|philip|napoleon|elizabeth|mary|pius|leo|gregory|benedict|"
    "frederick|alexander|nicholas|peter|catherine|francis|john|paul"
)
PARTS = (
    "chapter|part|book|volume|act|scene|article|section|title|type|phase|class|stage|number|canto|appendix|table|plate|"
    "war"
)
MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
UNITS = {
    "k": "thousand", "bn": "billion", "km": "kilometers", "kg": "kilograms", "mm": "millimeters", "cm": "centimeters",
    "lb": "pounds", "lbs": "pounds", "mph": "miles per hour", "ft": "feet",
}  # fmt: skip
CURRENCIES = {"$": ("dollar", "cent", "cents"), "£": ("pound", "penny", "pence"), "€": ("euro", "cent", "cents")}
SCALES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
# words that begin or end with an apostrophe of their own; any other outer apostrophe is a quotation mark
LEADING = "tis|twas|twere|twill|twould|em|til|cause|bout|twixt|neath|gainst"

NUMBER = r"\d[\d,]*(?:\.\d+)?"
UNREADABLE = re.compile(r"https?:|www\.|[@=<>{}\\^|~_*\[\]]|\w\.(?:com|org|net|io|js|py|html|md)\b|\w\(\)|::|->")
SHORT = "|".join(map(re.escape, sorted(ABBREVIATIONS, key=len, reverse=True)))
# Whether any rule below could apply, told from the start of a match alone: most sentences of running text need none
NEEDS_RULES = re.compile(
    r"[0-9$£€%&+#]|\.(?!$)|(?:etc|Esq|Ltd|Inc|Jr|Sr|Bros)\.$|[MDS](?:rs?|t|essrs|me|lle) [A-Z]|[IVXLC]{2}|[VX]\b"
)
NOT_A_LETTER = re.compile(r"[^a-z']+")
OUTER_APOSTROPHE = re.compile(
    rf"(?<![a-z])'(?!(?:{LEADING})\b)|'(?![a-z])"  # before a letter it is kept inside a word, and where LEADING has it
)
DROPPED_G = re.compile(r"(?<=[a-z]in)'(?= [a-z])")  # "goin' home"


def normalise(sentence: str) -> str | None:
    """One written sentence → the words that are said, or None where it cannot be read with a–z and '.

    The result is "" for a sentence without a word in it.
    """
    sentence = sentence.translate(PLAIN) if not sentence.isascii() else sentence
    sentence = sentence.replace("--", " - ")
    if UNREADABLE.search(sentence):
        return None
    if not sentence.isascii():
        sentence = without_accents(sentence)
        if any(ord(c) > 127 and (c.isalpha() or c.isdigit()) for c in sentence):
            return None
    if NEEDS_RULES.search(sentence):
        for pattern, replacement in RULES:
            sentence = pattern.sub(replacement, sentence)
        if any(sign in sentence for sign in "0123456789$£€"):
            return None
    sentence = sentence.lower()
    if "'" in sentence:
        sentence = DROPPED_G.sub("\x01", f" {sentence} ")
        sentence = OUTER_APOSTROPHE.sub(" ", sentence).replace("\x01", "'")
    return NOT_A_LETTER.sub(" ", sentence).strip()


# A sentence ends at . ! ? (and closing quotes) before a capital or digit; not after an abbreviation or an initial
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
NO_END = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Messrs|Prof|Rev|Gen|Col|Capt|Lt|Sgt|Hon|Gov|Sen|Jr|Sr|vs|No|Nos|Vol|Fig|Mt|Ft|Jan|Feb|"
    r"Aug|Sept|Oct|Nov|Dec|viz|cf|approx)|(?:^|[\s(\"'])[A-Z]|(?:[A-Za-z]\.)+[A-Za-z]|e\.g|i\.e)\.[\"')\]]*\s+$"
)


def sentences(paragraph: str) -> Iterator[str]:
    """A paragraph → its sentences as written, in order."""
    start = 0
    for end in SENTENCE_END.finditer(paragraph):
        if NO_END.search(paragraph[max(start, end.start() - 12) : end.end()]):
            continue
        yield paragraph[start : end.end()].strip()
        start = end.end()
    if paragraph[start:].strip():
        yield paragraph[start:].strip()


def normalise_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines of written text, a paragraph or sentence each → normalised sentences, without empty and unreadable ones."""
    for line in lines:
        for sentence in sentences(line):
            words = normalise(sentence)
            if words:
                yield words


@lru_cache(maxsize=50_000)
def _say(number: str, as_year: bool = True) -> str:
    """A written number → words; four bare digits from 1100 to 2099 are taken for a year."""
    plain = number.rstrip(",").replace(",", "")
    whole, point, fraction = plain.partition(".")
    if point and fraction:
        return f"{_say(whole or '0', False)} point {numbers.digits(fraction)}"
    if (len(whole) > 1 and whole[0] == "0") or len(whole) > 12 or ("," not in number and len(whole) > 7):
        return numbers.digits(whole)  # a telephone number or a code
    if as_year and "," not in number.rstrip(",") and len(whole) == 4 and 1100 <= int(whole) <= 2099:
        return numbers.year(int(whole))
    return numbers.cardinal(int(whole))


def _money(match: re.Match[str]) -> str:
    unit, cent, cents = CURRENCIES[match[1]]
    amount, scale = match[2].rstrip(","), (match[3] or "").lower()
    if scale:
        return f" {_say(amount, False)} {SCALES.get(scale, scale)} {unit}s "
    whole, _, fraction = amount.partition(".")
    if len(fraction) != 2:
        return f" {_say(amount, False)} {unit}{'' if amount == '1' else 's'} "
    said = []
    if whole.strip("0,") or fraction == "00":
        said.append(f"{_say(whole, False)} {unit}{'' if whole == '1' else 's'}")
    if fraction != "00":
        said.append(f"{numbers.cardinal(int(fraction))} {cent if fraction == '01' else cents}")
    return f" {' and '.join(said)} "


def _time(match: re.Match[str]) -> str:
    hour, minute = numbers.cardinal(int(match[1])), int(match[2])
    if minute == 0:
        return f" {hour} "
    return f" {hour} {'oh ' if minute < 10 else ''}{numbers.cardinal(minute)} "


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match[1]), int(match[2])
    if bottom < 2 or top >= bottom:
        return f" {numbers.cardinal(top)} {numbers.cardinal(bottom)} "
    one = {2: "half", 4: "quarter"}.get(bottom) or numbers.ordinal(bottom)
    many = {2: "halves"}.get(bottom) or one + "s"
    return f" {numbers.cardinal(top)} {one if top == 1 else many} "


def _abbreviation(match: re.Match[str]) -> str:
    short = match[1].lower()
    followed_by_name = match.string[match.end() : match.end() + 2].lstrip()[:1]
    if short in ONLY_BEFORE_NAME and not (followed_by_name.isupper() or followed_by_name.isdigit()):
        return match[0]
    return f" {ABBREVIATIONS[short]} "


def _roman(match: re.Match[str]) -> str:
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}[sign] for sign in match[2]]
    total = sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))
    said = numbers.cardinal(total) if match[1].lower() in PARTS.split("|") else f"the {numbers.ordinal(total)}"
    return f"{match[1]} {said}"


def _day(number: str) -> str | None:
    return numbers.ordinal(int(number)) if 1 <= int(number) <= 31 else None


RULES: tuple[Rule, ...] = (
    (re.compile(r"\bNo(s?)\. ?(?=\d)"), lambda m: "numbers " if m[1] else "number "),
    (re.compile(r"#(?=\d)"), "number "),
    # 3 p.m. before abbreviations and initials take the dots away
    (re.compile(r"(?<=\d) ?\b([ap])\. ?m\b\.?|(?<=\d) ?\b([ap])m\b", re.I), lambda m: f" {m[1] or m[2]} m "),
    (re.compile(r"(?<=[a-z]) St\.(?=[\s,;.?!]+[a-z]|$|,)"), " street"),
    (re.compile(rf"\b({SHORT})\.", re.I), _abbreviation),
    (re.compile(r"\b(Mr|Mrs|Dr|Messrs|Mme|Mlle|St)\b(?= [A-Z])"), lambda m: ABBREVIATIONS[m[1].lower()]),
    (re.compile(r"\b(?:[A-Za-z]\.){2,}"), lambda m: f" {m[0].replace('.', ' ')} "),  # initials are spelled
    (re.compile(rf"\b((?i:{KINGS}|{PARTS})) ([IVXLC]{{2,}}|[VX])\b(?!')\.?"), _roman),
    (re.compile(r"&c\b\.?"), " et cetera "),
    (re.compile(r"&"), " and "),
    (
        re.compile(rf"\b(?:the )?(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({MONTHS})\b", re.I),
        lambda m: f"the {_day(m[1])} of {m[2]}" if _day(m[1]) and m[2][0].isupper() else m[0],
    ),
    (
        re.compile(rf"\b({MONTHS}),? (\d{{1,2}})(?:st|nd|rd|th)?(?![\d:%,]\d|\d| ?(?:percent|%|[mb]illion))", re.I),
        lambda m: f"{m[1]} {_day(m[2])}" if _day(m[2]) and m[1][0].isupper() else m[0],
    ),
    (re.compile(r"\b([012]?\d):([0-5]\d)(?!\d)(?::\d\d)?"), _time),
    (re.compile(rf"([$£€]) ?({NUMBER})(?:[- ]?(million|billion|trillion|thousand|hundred|bn|k|m|b)\b)?", re.I), _money),
    (re.compile(r"(?<![\d/])(\d) ?/ ?(\d{1,2})(?![\d/])"), _fraction),
    (re.compile(r"\b\d+(?:-\d+){2,}\b"), lambda m: numbers.digits(m[0].replace("-", ""))),  # a telephone number
    (re.compile(r"(?<=\d) ?- ?(?=\d)"), " to "),
    (re.compile(rf"({NUMBER}) ?%"), lambda m: f" {_say(m[1], False)} percent "),
    (
        re.compile(r"\b(\d[\d,]{0,8}) ?(?:st|nd|rd|th)\b", re.I),
        lambda m: f" {numbers.ordinal(int(m[1].replace(',', '')))} ",
    ),
    (re.compile(r"'(\d0)s\b"), lambda m: f" {numbers.plural(numbers.cardinal(int(m[1])))} "),
    (re.compile(r"\b(\d{4}|\d\d)'?s\b"), lambda m: f" {numbers.plural(_say(m[1]))} "),
    (re.compile(r"(?<!\w)'(\d\d)\b"), lambda m: f" {'oh ' if m[1][0] == '0' else ''}{numbers.cardinal(int(m[1]))} "),
    (re.compile(rf"({NUMBER}) ?({'|'.join(UNITS)})\b"), lambda m: f" {_say(m[1], False)} {UNITS[m[2]]} "),
    (re.compile(NUMBER), lambda m: f" {_say(m[0])} "),
    (re.compile(r"%"), " percent "),
    (re.compile(r"\+"), " plus "),
)
