"""Directives whose text is made of the code's own definitions, so that no page can say anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import command_pages
import lexicon_pages
import notebook_pages
import parameter_pages
import sample_pages
import table_pages
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

Lines = Callable[[str], list[str]]

# Each takes the argument of its directive and gives reStructuredText.
DIRECTIVES: Mapping[str, Lines] = {
    "lexicon-labels": lexicon_pages.labels,
    "lexicon-rules": lexicon_pages.rules,
    "lexicon-thresholds": lexicon_pages.thresholds,
    "lexicon-sources": lexicon_pages.sources,
    "lexicon-hash": lexicon_pages.content_hash,
    "table-columns": table_pages.columns,
    "feature-table": table_pages.features,
    "parameters-of": parameter_pages.parameters,
    "command-line": command_pages.commands,
    "sample-table": sample_pages.table,
    "sample-files": sample_pages.files,
    "sample-overlay": sample_pages.overlay,
    "notebook-list": notebook_pages.listed_notebooks,
    "software-citation": sample_pages.citation,
}


def directive(lines: Lines) -> type[SphinxDirective]:
    """A directive with one optional argument that is replaced by what `lines` gives for it."""

    class Generated(SphinxDirective):
        optional_arguments = 1

        def run(self) -> list[nodes.Node]:
            text = "\n".join(lines(self.arguments[0] if self.arguments else ""))
            return self.parse_text_to_nodes(text, allow_section_headings=True)

    return Generated


def setup(app: Sphinx) -> dict[str, bool]:
    for name, lines in DIRECTIVES.items():
        app.add_directive(name, directive(lines))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
