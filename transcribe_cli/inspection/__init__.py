"""What a recording is like before anything is recognised in it, and what of that hurts recognition."""

from .advice import Advice, advise
from .render import text, to_dict
from .report import Report, inspect

__all__ = ["Advice", "Report", "advise", "inspect", "text", "to_dict"]
