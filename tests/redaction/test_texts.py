"""What each category takes out of a text, and that the text around it stays as it was."""

# ruff: noqa: RUF001 -- people write in their own letters, quotes and dashes

from __future__ import annotations

import pytest

from raindrop_logging.redaction import CATEGORIES, TOKENS, WHOLE, Redactor

MADE_UP = "a1B2c3D4e5F6" * 3
"""Random enough for any key's shape, and nobody's key."""

REDACTOR = Redactor()

CREDENTIALS = [
    ("Authorization: Bearer sk-123", "Authorization: Bearer <>"),
    ("Authorization: Basic dXNlcjpodW50ZXIy", "Authorization: Basic <>"),
    ("Proxy-Authorization: Basic dXNlcjpodW50ZXIy", "Proxy-Authorization: Basic <>"),
    ("authorization=abc123def456 x", "authorization=<> x"),
    ('"Authorization": "Bearer sk-123", "Accept": "*/*"', '"Authorization": "Bearer <>", "Accept": "*/*"'),
    ('Authorization: Digest username="bob", response="66"', "Authorization: <>"),
    ("Authorization: AWS4-HMAC-SHA256 Credential=AK/2024, SignedHeaders=host, Signature=fe5f", "Authorization: <>"),
    ("Bearer: abc.def.ghi", "Bearer: <>"),
    ("call it with Bearer a1B2c3D4e5F6 please", "call it with Bearer <> please"),
    (f"my key is sk-{MADE_UP}, keep it", "my key is <>, keep it"),
    (f"sk-proj-{MADE_UP}_x-{MADE_UP}", "<>"),
    (f"(sk-ant-api03-{MADE_UP})", "(<>)"),
    (f"sk_live_{MADE_UP} rk_test_{MADE_UP}", "<> <>"),
    (f"rk_{MADE_UP}.", "<>."),
    (f"ghp_{MADE_UP}", "<>"),
    (f"github_pat_11A_{MADE_UP}", "<>"),
    (f"glpat-{MADE_UP}", "<>"),
    (f"xoxb-1234-{MADE_UP}", "<>"),
    (f"AKIA{'A1B2' * 4}", "<>"),
    (f"AKIA{'A1B2' * 4},{'aB3/' * 10}\n", "<>,<>\n"),
    (f"AIza{MADE_UP[:35]}", "<>"),
    (f"npm_{MADE_UP} hf_{MADE_UP}", "<> <>"),
    (f"SG.{MADE_UP[:22]}.{MADE_UP}", "<>"),
    (f"123456789:AA{MADE_UP}", "<>"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_def-1, next", "<>, next"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE+w==\n-----END RSA PRIVATE KEY-----\nrest", "<>\nrest"),
    (f"-----BEGIN PRIVATE KEY-----\n{MADE_UP}\n{MADE_UP}", "<>"),
    (r"key: -----BEGIN EC PRIVATE KEY-----\nMIIE\n-----END EC PRIVATE KEY-----\n", r"key: <>\n"),
    (f"https://hooks.slack.com/services/T0/B0/{MADE_UP}", "https://hooks.slack.com/services/<>"),
    ("https://bob:hunter2@host.example/path", "https://bob:<>@host.example/path"),
    ("redis://:hunter2@cache:6379/0", "redis://:<>@cache:6379/0"),
    ("mongodb+srv://app:p%40ss@c0.example.net/db?w=1", "mongodb+srv://app:<>@c0.example.net/db?w=1"),
    ("AccountName=shop;AccountKey=a1B2c3==;EndpointSuffix=x", "AccountName=shop;AccountKey=<>;EndpointSuffix=x"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = <>"),
    ('export OPENAI_API_KEY="a1B2 c3D4"', 'export OPENAI_API_KEY="<>"'),
    ("x-api-key: abcdef", "x-api-key: <>"),
    ("API key: a1B2c3D4!", "API key: <>!"),
    ("?api_key=abc&user=bob", "?api_key=<>&user=bob"),
    ("https://x.example/?access_token=abc.def#top", "https://x.example/?access_token=<>"),
    ("/f?X-Amz-Signature=a1b2c3d4e5&x=1", "/f?X-Amz-Signature=<>&x=1"),
    ("token=zz", "token=<>"),
    ("{'token': 'abc', 'user': 'bob'}", "{'token': '<>', 'user': 'bob'}"),
    (r"log: {\"refresh_token\": \"abc\", \"n\": 1}", r"log: {\"refresh_token\": \"<>\", \"n\": 1}"),
    ('raise AuthError(token="abc123", user="bob")', 'raise AuthError(token="<>", user="bob")'),
    ("run --token a1B2c3 --verbose", "run --token <> --verbose"),
    ("Cookie: sid=a1B2c3; theme=dark\nHost: x", "Cookie: <>\nHost: x"),
    ("Set-Cookie: sid=a1B2c3; Path=/; HttpOnly", "Set-Cookie: <>"),
    ('curl -H "Cookie: sid=a1B2c3" https://x.example', 'curl -H "Cookie: <>" https://x.example'),
    ("curl -u bob:hunter2 https://x.example", "curl -u bob:<> https://x.example"),
]

SECRETS = [
    ("password: hunter2, user: bob", "password: <>, user: bob"),
    ("(password: hunter2)", "(password: <>)"),
    ("password: swordfish", "password: <>"),
    ("password: pa,ss;wo&rd rest", "password: <> rest"),
    ("password=hunter2&user=bob", "password=<>&user=bob"),
    ("Password = hunter2", "Password = <>"),
    ("**Password:** hunter2", "**Password:** <>"),
    ("<b>Password:</b> hunter2<br>", "<b>Password:</b> <><br>"),
    ("<td>password</td><td>hunter2</td>", "<td>password</td><td><></td>"),
    ("passwd:hunter2", "passwd:<>"),
    ("Server=db1;Pwd=p@ss;Encrypt=yes", "Server=db1;Pwd=<>;Encrypt=yes"),
    ("spring.datasource.password: hunter2", "spring.datasource.password: <>"),
    ('"dbPassword" : "hunter two"', '"dbPassword" : "<>"'),
    ('body={"client_secret": "abc", "n": 1}', 'body={"client_secret": "<>", "n": 1}'),
    ('{"password": "hunt', '{"password": "<>'),
    ("mysql --password=hunter2 -h db", "mysql --password=<> -h db"),
    ("mysql --password hunter2 -h db", "mysql --password <> -h db"),
    ("Passwort: geheim", "Passwort: <>"),
    ("mot de passe : azerty12", "mot de passe : <>"),
    ("contraseña: clave123", "contraseña: <>"),
    ("пароль: hunter2", "пароль: <>"),
    ("密码：abc123，谢谢", "密码：<>"),
    ("password is hunter2", "password is <>"),
    ("Our Wi-Fi password is sunshine.", "Our Wi-Fi password is <>."),
    ('my password is "correct horse"', 'my password is "<>"'),
    ("The password for the staging server is hunter2!", "The password for the staging server is <>!"),
    ("the passphrase for the vault is open-sesame1, ok?", "the passphrase for the vault is <>, ok?"),
    ("secret: xyzzy42, and more", "secret: <>, and more"),
    ("otp: 123456", "otp: <>"),
    ("PIN: 1234", "PIN: <>"),
    ("my PIN is 4821.", "my PIN is <>."),
    ("password: bob@example.com!x7", "password: <>"),
]

CREDIT_CARDS = [
    ("4111 1111 1111 1111", "<>"),
    ("4111-1111-1111-1111", "<>"),
    ("pay with 4111.1111.1111.1111!", "pay with <>!"),
    ("card 4111111111111111 exp 12/26", "card <> exp 12/26"),
    ("Order 2024 4111 1111 1111 1111 12/26", "Order 2024 <> 12/26"),
    ("5555555555554444,123", "<>,123"),
    ("2223003122003222", "<>"),
    ("Amex 3782 822463 10005.", "Amex <>."),
    ("3056 930902 5904", "<>"),
    ("6011111111111117", "<>"),
    ("3530111333300000", "<>"),
    ("6212345678900000003", "<>"),
    ("卡号4111111111111111。", "卡号<>。"),
]

EMAILS = [
    ("bob@example.com", "<>"),
    ("Bob <bob.smith+news@mail.example.co.uk>, hi", "Bob <<>>, hi"),
    ("mailto:bob@example.com?subject=x", "mailto:<>?subject=x"),
    ("https://x.example/?email=bob%40example.com&n=1", "https://x.example/?email=<>&n=1"),
    (r'log: {"to": "bob\u0040example.com"', 'log: {"to": "<>"'),
    ("o'brien@example.ie and 'bob@example.com'", "<> and '<>'"),
    ("write to bob@163.com.", "write to <>."),
    ("josé.müller@exämple.de", "<>"),
    ("почта@пример.рф", "<>"),
    ("用户@例え.テスト", "<>"),
    ("联系john@example.com吧", "联系<>吧"),
    ("bob＠example.com", "<>"),
    (f"{'x' * 300}@example.com", "<>"),
]

PHONES = [
    ("call +1 415-555-2671 now", "call <> now"),
    ("+14155552671 2 items", "<> 2 items"),
    ("(415) 555-2671, 415.555.2671 or 415 555 2671", "<>, <> or <>"),
    ("1-800-555-0199", "<>"),
    ("tel:+14155552671", "tel:<>"),
    ("+44 20 7946 0958 / (+44) 20 7946 0958 / +44 (0)20 7946 0958", "<> / <> / <>"),
    ("020 7946 0958", "<>"),
    ("07700 900123", "<>"),
    ("+49 151 12345678", "<>"),
    ("0049 30 1234567", "<>"),
    ("06 12 34 56 78", "<>"),
    ("03-1234-5678", "<>"),
    ("+91 98765 43210 and +86 138 1234 5678", "<> and <>"),
    ("phone: 4155552671", "phone: <>"),
    ('"phone": "4155552671",', '"phone": "<>",'),
    ("Call me at 5551234567.", "Call me at <>."),
    ("call 555-1234", "call <>"),
    ("Telefon 030 1234567", "Telefon <>"),
    ("电话+8613812345678。", "电话<>。"),
]

SSNS = [
    ("123-45-6789", "<>"),
    ("My SSN: 123-45-6789.", "My SSN: <>."),
    ("my social security number is 123 45 6789", "my social security number is <>"),
    ("ssn 123456789", "ssn <>"),
    ("SSN=123.45.6789", "SSN=<>"),
    ("899-99-9999, not 900-12-3456", "<>, not 900-12-3456"),
]

ADDRESSES = [
    ("221B Baker Street, London NW1 6XE", "<>"),
    ("He lives at 12 Main Street, Springfield, IL 62704-1234, USA.", "He lives at <>."),
    ("350 Fifth Avenue, Suite 3300, New York, NY 10118", "<>"),
    ("12 Main Street\nSpringfield, IL 62704", "<>"),
    ("12 Main Street. Thanks", "<>. Thanks"),
    ("123 N. 5th St, Apt 4B", "<>"),
    ("742 Evergreen Terrace", "<>"),
    ("10 Downing Street, London SW1A 2AA, UK", "<>"),
    ("120 Broadway, New York, NY 10271", "<>"),
    ("i live at 12 main street, apt 4", "i live at <>"),
    ("PO Box 99", "<>"),
    ("P.O. Box 1234, Springfield, IL 62704", "<>"),
    ("from Springfield, IL 62704", "from <>"),
    ("IL 62704-1234", "<>"),
    ("Hauptstraße 12, 10115 Berlin", "<>"),
    ("wohnt Berliner Str. 5a, 80331 München.", "wohnt <>."),
    ("Straße des 17. Juni 135, 10623 Berlin", "<>"),
    ("Am Markt 5, 28195 Bremen", "<>"),
    ("Potsdamer Platz 1, 10785 Berlin", "<>"),
    ("Alexanderplatz 1", "<>"),
    ("Mariahilfer Straße 10, 1070 Wien", "<>"),
    ("Postfach 12 34 56, 10115 Berlin", "<>"),
    ("12 rue de la Paix, 75002 Paris", "<>"),
    ("5 bis, avenue des Champs-Élysées, 75008 Paris", "<>"),
    ("3 place de la Concorde", "<>"),
    ("Calle de Alcalá 45, 28014 Madrid", "<>"),
    ("Via Roma 10, 00184 Roma", "<>"),
    ("Keizersgracht 123, 1015 CJ Amsterdam", "<>"),
]

NAMES = [
    ("Hi John,", "Hi <>,"),
    ("Hello, Anna-Lena!", "Hello, <>!"),
    ("Hey Bob how are you", "Hey <> how are you"),
    ("Good morning Maria. How is it?", "Good morning <>. How is it?"),
    ("Dear John and Mary,", "Dear <> and <>,"),
    ("Dear Dr. Müller,", "Dear Dr. <>,"),
    ("Sehr geehrte Frau Schmidt,", "Sehr geehrte Frau <>,"),
    ("Liebe Anna,", "Liebe <>,"),
    ("Bonjour Hélène,", "Bonjour <>,"),
    ("Привет, Иван!", "Привет, <>!"),
    ("My name is John Smith and I live here", "My name is <> and I live here"),
    ("my name is bob", "my name is <>"),
    ("my name's Ludwig van Beethoven.", "my name's <>."),
    ("me llamo X? Me llamo José García.", "me llamo X? Me llamo <>."),
    ("ich heiße Jürgen", "ich heiße <>"),
    ("меня зовут Иван", "меня зовут <>"),
    ("我叫王小明。", "我叫<>。"),
    ("I'm John Smith, from Acme", "I'm <>, from Acme"),
    ("This is Mary Jones speaking", "This is <> speaking"),
    ("Mr. Smith met Mrs O'Brien and Prof. Xu", "Mr. <> met Mrs <> and Prof. <>"),
    ("Dr. Jane A. Doe said", "Dr. <> said"),
    ("Best regards,\nJohn Smith", "Best regards,\n<>"),
    ("It works.\n\nThanks,\nBob\nCEO", "It works.\n\nThanks,\n<>\nCEO"),
    ("Mit freundlichen Grüßen\n\nJürgen Groß", "Mit freundlichen Grüßen\n\n<>"),
    ("Sincerely, Anna", "Sincerely, <>"),
    ("Thanks Bob", "Thanks <>"),
    ("Thank you, Anna!", "Thank you, <>!"),
    ("Full name: John Smith", "Full name: <>"),
    ("Customer name: Anna Müller, age 4", "Customer name: <>, age 4"),
]

CAUGHT = {
    "credentials": CREDENTIALS,
    "credit_cards": CREDIT_CARDS,
    "emails": EMAILS,
    "phones": PHONES,
    "ssns": SSNS,
    "secrets": SECRETS,
    "addresses": ADDRESSES,
    "names": NAMES,
}
"""For each category: a text, and what is left of it, with ``<>`` where something of the category was."""

TEXTS = [
    pytest.param(text, left.replace("<>", TOKENS[category]), id=f"{category}-{text[:50]}")
    for category, texts in CAUGHT.items()
    for text, left in texts
]


@pytest.mark.parametrize(("text", "left"), TEXTS)
def test_what_is_personal_or_secret_becomes_its_categorys_token(text: str, left: str) -> None:
    """With all categories on, exactly the part that tells something is replaced."""
    assert REDACTOR.text(text) == left


@pytest.mark.parametrize(("text", "left"), TEXTS)
def test_what_has_been_redacted_stays_as_it_is(text: str, left: str) -> None:
    """A text may pass the redactor again, at capture and from the disk: tokens survive, and nothing else is taken."""
    assert REDACTOR.text(left) == left
    assert REDACTOR.text(REDACTOR.text(text)) == left


@pytest.mark.parametrize(
    ("category", "text"), [(category, text) for category, texts in CAUGHT.items() for text, _ in texts]
)
def test_a_category_that_is_not_asked_for_takes_nothing(category: str, text: str) -> None:
    """Without its category, none of its tokens appears."""
    assert TOKENS[category] not in Redactor([one for one in CATEGORIES if one != category]).text(text)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_works_alone(category: str) -> None:
    """One category finds its own without the help of others, but for what only another's token shows."""
    alone = Redactor([category])
    found = [text for text, left in CAUGHT[category] if alone.text(text) == left.replace("<>", TOKENS[category])]
    assert len(found) >= len(CAUGHT[category]) - 1


def test_the_tables_are_large_enough_to_mean_something() -> None:
    """There is something of every category, and at least sixty texts in all."""
    assert set(CAUGHT) == set(CATEGORIES)
    assert len(TEXTS) >= 60


def test_one_text_with_everything() -> None:
    """The official SDK's own sample, without what survives there."""
    said = (
        "Hi John, mail a.b@ex.com or +1 415-555-1234, ssn 123-45-6789, cc 4111 1111 1111 1111, password: hunter2, "
        "api_key=sk_abc, 12 Main Street. Thanks Bob, token=zz"
    )
    assert REDACTOR.text(said) == (
        "Hi <REDACTED_NAME>, mail <REDACTED_EMAIL> or <REDACTED_PHONE>, ssn <REDACTED_SSN>, cc <REDACTED_CREDIT_CARD>,"
        " password: <REDACTED_SECRET>, api_key=<REDACTED_CREDENTIALS>, <REDACTED_ADDRESS>. Thanks <REDACTED_NAME>,"
        " token=<REDACTED_CREDENTIALS>"
    )


def test_a_secret_longer_than_any_bound_goes_whole() -> None:
    """What is judged is bounded; what is taken out is not."""
    assert REDACTOR.text(f"password={'x1' * 5_000}.") == "password=<REDACTED_SECRET>."
    assert REDACTOR.text(f"Bearer {MADE_UP * 200}, ok") == "Bearer <REDACTED_CREDENTIALS>, ok"


def test_the_applications_callable_comes_last() -> None:
    """It sees what the categories left, and what it answers is what leaves."""
    heard: list[str] = []

    def shout(text: str) -> str:
        heard.append(text)
        return text.upper()

    assert Redactor(also=shout).text("mail bob@example.com") == "MAIL <REDACTED_EMAIL>"
    assert heard == ["mail <REDACTED_EMAIL>"]


def test_a_callable_that_fails_costs_the_whole_text() -> None:
    """An exception, or an answer that is no text, lets nothing through."""

    def fail(text: str) -> str:
        raise LookupError(text)

    def forget(_: str) -> str:
        return None  # type: ignore[return-value]

    assert Redactor(also=fail).text("anything") == WHOLE
    assert Redactor(also=forget).text("anything") == WHOLE
    assert Redactor([], also=fail).text("anything") == WHOLE


def test_no_text_at_all_is_taken_out_too() -> None:
    """A caller's mistake does not raise out of the redactor, and leaves nothing."""
    assert REDACTOR.text(None) == WHOLE  # type: ignore[arg-type]
