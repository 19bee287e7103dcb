"""Passwords and tokens are removed from text before it is printed or stored."""

import os
import re
from typing import Final
from urllib.parse import unquote

_HIDDEN: Final = "***"
_SECRET_VARIABLES: Final = re.compile(r"(PASSWORD|PASSWD|TOKEN|SECRET|CREDENTIALS|_KEY)$")
_SHORTEST: Final = 4  # characters of a value that is searched for in text
# The part before the host. `host:5000/a@b` has a port and no password; a password may contain a
# slash that should have been encoded.
_USER_END: Final = r":(?:[^\s/'\"]*|(?!\d+/)[^\s'\"]*)@"
_USER: Final = re.compile(rf"(?<=://)[^\s/:@'\"]*(?:{_USER_END}|@)")
_USER_IN_TEXT: Final = re.compile(rf"(?<=://)([^\s/:@'\"]*){_USER_END}")
_ASSIGNMENT: Final = re.compile(r"(?i)\b((?:ssl)?password|passwd|pwd|token|secret)=[^\s&;'\"]+")


def without_password(uri: str) -> str:
    """Return the URI without user name and password, also those of its query."""
    return _ASSIGNMENT.sub(rf"\1={_HIDDEN}", _USER.sub("", uri, count=1))


def redact(text: str) -> str:
    """Replace passwords of URIs and settings, and the secrets of the environment, by `***`.

    The values of variables such as `MLFLOW_TRACKING_TOKEN` and the passwords of URIs in variables
    are found wherever the text contains them as a word, encoded as in the URI or not.
    """
    text = _USER_IN_TEXT.sub(f"{_HIDDEN}@", text)
    text = _ASSIGNMENT.sub(rf"\1={_HIDDEN}", text)
    for secret in _environment_secrets():
        if secret in text:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _HIDDEN, text)
    return text


def _environment_secrets() -> set[str]:
    secrets = set()
    for name, value in os.environ.items():
        if _SECRET_VARIABLES.search(name):
            secrets.add(value)
        elif "://" in value and (match := _USER_IN_TEXT.search(value)):
            password = match[0][len(match[1]) + 1 : -1]
            secrets |= {password, unquote(password)}
    return {secret for secret in secrets if len(secret) >= _SHORTEST and secret != _HIDDEN}
