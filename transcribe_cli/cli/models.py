"""`transcribe models`: what models there are, their cards, and whether their files are whole."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..bundle import store
from ..errors import ModelError, TranscribeError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def models(
    names: Annotated[
        list[str] | None, typer.Argument(help="names, folders or .onnx files; default: all that are found")
    ] = None,
    *,
    card: Annotated[bool, typer.Option("--card", help="print the whole card as JSON")] = False,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="print the sha256 of every file, as `sha256sum --check` takes it")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="compare the files with the card's checksums")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON object a model, one a line")] = False,
) -> None:
    """List models, show their cards, verify their files.

    Models are found by name in $TRANSCRIBE_MODELS (folders that hold models, parted by colons), in
    ~/.local/share/transcribe/models and in the package; of two with one name the first is taken. A path to a folder or
    an .onnx file does everywhere that a name does.

    Exit code: 0 all is well, 1 a model is broken or a file not what its card says, 2 no such model.
    """
    bad = 0
    for name, where in [(n, n) for n in names or []] or [(n, str(folder)) for n, folder in store.names()]:
        try:
            bundle = store.find(where)
            checked = store.verify(bundle) if verify else {}
            if verify and not checked:
                raise ModelError(f"{bundle.folder}: the card has no checksums to verify against")
        except TranscribeError as error:
            if names:
                raise
            bad += 1  # one broken model does not hide the others
            print(f"transcribe: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        if card:
            print(json.dumps(store.read_card(bundle), ensure_ascii=False, indent=1))
        elif as_json:
            print(json.dumps(_entry(name, bundle, checked), ensure_ascii=False))
        elif checksum:
            for file in store.files(bundle):
                print(f"{store.sha256(file)}  {file}")
        else:
            entry = _entry(name, bundle, {})
            size = sum(file["bytes"] for file in entry["files"]) / 1e6
            print(f"{name}\t{bundle.card.id}\t{bundle.card.language}\t{size:.1f} MB\t{bundle.folder}")
            for checked_name, good in sorted(checked.items()):
                print(f"\t{'whole' if good else 'DAMAGED'}\t{checked_name}")
        bad += sum(not good for good in checked.values())
    if bad:
        raise typer.Exit(1)


def _entry(name: str, bundle: store.Bundle, checked: dict[str, bool]) -> dict[str, Any]:
    files = [
        {"name": file.name, "bytes": file.stat().st_size, "sha256": bundle.card.checksums.get(file.name)}
        | ({"whole": checked[file.name]} if file.name in checked else {})
        for file in store.files(bundle)
    ]
    found = {"name": name, "id": bundle.card.id, "language": bundle.card.language, "folder": str(Path(bundle.folder))}
    return found | {"files": files}
