"""Building the player with the system's C compiler.

The build hook loads this file by its path, so it must import nothing of the package.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = [HERE / "player.c", *sorted(HERE.glob("kernels/*.c"))]
HEADERS = sorted(HERE.rglob("*.h"))
LIBRARY = HERE / f"player{sysconfig.get_config_var('SHLIB_SUFFIX') or '.so'}"
FLAGS = ("-O3", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-fPIC", "-shared")
SAFE = ("-ffp-contract=off", "-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math")
# no fused product and sum; typed copies; a root is one instruction; no flags of floats are read
WIDTH = ("-mprefer-vector-width=512",) if platform.machine() in ("x86_64", "AMD64") else ()


def digest() -> str:
    """Of the sources; a library names that of its own, so that an old one is not loaded."""
    whole = b"".join(path.read_bytes() for path in (*SOURCES, *HEADERS))
    return hashlib.sha256(whole).hexdigest()[:16]


def compiler() -> list[str]:
    """The command of ``CC``, or cc, gcc or clang; empty if there is none."""
    own = shlex.split(os.environ.get("CC", ""))
    names = [own] if own else [["cc"], ["gcc"], ["clang"]]
    return next((command for command in names if shutil.which(command[0])), [])


def build(flags: tuple[str, ...] = (), library: Path = LIBRARY) -> str:
    """Compile; the reason why there is no library, or empty."""
    command = compiler()
    if not command:
        return "no C compiler (cc, gcc, clang) on the PATH"
    new = library.with_name(f"{library.name}.{os.getpid()}")
    options = [*FLAGS, *SAFE, *WIDTH, *flags, f'-DSOURCE="{digest()}"']
    whole = [*command, *options, *map(str, SOURCES), "-o", str(new), "-lm"]
    try:
        done = subprocess.run(whole, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            new.replace(library)  # a process that has loaded the old one keeps it
            return ""
    except OSError as error:
        return f"{command[0]} cannot be run: {error}"
    finally:
        new.unlink(missing_ok=True)
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return f"{command[0]} failed: {lines[0]}"
