"""Take out of texts and values what must not leave: credentials, and what tells who somebody is.

A category is a few patterns, each with a judge that may leave what the pattern found: a card number by its checksum, an
SSN by the rules of its numbers, the word after "password:" because it is only the next word of the sentence. What is
taken out becomes the category's token; the text around it stays as it was, character by character.

Every pattern is bounded, or begins only where a run of its characters begins, so that the work grows with the length
of the text and no faster. Patterns are compiled with the first `Redactor`, not with the import.
"""

# ruff: noqa: RUF001 -- what people write has the quotes, dashes and letters that people use

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any, Final, NamedTuple

from raindrop_logging.errors import SettingsError, did_you_mean

TOKENS: Final[Mapping[str, str]] = {
    "credentials": "<REDACTED_CREDENTIALS>",
    "credit_cards": "<REDACTED_CREDIT_CARD>",
    "emails": "<REDACTED_EMAIL>",
    "phones": "<REDACTED_PHONE>",
    "ssns": "<REDACTED_SSN>",
    "secrets": "<REDACTED_SECRET>",
    "addresses": "<REDACTED_ADDRESS>",
    "names": "<REDACTED_NAME>",
}
"""Each category, in the order in which they are looked for, and what stands in the place of what it took out. The
tokens are those of the official SDK (wire contract, section 10)."""

CATEGORIES: Final[tuple[str, ...]] = tuple(TOKENS)

WHOLE: Final = "<REDACTED>"
"""Stands for what could not be looked at: a callable failed on it, or it is nested too deep."""

MAX_DEPTH: Final = 64
"""Levels of a value that are read, those of JSON inside of its texts included."""


# ---- the redactor --------------------------------------------------------------------------------------------------


class Redactor:
    """Redacts texts, values and blocks; what has been redacted once stays as it is.

    Args:
        categories: which of `CATEGORIES` to look for; their order is always that of `CATEGORIES`.
        also: a callable of the application's, which gets every text after them. A text that it fails on, or answers
            with anything but a text, is taken out whole.

    Raises:
        SettingsError: a category that there is not.
    """

    __slots__ = ("_reader",)

    def __init__(self, categories: Collection[str] = CATEGORIES, also: Callable[[str], str] | None = None) -> None:
        for category in categories:
            _check_category(category)
        self._reader = _Reader(frozenset(categories), also)

    def text(self, text: str) -> str:
        """The text without what the categories and the callable take out; never raises."""
        return _closed(self._reader.text, text)  # type: ignore[no-any-return]

    def value(self, value: Any) -> Any:
        """The same value, redacted: texts, JSON in texts, bytes, keys, numbers, what secret names hold; never raises.

        Lists, tuples and tables keep their shape and their number of entries; what is no plain value is left alone.
        """
        return _closed(self._reader.value, value)

    def block(self, block: Mapping[str, Any]) -> dict[str, Any]:
        """One `raindrop` block with its free texts redacted, and its ids, names and times as they are; never raises.

        What is no block, no field, or not of its field's type is redacted as a value: to name it is for others.
        """
        return self._reader.block(block)  # type: ignore[no-any-return]


def _closed(read: Callable[[Any], Any], value: Any) -> Any:
    """What ``read`` makes of a value; nothing leaves that could not be looked at."""
    try:
        return read(value)
    except Exception:  # noqa: BLE001 -- the application's callable, or a value nested deeper than the stack
        return WHOLE


