"""A run over stubs as a program of its own, to be killed: ``run_stubs.py INPUTS OUT [option=value ...]``.

``threads=N`` searches in threads of the program, which starts faster than worker processes do.
"""

import functools
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

sys.path.append(str(Path(__file__).parent))


def main():
    from mammocalc.batch import crew, detect_folder, pool, run, work
    from mammocalc.errors import MammocalcError

    options: dict = {
        name: json.loads(value) for name, _, value in (word.partition("=") for word in sys.argv[3:])
    }
    run.ProcessCrew = functools.partial(pool.ProcessCrew, searcher="stub_stages:search", prepare="")
    if threads := options.pop("threads", None):
        import_module("stub_stages")
        crew.search_guarded = work.search
        options["executor"] = ThreadPoolExecutor(threads)
    try:
        summary = detect_folder(sys.argv[1], sys.argv[2], write=(), **{"jobs": 2, **options})
    except MammocalcError as error:
        print(f"error: {error}")
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted")
        sys.exit(130)
    print(f"{summary.inputs} {summary.images} {summary.resumed}")


if __name__ == "__main__":
    main()
