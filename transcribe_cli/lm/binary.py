"""KenLM's binary trie: a model as one file that is mapped into memory and ready in milliseconds.

`write` lays out an `NGramModel` as KenLM's own tools do, quantised or not, pointers compressed or not; `read` takes
such a file apart again. The trie is by reversed words: an n-gram's children are the longer n-grams that end in it.

    header       magic, test values, order, kind, numbers of n-grams
    vocabulary   count, 64-bit hashes of the words, ascending: a word's id is its hash's place (0 is <unk>)
    tables       quantised only: 8 bytes of versions, then the values that codes stand for, for each order
    words        (count + 2) × (float32 probability, float32 back-off, uint64 first child)
    middle       for each order between: packed records of word, back-off code, probability code, first child's low bits
                 (compressed pointers: before them the places where the high bits step up)
    longest      packed records of word, probability code
    strings      the words, each ended by a zero byte

All numbers are little-endian. Layout after KenLM's source (K. Heafield, "KenLM: faster and smaller language model
queries", 2011), format version 5.
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import LanguageModelError
from ..outputs import atomically
from . import layout
from .layout import (
    COMPRESSED,
    FIXED,
    MAGIC,
    PLAIN,
    POINTER_BITS,
    POINTER_VERSION,
    QUANTISED,
    QUANTISER_VERSION,
    TEST_VALUES,
    TRIE_VERSION,
    UNIGRAM,
    Places,
    inline_bits,
)
from .ngrams import BOS, EOS, SPECIALS, UNK, NGramModel, Rows, Table, _keys, close, suffix_rows

NO_EXTENSION = np.float32(-0.0)  # the back-off of an n-gram that no longer one begins with
PACK_BLOCK = 1 << 16  # records packed at once; a multiple of 8, so that blocks end on whole bytes


def write(model: NGramModel, path: Path, bits: int = 8, compressed: bool = True) -> None:
    """Writes a model as a KenLM trie; the file appears whole or not at all.

    bits: for quantised probabilities and back-offs, 2 to 25; 0 keeps float32 exactly. compressed: pointers take less
    room and a little more time. A model of order 1 gains one bigram that changes nothing, since KenLM wants two orders.

    Raises OutputError where the file cannot be written.
    """
    if bits and not 2 <= bits <= 25:
        raise LanguageModelError(f"a trie cannot be quantised to {bits} bits: choose 2 to 25, or 0 to keep all")
    with atomically(path) as file:
        for piece in _lay_out(close(_at_least_bigrams(model)), bits, compressed):
            file.write(piece)


def _at_least_bigrams(model: NGramModel) -> NGramModel:
    if model.order > 1:
        return model
    only = Table(np.array([BOS * len(model.words) + EOS]), model.tables[0].log10_probs[[EOS]], np.zeros(1, np.float32))
    return NGramModel(model.words, (model.tables[0], only))


def _lay_out(model: NGramModel, bits: int, compressed: bool) -> list[bytes]:
    size, order = len(model.words), model.order
    compressed = compressed and order > 2
    kind = PLAIN + (QUANTISED if bits else 0) + (COMPRESSED if compressed else 0)
    hashes = murmur_hash([word.encode() for word in model.words])
    by_hash = np.argsort(hashes[1:]) + 1
    if (np.diff(hashes[by_hash]) == 0).any():
        raise LanguageModelError("two words of the vocabulary have the same 64-bit hash: leave one of them out")
    number = np.zeros(size, dtype=np.int64)
    number[by_hash] = np.arange(1, size)

    pieces = [_header(kind, model.sizes), struct.pack("<Q", size - 1), hashes[by_hash].tobytes(), bytes(8)]
    if bits:
        pieces.append(bytes([QUANTISER_VERSION, bits, bits, 0, 0, 0, 0, 0]))
    tables: list[NDArray[np.float32]] = []  # of the quantiser
    records: list[bytes] = []

    # Rows of each order in the trie's order: sorted by parent (the n-gram without its first word), then first word
    first_words, rank = np.arange(size), number
    arranged, parents = np.concatenate([[UNK], by_hash]), np.zeros(0, dtype=np.int64)
    children: list[Rows] = []
    order_of: list[Rows] = [arranged]
    words_of: list[Rows] = [number[arranged]]
    suffixes = suffix_rows(model)
    for n in range(2, order + 1):
        first_words = first_words[model.contexts(n)]
        parents = rank[suffixes[n - 2]]
        arranged = np.lexsort((number[first_words], parents))
        rank = np.empty(len(arranged), dtype=np.int64)
        rank[arranged] = np.arange(len(arranged))
        children.append(np.searchsorted(parents[arranged], np.arange(len(order_of[-1]) + 1)))
        order_of.append(arranged)
        words_of.append(number[first_words[arranged]])

    unigrams = np.zeros(size + 2, dtype=UNIGRAM)
    unigrams["prob"][:size] = np.minimum(model.tables[0].log10_probs[order_of[0]], 0)
    unigrams["backoff"][:size] = _backoffs(model, 1)[order_of[0]]
    unigrams["next"][: size + 1] = children[0]

    offset = sum(map(len, pieces)) + (4 * (1 << bits) * (2 * order - 3) if bits else 0) + unigrams.nbytes
    word_bits = size.bit_length()
    for n in range(2, order + 1):
        table, rows = model.tables[n - 1], order_of[n - 1]
        probs = np.minimum(table.log10_probs[rows], 0)
        fields: list[tuple[NDArray[np.uint64], int]] = [(words_of[n - 1].astype(np.uint64), word_bits)]
        if n < order:
            backoffs = _backoffs(model, n)[rows]
            if bits:
                prob_codes, prob_centres = _quantise(probs, 1 << bits)
                backoff_codes, backoff_centres = _quantise_backoffs(backoffs, 1 << bits)
                tables += [prob_centres, backoff_centres]
                fields += [(backoff_codes, bits), (prob_codes, bits)]
            else:
                fields += [(_float_bits(probs) & np.uint64(0x7FFFFFFF), 31), (_float_bits(backoffs), 32)]
            pointers = children[n - 1]
            before, low_bits = _pointers(pointers, model.sizes[n - 1], model.sizes[n], compressed, offset)
            fields.append((pointers.astype(np.uint64) & np.uint64((1 << low_bits) - 1), low_bits))
        else:
            before = b""
            if bits:
                prob_codes, prob_centres = _quantise(probs, 1 << bits)
                tables.append(prob_centres)
                fields.append((prob_codes, bits))
            else:
                fields.append((_float_bits(probs) & np.uint64(0x7FFFFFFF), 31))
        packed = before + _pack(fields, len(table) + 1)
        offset += len(packed)
        records.append(packed)
    strings = b"".join(model.words[i].encode() + b"\0" for i in order_of[0])
    return [*pieces, *(table.tobytes() for table in tables), unigrams.tobytes(), *records, strings]


def _header(kind: int, sizes: tuple[int, ...]) -> bytes:
    head = MAGIC + bytes(-len(MAGIC) % 8) + TEST_VALUES + FIXED.pack(len(sizes), 1.5, kind, 1, TRIE_VERSION)
    head += struct.pack(f"<{len(sizes)}Q", *sizes)
    return head + bytes(-len(head) % 8)


def _backoffs(model: NGramModel, n: int) -> NDArray[np.float32]:
    """Back-off weights with the sign of zero telling whether the n-gram has continuations, which keeps states short."""
    backoffs = model.tables[n - 1].log10_backoffs.copy()
    extends = np.bincount(model.contexts(n + 1), minlength=len(backoffs)) > 0
    backoffs[(backoffs == 0) & ~extends] = NO_EXTENSION
    backoffs[(backoffs == 0) & extends] = 0.0
    return backoffs


def _quantise(values: NDArray[np.float32], n_bins: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Values → codes and what each code stands for: means of bins that hold equally many values."""
    ascending = np.sort(values).astype(np.float64)
    edges = len(values) * np.arange(n_bins + 1) // n_bins
    sums = np.concatenate([[0.0], np.cumsum(ascending)])
    filled = edges[1:] > edges[:-1]
    centres = np.full(n_bins, ascending[0] if len(values) else 0.0)
    centres[filled] = (sums[edges[1:]] - sums[edges[:-1]])[filled] / (edges[1:] - edges[:-1])[filled]
    centres = np.maximum.accumulate(centres).astype(np.float32)  # an empty bin repeats the one before
    above = np.clip(np.searchsorted(centres, values), 1, n_bins - 1)
    nearer_below = values - centres[above - 1] < centres[above] - values
    return (above - nearer_below).astype(np.uint64), centres


