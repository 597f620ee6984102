"""A language model to decode with: an ARPA file (plain or compressed) or a KenLM binary, its words and its scores.

What comes in is a path, what goes out a `LanguageModel`. Files are looked through before KenLM sees them, because it
trusts what a binary's header says and cannot name the words of one. Probabilities stay in log10 inside KenLM; whoever
asks it for a score converts it with `LOG_10`.

Source: KenLM's file layout, format version 5 (Heafield 2011); see `layout.py`.
"""

import math
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, cast

import kenlm
import numpy as np
from numpy.typing import NDArray

from ..alphabet import Alphabet
from ..errors import LanguageModelError
from . import layout
from .ngrams import OTHER_UNK
from .packed import DAMAGED, unpacker
from .vocabulary import Vocabulary

LOG_10 = math.log(10.0)  # log10 × LOG_10 = natural log
SPECIAL = frozenset({"<s>", "</s>", "<unk>", OTHER_UNK})
# a character model is a model whose words are single characters, and one of these for the space between words
SPACES = ("▁", "<space>", "|")

_LONGEST_LINE = 1 << 20  # bytes; a longer "line" means that the file is no ARPA


def unit_of(words: Collection[str]) -> tuple[str, str]:
    """("char", what stands for the space) where a model's words are single characters, else ("word", "")."""
    spaces = [space for space in SPACES if space in words]
    single = all(len(word) == 1 or word in SPACES or word in SPECIAL for word in words)
    # one-letter vocabularies without a space are word models of a toy's size
    return ("char", spaces[0]) if single and spaces else ("word", "")


