"""``anonchat doctor``."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anonchat.commands.options import config_option

if TYPE_CHECKING:
    from anonchat.storage.maintenance import Finding

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For machines: a list of objects.")
def doctor(config: Path | None, as_json: bool) -> None:
    """Look whether all is well here.

    It changes nothing and works beside a running server. Exit code 1 if something fails.
    """
    findings = _findings(config)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            state = click.style(f"{finding.state:4}", fg=COLOURS[finding.state])
            click.echo(f"{state}  {finding.check}: {finding.text} {finding.advice}".rstrip())
    raise SystemExit(any(finding.state == "fail" for finding in findings))


def _findings(config: Path | None) -> list[Finding]:
    from anonchat.config import ConfigError, load_settings
    from anonchat.maintenance.doctor import examine
    from anonchat.storage.maintenance import Finding

    try:
        settings = load_settings(config, os.environ)
    except ConfigError as error:
        return [Finding("configuration", "fail", f"{path}: {text}") for path, text in error.errors]
    return list(examine(settings))
