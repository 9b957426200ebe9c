"""Texts of benchmarks from outside, of which training shall have nothing; they are read as sources are."""

from pathlib import Path

import pyarrow as pa

from stages.core.faults import Fault
from stages.core.files import write_json
from stages.core.params import Section, Source
from stages.core.records import Chunk, Reject, Row, write_table
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.run import run


class Params(Section):
    sources: tuple[Source, ...]


def texts_of(source: Source, cache: Path) -> pa.Table:
    """The texts of a benchmark, in the order of its files."""
    module = plugins.load("sources", source.kind)
    paths = tuple(one.fetch(cache) for one in module.needs(source.params))
    texts, rows, rejects = list[pa.Array](), list[str](), 0
    for part in module.parts(source.params, paths):
        for item in module.read(source.params, part, paths):
            match item:
                case Chunk():
                    texts += item.rows.column("text").chunks
                case Row():
                    rows.append(item.text)
                case _:
                    rejects += isinstance(item, Reject)
    found = pa.chunked_array([*texts, pa.array(rows, pa.string())]).slice(0, source.quota)
    if rejects > source.rejects * (len(found) + rejects) or not len(found):
        raise Fault(
            f"benchmarks.sources: {source.name}: {len(found):,} texts came, {rejects:,} rows are rejected, `rejects` "
            f"allows {source.rejects:.1%}; mend the source or its parameters"
        )
    return pa.table({"text": found})


def stage(e: Engine, p: Params, out: Path) -> str:
    """Writes a table a benchmark."""
    out.mkdir()
    tables = {source.name: texts_of(source, e.cache) for source in p.sources}
    for name, table in tables.items():
        write_table(out / f"{name}.parquet", table)
    write_json(out / "benchmarks.json", {name: len(table) for name, table in tables.items()})
    return f"{sum(map(len, tables.values())):,} texts of {', '.join(tables)}" if tables else "none declared"


if __name__ == "__main__":
    run(stage)
