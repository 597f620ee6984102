"""What is read from outside is data: nothing of it is executed or unpickled, by any module of the package."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "transcribe_cli"

# calls that run or rebuild what a file says; some are safe with the arguments given here
FORBIDDEN = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "marshal.loads", "shelve.open"}
FORBIDDEN |= {f"{module}.{name}" for module in ("pickle", "cPickle", "dill", "joblib") for name in ("load", "loads")}
FORBIDDEN |= {"pickle.Unpickler", "yaml.load", "yaml.unsafe_load"}
# (keyword, its only value allowed, what the library takes where nothing is said)
SAFE_ONLY_WITH = {
    "np.load": ("allow_pickle", "False", "False"),
    "numpy.load": ("allow_pickle", "False", "False"),
    "torch.load": ("weights_only", "True", None),
}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_read_is_executed_or_unpickled(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        assert name not in FORBIDDEN, f"{path.name}:{node.lineno} calls {name}"
        given = {one.arg: ast.unparse(one.value) for one in node.keywords}
        if name in SAFE_ONLY_WITH:
            key, value, default = SAFE_ONLY_WITH[name]
            assert given.get(key, default) == value, f"{path.name}:{node.lineno} calls {name} without {key}={value}"
        assert given.get("shell") != "True", f"{path.name}:{node.lineno} hands text to a shell"
