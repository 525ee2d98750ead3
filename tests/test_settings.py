"""Every key of the handler: where its value comes from, and what is refused in which words."""

from __future__ import annotations

import pickle
import typing
from pathlib import Path
from typing import Any

import pytest

from raindrop_logging import SettingsError
from raindrop_logging.settings import Secret, Settings, SettingsDict, read_settings


def test_the_file_wins_over_the_variable_and_that_over_the_default() -> None:
    """One key, three places, in this order."""
    environ = {"RAINDROP_TIMEOUT": "7"}
    assert read_settings({"timeout": 5}, environ).timeout == 5.0
    assert read_settings({}, environ).timeout == 7.0
    assert read_settings({}, {}).timeout == 15.0


@pytest.mark.parametrize("key", [key for key in Settings.__struct_fields__ if key != "workshop"])
def test_every_key_has_its_variable(key: str) -> None:
    """A nonsense value in RAINDROP_<KEY> is refused by the key's rule, so it was read; texts are taken as they are."""
    taken_as_text = {"write_key", "service_name", "service_version", "wizard_session", "proxy", "branch", "spool_dir"}
    environ = {f"RAINDROP_{key.upper()}": "No\tsense"}
    if key in taken_as_text - {"write_key", "proxy"}:
        assert getattr(read_settings({}, environ), key).endswith("No\tsense")
        return
    with pytest.raises(SettingsError, match=f"'{key}'"):
        read_settings({}, environ)


