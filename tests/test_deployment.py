"""Which commit answered: every source and their order, git that is missing or hangs, and what arrives on the wire."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging
from raindrop_logging import bind, deployment
from raindrop_logging._pipeline import parts, pipeline
from raindrop_logging._pipeline.listener import Listener
from raindrop_logging.deployment import BRANCH, COMMIT_DIRTY, COMMIT_SHA
from raindrop_logging.settings import read_settings
from tests.wire.harness import attach, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire.recorder import Recorder

AUTO = "RAINDROP_GIT_AUTO_DETECT"
SHAS = [f"{number:x}" * 40 for number in range(1, 16)]
AI = {"user_id": "u", "event": "chat", "input": "q"}
EVENT = {"user_id": "u", "event": "seen"}
SPAN = {"kind": "tool", "name": "search", "duration_ms": 1}
MARKS = [mark for platform in (*deployment.DEPLOYMENTS, *deployment.CI_JOBS) for mark in platform.marks]


@pytest.fixture(autouse=True)
def detecting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Detection is on, knows nothing yet, may ask on this thread, and this machine is no platform and no repository."""
    for name in [AUTO, *MARKS]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(deployment, "_answers", {})
    monkeypatch.setattr(pipeline, "_waits_for_no_program", threading.local())  # an earlier test has flushed on this one
    monkeypatch.chdir(tmp_path)


