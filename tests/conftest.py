"""Shared settings of the test suite, and the place in which commands are tried."""

import pytest
from hypothesis import HealthCheck, settings

# busy machines are not defects: examples are bounded in number, not in time; the same examples every time
settings.register_profile(
    "suite", max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The current folder, with the toy model as default model and no settings of the person who runs the tests."""
    import toy_model  # needs onnx, which only tests of whole commands need

    toy_model.write_bundle(tmp_path / "models" / "toy")
    monkeypatch.setenv("TRANSCRIBE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TRANSCRIBE_MODEL", "toy")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
