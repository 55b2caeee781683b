"""The package as others get it: a source archive, the wheel built from it, and the server installed from that wheel.

What is compared are the files that git tracks or would add, so that nothing a run leaves behind counts.
"""

import asyncio
import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest
from tornado.httpclient import AsyncHTTPClient

import anonchat

ROOT = Path(__file__).parent.parent
COMMAND_SECONDS = 120
START_SECONDS = 20
STOP_SECONDS = 10

# The first test waits for a build and an installation that may have to download every dependency.
pytestmark = pytest.mark.timeout(3 * COMMAND_SECONDS)


def clean_environment(**settings: str) -> dict[str, str]:
    """Return this process' environment with `settings`, without what would lead Python or anonchat back to this folder.

    Pip's own settings stay: without them it may not reach a package index.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ANONCHAT_", "GIT_"))}
    return kept | settings


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """Return what the command printed; fail with all of it unless it ends well within COMMAND_SECONDS."""
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=COMMAND_SECONDS
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def place_in_wheel(path: PurePosixPath) -> PurePosixPath | None:
    """Return where a wheel holds this file of the project, or None for one that belongs to no package."""
    match path.parts:
        case ("anonchat", *_):
            return path
        case ("storage", package, *inside) | ("plugins", _, package, *inside) if inside:
            return PurePosixPath(package, *inside)
        case _:
            return None


@pytest.fixture(scope="module")
def metadata() -> configparser.ConfigParser:
    """Return setup.cfg as read."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((ROOT / "setup.cfg").read_text(encoding="utf-8"))
    return parser


@pytest.fixture(scope="module")
def project_files(tmp_path_factory: pytest.TempPathFactory) -> list[PurePosixPath]:
    """Return every file of the project that is not ignored, relative to its root.

    Git is asked through an empty repository made here: an unpacked archive has none, and git refuses one that belongs
    to somebody else.
    """
    repository = tmp_path_factory.mktemp("listing")
    run("git", "init", "--quiet", "--bare", repository)
    listing = run(
        "git", "--git-dir", repository, "--work-tree", ROOT, "ls-files", "-z", "--others", "--exclude-standard"
    )
    return [PurePosixPath(name) for name in listing.split("\0") if name]


@pytest.fixture(scope="module")
def package_files(project_files: list[PurePosixPath]) -> set[str]:
    """Return the files of all packages, code and data, named as a wheel must hold them."""
    return {str(place) for path in project_files if (place := place_in_wheel(path))}


def copied(files: list[PurePosixPath], folder: Path) -> Path:
    """Copy these files of the project into a folder."""
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
    return folder


@pytest.fixture(scope="module")
def wheel(project_files: list[PurePosixPath], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel that `build` makes from the source archive it makes first.

    It works on a copy: setuptools would take into the archive whatever an earlier build noted in *.egg-info.
    """
    source = copied(project_files, tmp_path_factory.mktemp("source"))
    run(sys.executable, "-m", "build", "--outdir", source / "dist", source)
    assert len(list(source.glob("dist/*.tar.gz"))) == 1
    (built,) = source.glob("dist/*.whl")
    return built


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of commands of an environment that holds the wheel and its dependencies, and nothing else.

    It has no pip of its own, which saves seconds; ours installs into it.
    """
    environment = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    binaries = environment / "bin"
    run(sys.executable, "-m", "pip", "--python", binaries / "python", "install", "--no-compile", wheel)
    return binaries


@pytest.fixture
async def server(commands: Path, tmp_path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Return `anonchat serve` started on a free port in an empty folder; it is killed if the test did not end it."""
    process = await asyncio.create_subprocess_exec(
        commands / "anonchat",
        "serve",
        cwd=tmp_path,
        env=clean_environment(ANONCHAT_SERVER__PORT="0"),
        stdout=asyncio.subprocess.PIPE,
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def printed_address(process: asyncio.subprocess.Process) -> str:
    """Return the address that the server prints when it is ready."""
    assert process.stdout is not None
    async for line in process.stdout:
        if found := re.search(rb"http://127\.0\.0\.1:\d+", line):
            return found[0].decode()
    pytest.fail("the server ended before it printed an address")


def test_every_package_is_listed(metadata: configparser.ConfigParser, package_files: set[str]) -> None:
    folders = {PurePosixPath(name).parent for name in package_files if name.endswith(".py")}
    assert {".".join(folder.parts) for folder in folders} == set(metadata["options"]["packages"].split())


def test_every_folder_of_code_is_a_package(package_files: set[str]) -> None:
    folders = {PurePosixPath(name).parent for name in package_files if name.endswith(".py")}
    assert {f"{folder}/__init__.py" for folder in folders} <= package_files


def test_every_package_says_that_it_is_typed(package_files: set[str]) -> None:
    packages = {PurePosixPath(name).parts[0] for name in package_files}
    assert {f"{package}/py.typed" for package in packages} <= package_files


@pytest.mark.parametrize("group", ["console_scripts", "anonchat.plugins", "anonchat.storage", "pytest11"])
def test_entry_points_are_installed_and_load(metadata: configparser.ConfigParser, group: str) -> None:
    declared = {line.split(" = ")[0] for line in metadata["options.entry_points"][group].split("\n") if line}
    installed = {
        point.name: point for point in entry_points(group=group) if point.dist and point.dist.name == "anonchat"
    }
    assert installed.keys() == declared
    assert all(point.load() for point in installed.values())


def test_version_is_that_of_setup_cfg(metadata: configparser.ConfigParser) -> None:
    assert anonchat.__version__ == metadata["metadata"]["version"]


def test_wheel_holds_all_files_of_the_packages_and_no_others(wheel: Path, package_files: set[str]) -> None:
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == package_files


def test_nothing_of_another_version_is_in_a_package(
    project_files: list[PurePosixPath], package_files: set[str], tmp_path: Path
) -> None:
    """Neither of one that was built before from the same folder, nor, after this one, of this one in an older one's."""
    source = copied(project_files, tmp_path / "source")
    newer = source / "build/lib/anonchat/migrations/0099_newer.py"
    newer.parent.mkdir(parents=True)
    newer.write_text("")
    command = ("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source)
    run(sys.executable, *command)
    (built,) = tmp_path.glob("*.whl")
    with ZipFile(built) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == package_files
    assert not (source / "build/lib").exists()


def test_installed_command_tells_its_version(commands: Path, tmp_path: Path) -> None:
    assert anonchat.__version__ in run(commands / "anonchat", "--version", folder=tmp_path)


@pytest.mark.gen_test(timeout=START_SECONDS + STOP_SECONDS)
async def test_installed_server_answers_and_ends_when_told(server: asyncio.subprocess.Process) -> None:
    address = await asyncio.wait_for(printed_address(server), START_SECONDS)
    response = await AsyncHTTPClient().fetch(f"{address}/health")
    assert response.code == 200
    server.terminate()
    await asyncio.wait_for(server.communicate(), STOP_SECONDS)
    assert server.returncode == 0


# A plugin of a third party belongs below: it is installed into the same environment, so it comes after all the others.
