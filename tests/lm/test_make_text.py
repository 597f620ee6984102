"""The script that turns clones of book collections into text for the language model."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "configs" / "make_text.py"
STORY = [
    "It was a cold day and the boy went to the shop in Mill Street.",
    "He had five shillings, and that was all that he had in the world!",
    "The keeper of the shop said that it was not his to give.",
]
HEAD = "Title: {title}\n\nRelease Date: June, 2004  [EBook #{number}]\n\n{more}*** START OF THIS EBOOK ***\n\n"
RIGHTS = "This is a COPYRIGHTED Project Gutenberg eBook.\n"
END = "\n\n*** END OF THIS PROJECT GUTENBERG EBOOK ***\n\nThe licence is not a part of the book at all.\n"


def book(title: str, number: int, sentences: list[str], more: str = "") -> str:
    # some lines of a page, as books have them
    return HEAD.format(title=title, number=number, more=more) + "\n\n".join(sentences).replace(" and ", "\nand ") + END


@pytest.mark.skipif(shutil.which("git") is None, reason="the collections are git repositories")
def test_books_become_sentences_without_tested_copyrighted_and_repeated_ones(tmp_path: Path) -> None:
    again = "A sentence that two of the books have, and in the same words."
    books = {
        "A, B/First.txt": book("First", 1, [*STORY, again, "What was said by the reader of it is not to be learnt."]),
        "A, B/Second.txt": book("Second", 2, [again, "And the second book has a sentence that is its own.", STORY[0]]),
        "C/Read Aloud.txt": book("Read Aloud; or, Another Name", 3, ["It is of a book that was read to the end."]),
        "C/By Number.txt": book("A Name of Its Own", 4, ["In this book it is the number that is known to be read."]),
        "C/Newer.txt": book("Newer", 5, ["It is the work of a man who was alive and had his rights."], RIGHTS),
        "C/Fremd.txt": book("Fremd", 6, ["Es war einmal ein Mann, der hatte sieben Kinder und kein Brot."]),
    }  # fmt: skip
    other = "# Title: Other\n\n-------\n\nIt is the work of a man who was alive and had his rights.\n"
    editions = {"Man/Other Edition.md": other}
    for name, files in {
        "Gutenberg_Text": books, "classic-books-markdown": editions, "100_english_novels": {}, "ELTeC-eng": {},
    }.items():  # fmt: skip
        clone = tmp_path / "clones" / name
        clone.mkdir(parents=True)
        for path, text in {**files, "README": "not a book"}.items():
            (clone / path).parent.mkdir(exist_ok=True)
            (clone / path).write_text(text)
        git = ["git", "-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@example.org"]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
            subprocess.run([*git, *command], check=True)
    chapters = "; comment\n1 | 1 | 1.0 | test-clean | 1 | 3 | I | Read Aloud\n77 | 1 | 1.0 | train | 1 | 4 | I | x\n"
    (tmp_path / "CHAPTERS.TXT").write_text(chapters)
    tested = {"text": "hm", "source": "librispeech", "id": "1-77-0001"}
    (tmp_path / "dev.jsonl").write_text(json.dumps(tested))
    (tmp_path / "train.jsonl").write_text(json.dumps({"text": "said by the reader of it is not to be"}))
    arguments = ["--clones", "clones", "--chapters", "CHAPTERS.TXT", "--tested", "dev.jsonl", "--spoken", "train.jsonl"]
    subprocess.run([sys.executable, str(SCRIPT), *arguments, "--out", "books.txt"], cwd=tmp_path, check=True)
    assert (tmp_path / "books.txt").read_text().splitlines() == [
        "it was a cold day and the boy went to the shop in mill street",
        "he had five shillings and that was all that he had in the world",
        "the keeper of the shop said that it was not his to give",
        "a sentence that two of the books have and in the same words",
    ]
