"""A real JupyterLab for tests and benchmarks, driven through its own commands, without sleeping.

The server keeps to itself: every directory it reads or writes is below `home`, it listens on this
machine only, and it asks nobody for news or updates.
"""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

import nbformat
from playwright.sync_api import Page

PATIENCE_S = 300.0  # how long anything may take, on a machine that is busy with other things
CONFIG: dict[str, dict[str, Any]] = {
    "ServerApp": {"allow_root": True, "port_retries": 0, "open_browser": False},
    "LabApp": {
        "expose_app_in_browser": True,
        "extension_manager": "readonly",
        "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "news_url": None,
    },
}
SETTINGS: dict[str, dict[str, Any]] = {
    # All cells are in the page, also those far from the screen.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    # No question about news, and nothing that pops up over what is looked at.
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


class LabError(Exception):
    """A cell failed, or Lab did not do in time what it was asked for."""


class Lab:
    """One JupyterLab server, and what one does in its pages.

    Parameters
    ----------
    home
        An empty folder for the server's configuration, settings, workspaces and log.

    """

    def __init__(self, home: Path) -> None:
        self.home = Path(home).absolute()
        self.root = self.home
        self.token = secrets.token_hex(16)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, root_dir: Path, *, command: list[str] | None = None) -> Self:
        """Serve `root_dir` and wait until the server answers.

        `command` starts JupyterLab in another way, such as ``peta-viz lab``; the port is added.
        """
        self.root = Path(root_dir).absolute()
        self.port = _free_port()
        command = [*(command or [sys.executable, "-m", "jupyterlab"]), f"--port={self.port}"]
        with (self.home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self.root, env=self._environment(), stdout=log, stderr=log
            )
        self._wait_for_answer()
        return self

    def stop(self) -> None:
        """Shut the kernels down, then the server."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def shutdown_kernels(self) -> None:
        """Shut all kernels down; the next `open` starts a new one."""
        for session in json.loads(self._request("GET", "api/sessions")):
            self._request("DELETE", f"api/sessions/{session['id']}")

    def write_notebook(self, name: str, cells: list[str]) -> Path:
        """Write code cells as a notebook below the served folder."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source, id=f"c{n}") for n, source in enumerate(cells)],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)
        return path

    def open(self, page: Page, notebook: Path, *, timeout_s: float = PATIENCE_S) -> None:
        """Open a notebook below the served folder; its cells are there and its kernel is idle."""
        name = Path(notebook).absolute().relative_to(self.root).as_posix()
        page.goto(f"{self._url(f'lab/tree/{name}')}?token={self.token}&reset")
        self._wait_until_ready(page, timeout_s)

    def reload(self, page: Page, *, timeout_s: float = PATIENCE_S) -> None:
        """Save the notebook and load the page again, with the kernel that is there."""
        self.save(page)
        page.goto(page.url)
        self._wait_until_ready(page, timeout_s)

    def run_all(self, page: Page, *, timeout_s: float = PATIENCE_S) -> None:
        """Run all cells to the end; a cell that fails raises with its traceback."""
        _ask(page, "await app.commands.execute('notebook:run-all-cells')", timeout_s=timeout_s)
        for outputs in _ask(page, "return [...panel.content.model.cells].map(outputs)"):
            _text(outputs)

    def run_cell(self, page: Page, number: int, *, timeout_s: float = PATIENCE_S) -> str:
        """Run one cell as a user does and return the text of its output."""
        script = """
            panel.content.activeCellIndex = given;
            await app.commands.execute('notebook:run-cell');
            return outputs(panel.content.model.cells.get(given));
        """
        return _text(_ask(page, script, number, timeout_s=timeout_s))

    def execute(self, page: Page, code: str, *, timeout_s: float = PATIENCE_S) -> str:
        """Run code in the notebook's kernel, with no cell, and return the text of its output.

        What the page sent to the kernel before, such as a widget's change, has arrived by then.
        """
        script = """
            const request = {code: given, store_history: false};
            const future = panel.sessionContext.session.kernel.requestExecute(request);
            const said = [];
            future.onIOPub = message => said.push(
                {...message.content, output_type: message.header.msg_type});
            await future.done;
            return said;
        """
        return _text(_ask(page, script, code, timeout_s=timeout_s))

    def kernel_pid(self, page: Page) -> int:
        """Return the process id of the notebook's kernel."""
        return int(self.execute(page, "import os; print(os.getpid())"))

    def restart_kernel(self, page: Page, *, timeout_s: float = PATIENCE_S) -> None:
        """Restart the kernel without asking; the outputs stay."""
        script = """
            await panel.sessionContext.restartKernel();
            await panel.sessionContext.session.kernel.info;
        """
        _ask(page, script, timeout_s=timeout_s)

    def save(self, page: Page) -> None:
        """Save the notebook."""
        _ask(page, "await panel.context.save()")

    def set_theme(self, page: Page, name: str) -> None:
        """Change to a theme such as ``JupyterLab Dark`` and wait until it is there."""
        _ask(page, "await app.commands.execute('apputils:change-theme', {theme: given})", name)
        page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)

    def log(self) -> str:
        """Return what the server said so far."""
        return (self.home / "server.log").read_text(encoding="utf-8", errors="replace")

    def _environment(self) -> dict[str, str]:
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        for folder in folders.values():
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        config = CONFIG | {
            "IdentityProvider": {"token": self.token},
            "ServerApp": CONFIG["ServerApp"] | {"ip": "127.0.0.1", "root_dir": str(self.root)},
        }
        (self.home / "config" / "jupyter_lab_config.json").write_text(json.dumps(config))
        for plugin, values in SETTINGS.items():
            file = self.home / "settings" / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        own = {name: str(self.home / folder) for name, folder in folders.items()}
        return {**os.environ, **own}

    def _wait_for_answer(self, timeout_s: float = PATIENCE_S) -> None:
        assert self._process is not None
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self._request("GET", "api/status")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return
        said = self.log()[-3000:]
        self.stop()
        raise LabError(f"JupyterLab did not start within {timeout_s} s:\n{said}")

    def _request(self, method: str, path: str) -> bytes:
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self._url(path), headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read()

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def _wait_until_ready(self, page: Page, timeout_s: float) -> None:
        there = "() => window.jupyterapp?.shell?.currentWidget?.sessionContext"
        page.wait_for_function(there, timeout=timeout_s * 1000)
        script = """
            await Promise.all([app.restored, panel.context.ready, panel.revealed]);
            await panel.sessionContext.ready;
            await panel.sessionContext.session.kernel.info;
        """
        _ask(page, script, timeout_s=timeout_s)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=timeout_s * 1000)
        idle = "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.status == 'idle'"
        page.wait_for_function(idle, timeout=timeout_s * 1000)


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ASK = """async ([given, milliseconds]) => {
    const app = window.jupyterapp;
    const panel = app.shell.currentWidget;
    const outputs = cell => cell.toJSON().outputs ?? [];
    const late = new Promise((_, fail) => setTimeout(
        () => fail(new Error(`no end within ${milliseconds / 1000} s`)), milliseconds));
    const work = async () => { %s };
    return await Promise.race([work(), late]);
}"""


def _ask(page: Page, script: str, given: Any = None, *, timeout_s: float = PATIENCE_S) -> Any:
    """Await JavaScript that knows Lab's `app`, the notebook's `panel` and what is `given`."""
    return page.evaluate(_ASK % script, [given, timeout_s * 1000])


def _text(outputs: list[dict[str, Any]]) -> str:
    """Join the texts of outputs in notebook format; an error among them raises."""
    said = []
    for output in outputs:
        if output["output_type"] == "error":
            raise LabError(_COLOURS.sub("", "\n".join(output["traceback"])) or output["evalue"])
        shown = output.get("text") or output.get("data", {}).get("text/plain", "")
        said.append("".join(shown))
    return "".join(said)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
