"""Run the notebooks and keep what they show: ``python docs/refresh_notebooks.py [--to FOLDER] [NOTEBOOK ...]``.

Without ``--to`` the notebooks themselves are replaced. Each runs in an empty folder of its own; what depends on the
moment or the machine is left out, so that only a change of what is shown is a change of the file.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent / "notebooks"
LONGEST_CELL_SECONDS = 900


def executed(path: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of a fresh run."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as sockets:
        # Through files of this user, where that can be, and not through ports that others could listen at.
        kernel = KernelManager(
            kernel_name="python3",
            transport="ipc" if os.name == "posix" else "tcp",
            connection_file=str(Path(sockets) / "kernel.json"),
        )
        client = NotebookClient(
            notebook,
            km=kernel,
            timeout=LONGEST_CELL_SECONDS,
            resources={"metadata": {"path": folder}},
            record_timing=False,
        )
        try:
            client.execute()
        finally:
            kernel.shutdown_kernel(now=True)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number}"
        cell.metadata = {}
    return notebook


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(NOTEBOOKS.glob("*.ipynb")))
    parser.add_argument(
        "--to", type=Path, help="folder for the results; by default the notebooks are replaced"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        # Nothing of this user's settings, and nothing left behind in their folders.
        os.environ.update(JUPYTER_CONFIG_DIR=own, JUPYTER_RUNTIME_DIR=own, IPYTHONDIR=own, MPLCONFIGDIR=own)
        # Writes its list of fonts now, and says nothing of it in a notebook.
        import matplotlib.font_manager  # noqa: F401

        for path in given.notebooks:
            notebook = executed(path)
            target = path if given.to is None else given.to / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, target)
            print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
