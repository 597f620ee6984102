"""Warnings of the rooms below (truncated audio, clipping, …) as one line each on standard error."""

import logging
import sys


def show_warnings(quiet: bool) -> None:
    """Shows what the package logs as warnings, unless the user asked for quiet."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("transcribe: %(message)s"))
    logger = logging.getLogger("transcribe_cli")
    logger.handlers = [handler]
    logger.setLevel(logging.ERROR if quiet else logging.WARNING)
    logger.propagate = False
