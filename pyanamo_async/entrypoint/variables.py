"""Decide which variables a worker gets: those of the job, and those of the set-up scripts of its pipeline.

1. What the job definition says wins over what set-up scripts say, except for `PATH`, which they may extend.
2. Set-up scripts do not change `AWS_*`, `LD_*` and `PYANAMO_*`: where credentials, code and items come from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyanamo_async.core.names import did_you_mean
from pyanamo_async.core.values import Value

PROTECTED = ("AWS_", "LD_", "PYANAMO_")
EXTENDED = {"PATH"}
OF_SHELLS = {"_", "SHLVL", "PWD", "OLDPWD", "BASHOPTS", "SHELLOPTS", "BASH_ENV", "ENV"}
PREFIX = "PYANAMO_"
OWN = ("PYANAMO_SCRIPTS", "PYANAMO_SCRIPTS_SHA256", "PYANAMO_SETUP", "PYANAMO_SETUP_TIMEOUT", "PYANAMO_WORKDIR")


class Merged(Value):
    """The environment of the worker; `protected` and `kept` are the names that set-up scripts could not change."""

    environment: dict[str, str]
    protected: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def merge(job: Mapping[str, str], given: Mapping[str, str], after: Mapping[str, str]) -> Merged:
    """Return the environment after the set-up.

    `job` is the environment of the container, `given` what set-up scripts began with, `after` what they left.
    """
    environment, protected, kept = dict(given), [], []
    for name in sorted(OF_SHELLS | given.keys() | after.keys()):
        before, now = given.get(name), after.get(name)
        if name in OF_SHELLS or now == before:
            continue
        if name.startswith(PROTECTED):
            protected.append(name)
        elif name in job and name not in EXTENDED:
            kept.append(name)
        elif now is None:
            del environment[name]
        else:
            environment[name] = now
    return Merged(environment, tuple(protected), tuple(kept))


def unknown(environment: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the variables that begin with `PYANAMO_` and have no meaning, each with what may be meant, or ""."""
    names = {name.removeprefix(PREFIX).casefold(): name for name in known}
    return {
        name: did_you_mean(name.removeprefix(PREFIX), names).rstrip()
        for name in sorted(environment)
        if name.startswith(PREFIX) and name not in known
    }
