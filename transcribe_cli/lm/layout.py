"""KenLM's binary files: what one says about itself, where its parts lie, and whether it is whole.

KenLM believes a file's header: where the counts in it do not add up to this very file, it would read beyond its end.
So every reader here asks `vocabulary` first. The words lie at a file's very end, in the order of their ids, each closed
by a zero byte, `<unk>` first. The layout of tries is drawn in `binary.py`.

Source: KenLM's file layout, format version 5 (Heafield 2011).
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputNotFound, LanguageModelError

MAGIC = b"mmap lm http://kheafield.com/code format version 5\n\0\0"
TEST_VALUES = struct.pack("<fffIIIQ", 0.0, 1.0, -0.5, 1, 0xFFFFFFFF, 0, 1)
FIXED = struct.Struct("<BxxxfiBxxxI")  # order, probing multiplier, kind, has strings, trie version
PLAIN, QUANTISED, COMPRESSED = 2, 1, 2  # a trie's kind is PLAIN + QUANTISED? + COMPRESSED?
KINDS = {0: "hash table", 1: "hash table with rest costs", 2: "trie", 3: "quantised trie", 4: "compressed trie",
         5: "quantised compressed trie"}  # fmt: skip
TRIE_VERSION, QUANTISER_VERSION, POINTER_VERSION = 1, 2, 0
MAX_ORDER = 6  # KenLM as its wheels are compiled
REST_COSTS = 1
UNIGRAM = np.dtype([("prob", "<f4"), ("backoff", "<f4"), ("next", "<u8")])
POINTER_BITS = 22  # at most so many bits of a pointer are stored beside the records


@dataclass(frozen=True, slots=True)
class Header:
    """What a KenLM binary file says about itself."""

    kind: int
    sizes: tuple[int, ...]
    has_strings: bool
    multiplier: float  # of hash tables' room
    n_bytes: int  # length of the header

    @property
    def order(self) -> int:
        return len(self.sizes)


def is_binary(path: Path) -> bool:
    """Whether a file begins as KenLM's binary files do."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC) - 6) == MAGIC[:-6]
    except FileNotFoundError as error:
        raise InputNotFound(f"{path}: no such file") from error
    except OSError as error:
        raise LanguageModelError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_header(path: Path) -> Header:
    """Reads a binary file's header. Raises LanguageModelError where it is cut off or of another version."""
    if not is_binary(path):
        raise LanguageModelError(f"{path}: not a KenLM binary file")
    with path.open("rb") as file:
        data = file.read(512)
    at = len(MAGIC) + -len(MAGIC) % 8
    if data[: len(MAGIC)] != MAGIC or data[at : at + len(TEST_VALUES)] != TEST_VALUES:
        raise LanguageModelError(f"{path}: a KenLM binary of another version: build it anew from its ARPA file")
    at += len(TEST_VALUES)
    try:
        order, multiplier, kind, has_strings, version = FIXED.unpack_from(data, at)
        sizes = struct.unpack_from(f"<{order}Q", data, at + FIXED.size)
    except struct.error as error:
        raise LanguageModelError(f"{path}: cut off in its header") from error
    if (
        kind not in KINDS
        or kind == REST_COSTS
        or not 2 <= order <= MAX_ORDER
        or (kind >= PLAIN and version != TRIE_VERSION)
    ):
        raise LanguageModelError(
            f"{path}: a KenLM binary of a kind that cannot be read (kind {kind}, order {order}): only tries and hash "
            f"tables of order 2 to {MAX_ORDER} can"
        )
    end = at + FIXED.size + 8 * order
    return Header(kind, sizes, bool(has_strings), multiplier, end + -end % 8)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a trie lie in its file, in bytes; low_bits is None for plain pointers."""

    hashes: int
    quantiser: int
    bits: tuple[int, int]  # of probability and back-off codes; (0, 0) for floats
    unigrams: int
    records: tuple[int, ...]  # for orders from 2 on
    steps: tuple[int, ...]  # array of pointers' high bits, for middle orders
    low_bits: tuple[int, ...]
    strings: int


def places(path: Path, header: Header, data: mmap.mmap) -> Places:
    """Where a trie's parts lie. Raises LanguageModelError where they do not fit into the file."""
    order, sizes = header.order, header.sizes
    quantised = bool((header.kind - PLAIN) & QUANTISED)
    compressed = bool((header.kind - PLAIN) & COMPRESSED) and order > 2
    quantiser = header.n_bytes + 8 + 8 * sizes[0]
    bits = (0, 0)
    unigrams = quantiser
    if quantised:
        if len(data) < quantiser + 8 or data[quantiser] != QUANTISER_VERSION:
            raise LanguageModelError(f"{path}: damaged, or quantised by another version of KenLM")
        bits = (data[quantiser + 1], data[quantiser + 2])
        if not all(1 <= b <= 25 for b in bits):
            raise LanguageModelError(f"{path}: damaged (codes of {bits[0]} and {bits[1]} bits)")
        unigrams += 8 + 4 * ((order - 2) * ((1 << bits[0]) + (1 << bits[1])) + (1 << bits[0]))
    at = unigrams + 16 * (sizes[0] + 2)
    records, steps, low_bits = [], [], []
    word_bits = sizes[0].bit_length()
    for n in range(2, order + 1):
        value_bits = (sum(bits) if n < order else bits[0]) if quantised else (63 if n < order else 31)
        low = 0
        if at + 2 > len(data):
            raise LanguageModelError(f"{path}: cut off: {len(data)} bytes, its header promises more than {at}")
        if n < order:
            low = inline_bits(sizes[n - 1], sizes[n], data[at + 1]) if compressed else sizes[n].bit_length()
            if compressed:
                steps.append(at + -at % 8 + 8)
                at += 8 * (1 + (sizes[n] >> low) + 1) + 7
            low_bits.append(low)
        records.append(at)
        at += ((1 + sizes[n - 1]) * (word_bits + value_bits + low) + 7) // 8 + 8
        if at > len(data):
            raise LanguageModelError(f"{path}: cut off: {len(data)} bytes, its header promises more than {at}")
    return Places(header.n_bytes + 8, quantiser, bits, unigrams, tuple(records), tuple(steps), tuple(low_bits), at)