class LanguageModel:
    """An n-gram model ready to score; made by `LanguageModel.load`.

    path: where it was read from.
    order: longest n-gram.
    words: its vocabulary without <s>, </s> and <unk>; empty for a binary that was written without its words.
    unit: "word", or "char" for a model over characters.
    space: what stands for the space in a character model, else "".
    unigrams: (words,) float32, natural logarithms of the words' probabilities in no context, in their order.
    unknown: the same of a word that it does not know.
    kenlm: the `kenlm.Model` that scores (log10).
    plain: whether KenLM reads the file as it lies there; else it was given an unpacked or mended copy.
    rescorer: the file of a neural model that has a say beside it, or None.
    """

    __slots__ = ("_unigrams", "kenlm", "order", "path", "plain", "rescorer", "space", "unit", "words")

    def __init__(self, path: Path, model: Any, words: Iterable[str], plain: bool = True) -> None:
        self.path, self.kenlm, self.order, self.plain = path, model, int(model.order), plain
        self.words = Vocabulary(word for word in words if word not in SPECIAL)
        self.unit, self.space = unit_of(self.words)
        self._unigrams: NDArray[np.float32] | None = None
        self.rescorer: Path | None = None

    @classmethod
    def load(cls, path: str | Path, rescorer: str | Path | None = None) -> "LanguageModel":
        """Reads a model: ARPA (plain, gzip, bzip2, xz) or KenLM binary, told apart by what is in the file.

        rescorer: noted, for the decoder to read.

        Raises LanguageModelError: missing, empty, truncated, corrupt, or of a kind that cannot be read.
        """
        model = cls._load(Path(path))
        model.rescorer = None if rescorer is None else Path(rescorer)
        return model

    @classmethod
    def _load(cls, path: Path) -> "LanguageModel":
        try:
            with path.open("rb") as file:
                head = file.read(16)
        except FileNotFoundError as error:
            raise LanguageModelError(f"{path}: no such language model") from error
        except OSError as error:
            raise LanguageModelError(f"{path}: the language model cannot be read ({error.strerror})") from error
        if not head:
            raise LanguageModelError(f"{path}: the language model is empty")
        if head.startswith(b"mmap lm "):
            words = layout.vocabulary(path)
            return cls(path, _open(path, path), words)
        return _load_arpa(path, unpacker(head))

    @property
    def unigrams(self) -> NDArray[np.float32]:
        if self._unigrams is None:
            nothing, after = self.state(boundary=False), kenlm.State()
            scores = map(self.kenlm.BaseScore, repeat(nothing), self.words, repeat(after))
            self._unigrams = np.fromiter(scores, np.float32, len(self.words)) * np.float32(LOG_10)
        return self._unigrams

    @property
    def unknown(self) -> float:
        return float(self.kenlm.BaseScore(self.state(boundary=False), "<unk>", kenlm.State())) * LOG_10

    def has_prefix(self, prefix: str) -> bool:
        """Whether some word starts with this; True for everything where the words are not known."""
        return not self.words or self.words.has_prefix(prefix)

    def knows(self, word: str) -> bool:
        """Whether the model has seen the word."""
        return word in self.kenlm

    def state(self, context: str = "", boundary: bool = True) -> Any:
        """The state after these words (or, in a character model, characters and spaces).

        boundary: whether they stand at a sentence's start; without words and boundary the state is empty.
        """
        state = kenlm.State()
        if boundary:
            self.kenlm.BeginSentenceWrite(state)
        else:
            self.kenlm.NullContextWrite(state)
        for unit in self.units(context):
            following = kenlm.State()
            self.kenlm.BaseScore(state, unit, following)
            state = following
        return state

    def units(self, text: str) -> list[str]:
        """Text → what the model counts: its words, or its characters with `space` between words."""
        words = text.split()
        if self.unit == "word":
            return words
        return [unit for i, word in enumerate(words) for unit in ([self.space, *word] if i else word)]

    def score(self, text: str, boundary: bool = True) -> float:
        """Natural-log probability of a text, sentence start and end included if `boundary`."""
        return float(self.kenlm.score(" ".join(self.units(text)), bos=boundary, eos=boundary)) * LOG_10

    def check_fits(self, alphabet: Alphabet) -> None:
        """Raises LanguageModelError where the alphabet cannot write most of the model's words, and says why."""
        if not self.words or self.unit == "char":
            sample = sorted(self.words - set(SPACES))
        else:
            # every k-th word is enough to tell another script or case, and takes a millisecond
            sample = self.words.every(max(1, len(self.words) // 500))
        spelt = [word for word in sample if alphabet.spells(word)]
        if not sample or 2 * len(spelt) >= len(sample):
            return
        for change, name in ((str.lower, "lower"), (str.upper, "upper")):
            if 2 * sum(alphabet.spells(change(word)) for word in sample) >= len(sample):
                raise LanguageModelError(
                    f"{self.path}: the acoustic model writes {name} case and this language model does not "
                    f"(its words look like {_example(sample, alphabet)!r}): build it from {name}-case text"
                )
        raise LanguageModelError(
            f"{self.path}: the acoustic model can spell only {len(spelt)} of {len(sample)} of this language model's "
            f"words (not {_example(sample, alphabet)!r}): take a model of the same language and spelling"
        )


def _example(words: list[str], alphabet: Alphabet) -> str:
    return next(word for word in words if not alphabet.spells(word))


def _open(path: Path, named: Path) -> Any:
    """The kenlm model of a file that passed our own checks; `named` is what messages call it."""
    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    config.load_method = kenlm.LoadMethod.LAZY  # pages come in as they are needed: a short recording needs few
    try:
        return kenlm.Model(str(path), config)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error.__cause__ or error).split(" in ", 1)[-1]
        raise LanguageModelError(f"{named}: KenLM cannot read this language model ({_tail(reason)})") from error


def _tail(reason: str) -> str:
    """What KenLM says is wrong, without the source line it says it from."""
    line = " ".join(reason.split())
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    return line.split("' threw ")[-1].split(" because ")[-1][:200]


def _load_arpa(path: Path, unpack: Callable[..., Any] | None) -> LanguageModel:
    """Reads an ARPA file, compressed if there is a way to unpack it. KenLM gets a temporary plain copy where it cannot
    read the file as it lies there."""
    try:
        with cast(BinaryIO, unpack(path, "rb")) if unpack else path.open("rb") as file:
            counts, unigrams, crlf = _unigrams(file, path)
            words = [line.split(b"\t")[1].decode("utf-8") for line in unigrams]
            if not crlf and not unpack and len(counts) > 1:
                return LanguageModel(path, _open(path, path), words)
            with tempfile.NamedTemporaryFile(suffix=".arpa") as plain:
                file.seek(0)
                if len(counts) > 1:
                    for line in file:
                        plain.write(line.rstrip(b"\r\n") + b"\n")
                else:
                    _as_bigrams(plain, unigrams)
                plain.flush()
                return LanguageModel(path, _open(Path(plain.name), path), words, plain=False)
    except DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's fault, not the file's
            raise
        raise LanguageModelError(f"{path}: the compressed language model is damaged or truncated") from error
    except UnicodeDecodeError as error:
        raise LanguageModelError(f"{path}: the language model's words are not UTF-8") from error


def _unigrams(file: BinaryIO, path: Path) -> tuple[list[int], list[bytes], bool]:
    """The counts, the unigram lines (log10 probability, word, back-off, tab between) and whether lines end in CRLF."""
    lines, crlf = _lines(file, path), False
    counts: list[int] = []
    for raw in lines:
        crlf = crlf or raw.endswith(b"\r\n")
        line = raw.strip()
        if line.startswith(b"ngram "):
            order, _, count = line[6:].partition(b"=")
            if order.strip() != str(len(counts) + 1).encode() or not count.strip().isdigit():
                raise LanguageModelError(f"{path}: the ARPA header is damaged at {_show(line)}")
            counts.append(int(count))
        elif line == b"\\1-grams:":
            break
        elif counts and line:
            raise LanguageModelError(f"{path}: the ARPA header is damaged at {_show(line)}")
        elif not counts and line and line != b"\\data\\" and not line.startswith(b"#"):
            raise LanguageModelError(f"{path}: neither an ARPA file nor a KenLM binary (it starts with {_show(line)})")
    if not counts or counts[0] == 0:
        raise LanguageModelError(f"{path}: the language model holds no words")
    found: list[bytes] = []
    for raw in lines:
        line = raw.strip()
        if line.startswith(b"\\") and b"\t" not in line:
            break
        if line:
            if len(line.split()) not in (2, 3):
                raise LanguageModelError(f"{path}: a damaged line among the ARPA's words: {_show(line)}")
            found.append(b"\t".join(line.split()))
    if len(found) != counts[0]:
        raise LanguageModelError(f"{path}: truncated: {len(found)} of the {counts[0]} words its header promises")
    return counts, found, crlf


def _lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise LanguageModelError(f"{path}: neither an ARPA file nor a KenLM binary")
        yield line


def _as_bigrams(file: Any, unigrams: list[bytes]) -> None:
    """Writes a unigram model as the bigram model that says the same, since KenLM reads no order below 2.

    The one bigram is </s> after <s> with the probability that backing off would give it.
    """
    fields = {line.split(b"\t")[1]: line.split(b"\t") for line in unigrams}
    end, start = fields.get(b"</s>"), fields.get(b"<s>")
    end_log10 = float(end[0]) if end else -99.0
    back_off = float(start[2]) if start and len(start) > 2 else 0.0
    file.write(b"\\data\\\nngram 1=%d\nngram 2=1\n\n\\1-grams:\n" % len(unigrams))
    for line in unigrams:
        file.write(line + (b"\n" if line.count(b"\t") == 2 else b"\t0\n"))
    file.write(b"\n\\2-grams:\n%.7f\t<s> </s>\n\n\\end\\\n" % (end_log10 + back_off))


def _show(line: bytes) -> str:
    return repr(line[:40].decode("utf-8", "replace"))
