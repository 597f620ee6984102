"""Where a container's time stamps put its sound: silence is due where they leap ahead of the samples counted so far.

Recorders leave nothing in a container while they are paused or nobody speaks, and sound may begin after the picture.
"""

import logging

LEAP_SECONDS = 0.05  # stamps that count milliseconds or packets jitter by less
OVERRUN_SECONDS = 1.0  # beyond its stated end a recording may go on by so much
MOST_SILENT_SECONDS = 12 * 3600.0  # a damaged stamp may claim days

log = logging.getLogger("transcribe_cli.audio")


class Clock:
    """Of one reading. name: for messages; length_seconds: what the container says, None where it does not."""

    def __init__(self, name: str, sample_rate: int, length_seconds: float | None) -> None:
        self._name, self._rate, self._length = name, sample_rate, length_seconds
        self._leap = round(LEAP_SECONDS * sample_rate)
        self._n_left = round(MOST_SILENT_SECONDS * sample_rate)
        self._n_disbelieved = 0

    def begin(self, stamped: int, wanted: int) -> int:
        """Where a reading begins whose first frame is `stamped`, if it was sought from `wanted` on: both in samples."""
        return stamped if stamped <= wanted + self._leap else wanted

    def silence(self, position: int, stamped: int | None, following: int | None) -> int:
        """Samples of silence at `position`, before a frame `stamped` so; `following`: the next one's stamp."""
        if stamped is None or following is None or following < stamped:  # alone, a stamp may be damaged
            return 0
        ahead = stamped - self._n_disbelieved - position
        if ahead <= self._leap:
            return 0
        begin, end = position / self._rate, (position + ahead) / self._rate
        if ahead > self._n_left or (self._length is not None and begin <= self._length < end - OVERRUN_SECONDS):
            log.warning(
                "%s: its time stamps leap from %.2f s to %.2f s and are not followed: later times may be too early",
                self._name,
                begin,
                end,
            )
            self._n_disbelieved += ahead
            return 0
        self._n_left -= ahead
        return ahead
