"""`transcribe models`: what models there are, their cards, and whether their files are whole."""

from typing import Annotated

import typer

from ..bundle import store
from ..errors import ModelError

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def models(
    names: Annotated[
        list[str] | None, typer.Argument(help="names, folders or .onnx files; default: all that are found")
    ] = None,
    *,
    card: Annotated[bool, typer.Option("--card", help="print the whole card as JSON")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="compare the files with the card's checksums")] = False,
) -> None:
    """List models, show their cards, verify their files.

    Models are found by name in $TRANSCRIBE_MODELS, in ~/.local/share/transcribe/models and in the package.
    Exit code: 1 when a file is not what its card says.
    """
    damaged = 0
    for name, folder in [(name, name) for name in names or []] or [(name, str(path)) for name, path in store.names()]:
        bundle = store.find(folder)
        if card:
            print((bundle.folder / "card.json").read_text(encoding="utf-8").strip())
            continue
        size = sum(path.stat().st_size for path in bundle.folder.iterdir() if path.is_file()) / 1e6
        print(f"{name}\t{bundle.card.id}\t{bundle.card.language}\t{size:.1f} MB\t{bundle.folder}")
        if verify:
            if not bundle.card.checksums:
                raise ModelError(f"{bundle.folder}: the card has no checksums to verify against")
            for file, good in sorted(store.verify(bundle).items()):
                print(f"\t{'whole' if good else 'DAMAGED'}\t{file}")
                damaged += not good
    if damaged:
        raise typer.Exit(1)
