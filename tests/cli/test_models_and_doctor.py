"""`transcribe models` and `transcribe doctor`: what is there, whether it is whole, and what would mend it."""

import hashlib
import json
import re
import subprocess
import sys

import onnx
import pytest
import soxr
import toy_model
import toy_punctuation

from transcribe_cli import doctor
from transcribe_cli.bundle import providers, store
from transcribe_cli.cli import run


def sums(folder):
    return {"model.onnx": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Models in all places but the package's."""
    folder = toy_model.write_bundle(tmp_path / "models" / "toy")
    toy_model.write_bundle(folder, checksums=sums(folder))
    toy_model.write_bundle(tmp_path / "data" / "transcribe" / "models" / "mine", name="mine")
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TRANSCRIBE_MODEL", "toy")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_models_are_listed_from_the_environment_and_the_data_directory(home, capsys):
    assert run(["models"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    found = {row[0]: row[4] for row in rows}
    assert found["toy"] == str(home / "models" / "toy")
    assert found["mine"] == str(home / "data" / "transcribe" / "models" / "mine")


def test_the_first_of_two_models_with_one_name_is_taken_and_a_folder_may_be_the_model(home, capsys, monkeypatch):
    other = toy_model.write_bundle(home / "other" / "toy", version="2")
    monkeypatch.setenv("TRANSCRIBE_MODELS", f"{other}:{home / 'models'}")
    assert run(["models", "toy"]) == 0
    assert "toy 2" in capsys.readouterr().out


def test_cards_and_checksums_are_printed_of_folders_and_lone_graphs(home, capsys):
    assert run(["models", "toy", "--card"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "toy"
    graph = toy_model.graph()
    onnx.helper.set_model_props(graph, {"card": json.dumps(toy_model.card(name="lone"))})
    onnx.save(graph, home / "lone.onnx")
    assert run(["models", "lone.onnx", "--card"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "lone"
    assert run(["models", "toy", "--checksum"]) == 0
    printed = dict(line.split("  ")[::-1] for line in capsys.readouterr().out.splitlines())
    folder = home / "models" / "toy"
    assert printed[str(folder / "model.onnx")] == sums(folder)["model.onnx"]
    assert run(["models", "toy", "--json", "--verify"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert {file["name"]: file.get("whole") for file in entry["files"]} == {"card.json": None, "model.onnx": True}


def test_a_damaged_file_is_told_and_a_broken_card_does_not_hide_the_others(home, capsys):
    assert run(["models", "toy", "--verify"]) == 0
    assert "whole\tmodel.onnx" in capsys.readouterr().out
    with (home / "models" / "toy" / "model.onnx").open("ab") as file:
        file.write(b"x")
    assert run(["models", "toy", "--verify"]) == 1
    assert "DAMAGED\tmodel.onnx" in capsys.readouterr().out
    (home / "models" / "broken").mkdir()
    (home / "models" / "broken" / "card.json").write_text("{")
    assert run(["models"]) == 1
    out, err = capsys.readouterr()
    assert "mine" in out
    assert err.count("\n") == 1
    assert "broken" in err
    assert run(["models", "nothing"]) == 2
    assert "no model named" in capsys.readouterr().err


def test_a_good_installation_is_well_and_its_speed_is_told(home, capsys):
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "× real time" in out
    assert "in use: CPU" in out
    assert "toy (toy 1): 1 files whole" in out
    assert run(["doctor", "--json", "--no-self-test"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"] is True
    assert {one["topic"] for one in found["findings"]} == {
        "program", "packages", "processor", "models", "providers", "extras",
    }  # fmt: skip


def test_a_damaged_model_is_broken_and_the_cure_is_named(home, capsys):
    (home / "models" / "toy" / "model.onnx").write_bytes(b"no graph")
    assert run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "model.onnx is not what its card says" in out
    assert "→ copy or export this model again" in out
    assert run(["doctor", "--model", "gone"]) == 1
    assert "no model named" in capsys.readouterr().out


def test_what_punctuates_is_tried_too(home, capsys):
    toy_punctuation.write(home / "models" / "punctuation" / "xx.onnx")
    assert run(["doctor", "--no-self-test"]) == 0
    assert "xx: sentences (--punctuate)" in capsys.readouterr().out
    (home / "models" / "punctuation" / "xx.onnx").write_bytes(b"torn")
    assert run(["doctor", "--no-self-test"]) == 1
    assert "xx.onnx" in capsys.readouterr().out


def test_a_missing_package_and_missing_extras_say_how_they_are_installed(home, capsys, monkeypatch):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "soxr" else real(name))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    found = list(doctor.examine("toy", self_test=False))
    assert any(one.state == doctor.BROKEN and one.cure == "pip install soxr" for one in found)
    extras = [one for one in found if one.topic == "extras"]
    assert all(f"transcribe-cli[{one.what.split()[0]}]" in one.cure for one in extras)
    assert {one.what.split()[0] for one in extras} == set(doctor.EXTRAS)


@pytest.mark.parametrize("name", sorted({*doctor.NEEDED} - {"typer"}))  # without Typer there is no command line
def test_a_package_that_cannot_be_loaded_is_named_with_its_cure(home, name, monkeypatch):
    (home / "stubs").mkdir()
    (home / "stubs" / f"{doctor.NEEDED[name]}.py").write_text("raise ImportError('libfoo.so.6 is not there')")
    monkeypatch.setenv("PYTHONPATH", str(home / "stubs"))
    done = subprocess.run([sys.executable, "-m", "transcribe_cli", "doctor"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == ""
    assert "cannot be loaded: ImportError: libfoo.so.6 is not there" in done.stdout
    assert f"pip install --force-reinstall {name}" in done.stdout
    assert done.stdout.count("--force-reinstall") == 1  # what stands on it is not accused too


def test_the_self_test_reads_and_resamples_a_recording(home, monkeypatch):
    rates = []
    real = soxr.ResampleStream
    monkeypatch.setattr(soxr, "ResampleStream", lambda *args, **more: rates.append(args[:2]) or real(*args, **more))
    assert doctor.healthy(list(doctor.examine("toy")))
    assert rates == [(44100, 16000)]
    monkeypatch.setattr(soxr, "ResampleStream", lambda *args, **more: 1 / 0)
    (broken,) = [one for one in doctor.examine("toy") if one.state == doctor.BROKEN]
    assert broken.topic == "self-test"


def test_the_doctor_asks_for_the_model_that_is_used_where_none_is_named():
    assert doctor.DEFAULT == store.DEFAULT


def test_every_package_of_the_base_install_is_tried():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert list(doctor.NEEDED) == [re.match(r"[\w-]+", one)[0] for one in project["dependencies"]]


def test_every_extra_of_the_project_is_known_to_the_doctor():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(doctor.EXTRAS) == set(project["optional-dependencies"]) - {"dev"}


@pytest.mark.parametrize(
    ("offered", "installed", "loadable", "cause", "cure"),
    [
        (True, ("onnxruntime-gpu 1.20",), (), "no NVIDIA driver", "driver"),
        (False, ("onnxruntime 1.20",), (), "no NVIDIA driver", "unless this machine has"),
        (False, ("onnxruntime 1.20",), ("libcuda",), "built for the CPU", "transcribe-cli[gpu]"),
        (False, ("onnxruntime 1.20", "onnxruntime-gpu 1.20"), ("libcuda",), "both installed", "uninstall"),
        (True, ("onnxruntime-gpu 1.20",), ("libcuda",), "libcublas", "LD_LIBRARY_PATH"),
        (True, ("onnxruntime-gpu 1.20",), ("libcuda", "libcudart", "libcu", "libcurand"), "cuDNN 9", "cudnn"),
        (True, ("onnxruntime-gpu 1.20",), ("lib",), "refused", "nvidia-smi"),
    ],
)
def test_why_cuda_is_not_in_use_is_said_with_its_cure(monkeypatch, offered, installed, loadable, cause, cure):
    def loads(name: str) -> bool:
        return name != providers.CUDNN and name.startswith(loadable) if "lib" not in loadable else True

    monkeypatch.setattr(providers, "_loads", lambda name: bool(loadable) and loads(name))
    why, what = providers.why_not_cuda(offered, installed)
    assert cause in why
    assert cure in what


def test_a_provider_that_falls_back_is_broken_not_just_absent(home, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(providers, "_loads", lambda name: name == "libcuda.so.1")
    from transcribe_cli.bundle import session

    real = session.open_graph
    monkeypatch.setattr(
        session, "open_graph", lambda path, wanted, threads: real(path, ["CPUExecutionProvider"], threads)
    )
    findings = list(doctor.examine("toy", self_test=False))
    (broken,) = [one for one in findings if one.state == doctor.BROKEN]
    assert broken.topic == "providers"
    assert "falls back to the CPU" in broken.what
    assert "libcudart.so.12" in broken.what
