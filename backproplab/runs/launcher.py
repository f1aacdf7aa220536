"""TensorBoard as ``tensorboard.main`` starts it, with a short link of its own.

    python -m backproplab.runs.launcher --logdir runs/20191003-153452 --host 127.0.0.1 --port 6006

``/s`` leads to the Time Series page: the curves of what these runs measure are pinned, only the
runs of train and validation are listed, and neither Time Series nor Scalars smooths. The link is
made when it is asked for, so that it knows the runs that there are by then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backproplab.runs.link import SHORT, query

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def main() -> int:
    """Serve until SIGTERM."""
    from absl import app
    from tensorboard import default, main_lib, program

    main_lib.global_init()

    def server(inner: App, flags: Any) -> Any:
        return program.WerkzeugServer(with_short_link(inner, Path(flags.logdir)), flags)

    board = program.TensorBoard(plugins=default.get_plugins(), server_class=server)
    return int(app.run(board.main, flags_parser=board.configure) or 0)


def with_short_link(app: App, root: Path) -> App:
    """The WSGI application, with a redirect at ``/s``."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != SHORT:
            return app(environ, start)
        start("302 Found", [("Location", f"/{query(root)}"), ("Content-Length", "0")])
        return [b""]

    return answer


if __name__ == "__main__":
    sys.exit(main())
