"""What every template says, kept as one file a language: `python tests/golden/rewrite.py` writes them anew.

A block a template with its fewest facts, with all and for the orders at the edge, then the body of each approved
form as WhatsApp gets it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))

from bot.approved import Approvals
from bot.catalogue import Catalogue, read_catalogue
from bot.model.markup import plain
from bot.render import Renderer
from bot.specimens import read_edges, specimens

TEMPLATES = HERE.parents[1] / "templates"


def make() -> tuple[Renderer, Catalogue]:
    """The shipped templates and their catalogue."""
    return Renderer([TEMPLATES], "en"), read_catalogue(TEMPLATES / "catalogue.yaml")


def golden(renderer: Renderer, catalogue: Catalogue, locale: str) -> str:
    """The whole file of a language."""
    blocks = [*_free(renderer, catalogue, locale), *_approved(renderer, catalogue, locale)]
    return "\n".join(f"=== {head}\n{text}\n" for head, text in blocks)


def _free(renderer: Renderer, catalogue: Catalogue, locale: str) -> Iterator[tuple[str, str]]:
    for specimen in specimens(catalogue, locale, read_edges(TEMPLATES / "edges.yaml")):
        titles = "".join(f"\n[{choice.title}]" for choice in renderer.choices(specimen.reply))
        yield f"{specimen.template}: {specimen.case}", plain(renderer.text(specimen.reply)) + titles


def _approved(renderer: Renderer, catalogue: Catalogue, locale: str) -> Iterator[tuple[str, str]]:
    for body in Approvals(renderer, catalogue).bodies(locale):
        buttons = "".join(f"\n[{title}]" for title in body.buttons)
        yield f"approved {body.name} ({body.category}, {body.language})", body.text + buttons


if __name__ == "__main__":
    made = make()
    for code in made[0].locales:
        (HERE / f"{code}.txt").write_text(golden(*made, code), encoding="utf-8")
