"""The pytest plugin: the fixture `raindrop` as a project with tests of its own uses it."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from raindrop_logging.testing import capture

pytest_plugins = ["pytester"]

SHOP = """
import logging
from raindrop_logging import extra

log = logging.getLogger("shop")


def reply(user_id="u1", **fields):
    log.info("ai", extra=extra.ai(user_id=user_id, event="support_reply", input="q", output="a", **fields))
"""


@pytest.fixture(scope="module", autouse=True)
def everything_is_loaded() -> None:
    """pytester takes away what was first imported by a run in this process, and some libraries stand no second time."""
    import raindrop_logging.pytest_plugin  # noqa: F401

    with capture() as captured:
        extra = {"raindrop": {"kind": "task", "name": "first"}}
        logging.getLogger("shop").info("span", extra=extra)
        captured.assert_span("first")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """An application `shop`, for whose tests warnings are errors and only known markers are allowed."""
    pytester.makepyfile(shop=SHOP)
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers --strict-config\n")
    return pytester


def test_the_fixture_shows_what_was_logged(project: pytest.Pytester) -> None:
    """A function, a class, a coroutine and a thread; each test sees its own, beside caplog, which sees the lines."""
    project.makepyfile(
        test_shop="""
        import asyncio, logging, threading
        import pytest
        from shop import reply

        def test_function(raindrop, caplog):
            reply()
            assert raindrop.assert_event("support_reply", user_id="u1").output == "a"
            assert [record.message for record in caplog.records] == ["ai"]

        def test_sees_its_own(caplog, raindrop):
            with caplog.at_level(logging.ERROR):
                reply()
            raindrop.assert_nothing()

        class TestReply:
            def test_method(self, raindrop):
                asyncio.run(self.coroutine())
                thread = threading.Thread(target=reply, args=("thread",))
                thread.start()
                thread.join()
                assert [event.user_id for event in raindrop.events] == ["task", "thread"]

            async def coroutine(self):
                reply("task")

        @pytest.mark.raindrop(redact=True)
        class TestMarked:
            @pytest.mark.raindrop(defaults={"convo_id": "c1"})
            def test_keys_of_function_and_class(self, raindrop):
                reply(properties={"mail": "ada@example.org"})
                assert raindrop.assert_event(convo_id="c1").properties["mail"] != "ada@example.org"
        """
    )
    project.runpytest_inprocess().assert_outcomes(passed=4)


def test_hidden_trouble_fails_the_test(project: pytest.Pytester) -> None:
    """A broken block, a dropped record and a thread left running are errors at the end, each with what to do."""
    project.makepyfile(
        test_shop="""
        import threading
        import pytest
        from shop import reply
        from raindrop_logging.workshop.store import open_store

        left = []

        def test_invalid(raindrop):
            reply(user_id="")

        def test_drop(raindrop):
            reply(properties={f"{n:01000}": n for n in range(2000)})

        def test_thread(raindrop):
            left.append(open_store(":memory:"))

        def test_is_told_with_a_failure_of_its_own(raindrop):
            reply(user_id="")
            raindrop.assert_event("support_reply")

        @pytest.mark.raindrop(allow_invalid=True, allow_drops=True, allow_threads=True)
        def test_allowed(raindrop):
            reply(user_id="")
            reply(properties={f"{n:01000}": n for n in range(2000)})
            left.append(open_store(":memory:"))
            assert len(raindrop.invalid) == 1 and raindrop.dropped == {"too_large": 1}

        def test_end():
            for store in left:
                store.close()
        """
    )
    result = project.runpytest_inprocess()
    result.assert_outcomes(passed=5, failed=1, errors=4)
    result.stdout.fnmatch_lines_random(
        [
            "*ERROR at teardown of test_invalid*",
            "a block was refused: 'user_id' is an empty text*(logger 'shop', */shop.py:8)",
            "where this is meant: @pytest.mark.raindrop(allow_invalid=True)",
            "dropped as too_large: 1",
            "where this is meant: @pytest.mark.raindrop(allow_drops=True)",
            "a thread was left running: workshop-writer",
            "where this is meant: @pytest.mark.raindrop(allow_threads=True)",
            "E*AssertionError: no event is as expected: event='support_reply', is_pending=False",
        ]
    )
    result.stdout.no_fnmatch_line("*testing.py:*")  # a failure points at the test


def test_a_wrong_marker_is_refused(project: pytest.Pytester) -> None:
    """With what was probably meant, before the test runs."""
    project.makepyfile(
        """
        import pytest

        @pytest.mark.raindrop(allow_invlaid=True)
        def test_key(raindrop):
            pass

        @pytest.mark.raindrop(True)
        def test_position(raindrop):
            pass

        @pytest.mark.raindrop(redact=["email"])
        def test_value(raindrop):
            pass
        """
    )
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "*test_key: the marker 'raindrop' has no key 'allow_invlaid'; did you mean 'allow_invalid'?",
            "*test_position: the marker 'raindrop' takes keywords only",
            "*SettingsError: *did you mean 'emails'*",
        ]
    )


def test_the_marker_and_the_fixture_explain_themselves(project: pytest.Pytester) -> None:
    """In `pytest --markers` and `pytest --fixtures`."""
    project.runpytest_inprocess("--markers").stdout.fnmatch_lines("@pytest.mark.raindrop(allow_invalid=False,*")
    project.runpytest_inprocess("--fixtures").stdout.fnmatch_lines("*What the test has logged to Raindrop*")


def test_it_can_be_left_out(project: pytest.Pytester) -> None:
    """`-p no:raindrop` takes the fixture away."""
    project.makepyfile("def test_shop(raindrop): pass")
    result = project.runpytest_inprocess("-p", "no:raindrop")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*fixture 'raindrop' not found")


def test_processes_of_xdist_see_their_own(project: pytest.Pytester) -> None:
    """Tests side by side, in processes of pytest-xdist."""
    project.makepyfile(
        """
        import pytest
        from shop import reply

        @pytest.mark.parametrize("number", range(8))
        def test_shop(number, raindrop):
            reply(f"u{number}")
            assert [event.user_id for event in raindrop.events] == [f"u{number}"]
        """
    )
    project.runpytest_subprocess("-n", "2").assert_outcomes(passed=8)


def test_it_is_inert_without_the_fixture(project: pytest.Pytester) -> None:
    """pytest starts and runs tests without one module of the package, nor of what it stands on."""
    project.makepyfile(
        test_other="""
        import sys

        def test_nothing_is_there():
            ours = {"raindrop_logging", "httpx", "opentelemetry", "msgspec", "structlog"}
            assert "raindrop_logging_pytest" in sys.modules
            assert ours.isdisjoint(name.partition(".")[0] for name in sys.modules)
        """
    )
    project.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=1)


def test_starting_it_imports_pytest_alone() -> None:
    """What pytest loads of ours at its start brings nothing that pytest has not."""
    program = (
        "import sys, pytest, typing, collections.abc; before = set(sys.modules); "
        "import raindrop_logging_pytest; print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['raindrop_logging_pytest']"


def test_this_suite_has_no_other_fixture_of_the_name() -> None:
    """Nothing of ours hides what users get."""
    tests = Path(__file__).parent
    own = [path for path in tests.rglob("*.py") if "def raindrop(" in path.read_text() and path != Path(__file__)]
    assert own == []
