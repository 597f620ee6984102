"""`transcribe doctor`: is this installation well, and what would make it better?"""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from ..doctor import DEFAULT

app = typer.Typer(add_completion=False, rich_markup_mode=None)
SIGNS = {"good": "ok ", "note": "–  ", "broken": "!! "}


@app.command()
def doctor(
    *,
    model: Annotated[
        str, typer.Option("--model", "-m", envvar="TRANSCRIBE_MODEL", help="a name, a folder or an .onnx file")
    ] = DEFAULT,
    self_test: Annotated[
        bool, typer.Option("--self-test/--no-self-test", help="run the model over 8 s of sound")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Check versions, models, processor, providers and speed, and say what each missing extra would add.

    Exit code: 0 all is well, 1 something is broken; then the line says what mends it.
    """
    from ..doctor import Finding, examine, healthy

    found: list[Finding] = []
    topic = ""
    for one in examine(model, self_test):
        found.append(one)
        if not as_json:
            cure = f" → {one.cure}" if one.cure else ""
            print(f"{one.topic if one.topic != topic else '':<10} {SIGNS[one.state]}{one.what}{cure}", flush=True)
            topic = one.topic
    if as_json:
        print(json.dumps({"healthy": healthy(found), "findings": [asdict(one) for one in found]}, ensure_ascii=False))
    raise typer.Exit(0 if healthy(found) else 1)
