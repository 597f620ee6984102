"""ARPA files, plain or compressed: the text form of n-gram models that every toolkit reads.

In goes a path, out an `NGramModel`, and back. Numbers are log10. Blank lines, CRLF ends, spaces for tabs and a missing
<unk>, <s> or </s> are accepted; a file whose counts do not fit its contents is refused.

Source: the format of the CMU-Cambridge and SRILM toolkits (`ngram-format(5)`).
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ..errors import LanguageModelError
from ..outputs import atomically
from .ngrams import NO_PROBABILITY, OTHER_UNK, SPECIALS, NGramModel, Rows, Table, find
from .packed import packed, read_lines

COUNT = re.compile(rb"ngram\s+(\d+)\s*=\s*(\d+)")
SECTION = re.compile(rb"\\(\d+)-grams:")
MISSING_UNK = -100.0  # what KenLM gives a word that the file does not know


def read(path: Path) -> NGramModel:
    """Reads an ARPA file.

    Raises:
        InputNotFound: no such file.
        LanguageModelError: not an ARPA file, cut off, or with n-grams whose words or contexts are not in it.
    """
    return _parse(path, read_lines(path))


def read_sizes(path: Path) -> tuple[int, ...]:
    """The numbers of n-grams that an ARPA file's header states. Raises as `read`."""
    return tuple(_header(path, read_lines(path)))


def _parse(path: Path, lines: Iterator[bytes]) -> NGramModel:
    counts = _header(path, lines)
    words: list[str] = list(SPECIALS)
    index = {word.encode(): i for i, word in enumerate(words)}
    tables: list[Table] = []
    for n in range(1, len(counts) + 1):
        spelled, probs, backoffs = _section(path, lines, n, counts[n - 1], index, words, last=n == len(counts))
        if n == 1:
            tables.append(_word_table(path, spelled[:, 0], probs, backoffs, len(words)))
            continue
        rows = spelled[:, 0].astype(np.int64)
        for lower in range(2, n):
            rows = find(tables[lower - 1].keys, rows * len(words) + spelled[:, lower - 1])
        if (rows < 0).any():
            gram = " ".join(words[i] for i in spelled[int(np.argmax(rows < 0))])
            raise LanguageModelError(f"{path}: the {n}-gram {gram!r} has a context that is not in the file")
        keys = rows * len(words) + spelled[:, n - 1]
        order = np.argsort(keys)
        if (np.diff(keys[order]) == 0).any():
            raise LanguageModelError(f"{path}: the same {n}-gram stands in it twice")
        tables.append(Table(keys[order], probs[order], backoffs[order]))
    return NGramModel(tuple(words), tuple(tables))


def _header(path: Path, lines: Iterator[bytes]) -> list[int]:
    for line in lines:
        if line.strip() == b"\\data\\":
            break
        if len(line) > 1 << 20 or b"\0" in line:
            raise LanguageModelError(f"{path}: neither an ARPA file nor a KenLM binary")
    else:
        raise LanguageModelError(f"{path}: not an ARPA file: it has no \\data\\ line")
    counts: list[int] = []
    for line in lines:
        stated = COUNT.fullmatch(line.strip())
        if stated:
            if int(stated[1]) != len(counts) + 1:
                raise LanguageModelError(f"{path}: the header's n-gram counts are out of order")
            counts.append(int(stated[2]))
        elif counts and not line.strip():
            break
        elif line.strip():
            raise LanguageModelError(f"{path}: the header line {_shown(line)} is not an n-gram count")
    if not counts or not counts[0]:
        raise LanguageModelError(f"{path}: the ARPA header states no n-grams")
    if len(counts) > 10:
        raise LanguageModelError(f"{path}: order {len(counts)} is more than this reads (10)")
    return counts


