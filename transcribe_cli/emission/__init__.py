"""Log-probabilities of a whole recording from a network that sees windows of it."""

from .pauses import Emissions, Splitter
from .stream import rows
from .windows import Windower, WindowOptions

__all__ = ["Emissions", "Splitter", "WindowOptions", "Windower", "rows"]