def _git(directory: Path, *words: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    command = ["git", "-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false", "-C", str(directory), *words]
    environ = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout.strip()


def _repository(directory: Path, *words: str) -> str:
    """A repository of one commit, whose id is returned."""
    directory.mkdir(parents=True, exist_ok=True)
    _git(directory, "init", *words)
    (directory / "app.py").write_text("pass\n")
    _git(directory, "add", "app.py")
    _git(directory, "commit", "--message", "first")
    return _git(directory, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The working directory is a repository, whose commit this is; its remote's address holds a secret."""
    sha = _repository(tmp_path / "service")
    _git(tmp_path / "service", "remote", "add", "origin", "https://someone:hunter2@example.com/shop.git")
    monkeypatch.chdir(tmp_path / "service")
    return sha


@pytest.fixture
def fake_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a shell script on PATH that goes on as the real git; each call is a line of the file returned."""
    found = subprocess.run(["sh", "-c", "command -v git"], check=True, capture_output=True, text=True).stdout.strip()

    def put(body: str) -> Path:
        calls, place = tmp_path / "calls", tmp_path / "bin"
        calls.touch()
        place.mkdir()
        script = place / "git"
        script.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{body}\nexec {found} "$@"\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
        return calls

    return put


def found(environ: dict[str, str] | None = None, said: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """What a record that says this itself is given, with these keys in this environment."""
    environ = {"PATH": os.environ["PATH"], **(environ or {})}
    return dict(parts.deployment(read_settings(keys, environ), environ, pipeline._may_wait_for_git)(said or {}))


# ---- sources and their order -----------------------------------------------------------------------------------------

PLATFORMS = {
    "vercel": ({"VERCEL": "1", "VERCEL_GIT_COMMIT_SHA": SHAS[0], "VERCEL_GIT_COMMIT_REF": "main"}, "main"),
    "railway": (
        {"RAILWAY_ENVIRONMENT_ID": "e", "RAILWAY_GIT_COMMIT_SHA": SHAS[0], "RAILWAY_GIT_BRANCH": "main"},
        "main",
    ),
    "heroku": ({"DYNO": "web.1", "HEROKU_BUILD_COMMIT": SHAS[0], "HEROKU_SLUG_COMMIT": SHAS[1]}, None),
    "heroku, older": ({"DYNO": "web.1", "HEROKU_SLUG_COMMIT": SHAS[0]}, None),
    "github": (
        {"GITHUB_ACTIONS": "true", "GITHUB_SHA": SHAS[0], "GITHUB_HEAD_REF": "", "GITHUB_REF": "refs/heads/a/b"},
        "a/b",
    ),
    "github, pull request": (
        {"GITHUB_ACTIONS": "true", "GITHUB_SHA": SHAS[0], "GITHUB_HEAD_REF": "fix", "GITHUB_REF": "refs/pull/7/merge"},
        "fix",
    ),
    "github, tag": ({"GITHUB_ACTIONS": "true", "GITHUB_SHA": SHAS[0], "GITHUB_REF": "refs/tags/v1"}, None),
    "gitlab": ({"GITLAB_CI": "true", "CI_COMMIT_SHA": SHAS[0], "CI_COMMIT_BRANCH": "main"}, "main"),
    "buildkite": ({"BUILDKITE": "true", "BUILDKITE_COMMIT": SHAS[0], "BUILDKITE_BRANCH": "main"}, "main"),
    "circleci": ({"CIRCLECI": "true", "CIRCLE_SHA1": SHAS[0].upper(), "CIRCLE_BRANCH": "main"}, "main"),
}


@pytest.mark.parametrize(("environ", "branch"), PLATFORMS.values(), ids=PLATFORMS)
def test_a_platform_that_marks_itself_knows_the_commit(environ: dict[str, str], branch: str | None) -> None:
    """Its id, and whether files differed is not known; the branch only where it was asked for, and is one."""
    assert found(environ) == {COMMIT_SHA: SHAS[0]}
    assert found(environ, git_branch=True) == {COMMIT_SHA: SHAS[0], **({BRANCH: branch} if branch else {})}


@pytest.mark.parametrize("environ", [environ for environ, _ in PLATFORMS.values()], ids=PLATFORMS)
def test_a_platform_that_does_not_mark_itself_is_not_believed(environ: dict[str, str]) -> None:
    """The variables alone may be left over from anywhere; a mark that says no is none."""
    mark, *rest = environ
    unmarked = {name: environ[name] for name in rest}
    assert found(unmarked) == found({**unmarked, mark: "false"}) == {}


@pytest.mark.parametrize("sha", ["HEAD", "0fe1b2c", "", "g" * 40, "a" * 41])
def test_what_is_no_commit_of_a_platform_is_passed_over(sha: str) -> None:
    """The next source is asked."""
    ci = {"CIRCLECI": "true", "CIRCLE_SHA1": SHAS[1]}
    assert found({"BUILDKITE": "true", "BUILDKITE_COMMIT": sha, **ci}) == {COMMIT_SHA: SHAS[1]}


def test_the_sources_are_asked_in_order(tmp_path: Path, repository: str) -> None:
    """Each answers when none before it is there."""
    named = _repository(tmp_path / "named", "--initial-branch", "named")
    sources: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        (SHAS[0], {"commit_sha": SHAS[0]}, {}),
        (SHAS[1], {}, {"RAINDROP_COMMIT_SHA": SHAS[1]}),
        (named, {"git_source_directory": str(tmp_path / "named")}, {}),
        (SHAS[2], {}, {"VERCEL": "1", "VERCEL_GIT_COMMIT_SHA": SHAS[2]}),
        (SHAS[3], {}, {"RAILWAY_PROJECT_ID": "p", "RAILWAY_GIT_COMMIT_SHA": SHAS[3]}),
        (SHAS[4], {}, {"DYNO": "web.1", "HEROKU_BUILD_COMMIT": SHAS[4]}),
        (repository, {}, {}),
    ]
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": SHAS[5], "GITLAB_CI": "true", "CI_COMMIT_SHA": SHAS[6]}
    for number, (expected, _, _) in enumerate(sources):
        keys = {key: value for _, given, _ in sources[number:] for key, value in given.items()}
        environ = {key: value for _, _, given in sources[number:] for key, value in given.items()}
        assert found({**ci, **environ}, **keys)[COMMIT_SHA] == expected


def test_a_ci_job_is_asked_where_there_is_no_repository() -> None:
    """The last source; of several, the first of the table."""
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": SHAS[5], "GITLAB_CI": "true", "CI_COMMIT_SHA": SHAS[6]}
    assert found(ci) == {COMMIT_SHA: SHAS[5]}


def test_a_named_commit_is_the_whole_answer(repository: str) -> None:
    """Whether files differ here, and the branch here, may be true of another commit."""
    assert repository not in found({"RAINDROP_COMMIT_SHA": SHAS[0]}, git_branch=True).values()
    assert found({"RAINDROP_COMMIT_SHA": SHAS[0].upper()}, git_branch=True) == {COMMIT_SHA: SHAS[0]}
    said = {"RAINDROP_COMMIT_SHA": SHAS[0], "RAINDROP_COMMIT_DIRTY": "no", "RAINDROP_BRANCH": "main"}
    assert found(said) == {COMMIT_SHA: SHAS[0], COMMIT_DIRTY: False, BRANCH: "main"}
    assert found(said, commit_dirty=True, branch="of the file")[BRANCH] == "of the file"


def test_what_is_named_beside_a_commit_that_is_found_wins(repository: str) -> None:
    """A build that knows its files or its branch better may say so alone."""
    told = found({"RAINDROP_COMMIT_DIRTY": "true"}, branch="release")
    assert told == {COMMIT_SHA: repository, COMMIT_DIRTY: True, BRANCH: "release"}


def test_nothing_is_looked_for_with_auto_detect_off(
    tmp_path: Path, repository: str, fake_git: Callable[[str], Path]
) -> None:
    """No platform and no repository; what is named, a directory included, is no detection."""
    calls = fake_git("")
    off = {AUTO: "false", "VERCEL": "1", "VERCEL_GIT_COMMIT_SHA": SHAS[0], "CIRCLECI": "1", "CIRCLE_SHA1": SHAS[1]}
    assert found(off) == found({**off, AUTO: "true"}, git_auto_detect=False) == {}
    assert calls.read_text() == ""
    assert found(off, git_source_directory=str(tmp_path / "service"))[COMMIT_SHA] == repository
    assert found({**off, "RAINDROP_COMMIT_SHA": SHAS[2]}) == {COMMIT_SHA: SHAS[2]}


# ---- repositories ----------------------------------------------------------------------------------------------------


def test_a_repository_says_whether_files_differ(repository: str) -> None:
    """A file that git does not know makes no difference; one that is changed or staged does."""
    assert found() == {COMMIT_SHA: repository, COMMIT_DIRTY: False}
    Path("notes.txt").write_text("not tracked\n")
    deployment._answers.clear()
    assert found()[COMMIT_DIRTY] is False
    Path("app.py").write_text("changed\n")
    deployment._answers.clear()
    assert found() == {COMMIT_SHA: repository, COMMIT_DIRTY: True}
    _git(Path.cwd(), "add", "app.py")
    deployment._answers.clear()
    assert found()[COMMIT_DIRTY] is True


def test_the_branch_is_said_only_where_asked_for(repository: str) -> None:
    """By the key or its variable; and a detached head is on none."""
    assert BRANCH not in found()
    assert found(git_branch=True)[BRANCH] == found({"RAINDROP_GIT_BRANCH": "1"})[BRANCH] == "main"
    _git(Path.cwd(), "checkout", "--detach")
    deployment._answers.clear()
    assert found(git_branch=True) == {COMMIT_SHA: repository, COMMIT_DIRTY: False}


def test_a_repository_is_found_from_below_and_a_daemon_may_leave_it(
    repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory is that of the set-up."""
    Path("deep", "er").mkdir(parents=True)
    monkeypatch.chdir("deep/er")
    environ = {"PATH": os.environ["PATH"]}
    made = parts.deployment(read_settings({}, environ), environ, pipeline._may_wait_for_git)
    monkeypatch.chdir("/")
    assert made({})[COMMIT_SHA] == repository


def test_ids_of_sha_256_are_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 digits, where this git can make such a repository."""
    try:
        sha = _repository(tmp_path / "long", "--object-format=sha256")
    except subprocess.CalledProcessError:
        pytest.skip("this git knows no SHA-256")
    monkeypatch.chdir(tmp_path / "long")
    assert len(sha) == 64
    assert found()[COMMIT_SHA] == sha


def test_a_repository_without_an_answer_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a commit, broken, or removed while the process is in it."""
    _git(tmp_path, "init", "empty")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / ".git").write_text("gitdir: nowhere\n")
    for name in ("empty", "broken"):
        monkeypatch.chdir(tmp_path / name)
        assert found() == {}
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert found() == {}


def test_git_gets_neither_secrets_nor_another_repository(
    tmp_path: Path, repository: str, fake_git: Callable[[str], Path]
) -> None:
    """A process started by a hook inherits GIT_DIR; git needs none of the application's variables."""
    fake_git(f"env > {tmp_path / 'environ'}")
    other = tmp_path / "other"
    _repository(other, "--initial-branch", "other")
    environ = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": str(other / "none")}
    told = found({**environ, "RAINDROP_WRITE_KEY": "rk_canary", "DATABASE_URL": "canary"})
    assert told == {COMMIT_SHA: repository, COMMIT_DIRTY: False}
    seen = (tmp_path / "environ").read_text()
    assert "canary" not in seen
    assert "GIT_DIR" not in seen


@pytest.mark.parametrize("path", ["{empty}", "", "."])
def test_without_git_nothing_is_added(tmp_path: Path, repository: str, path: str) -> None:
    """None on PATH; and a program called git in the working directory is not it, whatever PATH says."""
    assert repository
    planted = Path("git")
    planted.write_text(f"#!/bin/sh\n: > {tmp_path / 'was-run'}\n")
    planted.chmod(0o755)
    (tmp_path / "empty").mkdir()
    assert found({"PATH": path.format(empty=tmp_path / "empty")}) == {}
    assert not (tmp_path / "was-run").exists()


def test_no_process_is_started_where_there_is_no_repository(fake_git: Callable[[str], Path]) -> None:
    """What most deployments are."""
    calls = fake_git("")
    assert found() == {}
    assert calls.read_text() == ""


def test_a_git_that_hangs_is_given_up_and_ended(
    tmp_path: Path, repository: str, fake_git: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it has started; and it is not asked again."""
    assert repository
    monkeypatch.setattr(deployment, "GIT_SECONDS", 0.3)
    calls = fake_git(f"(sleep 1; touch {tmp_path / 'outlived'}) &\nwait\nsleep 61.5")
    started = time.monotonic()
    assert found() == found() == {}
    assert time.monotonic() - started < 0.9
    assert len(calls.read_text().splitlines()) == 1
    time.sleep(1)
    assert not (tmp_path / "outlived").exists()


# ---- on the wire -----------------------------------------------------------------------------------------------------


def test_events_and_spans_carry_it_and_nothing_else_does(recorder: Recorder, repository: str) -> None:
    """Events, partials and spans; no signal and no user, and never a remote's address."""
    handler = attach(recorder.endpoint, git_branch=True)
    say(AI, "ai")
    say(EVENT, "event")
    say({"user_id": "u", "event": "run", "event_id": "i"}, "begin")
    say({"event_id": "i", "name": "thumbs_up"}, "signal")
    say({"user_id": "u", "traits": {"plan": "pro"}}, "identify")
    say(SPAN)
    assert handler.flush(10)
    expected = {COMMIT_SHA: repository, COMMIT_DIRTY: False, BRANCH: "main"}
    events = recorder.items("events/track") + recorder.items("events/track_partial")
    assert len(events) == 3
    for event in events:
        assert {name: event["properties"][name] for name in expected} == expected
    (span,) = recorder.spans()
    assert {name: span["attributes"][name] for name in expected} == expected
    others = [*recorder.items("signals/track"), *recorder.items("users/identify")]
    assert len(others) == 2
    assert "raindrop.app" not in json.dumps(others)
    assert not [request for request in recorder.requests if b"hunter2" in request.body]


def test_a_callers_values_win_on_events(recorder: Recorder, repository: str) -> None:
    """One by one; but beside a commit of the caller's nothing of ours is said."""
    handler = attach(recorder.endpoint)
    say({**EVENT, "event": "dirty", "properties": {COMMIT_DIRTY: "unknown"}}, "event")
    say({**EVENT, "event": "sha", "properties": {COMMIT_SHA: "theirs"}}, "event")
    with bind(properties={COMMIT_SHA: "bound", BRANCH: "b"}):
        say({**EVENT, "event": "bound"}, "event")
    assert handler.flush(10)
    arrived = {event["event"]: _ours(event["properties"]) for event in recorder.items("events/track")}
    assert arrived == {
        "dirty": {COMMIT_SHA: repository, COMMIT_DIRTY: "unknown"},
        "sha": {COMMIT_SHA: "theirs"},
        "bound": {COMMIT_SHA: "bound", BRANCH: "b"},
    }


def test_a_callers_values_win_on_spans(recorder: Recorder, repository: str) -> None:
    """Attributes over properties, and both over what was found."""
    handler = attach(recorder.endpoint)
    say({**SPAN, "name": "dirty", "attributes": {COMMIT_DIRTY: True}})
    say({**SPAN, "name": "sha", "attributes": {COMMIT_SHA: "theirs"}, "properties": {COMMIT_SHA: "not theirs"}})
    say({**SPAN, "name": "property", "properties": {COMMIT_SHA: "of the property"}})
    assert handler.flush(10)
    arrived = {span["name"]: _ours(span["attributes"]) for span in recorder.spans()}
    assert arrived == {
        "dirty": {COMMIT_SHA: repository, COMMIT_DIRTY: True},
        "sha": {COMMIT_SHA: "theirs"},
        "property": {COMMIT_SHA: "of the property"},
    }


def _ours(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name.startswith("raindrop.app.")}


def test_git_is_asked_once_whatever_is_logged(
    recorder: Recorder, repository: str, fake_git: Callable[[str], Path]
) -> None:
    """One question for several handlers and many records, and none before the first event."""
    calls = fake_git("")
    first = attach(recorder.endpoint)
    second = raindrop_logging.RaindropHandler(write_key="another", endpoint=recorder.endpoint)
    logging.root.addHandler(second)
    say({"event_id": "e", "name": "thumbs_up"}, "signal")
    assert first.flush(10)
    assert calls.read_text() == ""
    for _ in range(10):
        say(EVENT, "event")
        say(SPAN)
    assert first.flush(10)
    assert second.flush(10)
    assert len(calls.read_text().splitlines()) == 1
    assert [event["properties"][COMMIT_SHA] for event in recorder.items("events/track")] == [repository] * 20


def test_nothing_is_asked_without_a_destination(repository: str, fake_git: Callable[[str], Path]) -> None:
    """What goes nowhere needs no commit."""
    assert repository
    calls = fake_git("")
    handler = attach(None, write_key=None, enabled=False)
    say(EVENT, "event")
    assert handler.flush(1)
    assert calls.read_text() == ""


def test_where_no_thread_can_start_git_is_not_asked(
    recorder: Recorder, repository: str, fake_git: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller's thread does the listener's work then, but waits for no program; later it is asked after all."""
    calls = fake_git("")
    handler = attach(recorder.endpoint)
    with monkeypatch.context() as patch:
        patch.setattr(Listener, "start", lambda _: None)
        say({**EVENT, "event": "inline"}, "event")
        assert handler.flush(10)
    assert calls.read_text() == ""
    say({**EVENT, "event": "on the listener"}, "event")
    assert handler.flush(10)
    arrived = {event["event"]: _ours(event["properties"]) for event in recorder.items("events/track")}
    assert arrived == {"inline": {}, "on the listener": {COMMIT_SHA: repository, COMMIT_DIRTY: False}}


# ---- whole processes -------------------------------------------------------------------------------------------------

SERVICE = """
import logging, os, sys, threading, time
started = []
def audit(event, _):
    if event in {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.system", "os.exec", "pty.spawn"}:
        started.append((event, threading.current_thread().name))
sys.addaudithook(audit)
import raindrop_logging
logging.basicConfig(level="INFO", handlers=[raindrop_logging.RaindropHandler(write_key="k", endpoint=sys.argv[1])])
log = logging.getLogger("shop")
def say(name): log.info("event", extra={"raindrop": {"user_id": "u", "event": name}})
"""


def _run(recorder: Recorder, body: str) -> subprocess.CompletedProcess[str]:
    program = SERVICE + textwrap.dedent(body)
    root = str(Path(__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", program, recorder.endpoint],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )


def test_only_the_listener_starts_git(recorder: Recorder, repository: str) -> None:
    """Python itself tells which thread started a process; logging, flushing and shutting down start none."""
    logs = "say('a')\nraindrop_logging.flush(10)\nsay('b')\nraindrop_logging.shutdown(5)\nprint(started)"
    ended = _run(recorder, logs)
    assert ended.stdout.strip() == str([("subprocess.Popen", "raindrop-listener")])
    assert [_ours(event["properties"])[COMMIT_SHA] for event in recorder.items("events/track")] == [repository] * 2


def test_a_process_that_ends_at_once_still_says_it(recorder: Recorder, repository: str) -> None:
    """The first event is encoded while Python is ending, by the listener that still runs."""
    ended = _run(recorder, "say('a')")
    (event,) = recorder.items("events/track")
    assert _ours(event["properties"]) == {COMMIT_SHA: repository, COMMIT_DIRTY: False}
    assert ended.stderr == ""


def test_what_is_logged_last_of_all_arrives(recorder: Recorder, repository: str) -> None:
    """A hook at the end may be the first to log; nothing raises, whether or not a thread can still start."""
    assert repository
    ended = _run(recorder, "import atexit\natexit.register(say, 'last')\natexit.register(print, 'bye')")
    assert [event["event"] for event in recorder.items("events/track")] == ["last"]
    assert (ended.stdout, ended.stderr) == ("bye\n", "")


@pytest.mark.slow
def test_a_git_that_hangs_does_not_hold_up_the_end(
    recorder: Recorder, repository: str, fake_git: Callable[[str], Path]
) -> None:
    """Asked at the very end: the event arrives without a commit, within shutdown_timeout."""
    assert repository
    fake_git("sleep 61.5")
    started = time.monotonic()
    ended = _run(recorder, "say('a')")
    assert time.monotonic() - started < 3 + 2, "shutdown_timeout, and the start of a Python"
    (event,) = recorder.items("events/track")
    assert _ours(event["properties"]) == {}
    assert ended.stderr == ""


def test_a_child_of_fork_keeps_what_the_parent_knew(
    recorder: Recorder, repository: str, fake_git: Callable[[str], Path]
) -> None:
    """It asks nothing again, wherever it is and whatever became of the repository."""
    calls = fake_git("")
    _run(
        recorder,
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        say("parent")
        raindrop_logging.flush(10)
        os.rename("app.py", "gone.py")
        os.chdir("/")
        child = os.fork()
        if child == 0:
            say("child")
            os._exit(0 if raindrop_logging.flush(10) else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
    )
    arrived = {event["event"]: _ours(event["properties"]) for event in recorder.items("events/track")}
    known = {COMMIT_SHA: repository, COMMIT_DIRTY: False}
    assert arrived == {"parent": known, "child": known}
    assert len(calls.read_text().splitlines()) == 1


def test_a_fork_while_git_is_asked_holds_neither_up(
    recorder: Recorder, repository: str, fake_git: Callable[[str], Path]
) -> None:
    """The child, which knows nothing yet, asks for itself; the parent waits for git and not for the child, which
    would be so if it had the pipe by which Python learns that a process has started."""
    fake_git("sleep 0.2")
    ended = _run(
        recorder,
        """
        import subprocess
        start_process = subprocess._fork_exec
        subprocess._fork_exec = lambda *words: (time.sleep(0.5), start_process(*words))[1]
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        say("parent")
        raindrop_logging._pipeline.registry.pipelines()[0].kick()
        deadline = time.monotonic() + 10
        while not started and time.monotonic() < deadline: time.sleep(0.001)
        time.sleep(0.2)
        child = os.fork()
        if child == 0:
            say("child")
            raindrop_logging.flush(10)
            time.sleep(3)
            os._exit(0)
        begun = time.monotonic()
        raindrop_logging.flush(10)
        print(time.monotonic() - begun)
        os.waitpid(child, 0)
        """,
    )
    assert float(ended.stdout) < 2.5
    arrived = {event["event"]: _ours(event["properties"])[COMMIT_SHA] for event in recorder.items("events/track")}
    assert arrived == {"parent": repository, "child": repository}
