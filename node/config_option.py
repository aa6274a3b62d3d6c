"""The option that names the configuration, the same in every command."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file. Default: SEDAS_NODE_CONFIG, else /etc/sedas-node/config.toml."),
]
