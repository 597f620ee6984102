"""Options from flags, the environment and TOML files: which wins, and what is said of values that make no sense."""

import importlib
import json

import pytest
import typer
from toy_model import speak

from transcribe_cli.cli import COMMANDS, run
from transcribe_cli.cli.configuration import READERS


@pytest.fixture
def talk(home):
    speak(home / "a.wav", "cab")
    return home


def own_file(home, content):
    path = home / "config" / "transcribe" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def complaint(talk, capsys, config, *arguments):
    """What a command with a config file says before anything starts."""
    (talk / "c.toml").write_text(config)
    assert run([*(arguments or ["a.wav"]), "--config", "c.toml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("beam-width = 20.5", "c.toml: beam-width: '20.5' is not a valid int"),
        ("[transcribe]\nbeam_width = {a = 1}", "c.toml: beam-width cannot be a table"),
        ("beam-width = [20]", "c.toml: beam-width takes one value, not a list"),
        ('hotword = [["bad", "cab"]]', "c.toml: hotword cannot be a list"),
        ("hotword = [true]", "c.toml: hotword cannot be true or false"),
        ("lm = false", "c.toml: lm cannot be true or false"),
        ("format = 1979-05-27", "c.toml: format cannot be a date"),
        ("quiet = 2", "c.toml: quiet: '2' is not a valid boolean"),
        ("beam-width = 0", "--beam-width cannot be 0: it must be 1 to 10000 (--beam-width is from c.toml)"),
        ('format = "mp3"', "(--format is from c.toml)"),
        ('files = ["b.wav"]', "c.toml: unknown key 'files'"),
        ('config = "other.toml"', "c.toml: unknown key 'config'"),
        ("beam-widht = 3", "c.toml: unknown key 'beam-widht'"),
        ("x = " + 5000 * "[", "c.toml: cannot be read as TOML"),
        ("beam-width = " + 5000 * "1", "c.toml: cannot be read as TOML"),
    ],
)
def test_a_value_that_makes_no_sense_is_told_with_its_file_and_key(talk, capsys, config, message):
    err = complaint(talk, capsys, config)
    assert message in err
    assert "env var" not in err


def test_a_value_out_of_bounds_is_told_with_its_variable_or_without_where_it_was_typed(talk, capsys, monkeypatch):
    assert run(["a.wav", "--beam-width", "0"]) == 2
    assert capsys.readouterr().err.endswith("it must be 1 to 10000\n")
    monkeypatch.setenv("TRANSCRIBE_BEAM_WIDTH", "0")
    assert run(["a.wav"]) == 2
    assert "(--beam-width is from $TRANSCRIBE_BEAM_WIDTH)" in capsys.readouterr().err


def test_options_that_do_not_go_together_are_told_with_their_file(talk, capsys):
    assert "(--output-dir is from c.toml)" in complaint(talk, capsys, 'output-dir = "out"', "a.wav", "-o", "x.txt")


@pytest.mark.parametrize("table", ["adapt", "lm", "evalute", "augment-preview"])
def test_a_table_that_no_command_reads_is_refused_with_those_that_one_reads(talk, capsys, table):
    err = complaint(talk, capsys, f"[{table}]\nx = 1")
    assert f"no command reads the table [{table}]: there are [transcribe], [evaluate]," in err


def test_the_commands_that_read_config_files_are_those_with_the_flag():
    apps = {name: importlib.import_module(f"transcribe_cli.cli.{name.replace('-', '_')}").app for name in COMMANDS}
    commands = {name: typer.main.get_command(app) for name, app in apps.items()}
    variables = {name: {parameter.envvar for parameter in one.params} for name, one in commands.items()}
    assert [name for name in COMMANDS if "TRANSCRIBE_CONFIG" in variables[name]] == list(READERS)


def test_keys_are_what_flags_are_called(talk, capsys):
    (talk / "m.jsonl").write_text('{"audio": "a.wav", "text": "cab"}\n')
    (talk / "c.toml").write_text('[evaluate]\njson = "figures.json"\n')
    assert run(["evaluate", "m.jsonl", "--config", "c.toml"]) == 0
    assert json.loads((talk / "figures.json").read_text())
    capsys.readouterr()
    assert "unknown key 'json_file'" in complaint(talk, capsys, '[evaluate]\njson_file = "x"', "evaluate", "m.jsonl")


def test_a_flag_wins_over_its_contrary_in_a_file_or_the_environment(talk, capsys, monkeypatch):
    (talk / "c.toml").write_text("with-filename = true\nno-lm = true\n")
    assert run(["a.wav", "-h", "--config", "c.toml"]) == 0
    assert capsys.readouterr().out == "cab\n"
    assert run(["a.wav", "--lm", "gone.bin", "--config", "c.toml"]) == 2
    assert "gone.bin: no such language model" in capsys.readouterr().err
    monkeypatch.setenv("TRANSCRIBE_LM", "gone.bin")
    assert run(["a.wav", "--no-lm"]) == 0
    capsys.readouterr()
    monkeypatch.setenv("TRANSCRIBE_NO_LM", "0")  # takes nothing away
    assert run(["a.wav"]) == 2
    assert "gone.bin" in capsys.readouterr().err


def test_a_language_model_and_none_at_the_same_place_contradict_each_other(talk, capsys):
    assert run(["a.wav", "--no-lm", "--lm", "gone.bin"]) == 2
    assert capsys.readouterr().err == "transcribe: --no-lm and --lm: leave one of them out\n"
    assert "--no-lm and --lm: leave one of them out" in complaint(talk, capsys, 'no-lm = true\nlm = "gone.bin"')


def test_a_file_given_wins_over_the_contrary_in_ones_own(talk, capsys):
    own_file(talk, "no-lm = true\nwith-filename = true\n")
    (talk / "c.toml").write_text("no-filename = true\n")
    assert run(["a.wav", "--config", "c.toml"]) == 0
    assert capsys.readouterr().out == "cab\n"
    (talk / "c.toml").write_text('lm = "gone.bin"\n')
    assert run(["a.wav", "--config", "c.toml"]) == 2
    assert "gone.bin: no such language model" in capsys.readouterr().err


def test_blank_lines_of_a_variable_are_no_values(talk, capsys, monkeypatch):
    monkeypatch.setenv("TRANSCRIBE_HOTWORD", "bad cab\n\nhead:2\n")
    assert run(["a.wav", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"]["hotword"] == ["bad cab", "head:2"]
