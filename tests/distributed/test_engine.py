import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from peta_viz.components import find_pairs, link, near_pairs
from peta_viz.distributed.engine import find_pairs_ray, read_near, read_vectors
from peta_viz.embedding import embed
from peta_viz.errors import InvalidDataError, MissingPartError
from peta_viz.peta import read_peta
from peta_viz.pipeline import STAGES, _run_stage
from peta_viz.sample import RELEASE
from tests.distributed.driver import Driver

THRESHOLD = 0.97


def _alone(imageset, network):
    vectors = embed(imageset, network, progress=False)
    return vectors, *find_pairs(imageset, vectors=vectors, backend="exact")


def _partition(imageset, pairs, threshold=THRESHOLD):
    return link(imageset, pairs, threshold).images["component_id"].tolist()


def _finished(folder):
    return {f.name: f.stat().st_mtime_ns for f in Path(folder).glob("*/vectors/*.parquet")}


@pytest.mark.usefixtures("second_node")
def test_two_nodes_find_what_one_machine_finds(cluster, imageset, networks, tmp_path):
    Path(imageset.images["path"].iloc[5]).write_bytes(b"broken")
    Path(imageset.images["path"].iloc[50]).unlink()
    vectors, expected, expected_pairs = _alone(imageset, networks[0])
    driver = Driver(cluster.address, imageset, networks[0], tmp_path / "work", near=0.9)
    found, pairs = driver.found()
    assert _partition(found, pairs) == _partition(expected, expected_pairs)
    assert 30 <= max(_partition(found, pairs)) < 60
    assert found.images["problem"].tolist() == expected.images["problem"].tolist()
    assert found.images["problem"].iloc[5] == "it is not an image that Pillow knows"
    assert found.images["problem"].iloc[50] == "the file does not exist"
    np.testing.assert_allclose(
        found.images["outlier_distance"], expected.images["outlier_distance"], atol=1e-6
    )
    assert (found.images.dtypes == expected.images.dtypes).all()
    assert (pairs.dtypes == expected_pairs.dtypes).all()
    np.testing.assert_array_equal(read_vectors(tmp_path / "work"), vectors)
    near = read_near(found, tmp_path / "work")
    key = ["first", "second"]
    pd.testing.assert_frame_equal(
        near.sort_values(key, ignore_index=True),
        near_pairs(expected, expected_pairs, 0.9, vectors).sort_values(key, ignore_index=True),
    )


def test_a_node_is_killed_in_the_middle(
    cluster, second_node, imageset, behind_gate, networks, gate, tmp_path
):
    _, expected, expected_pairs = _alone(imageset, networks[0])
    driver = Driver(cluster.address, behind_gate, networks[0], tmp_path / "work")
    # Both nodes have an image of theirs held: each of them is in the middle of a shard.
    raylet = next(p[0].process for k, p in second_node.all_processes.items() if k == "raylet")
    for _ in range(2):
        assert gate.held.acquire(timeout=240)
    before = _finished(tmp_path / "work")
    assert 0 < len(before) < 12
    workers = psutil.Process(raylet.pid).children()
    assert any("ray::" in " ".join(worker.cmdline()) for worker in workers)
    os.kill(raylet.pid, signal.SIGKILL)
    gate.opened.set()
    found, pairs = driver.found()
    assert len(_finished(tmp_path / "work")) == 12
    assert _partition(found, pairs) == _partition(expected, expected_pairs)


def test_the_driver_is_killed_and_the_run_carried_on(
    cluster, imageset, behind_gate, networks, gate, tmp_path
):
    _, expected, expected_pairs = _alone(imageset, networks[0])
    work = tmp_path / "work"
    driver = Driver(cluster.address, behind_gate, networks[0], work)
    assert gate.held.acquire(timeout=240)
    driver.kill()
    before = _finished(work)
    assert 0 < len(before) < 12
    gate.opened.set()
    gate.asked.clear()
    found, pairs = Driver(cluster.address, behind_gate, networks[0], work).found()
    after = _finished(work)
    assert len(after) == 12
    assert {name: after[name] for name in before} == before
    read_again = {f"{int(name[:3]) // 8:06d}.parquet" for name in gate.asked}
    assert not read_again & set(before)
    assert _partition(found, pairs) == _partition(expected, expected_pairs)


