"""Making cases, here or in several processes; what no case can be made of is a `Missing`, and the others go on."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from inference.analyse import Segmenter
from inference.annotations import Annotation
from inference.dataset.case_folder import Record, read_record, write_case
from inference.dataset.folder import BadDataset
from inference.dataset.marks import annotations
from inference.dataset.order import MakeSegmenter, Recipe
from inference.dataset.prepare import NothingMarked, prepare
from inference.dataset.sources import Images, Missing, Reason
from inference.executor import watch_parent
from inference.volume import CtVolume, NoLungs, TooLargeForMemory, VolumeRefused, load

Outcome = Record | Missing


class BuildStopped(BadDataset):
    """A disk or a machine failed the build; what is whole stays, and the same command goes on from there."""


@dataclass(frozen=True)
class Task:
    out: Path
    name: str
    images: Images
    recipe: Recipe


def make_all(tasks: Sequence[Task], *, processes: int) -> Iterator[tuple[str, Outcome]]:
    """In the order in which they are done."""
    if processes == 1 or len(tasks) < 2:
        for task in tasks:
            yield task.name, make_case(task)
        return
    threads = max(1, torch.get_num_threads() // processes)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, _begin, (threads,)) as pool:
        names = {pool.submit(make_case, task): task.name for task in tasks}
        try:
            for done in as_completed(names):
                yield names[done], done.result()
        except BrokenProcessPool:
            raise BuildStopped(
                f"one of {processes} processes died, of its memory perhaps; fewer may do"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def make_case(task: Task) -> Outcome:
    """One that is there already is taken as it is."""
    if record := read_record(task.out, task.name):
        return record
    recipe, segment = task.recipe, made_once(task.recipe.make_segmenter)
    try:
        volume, marked = _read(task)
        prepared = prepare(volume, marked, segment, recipe.numbers, minimum_lung_ml=recipe.minimum_lung_ml)
    except NoLungs as error:
        return Missing(Reason.NO_LUNGS, str(error))
    except VolumeRefused as error:
        return Missing(Reason.NO_VOLUME, str(error))
    except NothingMarked as error:
        return Missing(Reason.LESION_ELSEWHERE, str(error))
    except TooLargeForMemory as error:
        raise BuildStopped(f"{error}; fewer processes may do") from None
    return write_case(task.out, task.name, volume, prepared, prepared_by=recipe.prepared_by(segment.identity))


def _read(task: Task) -> tuple[CtVolume, tuple[Annotation, ...]]:
    try:
        volume = load(task.images.slices)
        return volume, annotations(task.images.marks, volume, task.recipe.rules)
    except OSError as error:  # whose own message names the file
        raise BuildStopped(f"{task.name}: a file of it cannot be read: {error.strerror}") from None


@cache
def made_once(make: MakeSegmenter) -> Segmenter:
    """In each process."""
    return make()


def _begin(threads: int) -> None:
    watch_parent()
    torch.set_num_threads(threads)
