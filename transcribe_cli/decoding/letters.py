"""English letters → sounds, for words that no pronunciation dictionary has: rough, good enough for a rare word."""

import re

PHONEMES = (  # ARPAbet, without stress
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY",
    "F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY",
    "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
# the longest match counts
_RULES = {
    "tch": "CH", "igh": "AY", "sch": "SH", "ough": "AO", "tion": "SH AH N", "sion": "ZH AH N", "ch": "CH",
    "sh": "SH",
    "th": "TH", "ph": "F", "wh": "W", "ng": "NG", "ck": "K", "qu": "K W", "ee": "IY", "ea": "IY", "oo": "UW",
    "ou": "AW",
    "ow": "OW", "ai": "EY", "ay": "EY", "oa": "OW", "oi": "OY", "oy": "OY", "au": "AO", "aw": "AO", "er": "ER",
    "ir": "ER", "ur": "ER", "ar": "AA R", "or": "AO R", "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F",
    "g": "G",
    "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R",
    "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W", "x": "K S", "y": "IY", "z": "Z", "'": "",
}  # fmt: skip
_RULE = re.compile("|".join(sorted(_RULES, key=len, reverse=True)))


def sounds(word: str) -> tuple[str, ...]:
    """A lower-case word's sounds, ARPAbet without stress; empty where it has no letter that sounds."""
    return tuple(" ".join(_RULES[match] for match in _RULE.findall(word)).split())