def inline_bits(n_records: int, n_next: int, limit: int = POINTER_BITS) -> int:
    """Low bits of a pointer kept in the records, so that records and array of high bits together are smallest."""
    needed = n_next.bit_length()
    chops = range(min(needed, limit) + 1)
    best = min(chops, key=lambda chop: (n_next >> (needed - chop)) * 64 - (n_records + 1) * chop)
    return needed - best


def open_mapped(path: Path) -> tuple[Header, mmap.mmap]:
    """A file's header and its bytes."""
    header = read_header(path)
    with path.open("rb") as file:
        return header, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def vocabulary(path: Path) -> tuple[str, ...]:
    """Checks a file's header and length and reads its words; () where it was written without them.

    Raises LanguageModelError where it is cut off, damaged or of another kind.
    """
    header, data = open_mapped(path)
    with data:
        # in every layout an n-gram takes more than a bit: a wilder count is damage
        sizes = header.sizes
        if not 1.0 < header.multiplier < 1000.0 or sizes[0] < 3 or max(sizes) > 8 * len(data):
            raise LanguageModelError(f"{path}: cut off, or its header is damaged (n-grams {sizes})")
        end = places(path, header, data).strings if header.kind >= PLAIN else _end_of_hash_tables(header)
        if end > len(data):
            raise LanguageModelError(f"{path}: cut off: {len(data)} bytes where its header promises {end} and words")
        # the vocabulary says again how many words there are, without <unk> or, in a hash table, with it
        if header.kind >= PLAIN:
            n_words = struct.unpack_from("<Q", data, header.n_bytes)[0] + 1
        else:
            n_words = struct.unpack_from("<I", data, header.n_bytes + 4)[0]
        if n_words != sizes[0]:
            raise LanguageModelError(f"{path}: damaged: {n_words} words, not {sizes[0]}")
        stored = data[end:]
    if not header.has_strings:
        if stored:
            raise LanguageModelError(f"{path}: its header is damaged: it does not fill the file")
        return ()
    if not (stored.startswith(b"<unk>\0") and stored.endswith(b"\0") and stored.count(b"\0") == sizes[0]):
        raise LanguageModelError(f"{path}: cut off or damaged: its {sizes[0]} words are not at its end")
    try:
        return tuple(stored[:-1].decode("utf-8").split("\0"))
    except UnicodeDecodeError as error:
        raise LanguageModelError(f"{path}: damaged: its words are not UTF-8") from error


def _end_of_hash_tables(header: Header) -> int:
    """Where the words begin in a hash-table model: behind four kinds of tables with room to spare."""

    def table(n: int, entry: int) -> int:
        return max(n + 1, int(np.float32(header.multiplier) * np.float32(n))) * entry

    n_words, *longer = header.sizes
    words, unigrams = 8 + table(n_words, 12), 8 * (n_words + 1)
    middle = sum(table(n, 16) for n in longer[:-1])
    return header.n_bytes + words + unigrams + middle + table(longer[-1], 12)
