"""Which project a command works on, and which cohorts."""

from __future__ import annotations

from pathlib import Path

from plneval.config.workspace import Workspace
from plneval.errors import UserError


def find_project(given: Path | None) -> Workspace:
    """The project at a folder, or the nearest one from the current folder upwards.

    Raises
    ------
    UserError
        If no ``config/config.yaml`` is found.
    """
    if given is not None:
        if not (given / "config" / "config.yaml").is_file():
            raise UserError(f"{given}: there is no config/config.yaml in this folder; name the project's root.")
        return Workspace(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "config" / "config.yaml").is_file():
            return Workspace(folder)
    raise UserError(
        f"{here}: no config/config.yaml here or in a folder above; go to the project's folder or name it by --project."
    )


def chosen_cohorts(workspace: Workspace, cohorts: list[str] | None) -> list[str]:
    """The cohorts named on the command line, or those of ``config/config.yaml``; each is read and checked.

    Raises
    ------
    UserError
        If a cohort does not exist or its configuration holds a mistake.
    """
    names = list(dict.fromkeys(cohorts or workspace.project.cohorts))
    for name in names:
        workspace.cohort(name)
    return names


def chosen_data(workspace: Workspace, names: list[str], data: Path | None) -> Path | None:
    """The folder given by ``--data`` as an absolute path, after checking that the raw files' folders are there.

    Raises
    ------
    UserError
        If ``--data`` is given for several cohorts, or a folder is missing: the message says where the data come from.
    """
    if data is not None and len(names) != 1:
        raise UserError(f"--data fits one cohort only; it was given for {len(names)}. Name one by --cohort.")
    for name in names:
        cohort = workspace.cohort(name)
        folder = workspace.data_folder(cohort, data)
        if cohort.simulate is not None and data is None:
            continue
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder}: this is a file; name the folder of the raw files of the cohort '{name}'.")
        if not folder.is_dir():
            raise UserError(
                f"{folder}: the data folder of the cohort '{name}' is not there.\n"
                f"Where the data come from: {cohort.data.origin}\n"
                f"Put the files there, or name their folder: plneval run --cohort {name} --data FOLDER"
            )
    return None if data is None else data.resolve()
