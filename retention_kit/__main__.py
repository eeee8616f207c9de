"""`python -m retention_kit` is the command."""

from retention_kit.cli import main

main(prog_name="python -m retention_kit")
