"""A real Ray cluster of separate processes, a small network, and a server that can hold images."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

NODE = {
    "num_cpus": 1,
    "no_monitor": True,
    "include_log_monitor": False,
    "memory": 500 * 2**20,
    "object_store_memory": 80 * 2**20,
    "node_ip_address": "127.0.0.1",
    "include_dashboard": False,
}
PORTS = (  # Ray waits 15 seconds for a node to find them itself, too short on a busy machine
    *("metrics_agent_port", "metrics_export_port"),
    *("runtime_env_agent_port", "dashboard_agent_listen_port"),
)
PATIENT = {
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture(scope="package")  # later tests train, which is another result on one thread
def cluster():
    """A head with one CPU; `add_node` gives it another node."""
    before = dict(os.environ)
    os.environ.update(PATIENT)
    found = started()
    yield found
    found.shutdown()
    os.environ.clear()
    os.environ.update(before)


def started(trials=3):
    """Start a cluster; Ray gives its processes half a minute, too short on a busy machine."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - once its environment is there

    for trial in range(trials):
        found = Cluster()
        try:
            add(found)
        except Exception:
            found.shutdown()
            if trial == trials - 1:
                raise
        else:
            return found
    return None


def add(cluster):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORTS]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    node = cluster.add_node(wait=False, **NODE, **dict(zip(PORTS, ports, strict=True)))
    cluster._wait_for_node(node, timeout=240)  # it would wait half a minute itself
    return node


@pytest.fixture
def second_node(cluster):
    node = add(cluster)
    yield node
    with suppress(Exception):
        cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="session")
def networks(tmp_path_factory):
    """Two networks whose vectors are colours of 8 parts of a 16×8 image, less grey."""
    folder = tmp_path_factory.mktemp("networks")
    code = """
import sys; sys.modules["openvino_telemetry"] = None
import numpy as np, openvino as ov
from openvino import opset13 as ops
for grey in (128, 100):
    data = ops.parameter([1, 3, 16, 8], np.float32)
    parts = ops.avg_pool(data, [4, 4], [0, 0], [0, 0], [4, 4], False)
    flat = ops.reshape(parts, np.array([0, -1]), True)
    less = ops.subtract(flat, np.float32(grey))
    ov.save_model(ov.Model([less], [data]), f"{sys.argv[1]}/{grey}.xml")
"""
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    return folder / "128.xml", folder / "100.xml"


@pytest.fixture
def imageset(make_set, write_image):
    """Thirty-two groups of three near-copies, the groups far from each other in the rows."""
    paths = [
        str(write_image(f"{row:03d}.png", seed=row % 32, size=(24 + row // 32, 48)))
        for row in range(96)
    ]
    return make_set({path.rsplit("/", 1)[1]: "x" for path in paths}, path=paths)


class Gate(ThreadingHTTPServer):
    """Serves the files of a folder; those from a number on are held until it is opened."""

    daemon_threads = True

    def __init__(self, folder, held_from):
        self.asked, self.held = [], threading.Semaphore(0)
        self.opened = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.strip("/")
                gate.asked.append(name)
                if int(name[:3]) >= held_from and not gate.opened.is_set():
                    gate.held.release()
                    gate.opened.wait(240)
                with suppress(OSError):
                    data = (folder / name).read_bytes()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture
def gate(tmp_path):
    """Serves the pictures of `imageset`, and holds those from 40 on."""
    server = Gate(tmp_path, 40)
    yield server
    server.opened.set()
    server.shutdown()


@pytest.fixture
def behind_gate(imageset, gate):
    names = imageset.images.index
    return imageset.with_columns(path=[f"http://127.0.0.1:{gate.server_port}/{n}" for n in names])
