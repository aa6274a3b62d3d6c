"""The command `sedas-node`. Each command imports what it runs, so that `run` and `--help` never load torch."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from config.load import BadConfig, load
from config.settings import Settings
from node.logs import start_logging

cli = typer.Typer(
    help="Scores lung nodules on chest CT beside a PACS. For research; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
screen = Console(highlight=False, soft_wrap=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file. Default: SEDAS_NODE_CONFIG, else /etc/sedas-node/config.toml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PeerArgument = Annotated[str, typer.Argument(metavar="AET@HOST:PORT")]
CallingOption = Annotated[str, typer.Option("--calling", help="Our AE title on the association.")]
JobArgument = Annotated[int, typer.Argument(metavar="JOB", help="Its number in `sedas-node jobs`.")]


@contextmanager
def _complaining(*expected: type[Exception]) -> Iterator[None]:
    """An expected failure is one line on stderr and exit code 2, not a traceback."""
    complaints: tuple[type[Exception], ...] = (BadConfig, *expected)
    try:
        yield
    except complaints as error:
        typer.echo(f"sedas-node: {error}", err=True)
        raise typer.Exit(2) from None


def _settings(config: Path | None) -> Settings:
    with _complaining():
        return load(config)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


@cli.command()
def run(
    config: ConfigOption = None,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Start a worker too.")] = False,
) -> None:
    """Run the node: listen for images, decide about studies, deliver results."""
    from db.session import DatabaseUnusable
    from node import app
    from node.processes import worker_process

    settings = _settings(config)
    start_logging()
    stop = _stop_on_signals()
    workers = worker_process(["--config", str(config)] if config else []) if with_worker else nullcontext()
    with _complaining(OSError, DatabaseUnusable), workers as process, app.running(settings, process):
        stop.wait()


@cli.command()
def worker(
    config: ConfigOption = None,
    parent: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process is gone.")] = None,
) -> None:
    """Run one worker: claim queued jobs, analyse them, put the results into the outbox."""
    from node import app
    from node.processes import stop_with

    settings = _settings(config)
    start_logging()
    stop = _stop_on_signals()
    if parent is not None:
        stop_with(parent, stop)
    app.worker(settings).work(stop)


@cli.command()
def check(config: ConfigOption = None) -> None:
    """Check configuration, storage, database, models and destinations, and say what is wrong."""
    from node.checkup import checkup

    settings = _settings(config)
    start_logging()
    if not checkup(settings, screen):
        raise typer.Exit(1)


@cli.command()
def demo(
    ct: Annotated[
        Path | None, typer.Argument(metavar="[CT]", help="A folder of DICOM; else a phantom.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for all that the demo makes.")] = Path("demo"),
) -> None:
    """Send a chest CT to a node and show what comes back, all on this machine."""
    from node.demo import DemoFailed, demonstrate

    with _complaining(DemoFailed):
        demonstrate(ct, out, screen)


@cli.command()
def analyse(
    path: Annotated[Path, typer.Argument(metavar="PATH", exists=True, help="A folder with one study.")],
    out: Annotated[Path, typer.Option(help="Folder for result.json and dicom/.")],
    config: ConfigOption = None,
) -> None:
    """Analyse one study in a folder, without PACS or database. Short series are taken too."""
    from node.folder import NOTHING_TO_SAY_ABOUT, analyse_folder

    settings = _settings(config)
    start_logging()
    with _complaining(*NOTHING_TO_SAY_ABOUT):
        analyse_folder(path, out, settings, screen)


@cli.command()
def send(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", exists=True, help="A DICOM file, or a folder of them.")
    ],
    to: Annotated[str, typer.Option(metavar="AET@HOST:PORT", help="The storage SCP to send to.")],
    calling: CallingOption = "SEDAS",
) -> None:
    """Send DICOM files by C-STORE, each in the transfer syntax it has."""
    from node.outbound import BadPeer, send_path

    start_logging()
    with _complaining(BadPeer):
        if not send_path(path, to, calling, screen):
            raise typer.Exit(1)


@cli.command()
def echo(to: PeerArgument, calling: CallingOption = "SEDAS") -> None:
    """Ask a peer by C-ECHO whether it answers."""
    from node.outbound import BadPeer, echo_peer

    start_logging()
    with _complaining(BadPeer):
        if not echo_peer(to, calling, screen):
            raise typer.Exit(1)


@cli.command()
def jobs(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the jobs: study, state, result, and the reason where one was refused."""
    from node import app, listing

    listing.print_jobs(app.open_sessions(_settings(config)), screen, as_json=as_json)


@cli.command()
def retry(job: JobArgument, config: ConfigOption = None) -> None:
    """Try a FAILED job again where it failed, or look again at a REJECTED study."""
    from node import app, interventions

    with _complaining(interventions.CannotIntervene):
        interventions.retry_job(app.open_sessions(_settings(config)), job, now=app.now())


@cli.command()
def release(job: JobArgument, config: ConfigOption = None) -> None:
    """Send the results of a HELD job to the destinations."""
    from node import app, interventions

    settings = _settings(config)
    names = [d.name for d in settings.delivery.destinations]
    with _complaining(interventions.CannotIntervene):
        interventions.release_job(app.open_sessions(settings), job, names, now=app.now())


@cli.command()
def audit(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="A Study Instance UID.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the audit trail: what happened to each job, when and why."""
    from node import app, listing

    listing.print_audit(app.open_sessions(_settings(config)), screen, study, as_json=as_json)


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
