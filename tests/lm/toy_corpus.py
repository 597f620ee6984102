"""A small text with the statistics of language, the same everywhere: words by Zipf's law with habits of following."""

import random

WORDS = [
    "the",
    "of",
    "and",
    "a",
    "to",
    "in",
    "he",
    "was",
    "it",
    "that",
    "his",
    "her",
    "with",
    "as",
    "had",
    "for",
    "she",
    "not",
    "at",
    "but",
    "be",
    "on",
    "they",
    "have",
    "him",
    "which",
    "said",
]


def sentences(n_sentences: int, seed: int = 0) -> list[str]:
    """Sentences of 0 to 12 words from 27 common and some rarer words; a word prefers certain followers."""
    generator = random.Random(seed)
    words = WORDS + [f"w{i}" for i in range(120)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    result = []
    for _ in range(n_sentences):
        sentence: list[str] = []
        for _ in range(generator.randrange(1, 13)):
            if sentence and generator.random() < 0.5:
                # one of three followers, which depend on the word before
                sentence.append(words[(words.index(sentence[-1]) * 7 + generator.randrange(3)) % len(words)])
            else:
                sentence.append(generator.choices(words, weights)[0])
        result.append(" ".join(sentence))
    return result