class _Reader:
    """Reads values by some categories; its methods may raise, and `_closed` is how they are called."""

    def __init__(self, categories: frozenset[str], also: Callable[[str], str] | None) -> None:
        self._categories = categories
        named = (_Assigned(categories),) if categories & _NAMED_SECRETS else ()
        self._steps = (*named, *(step for name in CATEGORIES if name in categories for step in _steps(name)))
        self._also = also

    # ---- texts

    def text(self, text: str) -> str:
        return self._also_redacted(self._by_categories(text))

    def within(self, text: str, depth: int) -> str:
        """A text without the callable's part; where it is JSON, what that says."""
        redacted = _redacted_json(text, self, depth) if text.lstrip()[:1] in _JSON_STARTS else None
        return self._by_categories(text) if redacted is None else redacted

    def _by_categories(self, text: str) -> str:
        lowered = text.lower()
        for _ in range(_ROUNDS):
            before = text
            for step in self._steps:
                text = step(text, lowered)
            if text == before:
                break
        return text

    def _also_redacted(self, text: str) -> str:
        if self._also is None:
            return text
        said: Any = self._also(text)
        return said if isinstance(said, str) else WHOLE

    def _said(self, text: str, depth: int) -> str:
        return _closed(lambda said: self._also_redacted(self.within(said, depth)), text)  # type: ignore[no-any-return]

    # ---- values

    def value(self, value: Any, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._said(value, depth)
        if isinstance(value, int | float):
            return self.number(value)
        if isinstance(value, bytes | bytearray):
            return self._bytes(bytes(value), depth)
        if not isinstance(value, Mapping | list | tuple):
            return value
        if depth >= MAX_DEPTH:
            return WHOLE
        if isinstance(value, Mapping):
            return self._table(value, depth + 1)
        entries = [self._element(at, value, depth + 1) for at in range(len(value))]
        return entries if isinstance(value, list) else tuple(entries)

    def number(self, value: float) -> Any:
        if "credit_cards" in self._categories and 10**13 <= value < 10**19 and value == int(value):
            return TOKENS["credit_cards"] if _is_card(str(int(value))) else value
        return value

    def instead(self, name: Any, value: Any) -> str | None:
        """What stands in the place of a value because of the name it goes by; None where the name says nothing."""
        category = _category_of(name)
        if category is None or category not in self._categories or value is None or isinstance(value, bool):
            return None
        if category in _FITS:
            return TOKENS[category] if _FITS[category](value) else None
        empty = isinstance(value, str | bytes | bytearray | list | tuple | Mapping) and not value
        taken_out = isinstance(value, str) and re.fullmatch(_REDACTED, value)
        return None if empty or taken_out or _is_schema(value) else TOKENS["secrets"]

    def _table(self, table: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
        keys = _Keys(table)
        return {keys.instead(key, self.value(key, depth)): self._entry(key, table, depth) for key in table}

    def _entry(self, key: Any, table: Mapping[Any, Any], depth: int) -> Any:
        instead = self.instead(_name_of(key, table), table[key])
        return self.value(table[key], depth) if instead is None else instead

    def _element(self, at: int, values: Sequence[Any], depth: int) -> Any:
        before = values[at - 1] if at else None
        flag = before[2:] if isinstance(before, str) and before.startswith("--") else None  # of a command line
        instead = self.instead(flag, values[at])
        return self.value(values[at], depth) if instead is None else instead

    def _bytes(self, value: bytes, depth: int) -> bytes:
        text = value.decode("utf-8", "surrogateescape")  # what is not UTF-8 comes back as it was
        said = self._said(text, depth)
        return value if said == text else said.encode("utf-8", "surrogateescape")

    # ---- what holds only secrets, and what has fields

    def names_only(self, value: Any, depth: int = 0) -> Any:
        """A value whose texts stay, but for what secret names hold."""
        if depth >= MAX_DEPTH:
            return WHOLE
        if isinstance(value, list | tuple):
            return [self.names_only(entry, depth + 1) for entry in value]
        if not isinstance(value, Mapping):
            return value
        return {key: self._names_only_entry(key, entry, depth + 1) for key, entry in value.items()}

    def _names_only_entry(self, key: Any, value: Any, depth: int) -> Any:
        instead = None if _category_of(key) in _FITS else self.instead(key, value)
        return self.names_only(value, depth) if instead is None else instead

    def block(self, block: Any) -> Any:
        return self.fields(_BLOCK, block) if isinstance(block, Mapping) else _closed(self.value, block)

    def fields(self, readers: Mapping[str, _FieldReader], table: Mapping[Any, Any]) -> dict[Any, Any]:
        """A table by the readers of its fields; what is no field of it is free text, its key included."""
        keys, fields = _Keys(table), {}
        for key in table:
            if key in readers:
                fields[key] = _closed(partial(readers[key], self), table[key])
            else:
                said = keys.instead(key, _closed(self.value, key))
                fields[said] = _closed(lambda key: self._entry(key, table, 0), key)
        return fields


_ROUNDS: Final = 8
"""How often a text is looked at again after a change: what was taken out of one place can show what stands beside it
in another light. The first round without a change is the last, and that is nearly always the second."""


class _Keys:
    """Keeps the keys of one table apart: one that comes to read like another gets a number."""

    def __init__(self, keys: Iterable[Any]) -> None:
        self._taken = dict.fromkeys(keys, 1)

    def instead(self, key: Any, redacted: Any) -> Any:
        if redacted == key:
            return key
        said = redacted
        while said in self._taken:
            self._taken[redacted] += 1
            number = self._taken[redacted]
            said = redacted + b" %d" % number if isinstance(redacted, bytes) else f"{redacted} {number}"
        self._taken[said] = 1
        return said


def _name_of(key: Any, table: Mapping[Any, Any]) -> Any:
    """The name that the value under a key goes by: its key, but for the two-column tables that headers come in."""
    if key == "value":
        return table.get("name", table.get("key"))
    return None if key == "token" and "logprob" in table else key  # a model's token: a piece of a text


# ---- JSON in a text ------------------------------------------------------------------------------------------------

_JSON_STARTS: Final = ("{", "[", '"')
_LEXEME: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+'


def _redacted_json(text: str, reader: _Reader, depth: int) -> str | None:
    """A text that is JSON, redacted in place; None where it is none."""
    import json

    try:
        parsed = json.loads(text, object_pairs_hook=_Pairs, parse_int=_int)
    except ValueError:
        return None
    except RecursionError:
        return WHOLE if "\\" in text else None  # escapes would hide from the patterns
    return _JsonText(text, reader).redacted(parsed, depth)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object in its own order, keys that are said twice included."""


def _int(digits: str) -> int:
    return int(digits) if len(digits) <= _MOST_DIGITS else 0  # longer is no card, and Python refuses the longest


_MOST_DIGITS: Final = 19


class _JsonText:
    """Walks a JSON text beside what it says, and changes only the literals that are taken out."""

    def __init__(self, text: str, reader: _Reader) -> None:
        self._text = text
        self._reader = reader
        self._lexemes = re.finditer(_LEXEME, text)
        self._pieces: list[str] = []
        self._copied = 0

    def redacted(self, parsed: Any, depth: int) -> str:
        """The text; ``parsed`` is what it says."""
        self._walk(parsed, None, depth)
        return "".join([*self._pieces, self._text[self._copied :]])

    def _walk(self, said: Any, name: Any, depth: int) -> None:
        lexeme = next(self._lexemes)
        instead = self._reader.instead(name, dict(said) if isinstance(said, _Pairs) else said)
        if not isinstance(said, list):
            self._scalar(lexeme, said, instead, depth)
        elif instead is not None or depth >= MAX_DEPTH:
            self._replace(lexeme.start(), self._close(), WHOLE if instead is None else instead)
        elif isinstance(said, _Pairs):
            self._pairs(said, depth + 1)
        else:
            self._list(said, depth + 1)

    def _scalar(self, lexeme: re.Match[str], said: Any, instead: str | None, depth: int) -> None:
        if instead is None and isinstance(said, str):
            instead = self._reader.within(said, depth)
        elif instead is None and isinstance(said, int | float):
            instead = self._reader.number(said)
        if instead is not None and instead != said:
            self._replace(lexeme.start(), lexeme.end(), instead)

    def _pairs(self, pairs: _Pairs, depth: int) -> None:
        table = dict(pairs)
        keys = _Keys(table)
        for key, said in pairs:
            lexeme = next(self._lexemes)
            redacted = keys.instead(key, self._reader.within(key, depth))
            if redacted != key:
                self._replace(lexeme.start(), lexeme.end(), redacted)
            next(self._lexemes)  # the colon
            self._walk(said, _name_of(key, table), depth)
            next(self._lexemes)  # a comma, or the end
        if not pairs:
            next(self._lexemes)

    def _list(self, values: list[Any], depth: int) -> None:
        for at, said in enumerate(values):
            before = values[at - 1] if at else None
            self._walk(said, before[2:] if isinstance(before, str) and before.startswith("--") else None, depth)
            next(self._lexemes)
        if not values:
            next(self._lexemes)

    def _close(self) -> int:
        """Where the object or array ends that has just begun; its lexemes are passed over."""
        inside = 1
        for lexeme in self._lexemes:
            inside += (lexeme[0] in "{[") - (lexeme[0] in "}]")
            if not inside:
                return lexeme.end()
        return len(self._text)

    def _replace(self, start: int, end: int, said: str) -> None:
        import json

        is_ascii = self._text[start:end].isascii() or bool(re.search("[\ud800-\udfff]", said))
        self._pieces += (self._text[self._copied : start], json.dumps(said, ensure_ascii=is_ascii))
        self._copied = end


# ---- the fields of a block -----------------------------------------------------------------------------------------

_FieldReader = Callable[[_Reader, Any], Any]


def _free(reader: _Reader, value: Any) -> Any:
    return reader.value(value)


def _kept(reader: _Reader, value: Any) -> Any:
    """Ids, names and times stay; what cannot be one of them is free text."""
    return reader.value(value) if isinstance(value, Mapping | list | tuple | bytes | bytearray) else value


def _names_only(reader: _Reader, value: Any) -> Any:
    return reader.names_only(value) if isinstance(value, Mapping | list | tuple) else reader.value(value)


def _flags(reader: _Reader, value: Any) -> Any:
    is_flags = isinstance(value, Mapping) and all(isinstance(word, str) for flag in value.items() for word in flag)
    return value if is_flags else reader.value(value)


def _table(readers: Mapping[str, _FieldReader]) -> _FieldReader:
    """Reads a table by its fields; a text or a list in its place is free text."""
    return lambda reader, value: reader.fields(readers, value) if isinstance(value, Mapping) else reader.value(value)


def _each(one: _FieldReader) -> _FieldReader:
    return lambda reader, value: (
        [one(reader, entry) for entry in value] if isinstance(value, list | tuple) else reader.value(value)
    )


_ATTACHMENT: Final[Mapping[str, _FieldReader]] = dict.fromkeys(("type", "role", "language", "attachment_id"), _kept)
_CALLED: Final = _table({"name": _kept})
_TOOL_CALL: Final[Mapping[str, _FieldReader]] = {
    **dict.fromkeys(("id", "type", "name", "index"), _kept),
    "function": _CALLED,
}
_MESSAGE: Final[Mapping[str, _FieldReader]] = {
    "role": _kept,
    "tool_call_id": _kept,
    "tool_calls": _each(_table(_TOOL_CALL)),
}

_BLOCK: Final[Mapping[str, _FieldReader]] = {
    **dict.fromkeys(("type", "event_id", "user_id", "event", "convo_id", "model", "timestamp"), _kept),
    **dict.fromkeys(("name", "signal_type", "sentiment", "attachment_id"), _kept),
    **dict.fromkeys(("kind", "start_time", "end_time", "duration_ms", "version"), _kept),
    **dict.fromkeys(("trace_id", "span_id", "parent_id", "provider", "input_tokens", "output_tokens"), _kept),
    **dict.fromkeys(("input", "output", "properties", "comment", "after", "attributes"), _free),
    "feature_flags": _flags,
    "traits": _names_only,
    "tools": _names_only,
    "error": _table({"type": _kept}),
    "attachments": _each(_table(_ATTACHMENT)),
    "messages": _each(_table(_MESSAGE)),
}
"""How each field of the vocabulary is read. Traits exist to carry names and addresses, and tools are definitions: both
lose only what secret names hold."""


# ---- names that say what they hold ---------------------------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAMED_SECRETS: Final = frozenset({"credentials", "secrets"})
"""Categories whose names make a secret of any value that says something."""

_ALONE: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        _words("password passwords passwd pwd pw passphrase passcode secret secrets cvv cvc otp"), "secrets"
    ),
    **dict.fromkeys(_words("passwort kennwort senha wachtwoord contraseña contrasena пароль"), "secrets"),
    **dict.fromkeys(
        _words("token auth authorization bearer jwt cookie cookies creds credential credentials"), "credentials"
    ),
    **dict.fromkeys(_words("phone telephone tel cellphone fax msisdn"), "phones"),
    **dict.fromkeys(_words("firstname lastname surname fullname"), "names"),
    "ssn": "ssns",
}
"""Last words of a name that say what it holds, whatever stands before them."""

_ENDINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("password", "passwd", "passphrase", "secret", "密码", "密碼", "口令", "パスワード", "비밀번호"), "secrets"
    ),
    **dict.fromkeys(("apikey", "accesskey", "secretkey", "privatekey", "authkey", "authorization"), "credentials"),
    **dict.fromkeys(("accesstoken", "authtoken", "apitoken", "refreshtoken", "sessiontoken"), "credentials"),
    **dict.fromkeys(("bearertoken", "csrftoken", "xsrftoken", "idtoken", "bottoken"), "credentials"),
}
"""The same for words that were written as one."""

_SURE_ENDINGS: Final = tuple(ending for ending in _ENDINGS if ending != "secret")

_KEY_OF: Final = _words(
    "access account admin aes anthropic api app application auth aws azure client cohere consumer datadog"
    " decryption deploy encryption functions gcp gemini github gitlab google gpg groq hmac huggingface ingest"
    " ingestion integration langsmith licence license master mistral openai pgp pinecone private raindrop root rsa"
    " secret sendgrid session shared signing ssh stripe subscription twilio webhook write"
)
_TOKENS_OF: Final = _words("access api auth bearer bot csrf id oauth personal refresh secret security session")
_PASS_OF: Final = _words(
    "admin app auth basic db email ftp http ldap login mail mongo mysql pg postgres proxy redis root smtp sql ssh user"
)

_AFTER: Final[Mapping[str, Mapping[str, str]]] = {
    **dict.fromkeys(("key", "keys"), dict.fromkeys(_KEY_OF, "credentials")),
    "tokens": dict.fromkeys(_TOKENS_OF, "credentials"),
    "pass": dict.fromkeys(_PASS_OF, "secrets"),
    "pin": dict.fromkeys(_words("atm card debit sim user"), "secrets"),
    "passe": {"de": "secrets"},
    "phrase": dict.fromkeys(_words("pass recovery seed"), "secrets"),
    **dict.fromkeys(("code", "codes"), dict.fromkeys(_words("auth authorization backup recovery security"), "secrets")),
    "number": {
        **dict.fromkeys(_words("phone mobile telephone cell fax"), "phones"),
        "card": "credit_cards",
        "security": "ssns",
    },
    "name": dict.fromkeys(_words("first last full given family middle maiden customer patient"), "names"),
    "address": dict.fromkeys(_words("street home billing shipping mailing postal delivery residential"), "addresses"),
    "line": {"address": "addresses"},
    "phone": dict.fromkeys(_words("cell home work mobile"), "phones"),
    "card": {"credit": "credit_cards", "debit": "credit_cards"},
}
"""Last words that say something only after certain words."""

_NOT_AFTER: Final[Mapping[str, frozenset[str]]] = {
    "token": _words(
        "average bos cached cancellation cls completion continuation count end eos first generated input last mask max"
        " min next output pad page per prefix prev previous prompt reasoning sep special start stop sync total unk"
        " usage"
    ),
    "auth": _words("has is needs no o requires with without"),
}
"""Words that make the one after them something else: the tokens of a model, and those of pages."""

_TRAILING: Final = _words(
    "again confirm confirmation current default dev digest encrypted hash header here live new old plain"
    " plaintext prod production raw repeat staging test value"
)
"""Words behind a name that change nothing about what it holds; any others (type, count, expires_at) do."""

_WORD_ENDS: Final = r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_LONGEST_NAME: Final = 100


def _category_of(name: Any) -> str | None:
    """The category of what a name such as ``dbPassword``, ``X-Api-Key`` or ``OPENAI_API_KEY`` holds."""
    if isinstance(name, bytes):
        name = name.decode("ascii", "replace")
    return _category_of_text(name) if isinstance(name, str) and len(name) <= _LONGEST_NAME else None


@lru_cache(maxsize=4096)
def _category_of_text(name: str) -> str | None:
    words = [] if "<REDACTED" in name else _name_words(name)  # a token says what was there, not what follows
    while words[1:] and words[-1] in _TRAILING:
        words.pop()
    if not words:
        return None
    last, before = words[-1], words[-2] if words[1:] else ""
    if before and before in _NOT_AFTER.get(last, ()):
        return None
    after = _AFTER.get(last, {}).get(before) or _ALONE.get(last)
    return after or next((category for ending, category in _ENDINGS.items() if last.endswith(ending)), None)


def _name_words(name: str) -> list[str]:
    parts = (part.lower().strip("0123456789") for part in re.split(_WORD_ENDS, name))
    return [part for part in parts if part]


_SCHEMA_EXAMPLES: Final = _words("const default enum example examples")
_SCHEMA_WORDS: Final = _SCHEMA_EXAMPLES | _words(
    "$ref additionalProperties allOf anyOf description format items maxLength maximum minLength minimum nullable"
    " oneOf pattern properties readOnly required title type writeOnly"
)


def _is_schema(value: Any) -> bool:
    """Whether a table only says of what type something is: a tool's parameter may be called a password."""
    if not isinstance(value, Mapping) or not value.keys() <= _SCHEMA_WORDS:
        return False
    return any(word in value for word in ("type", "$ref", "anyOf")) and not any(map(value.get, _SCHEMA_EXAMPLES))


def _is_phone_value(value: Any) -> bool:
    return _is_digits(value, r"[+(]?\d[\d\s().+/\-]{5,24}", range(7, 16))


def _is_ssn_value(value: Any) -> bool:
    return _is_digits(value, r"\d{3}\D?\d{2}\D?\d{4}", range(9, 10))


def _is_card_value(value: Any) -> bool:
    return _is_digits(value, r"\d[\d\s\-]{10,30}", range(12, _MOST_DIGITS + 1))


def _is_digits(value: Any, pattern: str, lengths: range) -> bool:
    text = str(value) if isinstance(value, int) else value
    return isinstance(text, str) and bool(re.fullmatch(pattern, text)) and sum(map(str.isdigit, text)) in lengths


def _is_name_value(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[^\W\d_][^\d_/@<>{}]{0,80}", value))


def _is_address_value(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not re.fullmatch(_REDACTED, value)


_FITS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "phones": _is_phone_value,
    "ssns": _is_ssn_value,
    "credit_cards": _is_card_value,
    "names": _is_name_value,
    "addresses": _is_address_value,
}
"""What a value must look like to be what its name says; the names of credentials and secrets need no more than a value
that says something."""


# ---- patterns and their judges -------------------------------------------------------------------------------------

_Step = Callable[[str, str], str]
"""Takes a category out of a text; beside it comes the text in lower case, as it was before the first step."""

_REDACTED: Final = r"<REDACTED(?:_[A-Z]{1,11}){0,2}>"


def _always(_: re.Match[str]) -> bool:
    return True


class _Rule(NamedTuple):
    """What is taken out: the group ``out`` of a pattern, or all that it matches, where the judge agrees.

    One of the words of ``needs`` must be in the text in lower case, or it is not searched. ``overlapping`` goes on
    right behind the first character of what was left, because a number that is none may begin before one that is; its
    patterns must be bounded.
    """

    pattern: str
    judge: Callable[[re.Match[str]], bool] = _always
    needs: tuple[str, ...] = ()
    overlapping: bool = False


class _Taking:
    """A rule's step over a text."""

    def __init__(self, rule: _Rule, token: str) -> None:
        self._pattern = re.compile(rule.pattern)
        self._group = "out" if "out" in self._pattern.groupindex else 0
        self._judge = rule.judge
        self._needs = rule.needs
        self._overlapping = rule.overlapping
        self._token = token

    def __call__(self, text: str, lowered: str) -> str:
        if self._needs and not any(word in lowered for word in self._needs):
            return text
        pieces: list[str] = []
        copied = at = 0
        while found := self._pattern.search(text, at):
            start, end = found.span(self._group)
            if self._judge(found):
                pieces += (text[copied:start], self._token)
                copied = at = end
            else:
                at = found.start() + 1 if self._overlapping else max(found.end(), found.start() + 1)
        return "".join([*pieces, text[copied:]]) if pieces else text


@cache
def _steps(category: str) -> tuple[_Step, ...]:
    """A category's steps, compiled once a process."""
    rules, token = _RULES[category], TOKENS[category]
    return tuple(_Taking(rule, token) if isinstance(rule, _Rule) else rule(token) for rule in rules)


def _before(found: re.Match[str]) -> str:
    """What stands right before a number, as far as it can say what the number is."""
    return found.string[max(0, found.start() - 60) : found.start()]


# ---- what stands after the name of a secret ------------------------------------------------------------------------

_HINTS: Final = (
    *("pass", "pwd", "pw", "secret", "token", "key", "auth", "cookie", "cred", "bearer", "jwt", "otp", "cvv", "cvc"),
    *("pin", "code", "phrase", "kennwort", "senha", "wachtwoord", "contrase", "пароль"),
    *("密码", "密碼", "口令", "パスワード", "비밀번호"),
)
"""Without one of these in lower case there is no name of a secret in a text."""

_TAGS: Final = r"(?:</?(?:b|i|em|strong|code|td|th|tr|span|p|dt|dd)>\s{0,3}){0,4}"
_NAME: Final = rf"(?<![\w.])(?P<name>[^\W\d][\w.\-]{{0,80}}(?: [\w\-]{{1,40}})?)[\\\"'`*_\])}}]{{0,5}}\s{{0,3}}{_TAGS}$"
_SIGN: Final = (
    rf"(?P<sign>=>|</t[dh]>\s{{0,3}}(?=<t[dh])|:=|={{1,3}}|[:：](?<!::)(?!:))[*_]{{0,3}}\s{{0,3}}{_TAGS}"
    r"|--(?<![\w\-]--)(?P<flag>[a-z][\w\-]{1,60})\s{1,3}"
)
"""A name and the sign behind it, as in headers, assignments, JSON, YAML, URLs, HTML tables and command lines."""

_NAME_REACH: Final = 140
"""Characters before a sign in which its name begins."""

_SCHEME: Final = r"(?i:bearer|basic|token|negotiate|ntlm|apikey|api-key|dpop)\s{1,3}"
_PARAMETERS: Final = r"(?i:digest|hawk|oauth|aws4-hmac-sha256)\s{1,3}(?=\w{1,40}=)"
_OPENING: Final = r"[bfruBFRU]{0,2}(?P<quote>\\{0,3}[\"'`])"
_UNQUOTED: Final = (
    rf"(?:{_REDACTED}|[^\s\"'`,;&<>]|[,;&](?!\s|$|[\w.\-]{{1,40}}\s{{0,3}}[:=])|[\"'](?=\w)|<(?![/A-Za-z!])|>(?=\w))"
)
_LONG: Final = 512
"""Characters that a value is judged by; what is taken out ends where the value ends."""

_SIGNS: Final = ".,;:!?)]}*\"'`”’"
"""Signs at the end of a value that belong to the sentence around it."""


class _Assigned:
    """Takes out what stands after the name of a secret: ``password: hunter2``, ``"token": "…"``, ``?api_key=…``."""

    def __init__(self, categories: frozenset[str]) -> None:
        self._categories = categories & _NAMED_SECRETS
        self._sign = re.compile(_SIGN)
        self._name = re.compile(_NAME)
        self._opening = re.compile(_OPENING)
        self._scheme = re.compile(_SCHEME)
        self._parameters = re.compile(_PARAMETERS)
        self._start = re.compile(f"{_UNQUOTED}{{1,{_LONG}}}")
        self._rest = re.compile(f"{_UNQUOTED}*")
        self._line = re.compile(r"(?:=\"[^\"\r\n]*\"|[^\r\n\"'`])*")
        self._cookie = re.compile(r"[\w.\-]{1,128}=")
        self._names_more = re.compile(r"\s{1,2}=(?!=)")

    def __call__(self, text: str, lowered: str) -> str:
        if not any(hint in lowered for hint in _HINTS):
            return text
        pieces: list[str] = []
        copied = 0
        for found in self._sign.finditer(text):
            if found.start() < copied:
                continue
            name = found["flag"] or self._name_before(text, max(copied, found.start() - _NAME_REACH), found.start())
            category = _category_of(name)
            if category is None or category not in self._categories:
                continue
            start, end = self._place(text, found, name)
            if start < end:
                pieces += (text[copied:start], TOKENS[category])
                copied = end
        return "".join([*pieces, text[copied:]]) if pieces else text

    def _name_before(self, text: str, start: int, end: int) -> str:
        found = self._name.search(text, start, end)
        return found["name"] if found else ""

    def _place(self, text: str, found: re.Match[str], name: str) -> tuple[int, int]:
        """Where the secret is that a name announces; nowhere where there is none."""
        opening = self._opening.match(text, found.end())
        start, end = (opening.end(), _closing(text, opening)) if opening else (found.end(), None)
        is_cookie = name.lower().endswith(("cookie", "cookies")) and self._cookie.match(text, start)
        if is_cookie or self._parameters.match(text, start):
            return start, _end(self._line, text, start) if end is None else end
        scheme = self._scheme.match(text, start)
        start = scheme.end() if scheme else start
        if end is not None:
            return (start, end) if _is_secret(text[start:end]) else _NOWHERE
        value = self._start.match(text, start)
        if value is None or self._names_more.match(text, value.end()):
            return _NOWHERE
        if "\n" in found[0] and value[0].endswith(":"):  # a key of its own, in a nested table
            return _NOWHERE
        said = value[0].rstrip(_SIGNS)
        is_last = text[value.end() : value.end() + 1] in ("", "\n", "\r", "<")
        is_sure = scheme or (found["sign"] and _is_sure(name, found[0], said, is_last=is_last))
        if not _is_said(said, name) or not (is_sure or _is_random(said)):
            return _NOWHERE
        end = value.end() if len(value[0]) < _LONG else _end(self._rest, text, value.end())
        return start, start + len(text[start:end].rstrip(_SIGNS))


_NOWHERE: Final = (0, 0)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _closing(text: str, opening: re.Match[str]) -> int | None:
    """Where a quoted value ends, on the same line; None where it does not."""
    quote = opening["quote"]
    inside = rf"(?:(?!{re.escape(quote)})[^\n])*" if len(quote) > 1 else rf"[^{quote}\\\n]*(?:\\.[^{quote}\\\n]*)*"
    found = re.compile(f"{inside}(?={re.escape(quote)})").match(text, opening.end())
    return found.end() if found else None


_PLACEHOLDER: Final = (
    rf"{_REDACTED}|\$(?:[A-Z_][A-Z0-9_]*|[a-z_.]+)|\$?\{{.*\}}|\$[({{].*|%[a-z(].{{0,40}}|<[^<>]*>"
    r"|[*•xX.\-_?#…]{2,}|…"
)
"""What stands for a secret without being one: a token of ours, a gap in a template, a row of asterisks."""

_CODE: Final = (
    r"[A-Za-z_][\w.]*[(\[].*|[(\[{*&:@|?\-].{0,2}|[(\[{].*|<.*|0[xX][0-9a-fA-F]+"
    r"|(?:self|this|os|sys|process|config|settings|args|opts|options|request|req|env|secrets|kwargs|ctx|params)\.[\w.]+"
)
_LITERALS: Final = _words(
    "any array assert await bool boolean break bytes char continue dict else false float inherit int integer"
    " lambda list map new nil no none null number object optional pass print raise return secretstr str string"
    " text true undefined unknown uuid varchar yes yield"
)
_PROSE: Final = _words(
    "a after again all also always an and are as at authentication authorization be been before being below but"
    " by can cannot case change changed compromised correct create do does empty enabled enter expected expired"
    " expires field for forgot forgotten found from generate get given good had has have here hidden how i if in"
    " incorrect input invalid is it its kept leave length let list long longer made make managed management"
    " manager may mismatch missing must my need needed needs never no not nothing of on one only or our out per"
    " please protected protection provide provided required reset right rotation safe same secure see sent set"
    " short should so some something stolen store stored strong that the their them then there these they this to"
    " too type unchanged unique up update updated use used user users using valid validation was we weak what when"
    " where which who will with without wrong you your"
)
"""Words that go on with a sentence where a secret would stand."""

_WORD: Final = r"[^\W\d_]+(?:-[^\W\d_]+)*"
_ALGORITHM: Final = (
    r"(?i:(?:oauth|oidc|sha|md|hs|rs|es|aes|base|utf|tls|ssl|saml|http|ed)[\-_.]?\d{1,5}(?:[\-_.]\w{1,4})*|x\.?509|s3)"
)
_RANDOM: Final = (
    r"(?=.{6})(?=.*\d)(?=.*[^\W\d_]).*|.*[a-z][A-Z].*(?<=.{8})|.*(?:[._+/=~].*){2}|(?=.{6}).*[!@#$%^&*].*|\d{8,}"
)


def _is_secret(said: str) -> bool:
    """Whether a text in quotes can be the secret that its name announces."""
    return bool(said.strip()) and not re.fullmatch(_PLACEHOLDER, said) and said.lower() not in _LITERALS


def _is_said(said: str, name: str) -> bool:
    """The same for a text without quotes, which may be code, or the next word of the sentence."""
    if not _is_secret(said) or said.lower() in _PROSE or re.fullmatch(_CODE, said):
        return False
    is_variable = re.fullmatch(r"[^\W\d](?:[\w.\-](?<!\d))*", said) and _category_of(said) in _NAMED_SECRETS
    words = _name_words(said)
    return not (is_variable and (len(words) > 1 or words == _name_words(name)[-1:]))


def _is_sure(name: str, sign: str, said: str, *, is_last: bool) -> bool:
    """Whether a name and its sign are enough: an assignment, an identifier, "password:"."""
    words, category = _name_words(name), _category_of(name)
    if category == "credentials" and "=" in sign and sign[-1].isspace():
        return not re.fullmatch(
            r"[^\W\d][^\W\d.]*|\d{1,3}", said
        )  # code assigns and compares them; keys look otherwise
    if "=" in sign or (" " not in name and len(words) > 1) or words[-1].endswith(_SURE_ENDINGS):
        return True
    return category == "secrets" and (words[-1] not in ("secret", "secrets") or is_last)


def _is_random(said: str) -> bool:
    """Whether a text looks made by a machine, or for one: no word, version or name of an algorithm."""
    known = rf"{_WORD}|{_ALGORITHM}|v?\d+(?:\.\d+)+|https?://.*"
    return bool(re.fullmatch(_RANDOM, said, re.DOTALL)) and not re.fullmatch(known, said)


def _is_stated(found: re.Match[str]) -> bool:
    """After "the password is": a secret, unless it is how the password is."""
    said, name = found["out"], found["name"].lower()
    if name == "pin":
        return said.isdigit()
    if not _is_said(said, name):
        return False
    if not _is_password_name(name):
        return _is_random(said)
    if not re.fullmatch(_WORD, said):
        return len(said) >= _SHORTEST_STATED
    ends = re.match(r"[\"'`”’]?(?:[.,;!?)]|\s*$|\s*\n)", found.string[found.end("out") :][:4])
    return len(said) >= _SHORTEST_STATED and bool(ends) and not re.fullmatch(_ADJECTIVE, said)


def _is_quoted(found: re.Match[str]) -> bool:
    said = found["out"]
    return _is_secret(said) and (_is_password_name(found["name"].lower()) or _is_random(said))


def _is_password_name(name: str) -> bool:
    return name.startswith("mot de") or (not name.startswith("secret") and _category_of(name) == "secrets")


_SHORTEST_STATED: Final = 4
_ADJECTIVE: Final = r"(?i).*(?:ed|ing|able|ible|ly|ive|al|ic|ary|ory|ent|ant|ful|less|ous|ak|rong|nown)"


# ---- credentials ---------------------------------------------------------------------------------------------------

_KEY_SHAPES: Final = (
    r"sk-[\w\-]{16,}",  # OpenAI, Anthropic, OpenRouter and others
    r"(?:sk|rk)_(?:live|test)_\w{10,}",  # Stripe
    r"rk_[\w\-]{12,}",  # Raindrop
    r"whsec_[\w+/=]{20,}",
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas)-[\w\-]{16,}",
    r"xox[abeoprs](?:\.[a-z]{3,6})?-[\w\-]{10,}",
    r"xapp-\d-[\w\-]{10,}",
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    r"AIza[\w\-]{35}",
    r"ya29\.[\w\-]{20,}",
    r"GOCSPX-[\w\-]{20,}",
    r"npm_[A-Za-z0-9]{30,}",
    r"pypi-[\w\-]{50,}",
    r"do[opr]_v1_[a-f0-9]{40,}",
    r"hf_[A-Za-z0-9]{30,}",
    r"(?:gsk|r8|fw|pcsk|nvapi|xai|pplx|sbp|lin_api|ntn|figd|glsa|phx|rpa)[_-][\w\-]{30,}",
    r"lsv2_(?:pt|sk)_\w{30,}",
    r"shp(?:at|ss|ca|pa)_[A-Fa-f0-9]{32}",
    r"SG\.[\w\-]{16,40}\.[\w\-]{30,}",
    r"key-[0-9a-f]{32}(?![\w])",  # Mailgun
    r"SK[0-9a-f]{32}(?![\w])",  # Twilio
    r"EAA[A-Za-z0-9]{50,}",
    r"sq0(?:atp|csp)-[\w\-]{20,}",
    r"dapi[a-f0-9]{32}(?![\w])",
    r"hv[sbr]\.[\w\-]{24,}",
    r"sntry[su]_[\w+/=\-]{30,}",
    r"NRAK-[A-Z0-9]{27}",
    r"AT[AC]TT3[\w=\-]{50,}",
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    r"secret_[A-Za-z0-9]{40,}",
    r"tskey-[\w\-]{20,}",
    r"\d{8,10}:AA[\w\-]{32,}",  # Telegram
    r"[MNO][A-Za-z\d]{23,27}\.[\w\-]{6}\.[\w\-]{27,}",  # Discord
)
"""Keys that their issuers made to be recognised."""

_BASE64: Final = r"A-Za-z0-9+/"
_PEM: Final = (
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^\-]|-(?!----))*-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
    rf"|(?:(?:\s|\\[nr])*[{_BASE64}=]{{16,}})+)"  # the end was cut off
)