def test_another_variable_can_be_named_in_any_key() -> None:
    """env://NAME is read where it stands; a missing one is an error that names it, but for the key itself."""
    environ = {"SHOP_KEY": "rk_1", "SHOP_TIMEOUT": "3"}
    found = read_settings({"write_key": "env://SHOP_KEY", "timeout": "env://SHOP_TIMEOUT"}, environ)
    assert found.write_key == Secret("rk_1")
    assert found.timeout == 3.0
    assert read_settings({"write_key": "env://NOWHERE"}, {}).write_key is None
    with pytest.raises(SettingsError, match="NOWHERE"):
        read_settings({"timeout": "env://NOWHERE"}, {})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"write_kee": "x"}, "unknown key 'write_kee'; did you mean 'write_key'?"),
    ({"endpoint": "ftp://x"}, "'endpoint' is not usable: it must be an http"),
    ({"endpoint": "http://user:pass@host/"}, "without user, query or fragment"),
    ({"endpoint": "http://host:99999/"}, "'endpoint' is not usable"),
    ({"project_id": "Not_A_Slug"}, "a project id is 1 to 63 of a-z, 0-9 and '-'"),
    ({"tracing": "perhaps"}, "'tracing' is 'perhaps': it must be true or false"),
    ({"mode": "tread"}, "'mode' is 'tread': allowed is thread | sync | off; did you mean 'thread'?"),
    ({"durability": "journal"}, "'durability' is 'journal': it needs spool_dir"),
    ({"durability": "jornal"}, "did you mean 'journal'?"),
    ({"spool_dir": ""}, "'spool_dir' is '': it must be a text"),
    ({"spool_max_bytes": "much"}, "a text such as '64 MiB'"),
    ({"proxy": "http://user:password"}, "'proxy' is (not shown): it must be an address such as"),
    ({"redact": ["email"]}, "did you mean 'emails'?"),
    ({"redact": "nowhere:redact"}, "'redact' is 'nowhere:redact': importing it failed"),
    ({"breadcrumbs": {"level": "WARN1NG"}}, "'breadcrumbs.level' is 'WARN1NG': it must be a level of logging; did you"),
    ({"breadcrumbs": {"max": 0}}, "'breadcrumbs.max' is 0: it must be a whole number of lines, at least 1"),
    ({"breadcrumbs": {"levels": "INFO"}}, "unknown key 'breadcrumbs.levels'; did you mean 'breadcrumbs.level'?"),
    ({"breadcrumbs": "WARNING"}, "it must be a table of 'level' and 'max'"),
    ({"sampling": {"ai": 10}}, "'sampling.ai' is 10: it must be a number of parts of all that there are"),
    ({"sampling": {"signal": 0.5}}, "unknown key 'sampling.signal'"),
    ({"sampling": {"conversations": 0.5}}, "did you mean 'sampling.conversation'?"),
    ({"sampling": 0.5}, "it must be a table of rates from 0 to 1"),
    ({"budgets": {"shop": "much"}}, "'budgets.shop' is 'much': it must be a size of at least 1 KiB"),
    ({"budgets": "1 MiB"}, "it must be a table of sizes a minute by the names of loggers"),
    ({"max_queue_size": 0}, "a whole number of records, at least 1"),
    ({"max_queue_size": 2.5}, "a whole number of records"),
    ({"max_queue_bytes": "64 furlongs"}, "a text such as '64 MiB'"),
    ({"timeout": 0}, "a number of seconds, above 0"),
    ({"timeout": float("nan")}, "a number of seconds, above 0"),
    ({"upload_interval": -1}, "a number of seconds, at least 0"),
    ({"max_text_chars": 3}, "a whole number of characters, at least 26"),
    ({"when_full": "drop_old"}, "did you mean 'drop_oldest'?"),
    ({"workshop": 5899}, "allowed is true | false | auto | an http(s) address"),
    ({"verify": " "}, "the path of a CA bundle that exists"),
    ({"verify": "/no/such/bundle.pem"}, "the path of a CA bundle that exists"),
    ({"defaults": {"userid": "u"}}, "unknown key 'defaults.userid'; did you mean 'defaults.user_id'?"),
    ({"defaults": []}, "it must be a table of fields"),
    ({"commit_sha": "0fe1b2c"}, "'commit_sha' is '0fe1b2c': it must be the whole id of a commit"),
    ({"commit_sha": 7}, "a text of 40 or 64 hex digits"),
    ({"commit_dirty": "a little"}, "it must be true or false"),
    ({"branch": ""}, "it must be a text"),
    ({"git_source_directory": "/no/such/directory"}, "the path of a directory that exists"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_cannot_work_is_refused_with_key_value_and_rule(given: dict[str, Any], message: str) -> None:
    """The message says what to do; no key is ever ignored."""
    with pytest.raises(SettingsError) as refused:
        read_settings(given, {})
    assert message in str(refused.value)
    assert next(iter(given)) in str(refused.value)


@pytest.mark.parametrize(
    ("given", "environ", "expected"),
    [
        ({"workshop": True}, {}, "http://localhost:5899/v1/"),
        ({"workshop": "http://localhost:7000/v1"}, {}, "http://localhost:7000/v1/"),
        ({"workshop": False}, {"RAINDROP_WORKSHOP": "1"}, None),
        ({"workshop": True}, {"RAINDROP_WORKSHOP": "0"}, None),
        ({}, {"RAINDROP_WORKSHOP": "on"}, "http://localhost:5899/v1/"),
        ({}, {"RAINDROP_LOCAL_DEBUGGER": "HTTP://localhost:9/v1"}, "http://localhost:9/v1/"),
        ({}, {"RAINDROP_LOCAL_DEBUGGER": "http://localhost:9/v1", "RAINDROP_WORKSHOP": "off"}, None),
        ({}, {}, None),
    ],
)
def test_where_the_workshop_is(given: dict[str, Any], environ: dict[str, str], expected: str | None) -> None:
    """The key, then the two variables; RAINDROP_WORKSHOP=0 wins over everything."""
    assert read_settings(given, environ).workshop == expected


def test_sizes_can_be_written_for_people() -> None:
    """A number of bytes, or a text with its unit."""
    assert read_settings({"max_queue_bytes": "1.5 MiB"}, {}).max_queue_bytes == 1_572_864
    assert read_settings({"max_queue_bytes": "64M"}, {}).max_queue_bytes == 64 * 2**20
    assert read_settings({"max_queue_bytes": "2.3MB"}, {}).max_queue_bytes == 2_300_000
    assert read_settings({"max_queue_bytes": 4096}, {}).max_queue_bytes == 4096


def test_a_secret_is_shown_nowhere() -> None:
    """Not by repr, str, format, comparison errors or pickle."""
    settings = read_settings({"write_key": "rk_canary"}, {})
    assert "rk_canary" not in f"{settings!r} {settings} {settings.write_key} {settings.write_key!r}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(settings.write_key)


def test_equal_keys_make_equal_settings() -> None:
    """Settings are values: equal, and usable as a key, whatever order their tables were written in."""
    first = read_settings({"write_key": "k", "defaults": {"properties": {"a": 1, "b": [2]}}}, {})
    second = read_settings({"defaults": {"properties": {"b": [2], "a": 1}}, "write_key": "k"}, {})
    assert first == second
    assert hash(first) == hash(second)


def test_type_checkers_know_every_key() -> None:
    """The dict that a configuration is typed by has the very keys of the settings."""
    assert set(typing.get_type_hints(SettingsDict)) == set(Settings.__struct_fields__)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://localhost:5899", "http://localhost:5899/v1/"),
        ("http://localhost:5899/", "http://localhost:5899/v1/"),
        ("https://proxy.example/raindrop/v1", "https://proxy.example/raindrop/v1/"),
    ],
)
def test_an_address_without_a_path_means_the_api_at_its_usual_place(given: str, expected: str) -> None:
    """What the Workshop prints as its address can be pasted as it is; any path that is given is kept."""
    assert read_settings({"endpoint": given, "workshop": given}, {}).endpoint == expected
    assert read_settings({"workshop": given}, {}).workshop == expected


def test_a_wrong_variable_is_named() -> None:
    """A value that no file holds is not blamed on the file."""
    with pytest.raises(SettingsError, match=r"'max_queue_size' \(from RAINDROP_MAX_QUEUE_SIZE\) is 'lots'"):
        read_settings({}, {"RAINDROP_MAX_QUEUE_SIZE": "lots"})


def test_a_directory_for_a_spool_is_used_unless_the_file_says_memory() -> None:
    """Whoever names one wants it; a path is absolute, and the home directory may be said as `~`."""
    assert read_settings({}, {}).durability == "memory"
    found = read_settings({"spool_dir": "~/spool"}, {})
    assert (found.durability, found.spool_dir) == ("spill", str(Path.home() / "spool"))
    assert read_settings({"spool_dir": "/x", "durability": "memory"}, {}).durability == "memory"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("yes", True),
        ("0", False),
        ("emails, phones", ("emails", "phones")),
        (["ssns"], ("ssns",)),
        ("builtins:str", "builtins:str"),
    ],
)
def test_redaction_is_said_in_a_file_or_a_variable(said: Any, read: Any) -> None:
    """True or false, categories as a list or with commas, or a callable by its path; equal words are equal settings."""
    assert read_settings({"redact": said}, {}).redact == read
    assert hash(read_settings({"redact": said}, {})) == hash(read_settings({"redact": said}, {}))
