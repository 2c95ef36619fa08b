"""Statistics as a file: a JSON header and plain arrays in a zip archive, read without trust and to the bit.

Written are compressed statistics only, so the file holds no innermost group by itself, and groups have numbers in place
of labels, in an order that follows from the sums alone. Nothing in a file is ever executed: there is no pickle.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.multilevel.design import Integers
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.exchange_header import check_header, header_of, model_of
from plneval.multilevel.statistics import DROPPED_COLUMNS, Statistics
from plneval.multilevel.units import Cells, Units
from plneval.multilevel.working import Centre

HEADER: Final = "header.json"
# An array's own header in numpy's format; ours are of at most three dimensions.
ARRAY_HEADER: Final = 1024
HEADER_BYTES: Final = 16_000_000
LARGEST: Final = 1 << 33
"""Bytes that the arrays of a file may have unpacked; a file that claims more is refused."""
SITE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class SharedStatistics:
    """What a statistics file holds.

    Attributes
    ----------
    site
        Name of the part; labels of groups are ``site/1``, ``site/2``, …
    statistics
        Compressed statistics; add them with ``+``.
    notes
        What the writer says of them, such as the threshold that was applied.
    """

    site: str
    statistics: Statistics
    notes: Mapping[str, Any]


def read_statistics(path: Path | str) -> Statistics:
    """Read the statistics of another site: add them with ``+`` and hand the sum to ``fit``.

    Raises
    ------
    MultilevelError
        The file is no statistics file, is damaged, is of a later version, or does not hold together.
    OSError
        It cannot be read.
    """
    return read_shared(path).statistics


def read_shared(path: Path | str) -> SharedStatistics:
    """Read a statistics file with its site and notes; raises as :func:`read_statistics`."""
    return unpacked(Path(path).read_bytes(), str(path))


def anonymous(statistics: Statistics, site: str) -> Statistics:
    """Compressed statistics whose groups are called ``site/1``, ``site/2``, …, and which name nothing that was dropped.

    The order of the second level follows from the groups' sums, so that a number says nothing about a label; groups of
    further levels are numbered as they first occur.

    Raises
    ------
    MultilevelError
        The name of the site cannot be used.
    """
    if not SITE.fullmatch(site):
        raise MultilevelError(
            f"{site!r} cannot name a site: use small letters, digits, '_' and '-', 64 characters at most"
        )
    found = statistics.compressed(force=True)
    dropped = found.dropped.copy()
    dropped["first"] = pd.Series([()] * len(dropped), index=dropped.index, dtype=object)
    if len(found.sizes) == 1:
        return replace(found, labels=(None,), dropped=dropped, cells=_in_order(found.cells, np.zeros(1, dtype=np.intp)))
    sums = [hashlib.sha256(row.tobytes() + rows.tobytes()).digest() for row, rows in _rows(found)]
    order = np.array(sorted(range(len(sums)), key=lambda at: sums[at]), dtype=np.intp)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    cells = _in_order(found.cells, place)
    rows, cross = found.rows[order], found.cross[order]
    labels: list[pd.Index | None] = [None, _numbered(site, len(order))]
    parents: list[Integers] = []
    for k, parent in enumerate(found.parents):
        parent = parent[order]
        code, first = pd.factorize(parent)
        parents.append(code.astype(np.intp))
        order = np.asarray(first, dtype=np.intp)
        labels.append(_numbered(f"{site}/{k + 2}", len(order)))
    return replace(
        found, labels=tuple(labels), parents=tuple(parents), rows=rows, cross=cross, cells=cells, dropped=dropped
    )


def _rows(found: Statistics) -> list[tuple[Any, Any]]:
    return list(zip(found.cross, found.rows, strict=True))


def _numbered(site: str, size: int) -> pd.Index:
    return pd.Index([f"{site}/{number}" for number in range(1, size + 1)], dtype=object)


def _in_order(cells: Cells, place: Integers) -> Cells:
    """The cells with parents renumbered, patterns in the order of their entries and cells in the order of both."""
    flat = cells.patterns.reshape(len(cells.patterns), -1)
    order = np.lexsort(flat.T[::-1]) if len(flat) else np.zeros(0, dtype=np.intp)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    parent, pattern = place[cells.parent], rank[cells.pattern]
    sort = np.lexsort((pattern, parent))
    return Cells(cells.patterns[order], parent[sort], pattern[sort], cells.count[sort], cells.products[sort])


def packed(statistics: Statistics, site: str, notes: Mapping[str, Any]) -> bytes:
    """The bytes of a statistics file; the same for the same statistics.

    Parameters
    ----------
    statistics
        Of any kind: what is written is :func:`anonymous`.
    site
        Name of this part: two parts that are added must have different ones.
    notes
        Numbers and texts for the header, such as the threshold that was applied.

    Raises
    ------
    MultilevelError
        Columns whose constants come from the rows (``scale``, ``center``, ``poly``): no other site has the same ones.
    """
    found = anonymous(statistics, site)
    encoding = found.model.encoding
    if encoding is not None and encoding.constants:
        raise MultilevelError(
            f"{encoding.constants[0][0]} takes its constants from the rows, so no other site has the same column: "
            "compute it with fixed constants first"
        )
    arrays = _arrays(found)
    contents = {name: _bytes_of(array) for name, array in arrays.items()}
    header = header_of(found, site, notes) | {
        "arrays": {
            name: {"shape": list(array.shape), "sha256": hashlib.sha256(contents[name]).hexdigest()}
            for name, array in arrays.items()
        }
    }
    text = json.dumps(header, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode("utf-8")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {HEADER: text, **{f"{name}.npy": content for name, content in contents.items()}}.items():
            # A fixed date: the same statistics are the same bytes.
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return stream.getvalue()


def _arrays(found: Statistics) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        "shift": found.centre.shift,
        "slope": found.centre.slope,
        "rows": found.rows,
        "cross": found.cross,
        "patterns": found.cells.patterns,
        "cell_parent": found.cells.parent,
        "cell_pattern": found.cells.pattern,
        "cell_count": found.cells.count,
        "cell_products": found.cells.products,
    }
    return arrays | {f"parent_{k + 1}": parent for k, parent in enumerate(found.parents)}


def _bytes_of(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    kind = "<f8" if array.dtype.kind == "f" else "<i8"
    np.lib.format.write_array(stream, np.ascontiguousarray(array.astype(kind)), (1, 0), allow_pickle=False)
    return stream.getvalue()


def unpacked(content: bytes, name: str) -> SharedStatistics:
    """Statistics of the bytes of a file; ``name`` is the file's in messages. Raises as :func:`read_statistics`."""
    try:
        return _unpacked(content)
    except MultilevelError as error:
        raise MultilevelError(f"{name}: {error}") from None


