import io

import numpy as np
import pytest
import soundfile

from transcribe_cli.audio.degrade import (
    KINDS,
    Degradation,
    degrade,
    mix,
    noise,
    opus,
    parse,
    reverberate,
    room,
    telephone,
)
from transcribe_cli.errors import OptionError

RATE = 16000


@pytest.fixture(scope="module")
def speech():
    """Two seconds of bursts of a buzzing voice with pauses, as unlike noise as speech is."""
    t = np.arange(2 * RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 40))
    return (0.1 * voice * (np.sin(2 * np.pi * 3 * t) > 0)).astype(np.float32)


@pytest.mark.parametrize("how", parse(KINDS))
def test_every_kind_keeps_length_and_is_seeded(how, speech):
    first = degrade(speech, RATE, how, 1, "a")
    assert first.shape == speech.shape
    assert first.dtype == np.float32
    assert np.array_equal(first, degrade(speech, RATE, how, 1, "a"))
    assert not np.array_equal(first, speech)
    if how.kind in ("noise", "white", "reverb"):
        assert not np.array_equal(first, degrade(speech, RATE, how, 2, "a"))
        assert not np.array_equal(first, degrade(speech, RATE, how, 1, "b"))
    assert len(degrade(speech[:0], RATE, how, 1)) == 0


def test_pink_noise_is_loudest_below_and_white_noise_as_loud_everywhere(speech):
    def slope(kind):
        added = degrade(speech, RATE, Degradation(kind, 0.0), 1, "a") - speech
        power = np.abs(np.fft.rfft(added)) ** 2
        low, high = (
            power[(f := np.fft.rfftfreq(len(added), 1 / RATE)) > a][: len(f) // 16].mean() for a in (200, 6000)
        )
        return 10 * np.log10(low / high)

    assert slope("noise") > 9
    assert abs(slope("white")) < 1.5


@pytest.mark.parametrize("snr_db", [20, 0, -5])
def test_noise_has_the_ratio_asked_for(snr_db, speech):
    added = mix(speech, noise(len(speech), 1.0, np.random.default_rng(0)), snr_db) - speech
    loud = np.abs(speech) > 0.02 * np.abs(speech).max()
    measured = 10 * np.log10(np.mean(speech[loud] ** 2) / np.mean(added**2))
    assert measured == pytest.approx(snr_db, abs=0.1)


def test_pink_noise_falls_by_three_decibels_an_octave():
    power = np.abs(np.fft.rfft(noise(1 << 17, 1.0, np.random.default_rng(0)))) ** 2
    octaves = [10 * np.log10(power[k : 2 * k].mean()) for k in (1000, 2000, 4000, 8000, 16000)]
    assert np.diff(octaves) == pytest.approx(-3.0, abs=0.4)


def test_telephones_pass_only_their_band(speech):
    power = np.abs(np.fft.rfft(telephone(speech, RATE, 300.0, 3400.0, mu_law=False))) ** 2
    frequency = np.fft.rfftfreq(len(speech), 1 / RATE)
    outside = (frequency < 230) | (frequency > 3600)
    assert power[outside].sum() < 1e-3 * power.sum()


def test_a_room_without_walls_changes_nothing(speech):
    assert reverberate(speech, np.array([1.0], np.float32)) == pytest.approx(speech, abs=1e-6)


def test_a_room_falls_silent_by_sixty_decibels_in_its_time():
    response = room(RATE, 0.6, 0.0, np.random.default_rng(0))
    early, late = (np.mean(response[int(a * RATE) : int((a + 0.1) * RATE)] ** 2) for a in (0.1, 0.4))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=2)
    assert response[0] == 1.0
    assert np.sum(response[1:] ** 2) == pytest.approx(1.0, rel=1e-3)


def test_opus_spends_about_the_bits_asked_for(speech, monkeypatch):
    sizes = []

    class Noted(io.BytesIO):
        def seek(self, *arguments):
            if arguments == (0,):
                sizes.append(len(self.getvalue()))
            return super().seek(*arguments)

    monkeypatch.setattr("transcribe_cli.audio.degrade.io.BytesIO", Noted)
    long = np.tile(speech, 5)
    for kilobits in (12, 32):
        opus(long, RATE, kilobits)
        assert sizes[-1] * 8 / 1000 / (len(long) / RATE) == pytest.approx(kilobits, rel=0.35)


def test_opus_moves_nothing_in_time(speech):
    back = opus(speech, RATE, 24)
    lags = range(-200, 201, 4)
    match = [float(np.dot(np.roll(back, -lag)[1000:-1000], speech[1000:-1000])) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 8


def test_conditions_are_read_from_text():
    assert parse(["noise:20,5", "telephone", "opus"]) == [
        Degradation("noise", 20.0),
        Degradation("noise", 5.0),
        Degradation("telephone"),
        Degradation("opus", 12.0),
    ]
    assert [one.name for one in parse(["reverb:0.4", "telephone"])] == ["reverb 0.4 s", "telephone"]


@pytest.mark.parametrize("text", ["rain", "noise:loud", "noise:", "opus:1000", "telephone:3", "noise:nan"])
def test_senseless_conditions_are_refused(text):
    if text == "noise:":
        assert parse([text]) == [Degradation("noise", 10.0)]
    else:
        with pytest.raises(OptionError, match="--degrade"):
            parse([text])


def test_soundfile_still_reads_what_it_wrote():
    assert "OPUS" in soundfile.available_subtypes("OGG")
