"""The command `sedas-node`. Only `worker`, `check` and `analyse` load torch, only those that make a phantom SimpleITK, and only when they need it."""

import gc
import signal
import socket
import sys
import threading
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from config.load import BadConfig, load
from db.audit import OtherAuditKey
from db.session import DatabaseUnusable
from db.tampering import verify
from dicom_out.rejection import Reason
from inference.bundle import BadBundle
from node import app, interventions, listing, withdrawal
from node import quarantine as refused
from node import retention as expendable
from node.audit_heads import BadHeadFile, exported_heads
from node.audit_key import key_file, read_key
from node.backup import back_up
from node.checkup import checkup
from node.choice import NotAnalysable
from node.commission import commission as run_commission
from node.commission import destination_named
from node.commission_patient import way
from node.commission_record import Site
from node.config_option import ConfigOption
from node.demo import DemoFailed, demonstrate
from node.interventions import CannotIntervene
from node.logs import log_uncaught, start_logging
from node.outbound import BadPeer, addressed, echo_peer, send_path
from node.processes import end_within, stop_with, until, worker_process
from node.receivers import ReceiverFailed, say_ready, stop_with_node, told_settings
from node.research import commands as research

cli = typer.Typer(
    help="Scores lung nodules on chest CT beside a PACS. For research; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
screen = Console(highlight=False, markup=False, soft_wrap=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PeerArgument = Annotated[str, typer.Argument(metavar="PEER", help="AET@HOST:PORT, or a destination's name.")]
CallingOption = Annotated[
    str | None,
    typer.Option("--calling", help="Our AE title. Default: SEDAS, or to a destination the node's."),
]
JobArgument = Annotated[int, typer.Argument(metavar="JOB", help="Its number in `sedas-node jobs`.")]


COMPLAINTS = (
    BadBundle, BadConfig, BadHeadFile, BadPeer, CannotIntervene, DatabaseUnusable, DemoFailed, NotAnalysable, OSError,
    OtherAuditKey, ReceiverFailed, *research.COMPLAINTS,
)  # fmt: skip
"""What a person can mend: one line on stderr and exit code 2, not a traceback."""


STOP_S = 25.0
"""systemd and most people wait for 30 s."""


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def on_signal(*_: object) -> None:
        if not stop.is_set():
            end_within(STOP_S)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


@cli.command()
def run(
    config: ConfigOption = None,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Start a worker too.")] = False,
) -> None:
    """Run the node: listen for images, decide about studies, deliver results."""
    settings = load(config)
    start_logging()
    log_uncaught()
    stop = _stop_on_signals()
    workers = worker_process(["--config", str(config)] if config else []) if with_worker else nullcontext()
    with workers as process, app.running(settings, process):
        until(stop)
        if process is not None:
            process.ask_to_stop()  # while deliveries end


@cli.command()
def worker(
    config: ConfigOption = None,
    parent: Annotated[int | None, typer.Option(hidden=True, help="Stop when this process is gone.")] = None,
) -> None:
    """Run one worker: claim queued jobs, analyse them, put the results into the outbox."""
    settings = load(config)
    start_logging()
    log_uncaught()
    stop = _stop_on_signals()
    if parent is not None:
        stop_with(parent, stop)
    with app.worker(settings, stop) as ready:
        ready.work(stop)


@cli.command(hidden=True)
def receive(
    listener: Annotated[int, typer.Option(help="The descriptor of the node's listening socket.")],
) -> None:
    """Run one receiving process of a node, which starts it."""
    settings = told_settings()
    start_logging()
    log_uncaught()
    stop = _stop_on_signals()
    stop_with_node(stop)
    with socket.socket(fileno=listener) as shared, app.receiver(settings, shared):
        gc.freeze()  # what is loaded stays: the collector need not look at it again and again
        say_ready()
        until(stop)


@cli.command()
def check(config: ConfigOption = None) -> None:
    """Check configuration, storage, database, models and destinations, and say what is wrong."""
    settings = load(config)
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
    demonstrate(ct, out, screen)


@cli.command()
def analyse(
    path: Annotated[Path, typer.Argument(metavar="PATH", exists=True, help="A folder with one study.")],
    out: Annotated[Path, typer.Option(help="Folder for result.json and dicom/.")],
    config: ConfigOption = None,
) -> None:
    """Analyse one study in a folder, without PACS or database. Short series are taken too."""
    from node.folder import analyse_folder  # loads torch

    settings = load(config)
    start_logging()
    analyse_folder(path, out, settings, screen)


@cli.command()
def send(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", exists=True, help="A DICOM file, or a folder of them.")
    ],
    to: Annotated[
        str,
        typer.Option(metavar="PEER", help="AET@HOST:PORT, or the name of a destination, over TLS if it is."),
    ],
    calling: CallingOption = None,
    config: ConfigOption = None,
) -> None:
    """Send DICOM files by C-STORE, each in the transfer syntax it has."""
    start_logging()
    if not send_path(path, addressed(to, calling, lambda: load(config)), screen):
        raise typer.Exit(1)


@cli.command()
def echo(to: PeerArgument, calling: CallingOption = None, config: ConfigOption = None) -> None:
    """Ask a peer by C-ECHO whether it answers."""
    start_logging()
    if not echo_peer(addressed(to, calling, lambda: load(config)), screen):
        raise typer.Exit(1)


@cli.command()
def commission(
    destination: Annotated[str, typer.Argument(help="The name of a destination in the configuration.")],
    test_patient: Annotated[
        bool,
        typer.Option(
            "--test-patient",
            help="Send a phantom through the running node to its destinations, and withdraw it.",
        ),
    ] = False,
    patience_s: Annotated[float, typer.Option(help="How long each step of the phantom may take.")] = 900.0,
    out: Annotated[Path | None, typer.Option(help="The record. Default: commission-NAME-DATE.html")] = None,
    config: ConfigOption = None,
) -> None:
    """Check both ways between the node and a destination, and write a dated record."""
    settings = load(config)
    start_logging()
    to = destination_named(settings, destination)
    if test_patient:
        interventions.refuse_in_shadow(settings.release)
    site = Site(to, settings, app.open_existing(settings), app.now)
    record = out or Path(f"commission-{to.name}-{app.now():%Y-%m-%d}.html")
    with TemporaryDirectory() as folder:
        further = partial(way, folder=Path(folder), patience_s=patience_s) if test_patient else None
        if not run_commission(site, record, screen, further):
            raise typer.Exit(1)


@cli.command()
def jobs(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the jobs: study, state, result, and the reason where one was refused."""
    listing.print_jobs(app.open_to_look(load(config)), screen, as_json=as_json)


@cli.command()
def retry(job: JobArgument, config: ConfigOption = None) -> None:
    """Try a FAILED job again where it failed, or look again at a REJECTED study."""
    settings = load(config)
    interventions.retry_job(app.open_existing(settings), job, settings.storage, now=app.now())


@cli.command()
def release(job: JobArgument, config: ConfigOption = None) -> None:
    """Send the results of a HELD job to the destinations."""
    settings = load(config)
    interventions.refuse_in_shadow(settings.release)
    sessions = app.open_existing(settings)
    interventions.release_job(sessions, job, settings.storage, settings.delivery, now=app.now())


@cli.command()
def withdraw(
    reason: Annotated[Reason, typer.Option(help="Why: the code that the rejection notes carry.")],
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="A Study Instance UID.")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="Instead: all results of this model; 12 digits or more."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Declare results void: send a rejection note (IHE IOCM) to every destination that may have them."""
    if (study is None) == (model is None):
        raise CannotIntervene("name either a STUDY or, by --model, the digest of a model")
    settings = load(config)
    sessions = app.open_existing(settings)
    if study is not None:
        withdrawn = withdrawal.withdraw_study(sessions, study, reason, settings, now=app.now())
    else:
        withdrawn = withdrawal.withdraw_model(sessions, model or "", reason, settings, now=app.now())
    screen.print(f"withdrawn: job {', '.join(map(str, withdrawn))}; see sedas-node jobs for the notes")


@cli.command()
def quarantine(
    number: Annotated[
        int | None, typer.Argument(metavar="[OBJECT]", help="Show this one: its number in the list.")
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Try to take it in again, after an update say.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List, show or release objects that were refused: the reason, the sender and where the bytes lie."""
    settings = load(config)
    sessions = app.open_existing(settings)
    if number is None:
        if release:
            raise CannotIntervene("name the OBJECT to release")
        refused.print_all(settings, sessions, screen, as_json=as_json)
    elif release:
        refused.release(settings, sessions, number, now=app.now())
        screen.print(f"object {number} is taken in")
    else:
        refused.print_one(settings, sessions, screen, number, as_json=as_json)


@cli.command()
def retention(
    config: ConfigOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Delete nothing: print what would go, and why.")
    ] = False,
) -> None:
    """Delete received images that nothing needs, by age and for the disk, as the running node does by itself."""
    settings = load(config)
    sessions = app.open_existing(settings)
    find = expendable.doomed if dry_run else expendable.delete_expendable
    expendable.print_doomed(find(settings, sessions, now=app.now()), screen, done=not dry_run)


@cli.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder for the copy.")],
    config: ConfigOption = None,
) -> None:
    """Copy database and files while the node runs, so that every row has its file; without the audit key."""
    back_up(load(config), folder, screen)


@cli.command()
def audit(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY|verify]",
            help="A Study Instance UID; or `verify`: find every row that was changed, removed or added (exit code 1).",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the audit trail: what happened to each job, when and why; or verify it."""
    settings = load(config)
    sessions = app.open_to_look(settings)
    if what != "verify":
        listing.print_audit(sessions, screen, what, as_json=as_json)
        return
    heads = exported_heads(settings.audit_head_file)
    verdict = verify(sessions, read_key(key_file(settings)), heads)
    listing.print_verdict(verdict, len(heads), screen, as_json=as_json)
    if verdict.faults:
        raise typer.Exit(1)


research.add_to(cli)


def main() -> None:
    try:
        cli()
    except COMPLAINTS as error:
        typer.echo(f"sedas-node: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
