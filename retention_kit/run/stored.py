"""Run notebooks with their own defaults and store what they show, without images: `make notebooks`.

What is stored is what nbval compares, so that a changed number is a changed line in a review.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

from retention_kit.writing import write_whole

_KEPT_METADATA = {"tags"}
_QUIET = Config({"KernelManager": {"transport_encryption": "required"}})  # else each kernel start warns


def store_outputs(path: Path) -> None:
    """Run a notebook in its own folder and write its outputs into it; an error leaves the file as it was."""
    node = nbformat.read(path, as_version=4)
    client = NotebookClient(
        node, kernel_name="python3", config=_QUIET, resources={"metadata": {"path": str(path.parent)}}
    )
    ran = client.execute()
    for cell in ran.cells:
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key in _KEPT_METADATA})
        for output in cell.get("outputs", []):
            _drop_images(output)
    ran.metadata = NotebookNode(
        {"kernelspec": node.metadata.kernelspec, "language_info": NotebookNode({"name": "python"})}
    )
    write_whole({path: (nbformat.writes(ran).rstrip("\n") + "\n").encode()})


def _drop_images(output: NotebookNode) -> None:
    if "data" in output:
        output.data = NotebookNode({kind: data for kind, data in output.data.items() if not kind.startswith("image/")})
        output.metadata = NotebookNode()


def main(paths: Sequence[str]) -> None:
    """Store the outputs of each notebook."""
    for path in paths:
        store_outputs(Path(path))
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
