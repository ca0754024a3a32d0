"""`python -m bayescale` is the command `bayescale`."""

from .cli import main

main()
