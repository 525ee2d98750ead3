"""Which commit of the application is running, as the properties that every event and span of it carries.

Sources in order, each for itself: what the settings name; the repository of the directory that they name; a deployment
that marks itself; the repository of the working directory; a CI job that marks itself. A repository is asked by one
``git status``, once a process and directory, on a thread that may wait for it. Nothing found is said by nothing.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from raindrop_logging.late_imports import not_across_fork

if TYPE_CHECKING:
    import subprocess

COMMIT_SHA: Final = "raindrop.app.commit_sha"
COMMIT_DIRTY: Final = "raindrop.app.commit_dirty"
BRANCH: Final = "raindrop.app.branch"
PROPERTIES: Final = (COMMIT_SHA, COMMIT_DIRTY, BRANCH)

GIT_SECONDS: Final = 2.0
"""The longest that git may take; it has no answer then."""


class Commit(Struct, frozen=True):
    """What one source says; what it does not know is None."""

    sha: str | None = None
    dirty: bool | None = None
    branch: str | None = None

    def properties(self) -> dict[str, Any]:
        """As events and spans carry it."""
        said = zip(PROPERTIES, (self.sha, self.dirty, self.branch), strict=True)
        return {name: value for name, value in said if value is not None}


_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def commit_sha(text: str) -> str | None:
    """A whole commit id in small letters, of SHA-1 or SHA-256; None where the text is none."""
    text = text.strip().lower()
    return text if _SHA.fullmatch(text) else None


# ---- platforms -----------------------------------------------------------------------------------------------------


class Platform(Struct, frozen=True):
    """The variables of one platform; of each kind the first that helps counts."""

    marks: tuple[str, ...]
    shas: tuple[str, ...]
    branches: tuple[str, ...] = ()


DEPLOYMENTS: Final = (
    Platform(("VERCEL",), ("VERCEL_GIT_COMMIT_SHA",), ("VERCEL_GIT_COMMIT_REF",)),
    Platform(
        ("RAILWAY_ENVIRONMENT_ID", "RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT"),
        ("RAILWAY_GIT_COMMIT_SHA",),
        ("RAILWAY_GIT_BRANCH",),
    ),
    Platform(("DYNO",), ("HEROKU_BUILD_COMMIT", "HEROKU_SLUG_COMMIT")),
)
CI_JOBS: Final = (
    Platform(("GITHUB_ACTIONS",), ("GITHUB_SHA",), ("GITHUB_HEAD_REF", "GITHUB_REF")),
    Platform(("GITLAB_CI",), ("CI_COMMIT_SHA",), ("CI_COMMIT_BRANCH",)),
    Platform(("BUILDKITE",), ("BUILDKITE_COMMIT",), ("BUILDKITE_BRANCH",)),
    Platform(("CIRCLECI",), ("CIRCLE_SHA1",), ("CIRCLE_BRANCH",)),
)
_NOT_MARKED: Final = frozenset({"", "0", "false"})


def of_platform(platforms: Iterable[Platform], environ: Mapping[str, str]) -> Commit | None:
    """What the first platform says that marks itself and knows its commit."""
    for platform in platforms:
        if any(_said(environ, mark).lower() not in _NOT_MARKED for mark in platform.marks):
            shas = (commit_sha(_said(environ, name)) for name in platform.shas)
            sha = next(filter(None, shas), None)
            if sha is not None:
                branches = (_branch(_said(environ, name)) for name in platform.branches)
                return Commit(sha, branch=next(filter(None, branches), None))
    return None


def _said(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _branch(ref: str) -> str | None:
    """The branch that a ref names; None for a tag and a pull request's merge."""
    name = ref.removeprefix("refs/heads/")
    return None if name.startswith("refs/") else name or None


# ---- repositories --------------------------------------------------------------------------------------------------

_answers: dict[str, Commit | None] = {}  # by directory; a child of fork keeps them
_asking = threading.Lock()


def _after_fork_in_child() -> None:
    global _asking  # noqa: PLW0603 -- the one held by a thread of the parent would never be released
    _asking = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)


def of_repository(directory: str, environ: Mapping[str, str], *, ask: bool = True) -> Commit | None:
    """What the repository around a directory is at, as it was when it was asked.

    Args:
        directory: absolute.
        environ: where git and its configuration are.
        ask: whether git may be run and waited for; else only what is known already.
    """
    if directory not in _answers and ask:
        with _asking:
            if directory not in _answers:
                _answers[directory] = _asked(directory, environ)
    return _answers.get(directory)


def _asked(directory: str, environ: Mapping[str, str]) -> Commit | None:
    try:
        where = Path(directory)
        if not any((one / ".git").exists() for one in (where, *where.parents)):
            return None  # most deployments: no process is started for that
        told = _output(_git(directory), _git_environment(environ))
    except (OSError, ValueError, RuntimeError):  # no git, no such directory, the interpreter is ending
        return None
    return None if told is None else _read(told.decode(errors="replace"))