def _is_key(found: re.Match[str]) -> bool:
    """A key of 16 characters and more has a digit, or letters of both cases; a name with dashes has not."""
    return bool(re.search(r"\d|[a-z][A-Z]|[A-Z][a-z]", found[0].partition("-")[2] or found[0]))


def _is_no_placeholder(found: re.Match[str]) -> bool:
    return not re.fullmatch(_PLACEHOLDER, found["out"])


def _is_random_out(found: re.Match[str]) -> bool:
    return _is_random(found["out"]) and _is_no_placeholder(found)


def _is_basic(found: re.Match[str]) -> bool:
    """Whether a text is base64 of ``user:password``."""
    from binascii import Error, a2b_base64

    try:
        said = a2b_base64(found["out"] + "=" * (-len(found["out"]) % 4))
    except (Error, ValueError):
        return False
    return b":" in said and said.isascii() and said.decode().isprintable()


def _is_user_password(found: re.Match[str]) -> bool:
    return not found["out"].isdigit() and _is_no_placeholder(found)


def _is_pin(found: re.Match[str]) -> bool:
    return bool(re.search(r"(?i)(?<![\w\-])pin(?: code| number)?\s?[:=]\s{0,2}$", _before(found)))


_CREDENTIALS: Final = (
    _Rule(_PEM, needs=("private key",)),
    _Rule(
        r"(?<![A-Za-z0-9+.\-])[a-zA-Z][a-zA-Z0-9+.\-]{1,20}://[^\s/?#:@\"'<>]{0,128}:(?P<out>[^\s/?#\"'<>]{1,512})@",
        _is_no_placeholder,
        needs=("://",),
    ),
    _Rule(
        rf"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{{16}}[\s,:;|\"'/]{{1,4}}(?P<out>[{_BASE64}]{{40}})(?![{_BASE64}=])",
        needs=("akia", "asia"),
    ),
    _Rule(rf"(?<![A-Za-z0-9_])(?:{'|'.join(_KEY_SHAPES)})", _is_key),
    _Rule(r"(?<![A-Za-z0-9_\-])eyJ[\w\-]{5,}\.[\w\-]{5,}(?:\.[\w\-]*)*", needs=("eyj",)),
    _Rule(r"(?<!\w)(?i:bearer)[ :=]{1,3}(?P<out>[\w.~+/\-]{6,}=*)(?<!\.)", _is_random_out, needs=("bearer",)),
    _Rule(rf"(?<!\w)(?i:basic)[ :]{{1,2}}(?P<out>[{_BASE64}]{{6,}}={{0,2}})", _is_basic, needs=("basic",)),
    _Rule(
        r"(?<!\w)curl\b[^\n]{0,300}?\s(?:-u|--user)[ =][\"']?[^\s:\"']{1,64}:(?P<out>[^\s\"']{1,128})",
        _is_user_password,
        needs=("curl",),
    ),
    _Rule(
        r"(?i)[?&](?:x-(?:amz|goog)-(?:signature|credential|security-token)|sig|signature)=(?P<out>[^\s&#\"'<>]{8,})",
        needs=("sig", "x-amz", "x-goog"),
    ),
    _Rule(r"hooks\.slack\.com/(?:services|workflows)/(?P<out>[\w/\-]{20,})", needs=("hooks.slack.com",)),
    _Rule(r"discord(?:app)?\.com/api/webhooks/\d{5,25}/(?P<out>[\w\-]{30,})", needs=("api/webhooks",)),
)

