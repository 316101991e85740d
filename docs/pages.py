"""The pages of the site that are not files in docs/: what lies elsewhere in the checkout, and the notebooks.

MkDocs calls these functions by their names (``hooks`` in mkdocs.yml). Links in the pages are written as a code host
needs them, relative to the file; here they are changed to lead to the page on the site.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import jupytext
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "data/README.md": "log.md",
    "benchmarks/README.md": "benchmarks.md",
    "LICENSE": "LICENSE",
    "CITATION.cff": "CITATION.cff",
}
"""Files of the checkout, and where they lie on the site."""
RUN = "{name}_run.html"
"""The page of a notebook that `make notebooks` ran, with its pictures."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from elsewhere and the notebooks."""
    for source, place in ELSEWHERE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for notebook in sorted((ROOT / "notebooks").glob("*.py")):
        run = ROOT / "reports" / f"{notebook.stem}.html"
        if run.is_file():
            files.append(File.generated(config, f"notebooks/{RUN.format(name=notebook.stem)}", abs_src_path=str(run)))
        content = "\n\n".join(_page(notebook, run.is_file()))
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page with links that lead to where their files lie on the site."""
    del config, files
    if page.file.abs_src_path is None:  # a notebook
        return markdown
    folder = Path(page.file.abs_src_path).resolve().parent

    def moved(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        if not target.is_relative_to(ROOT):
            return match[0]
        source = target.relative_to(ROOT).as_posix()
        place = ELSEWHERE.get(source) or re.sub(r"^(notebooks/\w+)\.py$", r"\1.md", source.removeprefix("docs/"))
        return f"]({os.path.relpath(place, Path(page.file.src_uri).parent)}"

    return re.sub(r"\]\((?![a-z]+:)([^)#\s]+)", moved, markdown)


def _page(notebook: Path, run: bool) -> Iterator[str]:
    """Yield the parts of a notebook's page: its text and code, and where its pictures are."""
    first, *cells = jupytext.read(notebook).cells
    yield first.source
    name = RUN.format(name=notebook.stem)
    yield f"[The same page with pictures and figures]({name})" if run else "To see its pictures, run `make notebooks`."
    for cell in cells:
        yield cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```"
