"""The commands that docs/self-hosting.md and scaling.md print and the files of deploy/ that they have copied, as they stand."""

from __future__ import annotations

import configparser
import ipaddress
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anonchat.commands.options import CannotStart, TooEarly
from anonchat.http.listening import BACKLOG
from anonchat.testing.postgres import LOOPBACK, PostgresServer

ROOT = Path(__file__).parent.parent
PAGE, SCALING = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("self-hosting.md", "scaling.md"))
SECONDS = 60


def printed(start: str, lines: int = 1, page: str = PAGE) -> str:
    """As many lines of a page as are asked for, from the only one that is to be typed and begins like that."""
    those = page.splitlines()
    (first,) = (number for number, line in enumerate(those) if line.startswith(f"    {start}"))
    return "\n".join(line.removeprefix("    ") for line in those[first : first + lines])


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A script with the folders of the system in `folder`, where there is a program to be run as well."""
    program = folder / "opt/anonchat/bin/anonchat"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m anonchat "$@"\n')
    program.chmod(0o755)
    (folder / "etc/cron.daily").mkdir(parents=True, exist_ok=True)
    (folder / "var/lib/anonchat").mkdir(parents=True, exist_ok=True)
    for name in ("/etc/", "/var/lib/", "/opt/", "/backups"):
        script = re.sub(rf"(?<=[\s'\"]){name}", f"{folder}{name}", script)
    script = script.replace("/path/to/the/checkout", str(ROOT))
    return subprocess.run(["sh", "-uc", script], cwd=folder, capture_output=True, text=True, timeout=SECONDS)


def shell(script: str, folder: Path) -> str:
    """What it prints; fails with what went wrong."""
    done = run(f"set -e\n{script}", folder)
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


MAKE_SECRETS = printed("mkdir -p /etc/anonchat", lines=2)
LEARN = printed("cd /var/lib/anonchat; set -a")
MIGRATE = f"{LEARN}\n/opt/anonchat/bin/anonchat migrate"


def test_only_its_owner_reads_the_secrets_and_others_what_is_written_after_them(tmp_path: Path) -> None:
    shell(f"umask 022\n{MAKE_SECRETS}\necho > anonchat.toml", tmp_path)
    assert (tmp_path / "etc/anonchat/environment").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "anonchat.toml").stat().st_mode & 0o777 == 0o644


def test_commands_by_hand_know_what_the_service_knows(tmp_path: Path) -> None:
    address = "postgresql://anonchat:a$b;c@localhost/chat?application_name=anonchat&sslmode=require"
    shell(MAKE_SECRETS, tmp_path)
    with (tmp_path / "etc/anonchat/environment").open("a") as environment:
        environment.write(f"DATABASE='{address}'\n")
    told = shell(f"{LEARN}\nlater=1; env; pwd", tmp_path)
    assert len(re.findall(r"^ANONCHAT_SERVER__OPERATOR_TOKEN=[0-9a-f]{64}$", told, re.MULTILINE)) == 1
    assert f"DATABASE={address}\n" in told
    assert told.endswith(f"{tmp_path}/var/lib/anonchat\n")
    assert "later=" not in told


@pytest.fixture
def nightly(tmp_path: Path) -> str:
    """The script for backups, installed as the page says."""
    shell(printed("mkdir -m 700 /backups"), tmp_path)
    (installed,) = (tmp_path / "etc/cron.daily").iterdir()
    assert re.fullmatch(r"[\w-]+", installed.name), "cron passes over others"
    assert installed.stat().st_mode & 0o777 == 0o755
    return installed.read_text(encoding="utf-8")


def test_a_backup_each_day_and_none_for_longer_than_a_week(tmp_path: Path, nightly: str) -> None:
    shell("cd /var/lib/anonchat; /opt/anonchat/bin/anonchat migrate", tmp_path)
    shell(nightly, tmp_path)
    (made,) = (tmp_path / "backups").iterdir()
    assert re.fullmatch(r"chat-\d{4}-\d\d-\d\d\.db", made.name)
    assert made.stat().st_size > 10_000


@contextmanager
def database_of_its_own(postgres: PostgresServer, user: str) -> Iterator[None]:
    """One of a user who may do nothing else, and another one that is empty."""

    def ask(*statements: str) -> None:
        commands = [part for statement in statements for part in ("--command", statement)]
        subprocess.run([postgres.programs / "psql", "-qX", postgres.url(), *commands], check=True, timeout=SECONDS)

    ask(f"CREATE USER {user}", *(f"CREATE DATABASE {user}{more} OWNER {user}" for more in ("", "_restored")))
    try:
        yield
    finally:
        ask(*(f"DROP DATABASE {user}{more}" for more in ("", "_restored")), f"DROP USER {user}")


def test_a_backup_of_postgres_each_day_that_can_be_brought_back(
    tmp_path: Path, nightly: str, postgres: PostgresServer
) -> None:
    user = f"user_{secrets.token_hex(6)}"
    names = {"PGHOST": LOOPBACK, "PGPORT": str(postgres.port), "PGUSER": user, "PGDATABASE": user, "PGPASSWORD": "a$b"}
    url = f"postgresql://{user}@{LOOPBACK}:{postgres.port}/{user}?connections=20&lock_timeout=1000"
    (tmp_path / "etc/anonchat").mkdir(parents=True)
    environment = "".join(f"{name}='{value}'\n" for name, value in {**names, "ANONCHAT_STORAGE__DATABASE": url}.items())
    (tmp_path / "etc/anonchat/environment").write_text(environment)
    places = f"PATH='{postgres.programs}':$PATH\n"
    with database_of_its_own(postgres, user):
        insert = "psql -qc \"INSERT INTO meta VALUES ('epoch', 'old'), ('kept', 'yes')\""
        shell(f"{MIGRATE}\n{places}{insert}", tmp_path)
        shell(places + nightly, tmp_path)
        (made,) = (tmp_path / "backups").iterdir()
        assert re.fullmatch(r"chat-\d{4}-\d\d-\d\d\.dump", made.name)
        assert made.stat().st_mode & 0o777 == 0o600
        restore = printed("pg_restore --no-owner", lines=2, page=SCALING).replace("=restored", f"={user}_restored")
        restore = re.sub(r"chat-[\d-]+\.dump", made.name, restore)
        look = f"psql -qtAX --dbname={user}_restored --command='SELECT key FROM meta; SELECT count(*) FROM rooms'"
        assert shell(f"{LEARN}\n{places}{restore}\n{look}", tmp_path).splitlines()[-2:] == ["kept", "0"]


def _write(path: Path, *, days: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("what people wrote")
    os.utime(path, (0, time.time() - days * 86_400))
    return path


def test_old_backups_go_also_when_no_new_one_can_be_made(tmp_path: Path, nightly: str) -> None:
    """Whoever is kept today is a day older at the next run."""
    backups = tmp_path / "backups"
    young = [_write(backups / "chat-2026-11-20.db", days=5.9), _write(backups / "chat-before-2026-11-20.db", days=1)]
    old = [
        _write(backups / "chat-2026-11-19.db", days=6),
        _write(backups / "chat-before-2026-11-19-1200.db", days=7),
        _write(backups / ".chat-2026-11-19.db-x7/copy", days=7),
        _write(backups / "chat-2026-11-18.dump", days=7),
        _write(backups / "chat-2026-11-17.dump.part", days=8),
    ]
    foreign = _write(backups / "letter.txt", days=99)
    done = run(nightly, tmp_path)
    assert (done.returncode, "There is no database" in done.stderr) == (1, True), "it is told"
    assert [path for path in old if path.exists()] == []
    assert [path for path in (*young, foreign) if not path.exists()] == []


def test_an_upgrade_stops_at_the_first_step_that_fails(tmp_path: Path) -> None:
    steps = printed('venv/bin/anonchat backup "/backups/chat-before', lines=4)
    assert "systemctl restart" in steps
    done = run(steps, tmp_path)
    assert done.returncode == 127
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_the_service_is_started_again_until_what_it_needs_is_there() -> None:
    """Only what would be refused again is not, and no number of attempts is too many."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(ROOT / "deploy" / "anonchat.service", encoding="utf-8")
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    assert (unit["Service"]["Restart"], unit["Service"]["RestartPreventExitStatus"]) == ("always", "2")
    assert (CannotStart.exit_code, TooEarly.exit_code) == (2, 75)


