"""What of a recording hurts recognition, and what to try. Every threshold stands here with its reason."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .levels import Level
from .report import Report

NARROW_HZ = 4400.0  # telephone sound ends at 3.4 to 4 kHz
DULL_HZ = 6500.0  # models hear up to 8 kHz; the hiss of s and f lies above 5
CLIPPED_SHARE = 5e-5  # of the samples on flat tops; unclipped speech has none
OVER_SHARE = 1e-3  # of the samples beyond full scale; decoders of MP3 and Opus overshoot in fewer
QUIET_LUFS = -45.0  # there a 16-bit sample has no more than a few dozen steps for a vowel
NOISY_DB = 15.0
OFFSET = 0.01  # of full scale
SIDE = 0.15  # of the loud frames belong to one channel alone: somebody speaks there
DEAD_DB = 40.0  # by which a channel is quieter than the other to count as empty
CANCELS = -0.5  # correlation below which the mean of two channels loses more than it keeps
STEADY = 0.45  # correlation of spectra a quarter second apart; dev speech stays below 0.32, held notes are above
STEADY_AND_FULL = 0.32  # the same where there are no pauses either
STEADY_SECONDS = 1.0  # less may be one word, whose loudness need not change
SILENT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Advice:
    """kind: a word for programs; what: what was found; do: what to try."""

    kind: str
    what: str
    do: str


def advise(report: Report) -> tuple[Advice, ...]:
    """Everything worth telling, the worst first."""
    speech = () if _cancels(report) else _speech(report)  # what mixing has left tells nothing of what was said
    return (*_broken(report), *_channels(report), *_sound(report), *speech)


def promised_seconds(report: Report) -> float | None:
    """How long its header says that the recording is; None where it says nothing."""
    info = report.info
    return info.duration_seconds if info.promised_seconds is None else info.promised_seconds


def _heard(report: Report) -> tuple[Level, ...]:
    """The levels of the channels that are made use of."""
    return report.levels if report.channel is None else (report.levels[report.channel],)


def _cancels(report: Report) -> bool:
    """Whether the mean of its channels, if that is what is heard, keeps less than it loses."""
    mixed = report.channel is None and len(report.levels) == 2
    return mixed and report.pair is not None and report.pair.correlation < CANCELS


def _broken(report: Report) -> Iterator[Advice]:
    if report.broken:
        yield Advice("broken", f"{report.broken} values are no numbers", "they are read as silence; export it again")
    promised = promised_seconds(report)
    if promised is not None and report.seconds < 0.98 * promised - 0.5 and report.whole:
        yield Advice(
            "truncated",
            f"its header promises {promised:.1f} s and {report.seconds:.1f} s can be decoded",
            "copy or download it again",
        )
    if all(level.peak_db == -math.inf for level in report.levels):
        yield Advice("silent", "nothing but digital silence", "check what was recorded, and from which input")


def _channels(report: Report) -> Iterator[Advice]:
    pair = report.pair
    if pair is None or len(report.levels) != 2:
        return
    one, two = (level.rms_db for level in report.levels)
    if one == two == -math.inf:
        return
    if abs(one - two) > DEAD_DB or -math.inf in (one, two):
        side, full = ("left", 0) if one > two else ("right", 1)
        if report.channel != full:
            yield Advice("empty channel", f"only the {side} channel has sound", f"--channel {side}")
    elif report.channel is not None:
        return
    elif _cancels(report):
        yield Advice(
            "opposite channels", "its channels are mirror images, so mixing them cancels the sound", "--channel left"
        )
    elif min(pair.left, pair.right) >= SIDE:
        yield Advice(
            "two speakers",
            f"different sound on two channels ({pair.left:.0%} of it left only, {pair.right:.0%} right only), as in a "
            "telephone call",
            "--channel split transcribes and labels each on its own",
        )


def _sound(report: Report) -> Iterator[Advice]:
    heard = _heard(report)
    clipped = max(level.clipped_share for level in heard)
    if clipped >= CLIPPED_SHARE:
        yield Advice(
            "clipping",
            f"{clipped:.2%} of the samples are cut off at the top",
            "record with less gain; turning it down now does not bring them back",
        )
    over = max(level.over_share for level in heard)
    if over >= OVER_SHARE:
        peak = max(level.peak_db for level in heard)
        yield Advice(
            "beyond full scale",
            f"{over:.1%} of the samples are beyond full scale and will be cut off there",
            f"turn it down by {math.ceil(peak)} dB where it still is floating point: nothing is lost yet",
        )
    if report.loudness < QUIET_LUFS and any(level.peak_db > -math.inf for level in heard):
        shown = "hardly anything" if report.loudness == -math.inf else f"{report.loudness:.0f} LUFS"
        yield Advice(
            "quiet", f"very quiet ({shown})", "record with more gain or nearer; the level itself is no trouble"
        )
    offset = max((level.offset for level in heard), key=abs)
    if abs(offset) >= OFFSET:
        yield Advice("offset", f"a constant offset of {offset:+.3f}", "nothing: it is taken away before recognition")
    top, rate = report.bandwidth_hz, report.info.sample_rate
    if top is not None and not _musical(report):
        if rate < 11_000:
            yield Advice("narrow", f"sampled at {rate} Hz, as telephones do", "use a 16 kHz original if there is one")
        elif top < NARROW_HZ:
            yield Advice(
                "narrow",
                f"telephone sound in a {rate / 1000:g} kHz file: nothing above {top / 1000:.1f} kHz",
                "look for the original before it went through 8 kHz; raising the rate does not bring it back",
            )
        elif top < DULL_HZ:
            yield Advice(
                "dull", f"hardly anything above {top / 1000:.1f} kHz", "use a less compressed original if there is one"
            )


def _speech(report: Report) -> Iterator[Advice]:
    speech = report.speech
    if _musical(report):
        yield Advice("music", "sounds like music or a steady tone", "cut out the speech with --start and --duration")
        return
    if speech.share is None:
        if report.loudness > -math.inf and report.seconds >= STEADY_SECONDS:
            yield Advice(
                "steady",
                "loudness hardly changes, as in noise or music; no pause can be told",
                "check that this is speech",
            )
        return
    if speech.share < SILENT_SHARE:
        yield Advice("sparse", f"only {speech.share:.0%} of it is not pause", "nothing: silence costs no errors")
    if speech.snr_db is not None and speech.snr_db < NOISY_DB:
        yield Advice(
            "noisy",
            f"speech only {speech.snr_db:.0f} dB above the noise",
            "record nearer to the speaker, or where it is quieter",
        )


def _musical(report: Report) -> bool:
    speech = report.speech
    return speech.steadiness >= (STEADY_AND_FULL if speech.share is None else STEADY)
