"""A few hundred of the seeded mutations that benchmarks/soak.py tries by the ten thousand."""

import os
import resource

import pytest
import trials

# what has been found by the long runs, kept
FOUND = {
    "models": (
        65,
        363,
        523,
        3945,
        3960,
        4192,
        4449,
        4696,
        4761,
        4912,
        6056,
        6648,
        7233,
        7360,
        7369,
        7377,
        8857,
        9520,
        100076,
    ),
    "audio": (),
}
MOST_BYTES = 1 << 30


@pytest.fixture(scope="module", params=["audio", "models"])
def shop(request, tmp_path_factory):
    here, environment = os.getcwd(), dict(os.environ)
    try:
        yield trials.Spoiled(tmp_path_factory.mktemp(request.param), request.param)
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environment)


@pytest.mark.filterwarnings("ignore")  # of libraries that read what is spoiled
def test_damage_gives_words_or_one_line_and_takes_little_time_and_memory(shop, capfd):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # other tests have been here
    for seed in (*FOUND[shop.kind], *range(100_000, 100_120)):
        trial = shop.trial(seed)
        assert not trial.problem, trial
        assert trial.cpu_seconds < 10, trial
        assert capfd.readouterr().out == "", trial  # libraries print behind our back
        assert trial.peak_bytes < before + MOST_BYTES, trial
