"""The command line over stubs, as a program of its own: ``run_command.py ARGUMENT ...``."""

import functools
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))


def main():
    from mammocalc import cli, warm_up
    from mammocalc.batch import pool, run

    warm_up.is_first_run = lambda: False
    run.ProcessCrew = functools.partial(pool.ProcessCrew, searcher="stub_stages:search", prepare="")
    cli.main()


if __name__ == "__main__":
    main()
