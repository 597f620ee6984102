"""What is measured of recordings whose faults were made here, and that good ones get no warning."""

import json
import math

import numpy as np
import pytest
import soundfile

from transcribe_cli.cli import run
from transcribe_cli.inspection import advise, inspect, text, to_dict
from transcribe_cli.inspection.levels import LevelMeter
from transcribe_cli.inspection.spectrum import SpectrumMeter
from transcribe_cli.inspection.speech import SpeechMeter

RATE = 16000


def speech(seconds: float = 6.0, rate: int = RATE, seed: int = 0, noise_db: float = -70.0) -> np.ndarray:
    """Something like speech: syllables of changing coloured sound with pauses between phrases, over faint noise."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate)
    x = np.zeros(n)
    at = 0.3
    while at < seconds - 0.6:
        for _ in range(int(rng.integers(3, 7))):
            length = int(rng.uniform(0.1, 0.2) * rate)
            begin = int(at * rate)
            if begin + length >= n:
                break
            t = np.arange(length) / rate
            pitch, centre = rng.uniform(100, 200), rng.uniform(400, 3000)
            tones = np.arange(pitch, min(7500, rate / 2 - 100), pitch)
            weights = np.exp(-(((tones - centre) / 600) ** 2)) + 0.02
            part = (weights[:, None] * np.sin(2 * np.pi * tones[:, None] * t)).sum(axis=0)
            part += 0.3 * rng.normal(size=length)
            x[begin : begin + length] += part * np.hanning(length) / 8
            at += length / rate + 0.03
        at += rng.uniform(0.4, 0.7)
    x *= 0.3 / np.abs(x).max()
    return (x + 10 ** (noise_db / 20) * rng.normal(size=n)).astype(np.float32)


def kinds(path) -> set[str]:
    return {one.kind for one in advise(inspect(path))}


@pytest.fixture
def made(tmp_path):
    def write(x, rate=RATE, name="a.wav", **how):
        soundfile.write(tmp_path / name, x, rate, **how)
        return tmp_path / name

    return write


def test_a_good_recording_gets_no_warning_and_its_numbers_are_right(made):
    x = speech()
    report = inspect(made(x, subtype="PCM_24"))
    assert advise(report) == ()
    assert report.seconds == pytest.approx(6.0)
    assert report.levels[0].peak_db == pytest.approx(20 * math.log10(np.abs(x).max()), abs=0.01)
    assert report.levels[0].rms_db == pytest.approx(10 * math.log10(np.square(x).mean()), abs=0.01)
    assert report.levels[0].clipped_share == 0
    assert report.speech.pauses >= 3
    assert 0.3 < report.speech.share < 0.9
    assert report.bandwidth_hz > 7000
    assert report.features.frames == 600


def test_loudness_is_that_of_the_standard():
    """BS.1770: a full-scale sine of 997 Hz in one channel has −3.01 LUFS."""
    meter = SpectrumMeter(48000)
    meter.push(np.sin(2 * np.pi * 997 * np.arange(48000 * 3) / 48000).astype(np.float32))
    assert meter.loudness == pytest.approx(-3.01, abs=0.1)
    gated = SpectrumMeter(48000)
    tone = 0.1 * np.sin(2 * np.pi * 997 * np.arange(48000 * 3) / 48000).astype(np.float32)
    gated.push(np.concatenate((tone, np.zeros(48000 * 9, np.float32))))
    assert gated.loudness == pytest.approx(-23.01, abs=0.4)  # silence is behind the gate


@pytest.mark.parametrize("size", [331, 7000])
def test_cut_anywhere_the_measures_are_the_same(size):
    x = np.stack((speech(), speech(seed=1)), axis=1)
    whole, cut = LevelMeter(RATE, 2), LevelMeter(RATE, 2)
    one, two = SpectrumMeter(RATE), SpectrumMeter(RATE)
    whole.push(x)
    one.push(x[:, 0])
    for i in range(0, len(x), size):
        cut.push(x[i : i + size])
        two.push(x[i : i + size, 0])
    assert cut.levels[0].rms_db == pytest.approx(whole.levels[0].rms_db)
    assert cut.pair.left == pytest.approx(whole.pair.left)
    assert cut.pair.correlation == pytest.approx(whole.pair.correlation)
    assert two.bandwidth_hz == one.bandwidth_hz
    assert two.loudness == pytest.approx(one.loudness)


@pytest.mark.parametrize(("rate", "kind"), [(44100, "narrow"), (16000, "narrow"), (8000, "narrow")])
def test_telephone_sound_is_found_at_any_rate(made, rate, kind):
    import soxr

    x = soxr.resample(speech(rate=8000), 8000, rate) if rate != 8000 else speech(rate=8000)
    assert kinds(made(x, rate)) == {kind}


def test_clipping_is_counted_on_flat_tops_at_any_level(made):
    x = np.clip(speech() * 8, -1, 1)
    report = inspect(made(x * 0.5))
    assert {one.kind for one in advise(report)} == {"clipping"}
    share = np.mean(np.abs(x) == 1)
    assert 0.2 * share < report.levels[0].clipped_share <= share  # tops of one or two samples are not counted


def test_noise_quiet_offset_and_broken_values_are_told(made):
    assert kinds(made(speech(noise_db=-37))) == {"noisy"}
    assert kinds(made(speech(noise_db=-20))) == {"steady"}
    assert kinds(made(speech(noise_db=-110) * 0.005)) == {"quiet"}
    assert kinds(made(speech() + 0.05)) == {"offset"}
    x = speech()
    x[100:103] = np.nan
    assert kinds(made(x, subtype="FLOAT")) == {"broken"}


def test_two_speakers_on_two_channels_are_told_from_stereo(made):
    one, two = speech(12), speech(12, seed=3)
    turns = (np.arange(len(one)) // (3 * RATE) % 2).astype(np.float32)
    call = np.stack((one * turns, two * (1 - turns)), axis=1) + 1e-4 * np.random.default_rng(0).normal(
        size=(len(one), 2)
    )
    assert kinds(made(call)) == {"two speakers"}
    (advice,) = advise(inspect(made(call)))
    assert "--channel split" in advice.do
    assert kinds(made(np.stack((one, 0.7 * one), axis=1))) == set()
    assert kinds(made(np.stack((one, 0 * one), axis=1))) == {"empty channel"}
    assert kinds(made(np.stack((one, -one), axis=1))) >= {"opposite channels"}


def test_chords_are_music_and_syllables_are_not(made):
    t = np.arange(8 * RATE) / RATE
    chords = np.zeros(len(t))
    for k in range(4):
        here = slice(k * 2 * RATE, (k + 1) * 2 * RATE)
        for hz in ((220, 277, 330), (196, 247, 294), (175, 220, 262), (165, 208, 247))[k]:
            chords[here] += sum(np.sin(2 * np.pi * hz * h * t[here]) / h for h in range(1, 8))
    assert kinds(made(chords / 10)) == {"music"}
    assert inspect(made(speech())).speech.steadiness < 0.4


def test_silence_and_a_handful_of_samples_are_reported_and_no_trouble(made, capsys):
    report = inspect(made(np.zeros(3 * RATE)))
    assert {one.kind for one in advise(report)} == {"silent"}
    assert "silence" in text(report)
    assert json.loads(json.dumps(to_dict(report), allow_nan=False))["levels"][0]["peak_db"] is None
    assert inspect(made(np.array([0.25]))).seconds == pytest.approx(1 / RATE)


def test_what_is_kept_of_speech_is_a_byte_a_frame():
    meter = SpeechMeter()
    frames = np.random.default_rng(0).normal(size=(500, 80)).astype(np.float32)
    for _ in range(20):
        meter.push(frames)
    assert len(meter._levels) == 10_000
    assert meter.statistics.mean == pytest.approx(float(frames.mean()), abs=1e-4)
    assert meter.statistics.deviation == pytest.approx(float(frames.std()), abs=1e-4)


def test_several_recordings_are_told_one_after_the_other_and_bad_ones_are_one_line(made, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made(speech(), name="a.wav")
    made(speech(), name="b.flac")
    (tmp_path / "text.wav").write_text("no sound")
    assert run(["inspect", "a.wav", "text.wav", "b.flac"]) == 1
    out, err = capsys.readouterr()
    assert out.index("a.wav") < out.index("b.flac")
    assert "FLAC PCM_16, 16000 Hz, mono, 6.0 s" in out
    assert err.count("\n") == 1
    assert "text.wav" in err
    assert run(["inspect", "--json", "a.wav", "b.flac"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["container"] for row in rows] == ["WAV", "FLAC"]
    assert run(["inspect", "a.wav", "--start", "2", "--duration", "3", "--json"]) == 0
    part = json.loads(capsys.readouterr().out)
    assert part["duration"] == pytest.approx(3.0)
    assert part["warnings"] == []
    assert run(["inspect", "a.wav", "b.flac", "--plot", "p.png"]) == 2
    assert "give one" in capsys.readouterr().err
