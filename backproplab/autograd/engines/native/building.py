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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
SOURCES = [HERE / "player.c", *sorted(HERE.glob("kernels/*.c"))]
HEADERS = sorted(HERE.rglob("*.h"))
LIBRARY = HERE / f"player{sysconfig.get_config_var('SHLIB_SUFFIX') or '.so'}"
FLAGS = ("-O3", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-fPIC")
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
    whole = [*command, *FLAGS, *SAFE, *WIDTH, *flags, f'-DSOURCE="{digest()}"']
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        objects = [f"{folder}/{path.stem}.o" for path in SOURCES]
        sources = zip(SOURCES, objects, strict=True)
        compiled = [[*whole, "-c", str(path), "-o", made] for path, made in sources]
        try:
            why = next(filter(None, threads.map(_failure, compiled)), "")
            why = why or _failure([*whole, "-shared", *objects, "-o", str(new), "-lm"])
            if not why:
                new.replace(library)  # a process that has loaded the old one keeps it
            return why
        finally:
            new.unlink(missing_ok=True)


def _failure(call: list[str]) -> str:
    """The first line of what the compiler says of it; empty if all is well."""
    try:
        done = subprocess.run(call, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"{call[0]} cannot be run: {error}"
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return f"{call[0]} failed: {lines[0]}" if done.returncode else ""
