"""Texts that tell nothing about anybody: each stays exactly as it is, as a text and as a value."""

# ruff: noqa: RUF001 -- people write in their own letters, quotes and dashes

from __future__ import annotations

import pytest

from raindrop_logging.redaction import Redactor

REDACTOR = Redactor()

NUMBERS = [
    "Order 4155552671 has shipped",
    "Order 415-555-2671 has shipped",
    "order number: 123456789012",
    "Order #4111111111111112 is late",
    "Invoice INV-2024-001234 is due on 2024-11-20",
    "tracking 1Z999AA10123456784",
    "SKU 0123-456-7890 is out of stock",
    "ticket 98765432109",
    "part 555-0199-2231",
    "serial 3141592653589793",
    "ISBN 978-3-16-148410-0 and ISBN-10: 0-306-40615-2",
    "EAN 4006381333931",
    "IMEI 490154203237518",
    "1763662207, 1763662207123, 1763662207123456 and 1763662207123456789",
    "2024-11-20T18:10:47.123456Z",
    "2024-11-20 18:10:47,123 INFO shop.agent line 415 of 2671",
    "20/11/2024, 11-20-2024 and 20.11.2024",
    "Wed, 20 Nov 2024 18:10:47 +0100",
    "192.168.100.200:8080, 10.0.0.1 and 255.255.255.255",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "00:1B:44:11:3A:B7",
    "$1,234,567.89 and €4.155.552.671,00",
    "1 234 567 890 EUR",
    "100 200 300 400 500",
    "52.520008, 13.404954",
    "+40.712812, -74.006015",
    "+40.7128-074.0060/",
    "48°51'24\"N 2°21'03\"E",
    "0.4111111111111111 and 4111111111111111.5",
    "3.14159265358979323846",
    "6.02214076e23 and 1e-9",
    "000-12-3456, 666-12-3456, 900-12-3456, 123-00-4567 and 123-45-0000",
    "1234-56-7890 and AB123-45-6789",
    "(155) 123-4567 and 100-200-3000",
    "555-1234",
    "+12345678",
    "mobile 2024-01-02 release",
    "4111 1111 1111 1112",
    "0000 0000 0000 0000",
    "**** **** **** 1111",
]

IDENTIFIERS = [
    "Version 1.2.3.4 and v2024.11.20-rc.1",
    "numpy==1.26.4 on Python 3.11.7",
    "1.0.0+20130313144700",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "md5 d41d8cd98f00b204e9800998ecf8427e",
    "uuid 123e4567-e89b-12d3-a456-426614174000",
    "uuid 41111111-1111-4111-8111-111111111111",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "rk_1",
    "AKIA is a prefix, and eyJ is how base64 of JSON begins",
    "sk-learn, task-123456789012345678 and sk-bratislava-apartment-with-view",
    "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ2Vy\n-----END CERTIFICATE-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ host",
    "npm install react@18.2.0 @babel/core@7.26.0 vue@3.2.min.js",
    "logo@2x.png and icon@3x.webp",
    "uses: actions/checkout@v4",
    "git clone git@github.com:acme/shop.git",
    "@user mentioned user@localhost, a @ b",
    "https://example.com/a/b?page=2&sort=asc#top",
    "https://example.com:8080/@scope/pkg",
]

CODE = [
    'password = os.environ["DB_PASSWORD"]',
    "password = getpass.getpass()",
    "login(user=user, password=password)",
    "if password == other.password:",
    'def login(user: str, password: str = "") -> Token:',
    "password: Optional[str] = None",
    "password: string;",
    "token = tokenizer.next()",
    "token = await client.get_token()",
    "const token = process.env.API_TOKEN",
    "self.token = token",
    "token=access_token",
    "api_key=None",
    "API_KEY=${API_KEY}",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    'api_key = "<your api key>"',
    'api_key: "{{ api_key }}"',
    "password: ********",
    "secrets: inherit",
    "auth:\n  enabled: true\n  db1_host: x",
    'headers["Authorization"] = f"Bearer {token}"',
    "Authorization: Bearer <token>",
    "Authorization: Bearer $TOKEN",
    "docker run -u 1000:1000 nginx",
    '@app.route("/users")',
    "max_tokens=4096, input_tokens: 31, total_tokens: 40",
    "tokenizer: cl100k_base",
    "next_page_token: abc, cost_per_token: 0.0000025",
    "primary_key: id1, keyboard: qwerty12",
    "SELECT * FROM orders WHERE id = 4155552671 AND state = 'open'",
    "for i in range(1000000): pass",
    'x = {"key": "value", "items": [1, 2, 3]}',
    'Traceback (most recent call last):\n  File "/srv/app/main.py", line 42, in <module>\nValueError: bad',
    "# Title\n\n- item **bold** `code`\n| a | b |\n|---|---|\n| 1 | 2 |",
    '<p class="a">4 items</p>',
    'print("Hello, World!")',
    "print _('Hello World')",
    "userid = passwd = acct = ''",
    "self.token = nextchar",
    "if token == 0x0f or len(authorization) == 2:",
    "if not (user or passwd): return None",
    "value.to_bytes(16, signed=True)",
    "Setting per-request cookies=<...> is deprecated",
]