def _unpacked(content: bytes) -> SharedStatistics:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if HEADER not in entries:
                raise MultilevelError("this is no statistics file of plneval: it has no header")
            if entries[HEADER].file_size > HEADER_BYTES:
                raise MultilevelError("the header is larger than any that plneval writes")
            header = check_header(json.loads(archive.read(HEADER)))
            shapes = {key: tuple(value["shape"]) for key, value in header["arrays"].items()}
            if set(entries) != {HEADER, *(f"{key}.npy" for key in shapes)}:
                raise MultilevelError("the archive does not hold the arrays that its header lists")
            unpacked_size = sum(8 * math.prod(shape) + ARRAY_HEADER for shape in shapes.values())
            if unpacked_size > LARGEST:
                raise MultilevelError(f"its arrays would take {unpacked_size / 2**30:,.0f} GB: more than is read")
            arrays = {}
            for key, shape in shapes.items():
                entry = entries[f"{key}.npy"]
                if entry.file_size > 8 * math.prod(shape) + ARRAY_HEADER:
                    raise MultilevelError(f"{key} is larger than the header says")
                data = archive.read(entry)
                if hashlib.sha256(data).hexdigest() != header["arrays"][key]["sha256"]:
                    raise MultilevelError(f"{key} is not what was written: ask for the file again")
                arrays[key] = _array_of(data, key, shape)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise MultilevelError(
            f"this is no statistics file, or it was cut short ({error}): ask for the file again"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise MultilevelError(f"the header cannot be read ({error}): ask for the file again") from None
    except Exception as error:
        # zlib's error is not zipfile's.
        if type(error).__module__ != "zlib":
            raise
        raise MultilevelError(f"it is damaged ({error}): ask for the file again") from None
    found = _statistics(header, arrays)
    return SharedStatistics(header["site"], found, header["notes"])


def _array_of(data: bytes, key: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        raise MultilevelError(f"{key} is no plain array ({error})") from None
    kind = "<i8" if key in {"rows", "cell_parent", "cell_pattern", "cell_count"} or key.startswith("parent_") else "<f8"
    if array.dtype != np.dtype(kind) or array.shape != shape:
        raise MultilevelError(f"{key} is {array.dtype} {array.shape}; it should be {kind} {shape}")
    if kind == "<f8" and not np.isfinite(array).all():
        raise MultilevelError(f"{key} holds a value that is not finite")
    return array.astype(np.intp if kind == "<i8" else np.float64, order="C")


def _statistics(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Statistics:
    model = model_of(header["model"])
    working = model.working
    sizes = tuple(header["groups"])
    q, kept, outer = len(working.random[0]), working.kept, len(sizes) - 1
    groups = sizes[1] if outer else 1
    cells, patterns = len(arrays["cell_count"]), len(arrays["patterns"])
    triangle = kept * (kept + 1) // 2
    expected: dict[str, tuple[int, ...]] = {
        "shift": (len(model.names),),
        "slope": (len(working.fixed),),
        "rows": (groups,),
        "cross": (groups, triangle),
        "patterns": (patterns, q, q),
        "cell_parent": (cells,),
        "cell_pattern": (cells,),
        "cell_count": (cells,),
        "cell_products": (cells, q * (q + 1) // 2, triangle),
    } | {f"parent_{k}": (sizes[k],) for k in range(1, outer)}
    if len(model.levels) != len(sizes) or {key: array.shape for key, array in arrays.items()} != expected:
        raise MultilevelError("the arrays do not have the shapes that the model needs")
    limits = {"cell_parent": groups, "cell_pattern": patterns} | {f"parent_{k}": sizes[k + 1] for k in range(1, outer)}
    for key, limit in limits.items():
        if len(arrays[key]) and not (int(arrays[key].min()) >= 0 and int(arrays[key].max()) < limit):
            raise MultilevelError(f"{key} points to a group that is not there")
    cell = Cells(*(arrays[key] for key in ("patterns", "cell_parent", "cell_pattern", "cell_count", "cell_products")))
    if (np.diff(cell.parent) < 0).any() or len(pd.MultiIndex.from_arrays([cell.parent, cell.pattern]).unique()) < cells:
        raise MultilevelError("the cells are not in their order")
    if (arrays["rows"] < 1).any() or int(arrays["rows"].sum()) != header["n"]:
        raise MultilevelError("the rows of the groups do not add up to all rows")
    if (cell.count < 1).any() or int(cell.count.sum()) != sizes[0]:
        raise MultilevelError("the groups of the cells do not add up to all groups")
    site = header["site"]
    names = [site, *(f"{site}/{k}" for k in range(2, outer + 1))][:outer]
    dropped = [(row["kind"], row["reason"], row["count"], ()) for row in header["dropped"]]
    return Statistics(
        model=model,
        centre=Centre(arrays["shift"], arrays["slope"]),
        n=header["n"],
        sum_log_weights=float(header["sum_log_weights"]),
        labels=(None, *(_numbered(name, size) for name, size in zip(names, sizes[1:], strict=True))),
        sizes=sizes,
        parents=tuple(arrays[f"parent_{k}"] for k in range(1, outer)),
        rows=arrays["rows"],
        cross=arrays["cross"],
        units=Units.none(q, len(working.sources)),
        cells=cell,
        dropped=pd.DataFrame(dropped, columns=DROPPED_COLUMNS),
    )