def test_what_another_network_or_file_left_is_not_used(
    cluster, imageset, networks, tmp_path, write_image
):
    def find(network=networks[0], work=tmp_path / "work"):
        return Driver(cluster.address, imageset, network, work).found()[1]

    work = tmp_path / "work"
    find()
    first = _finished(work)
    find()
    assert _finished(work) == first
    write_image("000.png", seed=99, size=(30, 30))
    pairs = find()
    changed = {name for name, time in _finished(work).items() if first[name] != time}
    assert changed == {"000000.parquet"}
    assert pairs.equals(find(work=tmp_path / "fresh"))
    find(networks[1])
    np.testing.assert_array_equal(read_vectors(work), embed(imageset, networks[1], progress=False))
    assert len(list(work.glob("*/vectors"))) == 2


def test_the_stage_writes_the_same_tables(cluster, sample_folder, networks, tmp_path):
    tables = {}
    for engine in ("local", "ray"):
        out = tmp_path / engine
        out.mkdir()
        given = {"engine": engine, "reid": str(networks[0]), "backend": "exact", "out": ".."}
        given |= {"root": str(sample_folder / RELEASE), "threshold": 0.99}
        given |= {"ray_address": cluster.address} if engine == "ray" else {}
        _run_stage(out, STAGES[0], given, "", given)
        names = [n for n in STAGES[0].outputs if n.endswith(".parquet")]
        tables[engine] = {name: pd.read_parquet(out / name) for name in names}
        for name in ("pairs.parquet", "near.parquet"):  # in the order of similarities
            own = tables[engine][name].sort_values(["first", "second"], ignore_index=True)
            tables[engine][name] = own
        tables[engine]["vectors"] = pd.DataFrame(np.load(out / "vectors.npy"))
    for name, local in tables["local"].items():
        pd.testing.assert_frame_equal(local, tables["ray"][name], rtol=0, atol=1e-6)


def test_what_is_missing_is_told(imageset, networks, tmp_path, monkeypatch):
    with pytest.raises(MissingPartError, match="needs a re-identification network"):
        find_pairs_ray(imageset, None, tmp_path)
    with pytest.raises(InvalidDataError, match="must be 1 or more"):
        find_pairs_ray(imageset, networks[0], tmp_path, neighbours=0)
    with pytest.raises(InvalidDataError, match="has not finished there"):
        read_vectors(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPartError, match=r"pip install 'peta-viz\[ray\]'"):
        find_pairs_ray(imageset, networks[0], tmp_path)


LISTENING = """
import psutil
from peta_viz.distributed.engine import _connected, _import_ray
from peta_viz.errors import PetaVizError

ray = _import_ray(alone=True)
for trial in range(3):  # it gives its processes half a minute, too short on a busy machine
    try:
        with _connected(ray, None):
            assert ray.get(ray.remote(lambda: 42).remote()) == 42
            me = psutil.Process()
            for process in [me, *me.children(recursive=True)]:
                for one in process.net_connections("inet"):
                    if one.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
                        print(process.name(), one.laddr.ip)
        break
    except PetaVizError:
        if trial == 2:
            raise
"""


def test_ray_that_we_start_listens_on_this_machine_alone():
    done = subprocess.run(
        [sys.executable, "-c", LISTENING], check=True, capture_output=True, text=True
    )
    found = [line.split() for line in done.stdout.splitlines()]
    assert {"raylet", "gcs_server"} <= {name for name, _ in found}
    assert {address.removeprefix("::ffff:") for _, address in found} == {"127.0.0.1"}


def test_peta_is_the_same_partition(cluster, peta_root, peta_reid, tmp_path):
    whole = read_peta(peta_root)
    imageset = whole.take(np.arange(0, len(whole), 40))
    _, expected, expected_pairs = _alone(imageset, peta_reid)
    driver = Driver(cluster.address, imageset, peta_reid, tmp_path / "work", shard_images=64)
    found, pairs = driver.found()
    assert _partition(found, pairs, 0.7) == _partition(expected, expected_pairs, 0.7)