_STATED: Final = (
    r"pass(?:word|wd|code|phrase|key)|pwd|passwort|kennwort|mot de passe|contrase(?:ñ|n)a|senha|пароль|pin"
    r"|secret(?: (?:key|word|phrase|code))?|(?:api|access|secret|private|auth)[ _-]?(?:key|token)|token"
)
_STATED_SO: Final = (
    rf"(?i)(?<![\w\-])(?P<name>{_STATED})(?:\s(?:for|to|of|on|at)\s[^\n.:;,]{{1,40}}?)?"
    r"(?:'s|’s|\s(?:is|was|ist|war|lautet|est|es|é))(?:\s(?:now|still|currently|just|simply|set to))?:?\s{1,3}"
)
_STATED_NEEDS: Final = ("pass", "pwd", "kennwort", "contrase", "senha", "пароль", "pin", "secret", "key", "token")
_SECRETS: Final = (
    _Rule(rf"{_STATED_SO}[\"'“‘`](?P<out>[^\"'“”‘’`\n]{{1,100}})[\"'”’`]", _is_quoted, needs=_STATED_NEEDS),
    _Rule(
        rf"{_STATED_SO}(?P<out>{_UNQUOTED}{{0,200}}(?:{_REDACTED}|[^\s.,;:!?)\]}}*\"'`”’<>]))",
        _is_stated,
        needs=_STATED_NEEDS,
    ),
    _Rule(r"\d(?<!\w\d)\d{3}(?![\w\-.,]\d|\w)", _is_pin, needs=("pin",)),
)


