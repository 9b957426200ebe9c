"""New training documents from training documents: writes only the children, each with its origin."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

from stages.core.hashing import document_id, stable_hash, uniform
from stages.core.params import Plugin, Section, Share, Shared
from stages.core.records import Document, attributes_of, read_documents, read_table, shards, write_documents
from stages.core.spans import LETTERS, surfaces, through
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.run import run


class Params(Section):
    method: Annotated[str, Plugin("augmenters")]
    share: Share
    seed: int
    settings: Annotated[dict[str, Any], Shared("augmenters")]


def children(documents: Iterable[Document], p: Params) -> Iterator[Document]:
    """A child of each document of the share, drawn from the document's own numbers; none where nothing changed."""
    for document in documents:
        if uniform("augment", document.id, p.seed) < p.share and (born := child(document, p)):
            yield born


def child(document: Document, p: Params) -> Document | None:
    """None where the text stayed the same, or the words of a span did not."""
    augmenter, settings = plugins.load("augmenters", p.method), p.settings[p.method]
    seed = stable_hash("augmented text", document.id, p.seed)
    made = through(lambda text: augmenter.augment(text, settings, seed), document.text, document.spans, LETTERS)
    if made is None or made[0] == document.text or surfaces(*made) != surfaces(document.text, document.spans):
        return None
    name = document_id(document.source, document.id, p.method, p.seed)
    return document._replace(id=name, text=made[0], spans=made[1], origin=document.id)


def augment_shard(path: Path, p: Params, split: Path, out: Path) -> int:
    """The children of the shard's used training documents; gives their number."""
    used = {row["id"] for row in read_table(split / path.name, ["id", "used"]).to_pylist() if row["used"]}
    born = list(children((one for one in read_documents(path) if one.id in used), p)) if p.share else []
    write_documents(out / path.name, born, attributes_of(path))
    return len(born)


def stage(e: Engine, p: Params, source: Path, split: Path, out: Path) -> str:
    """Children from `share` of the labelled documents that training uses."""
    out.mkdir()
    born = sum(e.map(augment_shard, shards(source), p, split, out))
    return f"{born:,} documents made by {p.method}" if p.share else "off (share is 0)"


if __name__ == "__main__":
    run(stage)
