"""The configuration of a node that is to be broken: quick to give up on a dead process and to try again."""

import subprocess
from pathlib import Path

from tests.databases import Database
from tests.models import QUICK

STOP_S = 90.0  # the node promises less than half of it; this machine may be busy

CONFIG = """\
[listener]
host = "127.0.0.1"
port = 0
calling_ae_titles = ["PACS"]
processes = {receivers}
[storage]
folder = "{folder}"
minimum_free_bytes = 0
{database}
[retention]
images_days = {images_days}
minimum_free_bytes = 0
[completion]
quiet_period_s = {quiet_period_s}
[eligibility]
minimum_slices = 2
minimum_coverage_mm = 0.0
[inference]
segmenter = "{segmenter}"
backend = "{backend}"
[worker]
lease_s = {lease_s}
poll_s = 0.1
maximum_losses = 20
[delivery]
first_retry_s = 0.3
longest_retry_s = 1.0
commitment_answer_s = 2.0
commitment_stay_s = 0.2
[[delivery.destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
commitment = {commitment}
[audit]
head_s = 0.5
[http]
port = 0
[ticks]
completion_s = 0.2
delivery_s = 0.2
leases_s = 0.3
"""
"""Small studies count, and a study may kill more workers than the three that are the default."""


def write_config(
    folder: Path,
    database: Database,
    port: int,
    *,
    commitment: bool,
    quiet_period_s: float = 1.5,
    lease_s: float = 2.0,
    receivers: int = 2,
    images_days: float = 30.0,
) -> Path:
    where = []
    if not database.is_sqlite:
        where = [f'database_url = "{database.url}"', f'database_password_file = "{database.password_file}"']
    path = folder / "config.toml"
    path.write_text(
        CONFIG.format(
            folder=folder / "state",
            database="\n".join(where),
            segmenter=QUICK.segmenter,
            backend=QUICK.backend,
            port=port,
            commitment=str(commitment).lower(),
            quiet_period_s=quiet_period_s,
            lease_s=lease_s,
            receivers=receivers,
            images_days=images_days,
        )
    )
    return path


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the node to stop; one that does not is killed, and that is an error."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