def _read(status: str) -> Commit | None:
    """The answer of ``status --porcelain=v2 --branch``: headers, then a line for each changed file."""
    headers = dict(line[2:].split(" ", 1) for line in status.splitlines() if re.match(r"# \S+ ", line))
    sha = commit_sha(headers.get("branch.oid", ""))  # "(initial)" where nothing is committed yet
    if sha is None:
        return None
    branch = headers.get("branch.head")
    dirty = any(not line.startswith("#") for line in status.splitlines())
    return Commit(sha, dirty, None if branch == "(detached)" else branch)


def _git(directory: str) -> list[str]:
    """One question that writes nothing, starts no other program and never asks a remote."""
    quiet = ["--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"]
    asked = ["--porcelain=v2", "--branch", "--untracked-files=no"]
    cheap = ["--no-ahead-behind", "--no-renames", "--ignore-submodules=dirty"]
    return ["git", *quiet, "-C", directory, "status", *asked, *cheap]


_GIT_NEEDS: Final = (
    "HOME",
    "LD_LIBRARY_PATH",
    "SUDO_UID",
    "SYSTEMROOT",
    "USERPROFILE",
    "XDG_CONFIG_HOME",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
)
"""Variables that git gets. Not the application's secrets; not the GIT_DIR of a hook, which names another repository."""

_GIT_IS_TOLD: Final = {"GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _git_environment(environ: Mapping[str, str]) -> dict[str, str]:
    path = [one for one in environ.get("PATH", os.defpath).split(os.pathsep) if Path(one).is_absolute()]
    if not path:
        raise FileNotFoundError("git")  # or a file of that name in the working directory would be run
    kept = {name: environ[name] for name in _GIT_NEEDS if name in environ}
    return kept | _GIT_IS_TOLD | {"PATH": os.pathsep.join(path)}


def _output(command: list[str], environ: Mapping[str, str]) -> bytes | None:
    """What a program printed; None where it failed or took too long."""
    with not_across_fork:  # a child of fork would hold the pipe by which a start reports, and this would wait for it
        import subprocess

        started = subprocess.Popen(  # noqa: S603 -- words of ours
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,  # no terminal to ask on, no Ctrl-C of others, and one group to end it by
        )
    try:
        printed, _ = started.communicate(timeout=GIT_SECONDS)
    except subprocess.TimeoutExpired:
        _end(started)
        return None
    return bytes(printed) if started.returncode == 0 else None


def _end(started: subprocess.Popen[bytes]) -> None:
    """Kill it and what it has started, without waiting for what cannot be killed."""
    import subprocess

    with suppress(OSError):
        if os.name == "posix":
            os.killpg(started.pid, signal.SIGKILL)
        else:
            started.kill()
    if started.stdout is not None:
        started.stdout.close()
    with suppress(subprocess.TimeoutExpired):
        started.wait(0.2)


# ---- all of it -----------------------------------------------------------------------------------------------------


class Deployment:
    """Says the application's commit, looked for when the first event or span is encoded.

    Args:
        named: what the settings name. A commit that they name is the whole answer: the rest may be of another.
        source_directory: whose repository is asked before everything else; absolute.
        auto_detect: whether platforms and the working directory are looked at.
        with_branch: whether a branch that was found is said; one that is named always is.
        environ: of the process.
        may_ask: whether this thread may wait for git.
    """

    def __init__(
        self,
        *,
        named: Commit,
        source_directory: str | None = None,
        auto_detect: bool = True,
        with_branch: bool = False,
        environ: Mapping[str, str],
        may_ask: Callable[[], bool] = lambda: True,
    ) -> None:
        self._named = named
        self._source_directory = source_directory
        self._auto_detect = auto_detect
        self._with_branch = with_branch
        self._environ = environ
        self._may_ask = may_ask
        self._working_directory = _working_directory()  # now: a daemon leaves it later
        self._found: dict[str, Any] | None = None

    def __call__(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        """The properties for a record that says these itself.

        The caller's values win, and beside a commit of the caller's nothing is said that is true of ours.
        """
        if said.keys().isdisjoint(PROPERTIES):
            return self._properties()
        given = {name: said[name] for name in PROPERTIES if name in said}
        return given if COMMIT_SHA in given else {**self._properties(), **given}

    def _properties(self) -> dict[str, Any]:
        if self._found is not None:
            return self._found
        ask = self._may_ask() and not sys.is_finalizing()
        found = self._commit(ask=ask).properties()
        if ask:
            self._found = found
        return found

    def _commit(self, *, ask: bool) -> Commit:
        named = self._named
        if named.sha is not None:
            return named
        found = next(filter(None, self._sources(ask=ask)), Commit())
        branch = found.branch if self._with_branch else None
        dirty = found.dirty if named.dirty is None else named.dirty
        return Commit(found.sha, dirty, named.branch or branch)

    def _sources(self, *, ask: bool) -> Iterator[Commit | None]:
        if self._source_directory is not None:
            yield of_repository(self._source_directory, self._environ, ask=ask)
        if not self._auto_detect:
            return
        yield of_platform(DEPLOYMENTS, self._environ)
        if self._working_directory is not None:
            yield of_repository(self._working_directory, self._environ, ask=ask)
        yield of_platform(CI_JOBS, self._environ)


def _working_directory() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None