# ---- credit cards --------------------------------------------------------------------------------------------------

_BLANK: Final = " .\u00a0\u2009\u202f\\-\u2010-\u2013"
"""Signs that stand between the groups of a number."""

_ISSUERS: Final = (
    (r"4", (16, 19)),  # Visa; of 13 digits none have been issued for long, but bar codes have
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
    (r"3[47]", (15,)),  # American Express
    (r"30[0-5]|3095|36|3[89]", (14, 16)),  # Diners Club
    (r"6011|64[4-9]|65", (16, 19)),  # Discover
    (r"35(?:2[89]|[3-8])", (16,)),  # JCB
    (r"62|81", (16, 17, 18, 19)),  # UnionPay
    (r"50[0-9]|5[6-8]|6304|67", (16, 17, 18, 19)),  # Maestro, Elo, RuPay
    (r"60|82|220[0-4]|9792|63[67]", (16,)),  # RuPay, Hipercard, Mir, Troy, Elo
)


def _is_card(digits: str) -> bool:
    """Whether digits are of a length that an issuer of this prefix uses, with Luhn's checksum."""
    if not any(len(digits) in lengths and re.match(prefix, digits) for prefix, lengths in _ISSUERS):
        return False
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def _is_card_found(found: re.Match[str]) -> bool:
    return _is_card(re.sub(r"\D", "", found[0]))


def _grouped(first: str, *groups: str) -> _Rule:
    """A rule for digits in groups, with the same sign between all of them."""
    second, *others = (rf"\d{{{length}}}" for length in groups)
    rest = f"(?P<sign>[{_BLANK}]){second}" + "".join(f"(?P=sign){group}" for group in others)
    return _Rule(rf"\d(?<![0-9A-Za-z_]\d)\d{{{first}}}{rest}(?![0-9A-Za-z_])", _is_card_found, overlapping=True)


_CREDIT_CARDS: Final = (
    _Rule(r"\d(?<![0-9A-Za-z_]\d)(?<!\d\.\d)\d{13,18}(?![0-9A-Za-z_]|\.\d)", _is_card_found),
    _grouped("3", "4", "4", "4", "3"),
    _grouped("3", "4", "4", "4"),
    _grouped("3", "6", "4,5"),
)


# ---- e-mail addresses ----------------------------------------------------------------------------------------------

_AT: Final = ("@", "%40", "＠", r"\u0040")
_EMAIL: Final = (
    r"(?<![\w.%+'~\-])(?P<local>[\w.%+'~\-]+)(?:@|%40|＠|\\u0040)"
    r"(?P<domain>(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.){1,8}"
    r"(?:xn--[A-Za-z0-9\-]{2,40}|[A-Za-z]{2,24}|[^\W\d_A-Za-z][^\W\d_A-Za-z]{1,9}))(?![A-Za-z0-9_])"
)
_NO_MAIL: Final = r"\d{1,3}\.\d{1,3}\..*|\d(?:\.\d)?x\.(?:png|jpe?g|gif|svg|webp|avif)"
"""What follows an @ as a version, or as an image's resolution."""


class _Emails:
    """Takes out e-mail addresses; text that is written without blanks before one stays."""

    def __init__(self, token: str) -> None:
        self._pattern = re.compile(_EMAIL)
        self._token = token

    def __call__(self, text: str, lowered: str) -> str:
        return self._pattern.sub(self._without, text) if any(sign in lowered for sign in _AT) else text

    def _without(self, found: re.Match[str]) -> str:
        local, domain = found["local"], found["domain"]
        if local == "git" or not local.strip("._-+%'~") or re.fullmatch(_NO_MAIL, domain):
            return found[0]
        return local[: _local_start(local)] + self._token


def _local_start(local: str) -> int:
    """Where the local part begins in a run of letters: text before it may be of a script that needs no blanks."""
    is_plain = not _is_caseless(local[-1])
    start = next((at for at in range(len(local), 0, -1) if is_plain and _is_caseless(local[at - 1])), 0)
    return start + len(local[start:]) - len(local[start:].lstrip("'.-~"))


def _is_caseless(letter: str) -> bool:
    return letter.isalpha() and letter.lower() == letter.upper()


