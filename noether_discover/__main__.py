"""``python -m noether_discover`` is ``noether-discover``."""

from .cli import main

main()
