"""Training configs: TOML → frozen options, with every mistake named."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from transcribe_cli.errors import OptionError
from transcribe_cli.training import options

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    "path", sorted(p for p in CONFIGS.glob("*.toml") if "[loop]" in p.read_text()), ids=lambda p: p.name
)
def test_every_config_that_ships_can_be_read(path):
    run = options.load(path)
    assert run.data.train
    assert options.from_dict(options.to_dict(run), "again") == run


def test_paths_are_filled_in_and_overridden(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('[paths]\ndata = "here"\n[[data.train]]\nmanifest = "{data}/t.jsonl"\n')
    assert options.load(path).data.train[0].manifest == "here/t.jsonl"
    assert options.load(path, ("paths.data=there",)).data.train[0].manifest == "there/t.jsonl"
    assert options.load(path, ("loop.rate=1e-4", "network.cell=gru")).loop.rate == 1e-4


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[loop]\nepoch = 3\n", "epoch"),
        ("[loop]\nepochs = 0\n", "epochs"),
        ("[loop]\nepochs = 'three'\n", "epochs"),
        ("[loop]\nthreads = true\n", "threads"),
        ("[augment]\nnoise = 1.5\n", "noise"),
        ("[augment]\nspeed_range = [1]\n", "speed_range"),
        ("[network]\ncell = 'rnn'\n", "cell"),
        ("[[data.train]]\nvariants = ['noise']\n", "no variant 'noise'"),
        ("data = 3\n", "data"),
        ("[data]\ncache = '{nowhere}/x'\n", "nowhere"),
        ("[loop\n", "TOML"),
    ],
)
def test_mistakes_are_named(tmp_path, text, named):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=named):
        options.load(path)


def test_a_missing_config_and_a_broken_override_are_named(tmp_path):
    with pytest.raises(OptionError, match="cannot be read"):
        options.load(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("")
    with pytest.raises(OptionError, match="--set loop"):
        options.load(tmp_path / "a.toml", ("loop",))