# ---- phone numbers -------------------------------------------------------------------------------------------------

_GAP: Final = r"[ .\-/()\u00a0\u2009\u202f\u2010-\u2013]"
_COUNTRY: Final = (
    r"1|7|2(?:0|7|[1-689]\d)|3(?:[0-469]|[578]\d)|4(?:[013-9]|2\d)|5(?:[1-8]|[09]\d)|6(?:[0-6]|[789]\d)"
    r"|8(?:[1246]|[035789]\d)|9(?:[0-58]|[679]\d)"
)
_NOT_A_PHONE: Final = (
    r"(?i)(?:order|invoice|ticket|case|ref|reference|sku|part|serial|item|model|tracking|isbn|issn|doi|version"
    r"|build|commit|job|run|batch|lot|claim|policy|transaction|bestellung|rechnung|article)s?\W{0,3}"
    r"(?:(?:number|no|nr|id|code)\W{0,3})?$"
)
_PHONE_NAMED: Final = (
    r"(?i)(?<![\w\-])(?:(?:(?:tele)?phone|telefon|téléphone|teléfono|telefone|tel|mobile|mobil|handy|portable|móvil|celular"
    r"|cell ?phone|fax|whats ?app|sms|hotline|телефон)(?:[ _-]?(?:numbers?|nummer|no|nr|#))?"
    r"|(?:call|text|ring|reach|phone|dial|fax|message|contact)(?:ed)?(?: (?:me|us|him|her|them|back))?"
    r"(?: (?:at|on|under|via))?)"
    r"(?:\W{0,3}(?:is|:|=))?[\s:=\"'.*]{1,4}$"
)
_DATE_OR_ADDRESS: Final = (
    r"(?:19|20)\d\d[-/.]\d\d?[-/.]\d\d?.*|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d.*|\d{1,3}(?:\.\d{1,3}){3}"
)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _is_dotted(text: str) -> bool:
    """Whether the dots in a number are those of a decimal number, not of a phone number's groups."""
    return "." in text and not re.fullmatch(r"\D?\d{1,4}(?:\.\d{2,4}){2,6}", text)


def _is_international(found: re.Match[str]) -> bool:
    said = found[0]
    digits = _digits(said)
    digits = digits.removeprefix("00")
    least = 8 if re.search(r"\d\D+\d", said) else 10
    if len(digits) < least or _is_dotted(said) or not re.match(_COUNTRY, digits):
        return False
    return bool(re.fullmatch(r"1[2-9]\d{2}[2-9]\d{6}", digits)) if digits[0] == "1" else True


def _is_local(found: re.Match[str]) -> bool:
    before = _before(found)
    in_a_row = re.search(r"\d $", before) and not found[0].startswith("(")
    return not in_a_row and not re.search(_NOT_A_PHONE, before) and len(_digits(found[0])) in _LOCAL_LENGTHS


_LOCAL_LENGTHS: Final = (10, 11)


def _is_named_phone(found: re.Match[str]) -> bool:
    said = found[0]
    if not re.search(_PHONE_NAMED, _before(found)) or re.fullmatch(_DATE_OR_ADDRESS, said):
        return False
    return not _is_dotted(said) or bool(re.fullmatch(r"\d{3}\.\d{4}", said))


_NANP: Final = r"[2-9]\d\d"
_LEFT: Final = r"0-9A-Za-z_+\-./#$€£@"
"""Signs before a number that make it part of something else."""

_RIGHT: Final = r"(?![0-9A-Za-z_]|[.\-]\d)"
_ZERO: Final = rf"0(?<![{_LEFT}]0)[1-9]"

_PHONES: Final = (
    _Rule(
        rf"(?:\(\+(?<![{_LEFT}]\(\+)|\+(?<![{_LEFT}]\+))1\)?{_GAP}{{0,2}}\(?{_NANP}\)?{_GAP}{{0,2}}{_NANP}{_GAP}{{0,2}}\d{{4}}{_RIGHT}"
    ),
    _Rule(
        rf"(?:\(\+(?<![{_LEFT}]\(\+)|\+(?<![{_LEFT}]\+))[1-9](?:{_GAP}{{0,2}}\d){{6,14}}(?![0-9A-Za-z_])",
        _is_international,
    ),
    _Rule(rf"0(?<![{_LEFT}]0)0[1-9]\d{{0,2}}{_GAP}(?:{_GAP}?\d){{6,12}}(?![0-9A-Za-z_])", _is_international),
    _Rule(
        rf"[(1-9](?<![{_LEFT}].)(?:(?<=1)[ .\-][(2-9])?(?:(?<=\(){_NANP}\)[ \-]?{_NANP}[ .\-]\d{{4}}{_RIGHT}"
        rf"|(?<=[2-9])\d\d(?P<sign>[ .\-]){_NANP}(?P=sign)\d{{4}}{_RIGHT}(?!\s\d{{3}}))",
        _is_local,
        overlapping=True,
    ),
    _Rule(rf"{_ZERO}(?P<sign>[ .\-])\d\d(?:(?P=sign)\d\d){{3}}{_RIGHT}(?! \d)", _is_local),  # France
    _Rule(  # the United Kingdom, Japan, Australia
        rf"(?:\(0(?<![{_LEFT}]\(0)[1-9]\d{{0,3}}\)|{_ZERO}\d{{0,3}})[ \-]\d{{3,4}}[ \-]\d{{3,4}}{_RIGHT}(?! \d)",
        _is_local,
    ),
    _Rule(rf"{_ZERO}\d{{3}} \d{{6}}{_RIGHT}(?! \d)", _is_local),
    _Rule(rf"[(\d](?<![{_LEFT}].)\d?(?:{_GAP}{{0,2}}\d){{6,14}}{_RIGHT}", _is_named_phone),
)


# ---- social security numbers ---------------------------------------------------------------------------------------

_SSN_NAMED: Final = (
    r"(?i)(?<![A-Za-z])(?:ssn|social(?: security)?(?: (?:number|no|nr|#))?)\W{0,3}(?:(?:is|was)\W{1,2})?$"
)


def _is_ssn(found: re.Match[str]) -> bool:
    """Whether the groups are ones that are given out; without dashes, and in a row, only where it is said to be one."""
    area, sign, group, serial = found.group("area", "sign", "group", "serial")
    if area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000":
        return False
    before = _before(found)
    in_a_row = before.endswith("-") or (sign == " " and bool(re.search(r"\d $", before) or found["next"]))
    return (sign not in ("", ".") and not in_a_row) or bool(re.search(_SSN_NAMED, before))


_SSNS: Final = (
    _Rule(
        r"(?P<out>(?P<area>\d(?<![\w.]\d)\d\d)(?P<sign>[ .\-\u2010-\u2013]?)(?P<group>\d\d)(?P=sign)(?P<serial>\d{4}))"
        r"(?!\w|[\-.]\d)(?P<next> \d)?",
        _is_ssn,
    ),
)


# ---- addresses -----------------------------------------------------------------------------------------------------

_CAPITAL: Final = r"[A-ZÀ-ÖØ-ÞŁŚŠŽČĎŇŘŤŐŰĞİŞ]"
_NAME_WORD: Final = rf"(?:{_CAPITAL}\w{{0,2}}\.|{_CAPITAL}[\w'’\-]{{0,25}})"
_STREET: Final = (
    r"(?:(?:Street|Avenue|Road|Boulevard|Lane|Drive|Court|Place|Square|Terrace|Way|Parkway|Circle|Highway|Close|Crescent"
    r"|Gardens|Grove|Mews|Row|Walk|Alley|Trail|Loop|Plaza|Embankment)(?![\w'’])"
    r"|(?:St|Ave|Rd|Blvd|Ln|Dr|Ct|Pl|Sq|Ter|Pkwy|Cir|Hwy)(?![\w'’])\.?)"
)
_STATE: Final = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AT]"
    r"|W[AIVY])"
)
_ZIP: Final = r"\d{5}(?:-\d{4})?(?!\d)"
_POSTCODE: Final = r"[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}(?!\w)"
_UNIT: Final = (
    r"(?:,?\s(?:(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Flat|Room|Rm)\.?\s?#?\s?[\w\-]{1,6}|#\s?[\w\-]{1,6}))?"
)
_NATION: Final = (
    r"(?:,?\s(?:USA|U\.S\.A\.|US|UK|United States|United Kingdom|England|Canada|Deutschland|Germany|France)(?!\w))?"
)
_TOWN: Final = rf"(?:(?:,\s?|\s){_NAME_WORD}){{1,5}}"
_TAIL: Final = rf"(?:{_TOWN}(?:,\s?|\s)(?:{_ZIP}|{_POSTCODE}){_NATION}|,?\s{_POSTCODE})?"
_CONTINENTAL: Final = (
    rf"(?:(?:,\s?|\s)(?:[A-Z]{{1,2}}-)?\d{{4,5}}(?:\s?[A-Z]{{2}})?\s{_NAME_WORD}"
    rf"(?:[\s\-](?:am|an der|im|ob der|sur|de|la|{_NAME_WORD})){{0,3}})"
)
_OF: Final = (
    r"(?:de la |de l['’]|de los |de las |della |delle |dei |degli |des |del |du |de |da |do |dos |d['’]|la |le |les )"
)
_GERMAN: Final = r"(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|damm|ufer|chaussee|promenade)"
_GERMAN_WORD: Final = r"(?:Stra(?:ß|ss)e|Str\.|Weg|Platz|Allee|Gasse|Damm|Ufer|Chaussee|Promenade)"
_HOUSE: Final = r"\d{1,4}\s?[a-z]?(?:\s?[\-–/]\s?\d{1,4}[a-z]?)?(?!\w|[.,]\d)"
_NUMBER: Final = rf"\d(?<![{_LEFT}]\d)(?<!\d \d)\d{{0,5}}"