def _section(
    path: Path, lines: Iterator[bytes], n: int, count: int, index: dict[bytes, int], words: list[str], last: bool
) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Reads one \\n-grams: section: (N, n) word ids, (N,) log10 probabilities, (N,) log10 back-off weights."""
    for line in lines:
        if line.strip():
            heading = SECTION.fullmatch(line.strip())
            if not heading or int(heading[1]) != n:
                raise LanguageModelError(f"{path}: expected \\{n}-grams:, found {_shown(line)}")
            break
    else:
        raise LanguageModelError(f"{path}: cut off before its {n}-grams")
    ids: list[int] = []
    probs: list[float] = []
    backoffs: list[float] = []
    for _ in range(count):
        line = next(lines, b"")
        fields = line.split()
        if len(fields) not in (n + 1, n + 2):
            if not line or line.startswith(b"\\") or not fields:
                raise LanguageModelError(f"{path}: cut off: {len(probs)} of {count} {n}-grams are there")
            raise LanguageModelError(f"{path}: {_shown(line)} is not a {n}-gram with its probability")
        try:
            probs.append(float(fields[0]))
            backoffs.append(float(fields[n + 1]) if len(fields) == n + 2 else 0.0)
            if n == 1:
                ids.append(_number(fields[1], index, words))
            else:
                ids.extend([index[word] for word in fields[1 : n + 1]])
        except ValueError as error:
            raise LanguageModelError(f"{path}: {_shown(line)} is not a {n}-gram with its probability") from error
        except KeyError as error:
            raise LanguageModelError(f"{path}: {_shown(line)} has a word that is not among the 1-grams") from error
    line = b""
    for line in lines:
        if line.strip():
            raise LanguageModelError(f"{path}: more {n}-grams than the {count} its header states, or text behind them")
        break
    ends = line.strip() == b"" and line != b""
    if last:
        final = next((line for line in lines if line.strip()), b"")
        if final.strip() != b"\\end\\":
            raise LanguageModelError(f"{path}: cut off: the \\end\\ line is missing")
    elif not ends:
        raise LanguageModelError(f"{path}: cut off after its {n}-grams")
    columns = np.array(probs), np.array(backoffs)
    if not all(np.isfinite(column).all() for column in columns) or (columns[0] > 1e-3).any():
        raise LanguageModelError(f"{path}: a {n}-gram has a log10 probability that is above 0 or no number")
    floats = tuple(column.astype(np.float32) for column in columns)
    return np.array(ids, dtype=np.int64).reshape(-1, n), np.minimum(floats[0], 0), floats[1]


def _number(word: bytes, index: dict[bytes, int], words: list[str]) -> int:
    if word == OTHER_UNK.encode():
        return 0
    known = index.setdefault(word, len(words))
    if known == len(words):
        words.append(word.decode("utf-8"))
    return known


def _word_table(path: Path, ids: Rows, probs: np.ndarray, backoffs: np.ndarray, size: int) -> Table:
    if len(np.unique(ids)) != len(ids):
        raise LanguageModelError(f"{path}: the same word stands in its 1-grams twice")
    all_probs = np.full(size, NO_PROBABILITY, dtype=np.float32)
    all_probs[0] = MISSING_UNK
    all_backoffs = np.zeros(size, dtype=np.float32)
    all_probs[ids], all_backoffs[ids] = probs, backoffs
    return Table(np.arange(size), all_probs, all_backoffs)


def _shown(line: bytes) -> str:
    return repr(line.strip()[:60].decode("utf-8", "replace"))


def write(model: NGramModel, path: Path) -> None:
    """Writes an ARPA file, compressed if its name ends in .gz, .bz2 or .xz; the file appears whole or not at all.

    Raises OutputError where it cannot be written.
    """
    with atomically(path) as file, packed(file, path.suffix) as out:
        for text in format_lines(model):
            out.write(text.encode())


def format_lines(model: NGramModel, block: int = 100_000) -> Iterator[str]:
    """The ARPA file's text in pieces."""
    yield "\\data\\\n" + "".join(f"ngram {n}={size}\n" for n, size in enumerate(model.sizes, 1)) + "\n"
    words = np.array(model.words, dtype=object)
    for n, table in enumerate(model.tables, 1):
        yield f"\\{n}-grams:\n"
        spelled = model.spelled(n)
        for start in range(0, len(table), block):
            part = slice(start, start + block)
            grams: Iterable[str] = map(" ".join, words[spelled[part]].tolist())
            probs, backoffs = table.log10_probs[part].tolist(), table.log10_backoffs[part].tolist()
            if n < model.order:
                rows = zip(probs, grams, backoffs, strict=True)
                yield "".join([f"{p:.7g}\t{gram}\t{b:.7g}\n" for p, gram, b in rows])
            else:
                yield "".join([f"{p:.7g}\t{gram}\n" for p, gram in zip(probs, grams, strict=True)])
        yield "\n"
    yield "\\end\\\n"
