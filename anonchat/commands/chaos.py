"""``anonchat chaos``."""

from __future__ import annotations

import secrets
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anonchat.commands.options import Refused, ended_cleanly

if TYPE_CHECKING:
    from anonchat.chaos.crowd import Crowd
    from anonchat.chaos.storm import Happening

NAMES = ("kill", "restart", "cut", "silence", "pause", "flood")


@click.command()
@click.option("--seconds", type=click.FloatRange(1, 3_600), default=30, show_default=True, help="How long it lasts.")
@click.option("--every", type=click.FloatRange(0.1), default=2, show_default=True, help="Seconds between two faults.")
@click.option("--seed", type=int, help="The same faults in the same order again; else one is chosen, and told.")
@click.option("--only", "names", multiple=True, type=click.Choice(NAMES), help="Only this fault; may be repeated.")
@click.option("--serve", "command", help="The server to be broken, such as '/new/bin/anonchat serve'; else this one.")
def chaos(seconds: float, every: float, seed: int | None, names: tuple[str, ...], command: str | None) -> None:
    """Break a server on purpose, and see what becomes of what people say.

    A server of its own is started in a temporary folder; yours is not touched. While people talk in it, it is killed and
    started anew, connections are cut or go dead, the process stands still, and strangers flood it. Exit code 1 if
    anything that was acknowledged is lost, duplicated or out of order.
    """
    from anonchat.chaos.faults import FAULTS
    from anonchat.chaos.report import lines_of
    from anonchat.chaos.trial import Plan, undergo

    seed = secrets.randbelow(1_000_000) if seed is None else seed
    plan = Plan(seconds, every, seed, [FAULTS[name] for name in names or NAMES])
    folder = Path(tempfile.mkdtemp(prefix="anonchat-chaos-"))
    is_wanted = True
    click.echo(f"People talk for {seconds:g} s while their server is broken on purpose (--seed {seed}).")
    try:
        with ended_cleanly():
            outcome = undergo(plan, folder, _tell, tuple(shlex.split(command or "")))
        is_wanted = not outcome.is_whole
    except RuntimeError as error:
        raise Refused(f"{error} Its database and its log are in {folder}.") from error
    except (KeyboardInterrupt, SystemExit):
        is_wanted = False
        raise
    finally:
        if not is_wanted:
            shutil.rmtree(folder)
    for line in lines_of(outcome):
        click.echo(line)
    if is_wanted:
        raise Refused(f"The server did not keep its promise. Its database and its log are in {folder}.")


def _tell(happening: Happening, crowd: Crowd) -> None:
    """One line for each fault, when everybody goes on talking."""
    healed = happening.ended - happening.began
    click.echo(f"  {happening.name:8} everybody goes on after {healed:5.2f} s; {crowd.acked:,} acknowledged so far")