_NO_STREET: Final = (
    r"(?:GB|TB|MB|KB|USB|SSD|Wheel|Way|Hard|Flash|Disk|Hour|Day|Minute|Star|Google|One|Cloud|Test|Wall|Best|Great|Third|"
    r"First|Last|Only|Other|Same|New|Python|The|Of|In|And|Or|Pages?|Steps?|Questions?)"
)


_NO_GERMAN_STREET: Final = (
    r"(?:Auf|Beim?|Das|De[nmrs]|Die|Ein\w*|Im|In|Kein\w*|Mein\w*|Mit|Vom?|Zum?|Zur) .*|\w+ (?:Platz|Weg|Damm|Ufer) .*"
    r"|(?:Arbeits|Lager|Listen|Park|Podest|Sitz|Spiel|Start|Steh|Stell|Tabellen)platz .*|(?:Heim|Hin|Rück|Um)weg .*"
)


def _is_street(found: re.Match[str]) -> bool:
    """Whether a number before a street's name is a house's, not a year or the size of a drive."""
    number, name = found[0].split(maxsplit=2)[:2]
    if re.fullmatch(_NO_STREET, name):
        return bool(re.search(rf"{_ZIP}|{_POSTCODE}", found[0][len(number) :]))
    is_year = re.fullmatch(r"(?:1[789]|20)\d\d", number)
    return not (is_year and re.search(r"(?i)\b(?:in|since|by|until|of|from|after|before|during)\s$", _before(found)))


def _is_german_street(found: re.Match[str]) -> bool:
    """Whether a street has a name, or a postal code behind it: "auf Platz 3" is a rank."""
    return bool(found["town"]) or not re.fullmatch(_NO_GERMAN_STREET, found[0], re.DOTALL)


_ADDRESSES: Final = (
    _Rule(
        rf"{_NUMBER}(?:-\d{{1,4}})?[A-Za-z]?\s(?:(?:{_NAME_WORD}|\d{{1,3}}(?:st|nd|rd|th))\s){{1,4}}?"
        rf"{_STREET}(?:\s(?:[NS][EW]?|[EW])(?!\w)\.?)?{_UNIT}{_TAIL}",
        _is_street,
    ),
    _Rule(
        rf"{_NUMBER}\s(?:{_NAME_WORD}\s?){{1,3}}{_UNIT},\s{_NAME_WORD}(?: {_NAME_WORD}){{0,2}},\s{_STATE}\s{_ZIP}"
        rf"{_NATION}"
    ),
    _Rule(
        r"(?i)(?<!\w)(?:(?:lives?|lived|living|reside[sd]?|located|moved|ship(?:ped)?|deliver(?:ed)?|send it) (?:at|to)"
        r"|address(?: is|:)) (?P<out>\d{1,6}[a-z]? (?:[a-z\d'’\-]{1,25} ){1,3}?"
        rf"{_STREET}{_UNIT})",
        needs=("live", "living", "reside", "located at", "moved to", "ship", "send it to", "address"),
    ),
    _Rule(
        r"(?<!\w)(?i:p\.?\s?o\.?\s?box|post office box|postfach|boîte postale)\s#?\d{1,6}(?:\s\d\d){0,2}(?!\w)"
        rf"(?:{_CONTINENTAL}|{_TAIL})",
        needs=("box", "postfach", "postale"),
    ),
    _Rule(rf"{_CAPITAL}(?<!\w\w)[\w'’\-]{{1,25}}\.?(?: {_NAME_WORD}){{0,2}},\s{_STATE}\s{_ZIP}{_NATION}"),
    _Rule(rf"[A-Z](?<!\w\w)[A-Z](?<={_STATE})\s\d{{5}}-\d{{4}}(?!\w)"),
    _Rule(  # Germany, Austria, Switzerland
        rf"{_CAPITAL}(?<![\w\-].)(?:(?:[\w\-]{{0,30}} ){{0,2}}?(?:[\w\-]{{0,30}}?{_GERMAN}|{_GERMAN_WORD})"
        rf"|(?<=S)tra(?:ß|ss)e)(?:\sdes\s\d{{1,2}}\.\s{_NAME_WORD})?\s{_HOUSE}(?P<town>{_CONTINENTAL})?",
        _is_german_street,
        needs=("straße", "strasse", "str.", "weg", "platz", "allee", "gasse", "damm", "ufer", "chaussee", "promenade"),
    ),
    _Rule(
        r"(?<![\w\-])(?:A(?:m|n der|n den|uf der|uf dem|lter|lte)|I(?:m|n der)|Unter den|Zu[mr]"
        rf"|{_CAPITAL}\w{{1,25}}ring)(?: {_NAME_WORD}){{0,2}}\s{_HOUSE}{_CONTINENTAL}",
        needs=("am ", "an de", "auf de", "alte", "im ", "in der ", "unter den ", "zum ", "zur ", "ring "),
    ),
    _Rule(
        rf"{_CAPITAL}(?<![\w\-].)[\w\-]{{1,25}}(?:straat|gracht|laan|plein|kade|dijk|singel)\s{_HOUSE}{_CONTINENTAL}?",
        needs=("straat", "gracht", "laan", "plein", "kade", "dijk", "singel"),
    ),
    _Rule(
        rf"{_NUMBER}(?:\s?(?:bis|ter|quater))?,?\s(?i:rue|avenue|av\.|boulevard|bd|allée|impasse|quai)\s"
        rf"{_OF}{{0,2}}{_NAME_WORD}(?:[ \-]{_OF}{{0,2}}{_NAME_WORD}){{0,3}}{_CONTINENTAL}?",
        needs=("rue ", "avenue ", "av. ", "boulevard ", "bd ", "allée ", "impasse ", "quai "),
    ),
    _Rule(
        rf"{_NUMBER}(?:\s?(?:bis|ter))?,?\s(?i:place|chemin|cours|route|square|passage)\s{_OF}{{1,2}}"
        rf"{_NAME_WORD}(?:[ \-]{_NAME_WORD}){{0,3}}{_CONTINENTAL}?",
        needs=("place ", "chemin ", "cours ", "route ", "square ", "passage "),
    ),
    _Rule(
        rf"(?<!\w)(?:Calle|C/|Avenida|Avda\.?|Plaza|Paseo|Carrer|Rua|Travessa) {_OF}{{0,2}}{_NAME_WORD}"
        rf"(?: {_OF}{{0,2}}{_NAME_WORD}){{0,3}},? \d{{1,5}}(?!\w|[.,]\d){_CONTINENTAL}?",
        needs=("calle ", "c/ ", "avenida ", "avda", "plaza ", "paseo ", "carrer ", "rua ", "travessa "),
    ),
    _Rule(
        rf"(?<!\w)(?:Via|Viale|Piazza|Corso|Vicolo) {_OF}{{0,2}}{_NAME_WORD}(?: {_OF}{{0,2}}{_NAME_WORD}){{0,3}}"
        rf",? \d{{1,5}}{_CONTINENTAL}",
        needs=("via ", "viale ", "piazza ", "corso ", "vicolo "),
    ),
)


# ---- names of people -----------------------------------------------------------------------------------------------

_TITLE: Final = (
    r"(?:D(?:r|R|octor)|M(?:r|R|rs|RS|s|S|x|iss|onsieur|adame|me)|Prof(?:essor)?|Herrn?|Frau|S(?:eñora?|ra|ignora?))"
)
_GREETING: Final = (
    r"(?:[Dd]ear|[Hh](?:i|ello|ey|iya|owdy|ola|allo|ej)|[Gg](?:reetings|ood (?:morning|afternoon|evening|day)|entile"
    r"|uten (?:Tag|Morgen|Abend))|[Ww]elcome(?: back)?|[Bb](?:onjour|onsoir|uongiorno|este)|[Ss](?:alut|ehr geehrter?)"
    r"|[Cc](?:her|hère|iao|aro|ara)|[Ee]stimad[oa]|[Qq]uerid[oa]|[Ll]ieber?|[Mm]oin|[Oo]lá|[Pp]rezad[oa]|[Пп]ривет"
    r"|[Зз]дравствуйте|[Уу]важаем(?:ый|ая)|[Дд]орог(?:ой|ая))"
)
_CLOSING: Final = (
    r"(?:[Rr](?:egards|espectfully)|[KkBbWw](?:ind|est|arm|armest|indest) (?:[Rr]egards|[Ww]ishes)|[Bb]est"
    r"|[Aa]ll the best|[Ss](?:incerely(?: yours)?|aludos)|[Yy]ours (?:sincerely|faithfully|truly)"
    r"|[Cc](?:heers|ordialement|ordiali saluti)|[Mm]any thanks|[Tt](?:hank you(?: so much| very much)?"
    r"|hanks(?: again| so much| a lot)?|ake care)|[Ll]ove"
    r"|[MmVvLl](?:it freundlichen|iele|iebe) [Gg]r(?:ü|ue)(?:ß|ss)en?|[Aa]t(?:entamente|enciosamente)|[Сс] уважением)"
)
_THANKS: Final = r"(?:[Tt]h(?:ank you|anks|x)|[Cc]heers|[Dd]anke|[Mm]erci|[Gg]r(?:acias|azie)|[Oo]brigad[oa])"
_STATEMENT: Final = (
    r"(?:[Mm](?:y (?:full |first |last )?name(?: is|['’]s)|on nom est|e llamo|i nombre es|ein Name ist|i chiamo"
    r"|eu nome é)|I(?: am|['’]m) called|[Cc]all me|[Jj]e m['’]appelle|[Ii](?:ch hei(?:ß|ss)e|l mio nome è)"
    r"|[Ee]u me chamo|[Мм]еня зовут)"
)
_LABEL: Final = (
    r"(?:(?:[Ff](?:ull|irst|amily)|[Ll]ast|[Gg](?:iven|uest)|[Cc](?:ustomer|lient|ardholder|ontact)|[Pp](?:atient|assenger)"
    r"|[Aa]ccount [Hh]older)(?:['’]s)? [Nn]ame|[Cc]ontact [Pp]erson|[Aa]tt(?:n|ention)|[Ss](?:igned(?: by)?|urname))"
)
_STOP: Final = r"\s{0,2}(?:[,!.:;?()\"'”<>\n\r，。！、；]|[\-–—]|$)"
_GOES_ON: Final = (
    r"|\s(?:and|&|und|et|y|e|how|can|could|would|will|i|i['’]m|i['’]ve|we|my|it|it['’]s|please|just|hope|thanks|thank|sorry"
    r"|this|for|from|here)(?!\w)"
)
_LINE_ENDS: Final = r"[ \t]*[,.]?[ \t]*(?:[\r\n]|$)"


