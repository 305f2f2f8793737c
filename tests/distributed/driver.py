"""Drive a cluster as a user's program does, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pandas as pd

from peta_viz import ImageSet
from peta_viz.distributed.engine import find_pairs_ray


class Driver:
    """One search on a cluster, in a process of its own: when Ray gives up, it aborts the process.

    Parameters
    ----------
    address
        Of the cluster.
    imageset, network, work
        As for `find_pairs_ray`.
    near, shard_images
        As for `find_pairs_ray`.

    """

    def __init__(self, address, imageset, network, work, *, near="", shard_images=8):
        self.folder = Path(work).with_name(f"{Path(work).name}-found")
        imageset.to_parquet(self.folder)
        given = (self.folder, network, work, address, near, shard_images)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.distributed.driver", *map(str, given)],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )

    def found(self, timeout=240):
        """Wait for its end; return the images and pairs that it found."""
        _, said = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, said[-3000:]
        return ImageSet.from_parquet(self.folder), pd.read_parquet(self.folder / "pairs.parquet")

    def kill(self):
        """Kill it as the system does."""
        self.process.kill()
        self.process.communicate()


if __name__ == "__main__":
    folder, network, work, address, near, shard_images = sys.argv[1:]
    found, pairs = find_pairs_ray(
        ImageSet.from_parquet(folder),
        network,
        work,
        address=address,
        near=float(near) if near else None,
        shard_images=int(shard_images),
        progress=False,
    )
    found.to_parquet(folder)
    pairs.to_parquet(Path(folder) / "pairs.parquet")
