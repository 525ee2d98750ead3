"""Which names make a secret of what they hold, in a value and in a text, and which only look like it."""

from __future__ import annotations

from typing import Any

import pytest

from raindrop_logging.redaction import _ALONE, _ENDINGS, _HINTS, Redactor

REDACTOR = Redactor()

SECRET_NAMES = """
    password passwd pwd pw passphrase passcode secret secrets token auth authorization bearer jwt cookie cookies
    credentials otp cvv passwort contraseña пароль
    Password PASSWORD dbPassword db_password DB_PASSWORD user-password admin.password password1 passwords
    hashed_password password_hash passwordConfirmation new_password db_pass smtpPass
    api_key apiKey APIKey API_KEY apikey ApiKey x-api-key X-Api-Key OPENAI_API_KEY openai_key api_keys api_key_prod
    access_key secret_key private_key awsSecretAccessKey AWS_SECRET_ACCESS_KEY signing_key encryptionKey ssh_key
    RAINDROP_WRITE_KEY AccountKey ocp-apim-subscription-key
    access_token accessToken refresh_token id_token csrfToken xsrf-token bot_token GITHUB_TOKEN slackBotToken
    sessionToken oauth_token auth_tokens refresh_tokens accesstoken
    client_secret clientSecret CLIENT_SECRET app_secret webhook_secret clientsecret
    set-cookie Set-Cookie session_cookie proxy-authorization http.request.header.authorization authorization_header
    basic_auth recovery_codes authorization_code seed_phrase card_pin
""".split()  # noqa: SIM905 -- a list to be read

OTHER_NAMES = """
    input_tokens output_tokens max_tokens total_tokens tokens token_count tokenCount tokenizer tokens_used
    prompt_token next_page_token page_token nextPageToken continuation_token eos_token cost_per_token
    time_to_first_token special_token token_type tokenType gen_ai.usage.input_tokens llm.usage.total_tokens
    author authors authority authenticated auth_method auth_type requires_auth oauth
    secretary secretariat secret_name secretsmanager
    password_changed_at password_reset password_policy passwordLength password_expires_at forgot_password_url
    api_key_id key keys primary_key foreign_key cache_key public_key idempotency_key sort_key keyboard monkey
    session_id sessionId user_id cookie_policy cookie_consent cookies_accepted
    pass passed passenger compass bypass pin pinned spin shipping code error_code status_code passport
    credential_type authorization_url bearer_format
""".split()  # noqa: SIM905 -- a list to be read

VALUES: list[Any] = ["hunter2", "a text of words", 1234, 12.5, b"hunter2", ["a", "b"], {"value": 1}, ("x",)]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_secret_name_makes_a_secret_of_any_value(name: str) -> None:
    """Whatever its type, what stands under such a name goes, and its neighbours stay."""
    for value in VALUES:
        assert REDACTOR.value({name: value, "kept": "as it is"}) == {name: "<REDACTED_SECRET>", "kept": "as it is"}


@pytest.mark.parametrize("name", SECRET_NAMES)
@pytest.mark.parametrize("value", [None, True, False, "", b"", [], {}], ids=repr)
def test_what_says_nothing_is_no_secret(name: str, value: Any) -> None:
    """That there is none, or whether there is one, may be told."""
    assert REDACTOR.value({name: value}) == {name: value}


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_names_hold_what_they_hold(name: str) -> None:
    """A name that only contains such a word, or says something about a secret, keeps its value."""
    value = {name: "some words", "nested": [{name: 1234}]}
    assert REDACTOR.value(value) == value


@pytest.mark.parametrize("name", SECRET_NAMES)
@pytest.mark.parametrize("written", ["{}=x7Yq", "{}: x7YqZ9w", '"{}": "x7Yq"', "?a=1&{}=x7Yq&b=2", "--{}=x7Yq -v"])
def test_names_mean_the_same_in_a_text(name: str, written: str) -> None:
    """Assignments, headers, JSON, query strings and options are read by the same names."""
    text = REDACTOR.text(written.format(name))
    assert "x7Y" not in text
    assert name in text


