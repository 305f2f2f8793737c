import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[1]
STATIC = TOP / "peta_viz" / "widgets" / "static"


def test_node_runs_the_tests_of_the_javascript():
    node = shutil.which("node")
    assert node, "the tests of the JavaScript need node: apt-get install nodejs"
    files = sorted(map(str, (TOP / "tests" / "js").glob("*.test.mjs")))
    assert files
    command = [node, "--test", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