def test_the_service_is_told_to_start_workers(tmp_path: Path) -> None:
    steps = printed("mkdir -p /etc/systemd", lines=6, page=SCALING)
    assert steps.endswith("\nEND")
    shell(steps, tmp_path)
    (made,) = (tmp_path / "etc/systemd/system/anonchat.service.d").glob("*.conf")
    (alone,) = re.findall(r"^ExecStart=.+$", (ROOT / "deploy" / "anonchat.service").read_text("utf-8"), re.MULTILINE)
    assert made.read_text("utf-8").splitlines() == ["[Service]", "ExecStart=", f"{alone} --workers 4"]


def test_the_system_takes_the_settings_that_are_for_it() -> None:
    """Each of them is there, on Linux, and as many connections may wait as the server asks for."""
    lines = printed("cat > /etc/sysctl.d/anonchat.conf", lines=5).splitlines()
    assert (lines[0][-7:], lines[-1]) == ("<<'END'", "END")
    settings = dict(line.split(" = ") for line in lines[1:-1])
    system = Path("/proc/sys")
    assert [name for name in settings if system.exists() and not system.joinpath(*name.split(".")).exists()] == []
    assert int(settings["net.core.somaxconn"]) >= BACKLOG
    first, last = map(int, settings["net.ipv4.ip_local_port_range"].split())
    assert [port for port in (80, 443, 5000, 5432, 6379, 9151) if first <= port <= last] == []


def test_a_container_keeps_its_database_in_a_volume_with_a_name() -> None:
    """Where the image keeps it, and with the command that the image itself prints."""
    image = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    command = printed("docker run")
    assert f"# {command}\n" in image
    (place,) = re.findall(r"^VOLUME (.+)$", image, re.MULTILINE)
    assert f"--volume anonchat:{place} " in command


COMPOSE = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")


def test_nobody_else_gets_the_address_of_the_proxy_that_the_nodes_trust() -> None:
    (proxy,) = re.findall(r"ipv4_address: ([\d.]+)", COMPOSE)
    (trusted,) = re.findall(r"TRUSTED_PROXIES: '\[\"([\d.]+)\"\]'", COMPOSE)
    ((whole, others),) = re.findall(r"subnet: ([\d./]+), ip_range: ([\d./]+)", COMPOSE)
    assert trusted == proxy
    assert ipaddress.IPv4Network(others).subnet_of(ipaddress.IPv4Network(whole))
    assert ipaddress.IPv4Address(proxy) in ipaddress.IPv4Network(whole)
    assert ipaddress.IPv4Address(proxy) not in ipaddress.IPv4Network(others)


def test_the_log_of_no_container_grows_for_ever() -> None:
    assert re.search(r"^x-logging: &logging\n.+\n +options: {max-size: \w+, max-file: \"\d\"}$", COMPOSE, re.MULTILINE)
    assert COMPOSE.count("  logging: *logging\n") == COMPOSE.count("  image: ")
