"""Writes the sentences of thousands of public-domain books, normalised, one a line: `books_many` of configs/lm.toml.

    git clone https://github.com/rcdm-uga/Gutenberg_Text               # and the others of REPOSITORIES
    python configs/make_text.py --clones . --chapters CHAPTERS.TXT --tested dev.jsonl --spoken train.jsonl \\
        --out DATA/text/books_many.txt

The clones may be bare. CHAPTERS.TXT is LibriSpeech's own table: books that its dev and test readers read are left out
whole, and those of the chapters in `--tested`; a book is known by its number at Project Gutenberg or by its title.
Nor is anything taken that Project Gutenberg marks as copyrighted, nor the sentences of such books in other editions.
Sentences that share eight words in a row with a transcript of any manifest given are left out too: the recipe weighs
its components by the training transcripts. Of a long book the first 160,000 characters are taken, since many books
teach more than much of a few.
"""

import argparse
import json
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from transcribe_cli.lm.recipe import overlap_hashes, overlaps, transcripts
from transcribe_cli.lm.text import normalise_lines
from transcribe_cli.outputs import atomically

REPOSITORIES = {  # repository: which of its files
    "rcdm-uga/Gutenberg_Text": r".*\.txt",  # @a0b16d3
    "mlschmitt/classic-books-markdown": r".+/.*\.md",  # @9448827
    "computationalstylistics/100_english_novels": r"corpus/.*\.txt",  # @143e601
    "COST-ELTeC/ELTeC-eng": r"level1/.*\.xml",  # @3db3b67
}
MOST = 160_000  # characters of a book
BEGIN = re.compile(r"\*\*\* ?START OF .{0,200}?\*\*\*|^-------$", re.S | re.M)
END = re.compile(r"\*\*\* ?END OF|End of (?:the|this)? ?Project Gutenberg", re.I)
NUMBER = re.compile(r"E(?:Book|Text) #(\d+)", re.I)
TITLE = re.compile(r"^(?:# )?Title: *(.+(?:\n +\S.*)*)", re.M)
COMMON = {"the", "of", "and", "to", "a", "in", "that", "he", "was", "it", "is", "his", "her", "you", "i", "not"}


def plain(title: str) -> str:
    """A title's words without articles and subtitles, for comparison."""
    main = re.split(r"[;:(]|,? or,|,? (?:vol|volume|part|book)s?\.? (?:\d|[ivx]+\b|one|two)", title.casefold())[0]
    return " ".join(word for word in re.findall(r"[^\W_]+", main) if word not in ("the", "a", "an"))


def read_books(chapters: Path, tested: list[Path]) -> tuple[frozenset[str], frozenset[str]]:
    """Numbers and titles of the books that LibriSpeech's dev and test parts and the manifests' chapters are from."""
    heard = set()
    for manifest in tested:
        for line in manifest.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry.get("source") == "librispeech":
                heard.add(entry["id"].split("-")[1])
    numbers, titles = set(), set()
    for line in chapters.read_text(encoding="utf-8").splitlines():
        fields = [field.strip() for field in line.split("|")]
        if line.startswith(";") or len(fields) < 8:
            continue
        if fields[3].startswith(("dev", "test")) or fields[0] in heard:
            numbers.add(fields[5])
            titles.add(plain(fields[7]))
    return frozenset(numbers), frozenset(titles - {""})


def lines_of(raw: str) -> Iterator[str]:
    """A book's paragraphs, each on one line."""
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    if "<TEI" in text[:2000]:
        parts = re.findall(r"<(?:p|l)[ >].*?</(?:p|l)>", text, re.S)
        text = "\n\n".join(re.sub(r"<[^>]+>", " ", part) for part in parts)
        text = text.replace("&amp;", "&").replace("&lt;", "").replace("&gt;", "")
    begin = BEGIN.search(text[:20_000])
    text = text[begin.end() if begin else 0 :]
    end = END.search(text)
    text = text[: end.start() if end else None].replace("_", "")
    for paragraph in re.split(r"\n\s*\n", text[:MOST]):
        line = " ".join(paragraph.split())
        if line.count(" ") >= 4 and not line.isupper() and "Gutenberg" not in line and "Produced by" not in line:
            yield line


def book(place: tuple[Path, str, str], numbers: frozenset[str], titles: frozenset[str]) -> tuple[bool, list[str]]:
    """Whether a book may be learnt from, and its normalised sentences; none of one that is not English.

    place: clone, blob and path. numbers, titles: of tested books.
    """
    clone, blob, path = place
    raw = subprocess.run(["git", "-C", str(clone), "cat-file", "blob", blob], capture_output=True, check=False).stdout
    text = raw.decode("utf-8", "replace")
    head = text[:5000]
    number, title = NUMBER.search(head), TITLE.search(head)
    names = {plain(Path(path).stem), plain(title[1]) if title else ""}
    tested = (number and number[1] in numbers) or names & titles
    sentences = list(normalise_lines(lines_of(text)))
    words = " ".join(sentences[:2000]).split()
    english = sum(word in COMMON for word in words) > 0.2 * len(words)
    return not tested and "copyrighted project gutenberg" not in head.lower(), sentences if english else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True, help="folder of the clones, named as the repositories")
    parser.add_argument("--chapters", type=Path, required=True, help="LibriSpeech's CHAPTERS.TXT")
    parser.add_argument("--tested", type=Path, nargs="+", required=True, help="manifests whose books are left out")
    parser.add_argument("--spoken", type=Path, nargs="*", default=[], help="manifests whose sentences are left out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    numbers, titles = read_books(args.chapters, args.tested)
    places, blobs = [], set()
    for repository, pattern in REPOSITORIES.items():
        clone = args.clones / repository.split("/")[1]
        listed = subprocess.run(["git", "-C", str(clone), "ls-tree", "-rz", "HEAD"], capture_output=True, check=True)
        for entry in listed.stdout.decode().split("\0")[:-1]:
            (_, kind, blob), path = entry.split("\t")[0].split(), entry.split("\t")[1]
            if kind == "blob" and re.fullmatch(pattern, path, re.S) and blob not in blobs:
                blobs.add(blob)
                places.append((clone, blob, path))
    said = [text for manifest in args.tested + args.spoken for text in transcripts(manifest, "")]
    forbidden = overlap_hashes(said)
    seen: set[int] = set()
    n_books = n_words = 0
    with multiprocessing.Pool(args.jobs) as pool, atomically(args.out) as file:
        for wanted, sentences in pool.imap(partial(book, numbers=numbers, titles=titles), places, chunksize=8):
            new = [sentence for sentence in sentences if sentence.count(" ") < 4 or hash(sentence) not in seen]
            seen.update(map(hash, new))
            if not wanted or 2 * len(new) < len(sentences):
                continue  # its sentences are not wanted from another edition either; or it is another edition
            overlapping = overlaps(new, forbidden)
            kept = [sentence for i, sentence in enumerate(new) if i not in overlapping]
            file.writelines(f"{sentence}\n".encode() for sentence in kept)
            n_books, n_words = n_books + bool(kept), n_words + sum(sentence.count(" ") + 1 for sentence in kept)
    print(f"{n_books} books, {n_words} words", file=sys.stderr)


if __name__ == "__main__":
    main()
