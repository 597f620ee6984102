"""A report as text for people and as JSON for programs."""

import math
from dataclasses import asdict
from typing import Any

from .advice import advise, promised_seconds
from .report import Report


def text(report: Report) -> str:
    """A block of lines, the warnings last."""
    info, speech, features = report.info, report.speech, report.features
    container, _, codec = info.format.partition(" ")
    alone = "" if report.channel is None or info.channels == 1 else f"; from loudness on channel {report.channel}"
    lines = [report.name]
    lines.append(
        f"  decoded    {container} {codec}, {info.sample_rate} Hz, {_channels(info.channels)}, "
        f"{clock(report.seconds)}{alone}"
    )
    for i, level in enumerate(report.levels):
        which = "" if len(report.levels) == 1 else f" of channel {i}"
        lines.append(
            f"  level{which} ".ljust(13) + f"peak {_db(level.peak_db)}, RMS {_db(level.rms_db)}, offset "
            f"{round(level.offset, 4) + 0.0:+.4f}, clipped {level.clipped_share:.3%}"
        )
    loudness = "silence" if report.loudness == -math.inf else f"{report.loudness:.1f} LUFS"
    lines.append(f"  loudness   {loudness}")
    if report.pair is not None:
        pair = report.pair
        lines.append(
            f"  channels   correlation {pair.correlation:+.2f}, {pair.left:.0%} left only, {pair.right:.0%} right only"
        )
    top = "none" if report.bandwidth_hz is None else f"up to {report.bandwidth_hz / 1000:.1f} kHz"
    lines.append(f"  bandwidth  {top}")
    if speech.share is None:
        lines.append("  speech     cannot be told from pauses: loudness hardly changes")
    else:
        many = "no pauses" if not speech.pauses else "1 pause" if speech.pauses == 1 else f"{speech.pauses} pauses"
        longest = f", the longest {speech.longest_pause_seconds:.1f} s" if speech.pauses else ""
        snr = "" if speech.snr_db is None else f", {speech.snr_db:.0f} dB above the noise"
        lines.append(f"  speech     {speech.share:.0%} of the time, {many}{longest}{snr}")
    lines.append(
        f"  features   {features.frames} log-mel frames, mean {features.mean:.2f}, deviation {features.deviation:.2f}, "
        f"{features.lowest:.1f} to {features.highest:.1f}, {features.floor_share:.1%} at the floor"
    )
    lines += [f"  ! {one.what}: {one.do}" for one in advise(report)]
    return "\n".join(lines) + "\n"


def to_dict(report: Report) -> dict[str, Any]:
    """Plain JSON values; what is not known or infinite is null."""
    container, _, codec = report.info.format.partition(" ")
    entry: dict[str, Any] = {
        "audio": report.name,
        "container": container,
        "codec": codec,
        "sample_rate": report.info.sample_rate,
        "channels": report.info.channels,
        "channel": report.channel,
        "duration": report.seconds,
        "header_duration": promised_seconds(report),
        "broken_values": report.broken,
        "levels": [asdict(level) for level in report.levels],
        "channel_pair": None if report.pair is None else asdict(report.pair),
        "loudness_lufs": report.loudness,
        "bandwidth_hz": report.bandwidth_hz,
        "speech": asdict(report.speech),
        "features": asdict(report.features),
        "warnings": [asdict(one) for one in advise(report)],
    }
    clean: dict[str, Any] = _clean(entry)
    return clean


def clock(seconds: float) -> str:
    """12.3 s, 4:05 min, 1:02:03 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02} h" if hour else f"{minute}:{second:02} min"


def _channels(n: int) -> str:
    return {1: "mono", 2: "stereo"}.get(n, f"{n} channels")


def _db(level: float) -> str:
    return "silent" if level == -math.inf else f"{level:.1f} dBFS"


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(one) for one in value]
    if isinstance(value, float):
        return round(float(value), 5) if math.isfinite(value) else None
    return value
