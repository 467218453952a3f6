"""The lists of secrets: names of keys and forms of values that mark a credential.

The lists may grow. A name is judged by its words, if its value is a string; names with another meaning
in machine learning do not count. Forms are those of well-known services, which nothing else has.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# Tokens of a text or an image.
OF_TEXT: Final = frozenset(
    [
        "audio",
        "begin",
        "blank",
        "bos",
        "class",
        "cls",
        "end",
        "eos",
        "first",
        "image",
        "label",
        "last",
        "mask",
        "max",
        "min",
        "new",
        "next",
        "num",
        "pad",
        "per",
        "prompt",
        "register",
        "sep",
        "special",
        "start",
        "stop",
        "text",
        "unk",
        "vision",
        "word",
    ]
)
# Names that mark a credential anywhere in a key.
_ANYWHERE: Final = frozenset(
    [
        *(
            "accesskey",
            "accesstoken",
            "accountkey",
            "apitoken",
            "apisecret",
            "authkey",
            "authtoken",
        ),
        *("bearertoken", "cookie", "cookies", "passcode", "passkey", "privatekey", "secretkey"),
        *("sessionid", "sessiontoken", "sshkey", "webhook"),
        *(
            "creds",
            "dbpass",
            "dbpassword",
            "keypass",
            "masterkey",
            "mnemonic",
            "pgpass",
            "signingkey",
        ),
        *("storepass", "userpass", "xapikey", "kennwort", "passwort"),
    ]
)
# Names that mark one at the end of a key.
_AT_THE_END: Final = frozenset(["auth", "pass", "pat", "pw", "pswd", "passw"])
# A pass over data, or of a filter.
_PASSES: Final = frozenset(
    [
        *(
            "all",
            "backward",
            "band",
            "both",
            "by",
            "each",
            "first",
            "forward",
            "full",
            "high",
            "last",
        ),
        *("low", "multi", "n", "next", "num", "one", "only", "per", "second", "single", "test"),
        *("train", "two", "max", "min", "eval", "optimizer", "compiler"),
    ]
)
# Authentication methods.
_METHODS: Final = frozenset(
    [
        *("anonymous", "basic", "bearer", "cert", "digest", "env", "iam", "kerberos", "ldap", "no"),
        *("none", "oauth", "oauth2", "ssh", "ssl", "sso", "tls", "token"),
    ]
)
_SERVICES: Final = frozenset(
    [
        *("admin", "anthropic", "aws", "azure", "claude", "clearml", "client", "cohere", "comet"),
        *(
            "consumer",
            "databricks",
            "datadog",
            "deploy",
            "dockerhub",
            "gcp",
            "gcs",
            "gemini",
            "git",
        ),
        *(
            "github",
            "gitlab",
            "google",
            "groq",
            "hf",
            "hub",
            "huggingface",
            "jwt",
            "kaggle",
            "langchain",
        ),
        *("license", "minio", "mistral", "mlflow", "neptune", "npm", "openai", "pypi", "replicate"),
        *("s3", "sentry", "service", "session", "slack", "storage", "stripe", "subscription"),
        *("telegram", "together", "twilio", "user", "bot", "wandb", "webhook"),
    ]
)
_PAIRS: Final = frozenset(
    [
        *[("token", "value"), ("token", "string"), ("token", "text"), ("session", "id")],
        *[("one", "time"), ("access", "code"), ("activation", "code"), ("seed", "phrase")],
        *[
            ("pass", "phrase"),
            ("pass", "word"),
            ("hmac", "key"),
            ("licence", "key"),
            ("master", "key"),
        ],
        ("wallet", "key"),
    ]
) | {(service, "key") for service in _SERVICES - {"user", "client", "service"}}
_LICENSE: Final = 16  # names of licenses are shorter, or have no four digits
_FORMS: Final = re.compile(
    r"""-----BEGIN\ [A-Z0-9 ]*PRIVATE\ KEY
      | \b(?:
            gh[pousr]_[A-Za-z0-9]{16,} | github_pat_\w{20,} | gl[a-z]{2,4}-[\w-]{20,}
          | sk-[\w-]{0,40}?[A-Za-z0-9]{16,} | [srp]k_(?:live|test)_[A-Za-z0-9]{10,}
          | eyJ[A-Za-z0-9_=-]{8,}(?:\.[A-Za-z0-9_=-]+)*
          | hf_[A-Za-z0-9]{16,} | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{30,}
          | (?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16} | AIza[\w-]{35} | ya29\.[\w-]{20,}
          | xox[abeoprs]-[\w-]{10,} | SG\.[\w-]{16,}\.[\w-]{16,} | dapi[0-9a-f]{32}
          | [0-9]{8,10}:[\w-]{35} | r8_[A-Za-z0-9]{30,} | gsk_[A-Za-z0-9]{30,}
          | dckr_pat_[\w-]{20,} | dop_v1_[0-9a-f]{32,} | shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}
          | AGE-SECRET-KEY-1[0-9A-Z]{20,} | hv[sbr]\.[\w-]{20,} | nvapi-[\w-]{30,}
          | (?:xai|pplx)-[A-Za-z0-9]{30,} | lin_api_\w{20,} | lsv2_(?:pt|sk)_\w{30,}
        )
      | (?i:hooks\.slack\.com/(?:services|workflows|triggers)|discord(?:app)?\.com/api/webhooks
          |webhook\.office\.com/webhookb2)/[^\s"']+
      | \b(?i:bearer)\s+[\w.~+/=-]{16,}""",
    re.VERBOSE,
)
_ASSIGNED: Final = re.compile(
    r"""((?:^|(?<=[\s;&,?"'(]))
         (?:password|passwd|passphrase|pwd|secret|client[_-]?secret|account[_-]?key
           |shared[_-]?access[_-]?(?:key|signature)|(?:aws[_-]?)?secret[_-]?(?:access[_-]?)?key
           |access[_-]?(?:key|token)|api[_-]?key|auth[_-]?token|x-amz-(?:signature|security-token|credential)
           |x-goog-(?:signature|credential))
         \s*=(?!=)\s*)(?![\s;&,]|\$\{|\{)[^\s;&]+?(?=(?:\.(?=\s+[A-Z]))?(?:[\s;&]|$))  # not the end of a sentence
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CODE: Final = re.compile(r"((?<=[?&])(?:code|sig|hmac|ticket|jwt|sas)=)[^&\s]{8,}", re.IGNORECASE)


def is_credential_kind(words: Sequence[str]) -> bool:
    """Return whether the words of a name are those of a credential, whatever its value."""
    if not _ANYWHERE.isdisjoint(words) or not _pairs(words).isdisjoint(_PAIRS):
        return OF_TEXT.isdisjoint(words)
    last = words[-1] if words else ""
    if last == "tokens":
        return not _SERVICES.isdisjoint(words) and OF_TEXT.isdisjoint(words)
    return last in _AT_THE_END and _PASSES.isdisjoint(words)


def is_secret_kind(words: Sequence[str], value: str) -> bool:
    """Return whether a string under a name with these words is a credential."""
    if words and words[-1] == "license":
        return len(value) >= _LICENSE and sum(map(str.isdigit, value)) >= 4  # noqa: PLR2004 # as above
    if words and words[-1] == "auth" and value.lower() in _METHODS:
        return False
    return is_credential_kind(words)


def holds_credential(text: str) -> bool:
    """Return whether a string contains a credential of a well-known form."""
    return without_credentials(text) != text


def without_credentials(text: str) -> str:
    """Return a string with credentials of well-known forms replaced by ``***``."""
    text = _FORMS.sub("***", text)
    if "=" not in text:
        return text
    return _CODE.sub(r"\1***", _ASSIGNED.sub(r"\1***", text))


def _pairs(words: Sequence[str]) -> set[tuple[str, str]]:
    return set(pairwise(words))
