"""Where it happens: a small disk that can be filled and made read-only, and images beside it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from peta_viz.sample import RELEASE, make_sample

_INSIDE = "PETA_VIZ_ABUSE"
_DISK = "512m"


def go_inside(module: str) -> None:
    """Start the command again in a mount namespace of its own, in which everybody may mount.

    What is mounted there is seen by nobody else and ends with the command.
    """
    if os.environ.get(_INSIDE):
        return
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if subprocess.run([*unshare, "true"], check=False).returncode:  # noqa: S603
        raise SystemExit("no mount namespace is permitted here: run it as root, or allow unshare")
    os.environ[_INSIDE] = "yes"
    os.execvp("unshare", [*unshare, sys.executable, "-m", module, *sys.argv[1:]])  # noqa: S606, S607


class Ground:
    """A run folder on a disk of its own, and a release of images.

    Parameters
    ----------
    scratch
        A folder for all of it.
    rows
        How many label rows of each of the sample's subsets there are.

    """

    def __init__(self, scratch: Path, rows: int) -> None:
        self.scratch = scratch
        self.disk = scratch / "disk"
        self.run = self.disk / "run"
        self.clock = scratch / "clock"
        self._ballast = self.disk / "ballast"
        self._read_only = False
        self.disk.mkdir(parents=True, exist_ok=True)
        self._mount("-t", "tmpfs", "-o", f"size={_DISK}", "none")
        self.release = make_sample(scratch / "sample")
        for labels in self.release.rglob("Label.txt"):
            lines = labels.read_text(encoding="utf-8").splitlines()[:rows]
            labels.write_text("\n".join(lines) + "\n", encoding="utf-8")
            keys = {line.split()[0] for line in lines}
            for image in [*labels.parent.glob("*.jpg"), *labels.parent.glob("*.png")]:
                if not {image.name, image.stem.split("_")[0]} & keys:
                    image.unlink()
        self._hidden = self.release.with_name(f"{RELEASE}, unmounted")

    def lay(self, before: Path | None) -> None:
        """Put all to rights, and into the run folder what is there before."""
        self.free()
        self.make_writable()
        self.show_images()
        self.set_clock(0)
        shutil.rmtree(self.run, ignore_errors=True)
        if before:
            shutil.copytree(before, self.run)
        else:
            self.run.mkdir()

    def keep(self, name: str) -> Path:
        """Copy the run folder, and return where to."""
        kept = self.scratch / "kept" / name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.run, kept)
        return kept

    def fill(self, left: int) -> None:
        """Leave so many bytes of room on the disk."""
        with self._ballast.open("wb") as file:
            while (room := self._room() - left) > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), room)
                except OSError:  # somebody has written meanwhile
                    continue

    def _room(self) -> int:
        room = os.statvfs(self.disk)
        return room.f_bavail * room.f_frsize

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    def make_read_only(self) -> None:
        """Forbid all writing, but into files that are open for it."""
        self._mount("--bind", str(self.disk))  # over itself: what is in use cannot be remounted
        self._mount("-o", "remount,ro,bind")
        self._read_only = True

    def make_writable(self) -> None:
        """Allow writing again."""
        if self._read_only:
            self._unmount()
        self._read_only = False

    def close(self) -> None:
        """Remove all of it."""
        self.make_writable()
        self._unmount()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def hide_images(self) -> None:
        """Let the release vanish, as a disk does that is unmounted."""
        self.release.rename(self._hidden)

    def show_images(self) -> None:
        """Bring the release back."""
        if self._hidden.exists():
            self._hidden.rename(self.release)

    def set_clock(self, days: float) -> None:
        """Move the clock of those that look at it, at once."""
        seconds = int(days * 86400).to_bytes(8, sys.byteorder, signed=True)
        with self.clock.open("r+b" if self.clock.exists() else "wb") as file:
            file.write(seconds)

    def _mount(self, *options: str) -> None:
        subprocess.run(["mount", *options, str(self.disk)], check=True)  # noqa: S603, S607

    def _unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.disk)], check=True)  # noqa: S603, S607
