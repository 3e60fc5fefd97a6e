"""``python -m experiments.cli`` is the ``patternlake`` command."""

from experiments.cli import main

main()
