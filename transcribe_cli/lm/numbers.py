"""Whole numbers as English words, written as a transcript writes them: lower case, no hyphens, no commas.

In go non-negative Python integers or strings of digits, out comes text. British "and" is used ("one hundred and five"),
which is also what most readers of American text say.
"""

SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion")
IRREGULAR_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth",
    "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip
LARGEST = 10 ** (3 * len(SCALES)) - 1


def cardinal(number: int) -> str:
    """105 → "one hundred and five". Raises ValueError below zero and above `LARGEST`."""
    if not 0 <= number <= LARGEST:
        raise ValueError(f"{number} is outside 0 to {LARGEST}")
    if number < 1000:
        return _below_thousand(number)
    groups = []
    rest = number
    while rest:
        rest, group = divmod(rest, 1000)
        groups.append(group)
    spoken = [
        f"{_below_thousand(group)} {SCALES[power]}".rstrip()
        for power, group in reversed(list(enumerate(groups)))
        if group
    ]
    if 0 < groups[0] < 100:  # "two thousand and five", but "two thousand three hundred"
        spoken.insert(-1, "and")
    return " ".join(spoken)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    words = [SMALL[hundreds], "hundred"] if hundreds else []
    if hundreds and rest:
        words.append("and")
    if rest >= 20:
        words.append(TENS[tens])
        if ones:
            words.append(SMALL[ones])
    elif rest or not hundreds:
        words.append(SMALL[rest])
    return " ".join(words)


def ordinal(number: int) -> str:
    """22 → "twenty second"."""
    head, _, last = cardinal(number).rpartition(" ")
    if last in IRREGULAR_ORDINALS:
        last = IRREGULAR_ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return f"{head} {last}".lstrip()


def year(number: int) -> str:
    """1984 → "nineteen eighty four", 1905 → "nineteen oh five", 2005 → "two thousand and five"."""
    century, rest = divmod(number, 100)
    if not 1100 <= number <= 9999 or (century % 10 == 0 and rest < 10):
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(text: str) -> str:
    """ "007" → "zero zero seven"."""
    return " ".join(SMALL[int(digit)] for digit in text)


def plural(words: str) -> str:
    """The last word in the plural: "nineteen eighty" → "nineteen eighties"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")