class _Place(NamedTuple):
    """Where a text says that a name comes: what stands before it, what stands behind it, how many words it has."""

    before: str
    after: str = ""
    least: int = 1
    lower: bool = False


_PLACES: Final = (
    _Place(rf"{_TITLE}\.?[ \u00a0]"),
    _Place(rf"{_GREETING},?[ ]{{1,2}}(?:{_TITLE}\.?[ ])?", _STOP + _GOES_ON),
    _Place(rf"{_STATEMENT}:?[ ]", _STOP + _GOES_ON, lower=True),
    _Place(rf"{_CLOSING}[,.!]{{0,2}}[ \t]{{0,4}}[\r\n]{{1,6}}[ \t]{{0,4}}(?:[\-–—~] ?)?", _LINE_ENDS),
    _Place(rf"{_CLOSING},[ ]", _STOP),
    _Place(rf"{_THANKS}[ ]", _STOP + r"|\sfor(?!\w)"),
    _Place(rf"{_LABEL}\s?:[ ]{{0,2}}[\"'*]{{0,2}}[ ]?", _STOP),
    _Place(r"I(?:['’]m| am)[ ]", _STOP + _GOES_ON, least=2),
    _Place(r"(?:[Tt]his is|[Yy]ou are speaking (?:to|with))[ ]", r"\s(?:speaking|calling|here)(?!\w)"),
    _Place(rf"{TOKENS['names']} (?:and|&|und|et|y|e)[ ]", _STOP),
    _Place(r"我叫|我的名字(?:是|叫)", _STOP),
)

_PARTICLES: Final = _words("van von de der den da di la le du del bin ibn al ten ter el zu dos das y")
_MOST_WORDS: Final = 4
_NO_NAMES: Final = _words(
    "a again agent ah ai alexa all america amigo amigos an and android angular anybody anyone assistant attendee"
    " attendees audience aws azure babe baby back bean bing boss bot both bro brother buddy bye chat chatgpt chief"
    " city claude clean co coach colleague colleagues committee community company copilot customer customers"
    " darling day dear department developers diary digital docker doctor doubtfire dr editor employee engineering"
    " everybody everyone excel false family fellow folks follower for frau friday friend friends from gemini"
    " gentlemen github god good google gpt guest guys herr hiring honey how hr human i if in it java javascript"
    " jesus kitty kubernetes ladies lady legal linux lord ma'am madam madame management manager mate mates me"
    " member members microsoft miss monday monsieur moon mother mr mrs ms mum mx my name neighbor neighbour"
    " neighbours no none not null of office oh ok okay on openai our pal parents party people pepper prof"
    " professor python react reader readers regards resident robot ruby rust sales santa saturday seuss sir siri"
    " slack sql staff strange stranger students subscriber sunday support sweetheart teacher team thank thanks"
    " that the there this thursday to true tuesday undefined universe unknown user users valued very vue we"
    " wednesday welcome windows wizard world wow yes you your yours"
)
_NO_SURNAMES: Final = _words(
    "academy agency american analyst architect asia association bank canadian center centre co college committee"
    " company corp corporation council data department desk developer director engineer engineering foundation"
    " german gmbh group inc institute journal lab labs language learner limited llc ltd manager model native"
    " office officer owner project school science scientist services software speaker specialist student studio"
    " support systems teacher team technologies university user"
)
_WORD_OF_NAME: Final = r"(?:[^\W\d_]\.){1,3}|[^\W\d_](?:[\w'’\-]{0,39}\w)?"


class _Names:
    """Takes out people's names where a text says that one comes; a word with a capital letter alone says nothing."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._word = re.compile(_WORD_OF_NAME)
        places = "|".join(f"(?P<at{number}>{place.before})" for number, place in enumerate(_PLACES))
        self._before = re.compile(rf"(?<![^\W\u2e80-\uffff])(?:{places})")
        self._places = {f"at{number}": (re.compile(place.after), place) for number, place in enumerate(_PLACES)}

    def __call__(self, text: str, lowered: str) -> str:  # noqa: ARG002 -- what stands before a name may be anything
        pieces: list[str] = []
        copied = 0
        for found in self._before.finditer(text):
            after, place = self._places[found.lastgroup or ""]
            start = found.end()
            end = self._end_of_name(text, start, after, place)
            if end is not None and start >= copied:
                pieces += (text[copied:start], self._token)
                copied = end
        return "".join([*pieces, text[copied:]]) if pieces else text

    def _end_of_name(self, text: str, start: int, after: re.Pattern[str], place: _Place) -> int | None:
        """Where the name ends that begins here: as many words as the text behind them allows; None where none does."""
        words = self._words(text, start, lower=place.lower)
        while len(words) >= place.least:
            end = words[-1].end()
            if after.match(text, end) and _is_person([word[0].rstrip(".") for word in words]):
                return end
            words.pop()
        return None

    def _words(self, text: str, start: int, *, lower: bool) -> list[re.Match[str]]:
        words: list[re.Match[str]] = []
        named = 0
        while named < _MOST_WORDS and (word := self._word.match(text, start)):
            is_particle = word[0] in _PARTICLES and bool(words)
            if word[0][0].islower() and not is_particle and not (lower and not words):
                break
            words.append(word)
            named += not is_particle
            if text[word.end() : word.end() + 1] != " ":
                break
            start = word.end() + 1
        while words and words[-1][0] in _PARTICLES:
            words.pop()
        return words


def _is_person(words: Sequence[str]) -> bool:
    lowered = {word.lower() for word in words if len(word) > 1}
    if not lowered or lowered & (_NO_NAMES | _NO_SURNAMES) or "REDACTED" in words[0]:
        return False
    if words[0][0].islower() and (words[0] in _PROSE or len(words[0]) < _SHORTEST_NAME):  # "my name is on the list"
        return False
    return ord(words[0][0]) < _FIRST_IDEOGRAPH or len(words[0]) <= _MOST_IDEOGRAPHS


_SHORTEST_NAME: Final = 3
_FIRST_IDEOGRAPH: Final = 0x2E80
_MOST_IDEOGRAPHS: Final = 4


# ---- all categories, and the handler's key -------------------------------------------------------------------------

_RULES: Final[Mapping[str, Sequence[_Rule | Callable[[str], _Step]]]] = {
    "credentials": _CREDENTIALS,
    "credit_cards": _CREDIT_CARDS,
    "emails": (_Emails,),
    "phones": _PHONES,
    "ssns": _SSNS,
    "secrets": _SECRETS,
    "addresses": _ADDRESSES,
    "names": (_Names,),
}


def read_redactor(said: bool | Sequence[str] | str) -> Redactor | None:
    """The redactor that the handler's key ``redact`` asks for; None where it asks for none.

    Args:
        said: false; true for all categories; a list of categories; or the path of a callable, ``module:function`` or
            ``module.function``, which is imported here and gets every text after all categories.

    Raises:
        SettingsError: an unknown category, a path that leads nowhere, or anything else.
    """
    if isinstance(said, bool):
        return Redactor() if said else None
    if isinstance(said, str) and (":" in said or "." in said):
        return Redactor(CATEGORIES, _imported(said))
    categories = [said] if isinstance(said, str) else said
    if not isinstance(categories, list | tuple) or not categories:
        raise SettingsError(
            f"'redact' is {said!r}: it must be true, false, a list of categories, or the path of a callable"
            f" (module:function); the categories are {', '.join(CATEGORIES)}"
        )
    return Redactor(categories)


def _check_category(category: Any) -> None:
    if category in CATEGORIES:
        return
    hint = did_you_mean(str(category).lower().replace("-", "_").replace(" ", "_"), CATEGORIES)
    raise SettingsError(f"'redact' names {category!r}{hint} (the categories are {', '.join(CATEGORIES)})")


def _imported(path: str) -> Callable[[str], str]:
    from inspect import iscoroutinefunction
    from pkgutil import resolve_name

    try:
        found = resolve_name(path)
    except Exception as error:
        raise SettingsError(f"'redact' is {path!r}: importing it failed, {type(error).__name__}: {error}") from error
    if not callable(found):
        raise SettingsError(f"'redact' is {path!r}: that is a {type(found).__name__}, and must be a callable")
    if iscoroutinefunction(found):
        raise SettingsError(f"'redact' is {path!r}: that is a coroutine function, and must be one that answers at once")
    return found  # type: ignore[no-any-return]