JSON = [
    '{"a": 1, "b": [true, null, "x"], "n": 1.50}',
    '{ "order" :"A-1001","total":99.90 ,\n "currency":"EUR", "big": 123456789012345678901234567890 }',
    '{"a": 1, "a": 2, "caf\\u00e9": "\\n", "e": 1e5}',
    '["x", {"y": []}, {}]',
    '"a text in quotes"',
    '{"usage": {"input_tokens": 31, "output_tokens": 9, "total_tokens": 40}}',
    '{"type": "object", "properties": {"password": {"type": "string", "description": "what to log in with"}}}',
    '{"content": [{"token": "Hello", "logprob": -0.31, "bytes": [72]}]}',
    '{"password": null, "token": "", "has_secret": true, "cookies": []}',
    "{not: json}",
    "[INFO] started",
]

PROSE = [
    "Python",
    "Paris",
    "Hello World",
    "Hello, World!",
    "Hi there!",
    "Hi everyone,",
    "Dear customer,",
    "Dear Sir or Madam,",
    "Dear Hiring Manager,",
    "Hey Siri, set a timer",
    "Thanks again!",
    "Thanks everyone!",
    "Thank you very much.",
    "Best regards,\nThe Support Team",
    "Dr. Pepper and Mr. Clean",
    "Ms. Excel",
    "I'm German.",
    "I am Python developer",
    "My name is on the list",
    "This is Python",
    "Will you mark this May",
    "Mark the rose in the grace of hope",
    "Apple released the iPhone 15 Pro Max",
    "Visual Studio Code 1.95.0 on Windows 11 Pro 23H2",
    "Tesla Model 3, Boeing 737-800, PlayStation 5",
    "San Francisco and New York",
    "100 Best Places",
    "Bearer of bad news",
    "Bearer tokens are great",
    "Bearer authentication is required",
    "Authorization: required for all endpoints",
    "Basic Authentication",
    "Basic knowledge of SQL",
    "The password is required.",
    "The password is incorrect!",
    "Your password was changed.",
    "Password: must be at least 8 characters",
    "Forgot your password?",
    "The secret is out.",
    "The secret to success is practice.",
    "secret: the ingredients are fresh",
    "Token: a unit of text",
    "Cookie: a small text file",
    "Auth: OAuth2",
    "author: Jane Austen",
    "secretary: nobody",
    "5 minutes drive",
    "a 64 GB Drive and a 2 TB Drive",
    "3 Way Street",
    "In 2008 Wall Street crashed",
    "10 people on the street",
    "Spring 2024, String 12, Engineering 101",
    "Chapter 3, page 12; Section 12.3 of RFC 9110",
    "Auf Platz 3 landete Der Weg 12 km, Sitzplatz 12",
    "-----BEGIN PRIVATE KEY----- is how one begins",
    "Room 12, Box 12, Via Email 2 times",
    "90210 is a ZIP code in CA",
    "今天天气很好，我们去公园吧。",
    "東京タワーは333メートルです。",
    "한국어 문장입니다.",
    "Привет, как дела?",
    "مرحبا بالعالم",
    "🎉 party at 10:30 🎂",
    "",
    " \n\t",
    "\ud800 lone \udfff",
    "<REDACTED_EMAIL> <REDACTED> <REDACTED_CREDIT_CARD>",
]

LEFT_ALONE = [*NUMBERS, *IDENTIFIERS, *CODE, *JSON, *PROSE]


@pytest.mark.parametrize("text", [*NUMBERS, *IDENTIFIERS, *CODE, *PROSE], ids=lambda text: text[:50])
def test_what_tells_nothing_about_anybody_stays(text: str) -> None:
    """Not one character of a text changes."""
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize("text", LEFT_ALONE, ids=lambda text: text[:50])
def test_it_stays_inside_of_a_value_too(text: str) -> None:
    """Not in a list, not in bytes, and JSON keeps its blanks, its escapes and the way its numbers are written."""
    assert REDACTOR.value({"said": [text]}) == {"said": [text]}
    packed = text.encode("utf-8", "surrogatepass")
    assert REDACTOR.value(packed) == packed


def test_the_table_is_large_enough_to_mean_something() -> None:
    """There are more texts that stay than the sixty that were asked for."""
    assert len(set(LEFT_ALONE)) >= 60
