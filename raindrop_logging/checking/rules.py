"""Every rule of `raindrop-logging check`, by its code.

RL1xx  the file and what dictConfig makes of it        RL3xx  which record reaches which handler
RL2xx  the keys of a RaindropHandler                   RL4xx  what differs between Pythons
"""

from __future__ import annotations

from typing import Final

from raindrop_logging.checking.finding import Rule

_RULES: Final = (
    Rule("RL101", "file that cannot be read", "nothing in it can be checked, and no service could load it"),
    Rule("RL102", "no configuration in it", "dictConfig takes a table; a Python module must name one", refused=True),
    Rule("RL103", "'version' is not 1", "dictConfig refuses every other version, and none", refused=True),
    Rule("RL104", "misspelt key", "dictConfig passes over keys that it does not know, so what it says never happens"),
    Rule("RL105", "key that nothing reads", "dictConfig passes over keys that it does not know", "warning"),
    Rule("RL106", "key twice in one table", "the last one wins, and what stands under the first is lost"),
    Rule("RL107", "wrong kind of value", "dictConfig expects a table, a list of names or a text there", refused=True),
    Rule("RL108", "name that does not exist", "a handler, filter or formatter of the file is named", refused=True),
    Rule("RL109", "class that does not exist", "it cannot be imported, or is of another kind", refused=True),
    Rule("RL110", "wrong arguments for a class", "it does not take a key, or needs one that is missing", refused=True),
    Rule("RL111", "level that is none", "levels are DEBUG, INFO and so on in capitals, or whole numbers", refused=True),
    Rule("RL112", "level of your own", "it must be added by logging.addLevelName before the file is loaded", "warning"),
    Rule("RL113", "format that does not fit its style", "logging checks the format when it is set up", refused=True),
    Rule("RL114", "text where true or false is meant", "any text is true, 'false' too"),
    Rule("RL115", "env:// outside of a RaindropHandler", "only keys of a RaindropHandler read variables by it"),
    Rule("RL116", "wrong value for a class of logging's own", "it fails at set-up, or at a log call"),
    Rule("RL117", "handler without a class", "'class' or '()' says what it is", refused=True),
    Rule("RL118", "field of a format that is nearly one of logging's", "a line without such a field fails", "warning"),
    Rule("RL201", "unknown key of a RaindropHandler", "no key is ever ignored", refused=True),
    Rule("RL202", "wrong value of a RaindropHandler's key", "what cannot work is refused at set-up", refused=True),
    Rule("RL203", "keys that do not go together", "one needs another", refused=True),
    Rule("RL204", "key without effect", "another key would have to be different for it to matter", "warning"),
    Rule("RL205", "write key in the file", "who reads the file can send in your name"),
    Rule("RL206", "password in the file", "who reads the file can use your proxy"),
    Rule("RL207", "endpoint without https", "the write key and every conversation cross the network in the clear"),
    Rule("RL208", "certificates are not verified", "anyone in between can read the write key and every conversation"),
    Rule("RL209", "spool in a temporary directory", "a reboot or a cleaner deletes what was to be kept", "warning"),
    Rule("RL210", "variable that is not set (with --env)", "set-up is refused without it"),
    Rule("RL211", "write key's variable is not set (with --env)", "nothing is sent without a key", "warning"),
    Rule("RL212", "placeholder that nothing fills in", "only env://NAME is read from the environment", "warning"),
    Rule("RL213", "RaindropHandler behind a MemoryHandler", "blocks are taken late, without their context", "warning"),
    Rule("RL214", "QueueHandler in front without CaptureFilter", "blocks are taken late, without context", "warning"),
    Rule("RL301", "handler twice on the way of one record", "each line is written twice", "warning"),
    Rule("RL302", "two RaindropHandlers to one destination", "records that reach both are sent twice", "warning"),
    Rule("RL303", "level that hides AI records", 'log.info("ai", ...) never arrives'),
    Rule("RL304", "RaindropHandler that no logger has", "nothing is ever sent"),
    Rule("RL305", "disable_existing_loggers left out", "loggers made before, as modules do, fall silent", "warning"),
    Rule("RL306", "diagnostics that nobody sees", "trouble is told on the logger 'raindrop_logging'", "warning"),
    Rule("RL307", "logger 'raindrop' out of reach", "begin(), track() and spans log on it by default"),
    Rule("RL308", "HideRaindrop on the way to a RaindropHandler", "it keeps back the very records to be sent"),
    Rule("RL401", "QueueHandler as only Python 3.12 knows it", "3.11 builds neither a queue nor a listener"),
    Rule("RL402", "QueueHandler without handlers", "early releases of Python 3.12 refuse it"),
    Rule("RL403", "listener that nobody starts", "dictConfig builds it; starting it is up to your code", "warning"),
    Rule("RL404", "'defaults' of a formatter", "Python 3.11 passes over them; each line then fails"),
    Rule("RL405", "flushLevel by name", "Python 3.11, and early releases of 3.12, keep the text: log calls then raise"),
    Rule(
        "RL406", "own QueueHandler by 'class'", "since Python 3.12 dictConfig treats subclasses its own way", "warning"
    ),
    Rule("RL407", "class object under 'class'", "Python 3.11 takes only a text there"),
)

RULES: Final = {rule.code: rule for rule in _RULES}
