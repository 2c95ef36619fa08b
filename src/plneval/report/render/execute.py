"""Running the cells of a report once, into an executed notebook."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from plneval.artifacts import write_json
from plneval.errors import UserError
from plneval.report.render.notebook import code_cell, notebook
from plneval.report.render.parameters import injected_source
from plneval.report.render.qmd import Cell, Document, Markdown

# The first moment a zip archive can hold; used where nobody sets SOURCE_DATE_EPOCH.
DEFAULT_EPOCH = 315532800
_CELL_SECONDS = 600
_START_SECONDS = 300
_KERNEL = "plneval-report"


@dataclass(frozen=True)
class ExecutedCell:
    """A cell with the outputs it gave, as nbformat output dictionaries."""

    cell: Cell
    outputs: list[dict[str, Any]]


@dataclass
class Executed:
    """An executed report: the document, and its blocks with each cell's outputs in place."""

    document: Document
    blocks: list[Markdown | ExecutedCell]


def source_date_epoch() -> int:
    """Seconds since 1970 that stand for 'now' in every output."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(text) if text.isdigit() else DEFAULT_EPOCH


def execute(document: Document, params: Mapping[str, Any]) -> Executed:
    """Run all cells of a report in a fresh kernel of the running interpreter.

    The cells run in the folder of the source, as Quarto runs them. The kernel's environment is fixed (hash seed, one
    numerical thread, ``SOURCE_DATE_EPOCH``, Agg), and it reads no profile of the person who runs it.

    Parameters
    ----------
    document:
        The parsed source.
    params:
        Values for parameters that the cell tagged ``parameters`` declares.

    Raises
    ------
    UserError
        If a parameter is unknown, or a cell fails: with file, line, cell and the exception's message.
    """
    if not document.cells:
        if params:
            injected_source(document, params)
        return Executed(document, [block for block in document.blocks if isinstance(block, Markdown)])
    executing, cell_of = _notebook(document, injected_source(document, params))
    _run(executing, document, cell_of)
    outputs = {id(cell): executing.cells[index].outputs for index, cell in cell_of.items() if cell is not None}
    blocks: list[Markdown | ExecutedCell] = [
        ExecutedCell(block, outputs[id(block)]) if isinstance(block, Cell) else block for block in document.blocks
    ]
    return Executed(document, blocks)


def _notebook(document: Document, injected: str | None) -> tuple[Any, dict[int, Cell | None]]:
    """A notebook of the code cells alone; the mapping gives each cell's block (None: the injected parameters)."""
    cells: list[dict[str, Any]] = []
    cell_of: dict[int, Cell | None] = {}
    for cell in document.cells:
        cell_of[len(cells)] = cell
        cells.append(code_cell(cell.source, f"cell-{len(cells)}"))
        if cell.options.parameters and injected is not None:
            cell_of[len(cells)] = None
            cells.append(code_cell(injected, f"cell-{len(cells)}"))
    return notebook(cells), cell_of


def _run(executing: Any, document: Document, cell_of: dict[int, Cell | None]) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    place = {"metadata": {"path": str(document.path.parent or ".")}}
    with _kernel() as (manager, environment, messages):
        client = NotebookClient(
            executing, km=manager, timeout=_CELL_SECONDS, startup_timeout=_START_SECONDS, resources=place
        )
        try:
            # The kernel's own messages (not the cells') go to a file: they are noise unless it dies.
            client.execute(env=environment, stdout=messages, stderr=messages, cleanup_kc=True)
        except CellExecutionError:
            raise UserError(_failure(executing, document, cell_of)) from None
        except CellTimeoutError:
            where = _last_started(executing, document, cell_of)
            raise UserError(f"{where}: runs longer than {_CELL_SECONDS} seconds") from None
        except DeadKernelError:
            messages.seek(0)
            said = messages.read().decode("utf-8", "replace").strip()[-500:]
            where = _last_started(executing, document, cell_of)
            raise UserError(f"{where}: the Python process died (out of memory?) {said}".rstrip()) from None


@contextmanager
def _kernel() -> Iterator[tuple[Any, dict[str, str], BinaryIO]]:
    """A kernel manager for the running interpreter that touches nothing outside a temporary folder."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    # Short path: Unix socket names are limited to about 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="plneval-k"))
    try:
        argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        argv += ["--HistoryManager.enabled=False", "--colors=NoColor"]
        spec = {"argv": argv, "display_name": _KERNEL, "language": "python"}
        write_json(folder / "kernels" / _KERNEL / "kernel.json", spec)
        options: dict[str, Any] = {"connection_file": str(folder / "connection.json")}
        if os.name == "posix":
            # Sockets in our own folder: two renders at once cannot race for a TCP port, and nothing listens on a port.
            options |= {"transport": "ipc", "ip": str(folder / "s")}
        manager = AsyncKernelManager(
            kernel_name=_KERNEL,
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")], ensure_native_kernel=False),
            **options,
        )
        with (folder / "messages").open("w+b") as messages:
            yield manager, _environment(folder), messages
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path) -> dict[str, str]:
    threads = (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    )
    return {
        **os.environ,
        **dict.fromkeys(threads, "1"),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": str(source_date_epoch()),
        "MPLBACKEND": "Agg",
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "TZ": "UTC",
    }


def _failed_index(executing: Any) -> int:
    return next(
        i for i, cell in enumerate(executing.cells) if any(output.output_type == "error" for output in cell.outputs)
    )


def _failure(executing: Any, document: Document, cell_of: dict[int, Cell | None]) -> str:
    index = _failed_index(executing)
    error = next(output for output in executing.cells[index].outputs if output.output_type == "error")
    what = f"{error.ename}: {error.evalue}".strip()
    cell = cell_of[index]
    if cell is None:
        return f"{document.path}: the given parameters cannot be set: {what}"
    line = cell.line + _line_in_cell(error, executing.cells[index].execution_count)
    return f"{cell.path}:{line}: {cell.name} failed: {what}"


def _line_in_cell(error: Any, execution_count: int | None) -> int:
    """The line of a cell's source that failed, from 1; 1 if the traceback does not say."""
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    found = re.findall(rf"Cell In\s*\[{execution_count}\],? line (\d+)", trace)
    return int(found[-1]) if found else 1


def _last_started(executing: Any, document: Document, cell_of: dict[int, Cell | None]) -> str:
    started = [i for i, cell in enumerate(executing.cells) if cell.execution_count is not None or cell.outputs]
    cell = cell_of[min(started[-1] + 1 if started else 0, len(cell_of) - 1)]
    return f"{document.path}" if cell is None else f"{cell.path}:{cell.line}: {cell.name}"
