"""What is measured of recordings whose faults were made here, and that good ones get no warning."""

import json
import math

import numpy as np
import pytest
import soundfile

from transcribe_cli.audio import AudioOptions
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
    meter = SpectrumMeter(48000, 1)
    meter.push(np.sin(2 * np.pi * 997 * np.arange(48000 * 3) / 48000).astype(np.float32)[:, None])
    assert meter.loudness == pytest.approx(-3.01, abs=0.1)
    gated = SpectrumMeter(48000, 1)
    tone = 0.1 * np.sin(2 * np.pi * 997 * np.arange(48000 * 3) / 48000).astype(np.float32)
    gated.push(np.concatenate((tone, np.zeros(48000 * 9, np.float32)))[:, None])
    assert gated.loudness == pytest.approx(-23.01, abs=0.4)  # silence is behind the gate


def test_loudness_adds_the_powers_of_the_channels(made):
    one, two = speech(), speech(seed=1)
    alone = inspect(made(one)).loudness
    assert inspect(made(np.stack((one, one), axis=1))).loudness == pytest.approx(alone + 3.01, abs=0.1)
    assert inspect(made(np.stack((one, -one), axis=1))).loudness == pytest.approx(alone + 3.01, abs=0.1)
    assert inspect(made(np.stack((one, 0 * one), axis=1))).loudness == pytest.approx(alone, abs=0.1)
    both = np.stack((one, two, one, two), axis=1)
    assert inspect(made(both)).loudness == pytest.approx(
        inspect(made(np.stack((one, two), axis=1))).loudness + 3.01, abs=0.1
    )


@pytest.mark.parametrize("seconds", [0.3, 0.1, 0.03, 0.01])
def test_the_loudness_of_less_than_a_block_is_that_of_what_there_is(made, seconds):
    tone = 0.1 * np.sin(2 * np.pi * 997 * np.arange(round(seconds * RATE)) / RATE)
    report = inspect(made(tone, subtype="PCM_24"))
    assert report.loudness == pytest.approx(-23.0, abs=0.7)
    assert not {one.kind for one in advise(report)} & {"quiet", "silent", "steady"}
    assert json.loads(json.dumps(to_dict(report)))["loudness_lufs"] == pytest.approx(-23.0, abs=0.7)


@pytest.mark.parametrize("size", [331, 7000])
def test_cut_anywhere_the_measures_are_the_same(size):
    x = np.stack((speech(), speech(seed=1)), axis=1)
    whole, cut = LevelMeter(RATE, 2), LevelMeter(RATE, 2)
    one, two = SpectrumMeter(RATE, 2), SpectrumMeter(RATE, 2)
    whole.push(x)
    one.push(x)
    for i in range(0, len(x), size):
        cut.push(x[i : i + size])
        two.push(x[i : i + size])
    assert cut.levels[0].rms_db == pytest.approx(whole.levels[0].rms_db)
    assert cut.pair.left == pytest.approx(whole.pair.left)
    assert cut.pair.correlation == pytest.approx(whole.pair.correlation)
    assert cut.levels[0].over_share == whole.levels[0].over_share
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


def test_floating_point_beyond_full_scale_is_told_and_what_turns_it_down(made):
    x = speech()
    x *= 4 / np.abs(x).max()
    report = inspect(made(x, subtype="FLOAT"))
    assert report.levels[0].over_share == pytest.approx(np.mean(np.abs(x) > 1))
    (advice,) = advise(report)
    assert advice.kind == "beyond full scale"
    assert "turn it down by 13 dB" in advice.do
    assert kinds(made(x / 13 * 10 ** (9 / 20), subtype="FLOAT")) == set()


def test_a_cut_off_recording_is_told_by_what_its_header_counts(made, capsys):
    path = made(speech())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    report = inspect(path)
    assert report.seconds == pytest.approx(2.0, abs=0.01)
    (advice,) = [one for one in advise(report) if one.kind == "truncated"]
    assert "promises 6.0 s and 2.0 s can be decoded" in advice.what
    assert to_dict(report)["header_duration"] == pytest.approx(6.0)
    part = inspect(path, AudioOptions(duration=1.0))
    assert "truncated" not in {one.kind for one in advise(part)}


def test_digital_silence_in_a_noisy_recording_is_a_pause_and_hides_no_noise(made):
    x = speech(noise_db=-37)
    muted = np.concatenate((x[: 3 * RATE], np.zeros(2 * RATE, np.float32), x[3 * RATE :]))
    whole, padded = inspect(made(x)), inspect(made(muted))
    assert padded.speech.snr_db == pytest.approx(whole.speech.snr_db, abs=1.0)
    assert kinds(made(muted)) == {"noisy"}
    spoken = whole.speech.share * whole.seconds
    assert padded.speech.share * padded.seconds == pytest.approx(spoken, abs=0.5)
    assert padded.speech.longest_pause_seconds >= 2.0
    noise = 0.1 * np.random.default_rng(0).normal(size=4 * RATE)
    noise[RATE : 2 * RATE] = 0
    assert kinds(made(noise)) == {"steady"}


def test_speech_between_digital_silence_gets_no_warning(made):
    report = inspect(made(speech(noise_db=-300)))  # on 16 bits its pauses are zeros
    assert report.features.floor_share > 0.2
    assert advise(report) == ()
    assert report.speech.pauses >= 3


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
    assert kinds(made(np.stack((one, -one), axis=1))) == {"opposite channels"}


def test_the_chosen_channel_is_the_one_that_is_measured(made, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    one, two = speech(), speech(seed=3, noise_db=-37)
    two[1000:1100] = 1.0
    alone = [inspect(made(x, subtype="FLOAT")) for x in (one, two)]
    path = made(np.stack((one, two), axis=1), subtype="FLOAT", name="both.wav")
    for channel in (0, 1):
        report = inspect(path, AudioOptions(channel=str(channel)))
        assert report.channel == channel
        for measure in ("loudness", "bandwidth_hz", "speech", "features"):
            assert getattr(report, measure) == getattr(alone[channel], measure)
        assert len(report.levels) == 2
        assert advise(report) == advise(alone[channel])
        assert f"from loudness on channel {channel}" in text(report)
    assert run(["inspect", "both.wav", "--channel", "7"]) == 1
    err = capsys.readouterr().err
    assert "has channels 0 to 1, not channel 7" in err
    assert run(["inspect", "both.wav", "--channel", "split"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert "try --channel left" in err


def test_an_empty_channel_is_told_where_it_is_the_one_chosen(made):
    path = made(np.stack((speech(), np.zeros(6 * RATE, np.float32)), axis=1))
    assert advise(inspect(path, AudioOptions(channel="left"))) == ()
    (advice,) = advise(inspect(path, AudioOptions(channel="right")))
    assert (advice.kind, advice.do) == ("empty channel", "--channel left")


def test_with_noise_removal_what_is_left_of_the_noise_is_measured(made):
    path = made(speech(noise_db=-37))
    before, after = inspect(path), inspect(path, AudioOptions(denoise=True))
    assert after.speech.snr_db > before.speech.snr_db + 6
    assert after.features.frames == before.features.frames
    assert after.levels == before.levels
    assert advise(after) == ()


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