def _quantise_backoffs(values: NDArray[np.float32], n_bins: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """As `_quantise`, with codes 0 and 1 for the two zeros."""
    zero = values == 0
    codes = np.empty(len(values), dtype=np.uint64)
    codes[zero] = np.where(np.signbit(values[zero]), 0, 1)
    codes[~zero], centres = _quantise(values[~zero], n_bins - 2)
    codes[~zero] += np.uint64(2)
    return codes, np.concatenate([np.array([NO_EXTENSION, 0.0], dtype=np.float32), centres])


def _float_bits(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    return values.astype("<f4").view("<u4").astype(np.uint64)


def _pointers(pointers: Rows, n_records: int, n_next: int, compressed: bool, offset: int) -> tuple[bytes, int]:
    """What stands before an order's records, and how many low bits of a pointer stand in them."""
    if not compressed:
        return b"", n_next.bit_length()
    low_bits = inline_bits(n_records, n_next)
    steps = np.searchsorted(pointers >> low_bits, np.arange((n_next >> low_bits) + 1)).astype("<u8")
    steps[0] = 0
    lead = bytes([POINTER_VERSION, POINTER_BITS])
    padding = -offset % 8  # the array starts on 8 bytes of the file; the space that is left of 7 follows it
    head = lead + bytes(max(0, padding + 8 - len(lead)))
    return head + steps.tobytes() + bytes(7 - padding), low_bits


def _pack(fields: list[tuple[NDArray[np.uint64], int]], n_records: int) -> bytes:
    """Bit-packs columns, low bits first, into records without gaps; what a column lacks at its end is zero."""
    total = sum(bits for _, bits in fields)
    packed = []
    for start in range(0, n_records, PACK_BLOCK):
        end = min(start + PACK_BLOCK, n_records)
        block = np.zeros((end - start, total), dtype=np.uint8)
        at = 0
        for values, bits in fields:
            part = values[start:end].astype("<u8").view(np.uint8).reshape(-1, 8)
            if bits:
                block[: len(part), at : at + bits] = np.unpackbits(part, axis=1, count=bits, bitorder="little")
            at += bits
        packed.append(np.packbits(block.reshape(-1), bitorder="little").tobytes())
    return b"".join(packed) + bytes(8)  # so that reading 8 bytes at any record stays inside


def read(path: Path) -> NGramModel:
    """Takes a trie apart into a model. Raises LanguageModelError for hash tables and damage."""
    words = layout.vocabulary(path)
    if not words:
        raise LanguageModelError(f"{path}: holds no words as text: build it with its vocabulary included")
    header, data = layout.open_mapped(path)
    if header.kind < PLAIN:
        raise LanguageModelError(f"{path}: a KenLM hash table cannot be taken apart: give its ARPA file instead")
    with data:
        places = layout.places(path, header, data)
        buffer = np.frombuffer(data[:], dtype=np.uint8)
    order, sizes = header.order, header.sizes
    size = sizes[0]
    centres = _centres(buffer, places, order)
    unigrams = buffer[places.unigrams : places.unigrams + 16 * (size + 1)].view(UNIGRAM)
    pointers = unigrams["next"].astype(np.int64)

    # the file's ids → ours, where <unk>, <s> and </s> come first
    try:
        specials = [words.index(special) for special in SPECIALS]
    except ValueError as error:
        raise LanguageModelError(f"{path}: has no <s> or </s>") from error
    rest = np.setdiff1d(np.arange(size), specials)
    arranged = np.concatenate([specials, rest])
    number = np.empty(size, dtype=np.int64)
    number[arranged] = np.arange(size)
    tables = [Table(np.arange(size), unigrams["prob"][arranged].copy(), _positive_zero(unigrams["backoff"][arranged]))]
    spelled: Rows = number[:, None]
    word_bits = size.bit_length()
    keys = [tables[0].keys]
    for n in range(2, order + 1):
        value_bits = list(places.bits[::-1]) if n < order else [places.bits[0]]
        if not any(places.bits):
            value_bits = [31, 32] if n < order else [31]
        low = [places.low_bits[n - 2]] if n < order else []
        n_records = sizes[n - 1]
        widths = [word_bits, *value_bits, *low]
        columns = _unpack(buffer[places.records[n - 2] :], widths, n_records + len(low))
        if (np.diff(pointers) < 0).any() or pointers[0] != 0 or pointers[-1] != n_records:
            raise LanguageModelError(f"{path}: damaged: its pointers run past its {n}-grams")
        if (columns[0][:n_records] >= size).any():
            raise LanguageModelError(f"{path}: damaged: a {n}-gram has a word that is not in the vocabulary")
        parents = np.repeat(np.arange(len(spelled)), np.diff(pointers))
        spelled = np.concatenate([number[columns[0][:n_records].astype(np.int64)][:, None], spelled[parents]], axis=1)
        probs, backoffs = _values(columns[1:], centres[n - 2], n_records, n < order)
        if low:
            pointers = columns[-1].astype(np.int64)
            if places.steps:
                n_steps = (sizes[n] >> low[0]) + 1
                steps = buffer[places.steps[n - 2] : places.steps[n - 2] + 8 * n_steps].view("<u8").astype(np.int64)
                high = np.searchsorted(steps, np.arange(n_records + 1), side="right") - 1
                pointers += high << low[0]
        ours = _keys(keys, spelled, size)
        if (ours < 0).any():
            raise LanguageModelError(f"{path}: damaged: a {n}-gram's context is missing")
        by_key = np.argsort(ours)
        tables.append(Table(ours[by_key], probs[by_key], backoffs[by_key]))
        keys.append(tables[-1].keys)
    return NGramModel(tuple(words[i] for i in arranged), tuple(tables))


def _positive_zero(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values + np.float32(0.0)


def _centres(buffer: NDArray[np.uint8], places: Places, order: int) -> list[tuple[NDArray[np.float32], ...]]:
    """For each order from 2 on: what codes stand for (probabilities, back-offs); empty without quantising."""
    prob_bits, backoff_bits = places.bits
    if not prob_bits:
        return [()] * (order - 1)
    result: list[tuple[NDArray[np.float32], ...]] = []
    at = places.quantiser + 8
    for n in range(2, order + 1):
        parts = []
        for bits in (prob_bits, backoff_bits) if n < order else (prob_bits,):
            parts.append(buffer[at : at + 4 * (1 << bits)].view("<f4"))
            at += 4 * (1 << bits)
        result.append(tuple(parts))
    return result


def _values(
    columns: list[NDArray[np.uint64]], centres: tuple[NDArray[np.float32], ...], n_records: int, middle: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    backoffs = np.zeros(n_records, dtype=np.float32)
    if centres:
        codes = columns[1 if middle else 0][:n_records]
        if middle:
            backoffs = _positive_zero(centres[1][columns[0][:n_records].astype(np.int64)])
        return centres[0][codes.astype(np.int64)], backoffs
    signed = (columns[0][:n_records] | np.uint64(0x80000000)).astype("<u4").view("<f4")
    if middle:
        backoffs = _positive_zero(columns[1][:n_records].astype("<u4").view("<f4"))
    return signed, backoffs


def _unpack(buffer: NDArray[np.uint8], widths: list[int], n_records: int) -> list[NDArray[np.uint64]]:
    """Columns of bit-packed records, low bits first."""
    total = sum(widths)
    columns = [np.zeros(n_records, dtype=np.uint64) for _ in widths]
    for start in range(0, n_records, PACK_BLOCK):
        end = min(start + PACK_BLOCK, n_records)
        part = buffer[start * total // 8 : (end * total + 7) // 8]
        block = np.unpackbits(part, bitorder="little", count=(end - start) * total).reshape(end - start, total)
        at = 0
        for column, width in zip(columns, widths, strict=True):
            wide = np.zeros((end - start, 64), dtype=np.uint8)
            wide[:, :width] = block[:, at : at + width]
            column[start:end] = np.packbits(wide, axis=1, bitorder="little").view("<u8")[:, 0]
            at += width
    return columns


def murmur_hash(texts: list[bytes]) -> NDArray[np.uint64]:
    """64-bit MurmurHash2 (A. Appleby's 64A, seed 0) of byte strings: what KenLM knows words by; (n,) uint64."""
    multiplier, shift = np.uint64(0xC6A4A7935BD1E995), np.uint64(47)
    lengths = np.array([len(text) for text in texts], dtype=np.uint64)
    width = int(lengths.max(initial=0)) // 8 + 1
    padded = np.frombuffer(b"".join(text.ljust(8 * width, b"\0") for text in texts), dtype="<u8").reshape(-1, width)
    hashes = lengths * multiplier
    for i in range(width):
        full = lengths >= np.uint64(8 * (i + 1))
        mixed = padded[:, i] * multiplier
        mixed = (mixed ^ (mixed >> shift)) * multiplier
        tail = ~full & (lengths > np.uint64(8 * i))
        hashes = np.where(full, (hashes ^ mixed) * multiplier, hashes)
        hashes = np.where(tail, (hashes ^ padded[:, i]) * multiplier, hashes)
    hashes = (hashes ^ (hashes >> shift)) * multiplier
    return hashes ^ (hashes >> shift)
