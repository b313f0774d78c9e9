"""``python -m salescli``."""

from salescli.cli.session import main

main()