@pytest.mark.parametrize("name", OTHER_NAMES)
@pytest.mark.parametrize("written", ["{}=some", "{}: some words", '"{}": "some words"'])
def test_other_names_mean_nothing_in_a_text(name: str, written: str) -> None:
    """What is left in a value is left in a text."""
    assert REDACTOR.text(written.format(name)) == written.format(name)


@pytest.mark.parametrize("word", sorted({*_ALONE, *_ENDINGS}))
def test_no_name_hides_from_the_first_look(word: str) -> None:
    """A text is searched for names only if it has one of a few syllables; every name of a secret has."""
    secret = {**_ENDINGS, **_ALONE}[word] in ("secrets", "credentials")
    assert not secret or any(hint in word for hint in _HINTS)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"phone": 4155552671}, {"phone": "<REDACTED_PHONE>"}),
        ({"phone_number": "4155552671"}, {"phone_number": "<REDACTED_PHONE>"}),
        ({"ssn": 123456789}, {"ssn": "<REDACTED_SSN>"}),
        ({"social_security_number": "123456789"}, {"social_security_number": "<REDACTED_SSN>"}),
        ({"card_number": 4111111111111112}, {"card_number": "<REDACTED_CREDIT_CARD>"}),
        ({"first_name": "Anna", "surname": "O'Brien"}, {"first_name": "<REDACTED_NAME>", "surname": "<REDACTED_NAME>"}),
        ({"billing_address": "Elm 12, Springfield"}, {"billing_address": "<REDACTED_ADDRESS>"}),
        ({"phone": "iPhone 15", "ssn": "none"}, {"phone": "iPhone 15", "ssn": "none"}),
        ({"full_name": "acme/shop", "name": "Anna"}, {"full_name": "acme/shop", "name": "Anna"}),
        ({"ip_address": "10.0.0.1", "address": "0xabc"}, {"ip_address": "10.0.0.1", "address": "0xabc"}),
        ({"number": 123456789, "mobile": 1234567}, {"number": 123456789, "mobile": 1234567}),
    ],
    ids=str,
)
def test_some_names_say_what_a_bare_number_or_word_is(value: Any, left: Any) -> None:
    """Where a name says phone, SSN, card, name or address, a value that looks like one needs no other sign."""
    assert REDACTOR.value(value) == left


def test_names_count_only_with_their_category() -> None:
    """Who asked for e-mail addresses only keeps passwords; keys and tokens belong to credentials."""
    said = {"password": "hunter2", "api_key": "abc", "first_name": "Anna"}
    assert Redactor(["emails"]).value(said) == said
    assert Redactor(["secrets"]).value(said) == {**said, "password": "<REDACTED_SECRET>"}
    assert Redactor(["credentials"]).value(said) == {**said, "api_key": "<REDACTED_SECRET>"}
    assert Redactor(["names"]).value(said) == {**said, "first_name": "<REDACTED_NAME>"}


def test_a_name_may_stand_beside_its_value() -> None:
    """Headers come as tables of name and value too, and options as a list."""
    assert REDACTOR.value([{"name": "X-Api-Key", "value": "abc"}, {"key": "Accept", "value": "*/*"}]) == [
        {"name": "X-Api-Key", "value": "<REDACTED_SECRET>"},
        {"key": "Accept", "value": "*/*"},
    ]
    assert REDACTOR.value(["run", "--password", "swordfish", "--verbose", "all"]) == [
        "run",
        "--password",
        "<REDACTED_SECRET>",
        "--verbose",
        "all",
    ]


def test_a_parameter_called_password_is_still_described() -> None:
    """A JSON Schema says what a tool takes; only an example in it is somebody's."""
    schema = {"password": {"type": "string", "description": "what to log in with", "default": ""}}
    assert REDACTOR.value(schema) == schema
    assert REDACTOR.value({"password": {"type": "string", "default": "x"}}) == {"password": "<REDACTED_SECRET>"}
