import re
import shutil
import subprocess
from pathlib import Path

import pytest

from peta_viz.widgets import modules
from peta_viz.widgets.modules import css, javascript

STATIC = Path(modules.__file__).parent / "static"
ENTRIES = ["gallery.js", "matrix.js"]
PARTS = sorted(file.name for file in STATIC.glob("*.js"))


@pytest.mark.parametrize("name", ENTRIES)
def test_a_widget_is_one_module_that_imports_nothing(name):
    source = javascript(name)
    assert not re.search(r"^\s*import\b", source, re.MULTILINE)
    assert re.findall(r"^export .*", source, re.MULTILINE) == ["export default { render };"]
    assert "__proto__" not in source


@pytest.mark.parametrize("name", ENTRIES)
def test_no_two_parts_give_the_same_name_to_something(name):
    names = re.findall(
        r"^(?:async )?(?:const|let|function|class) (\w+)", javascript(name), re.MULTILINE
    )
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", ENTRIES)
def test_node_takes_the_joined_module(name, tmp_path):
    file = tmp_path / "joined.mjs"
    file.write_text(javascript(name))
    node = shutil.which("node")
    done = subprocess.run([node, "--check", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_part_is_there_once_however_many_import_it():
    assert javascript("gallery.js").count("function make(") == 1


@pytest.mark.parametrize("name", PARTS)
def test_imports_are_of_the_form_that_is_joined(name):
    source = (STATIC / name).read_text()
    imports = re.findall(r"^import[^;]*;$", source, re.MULTILINE)
    for one in imports:
        assert re.fullmatch(r'import \{[^}]*\} from "\./[\w-]+\.js";', one)
        assert " as " not in one
        for offered in re.findall(r"\w+", one[one.index("{") : one.index("}")]):
            part = (STATIC / re.search(r"\./([\w-]+\.js)", one)[1]).read_text()
            assert re.search(
                rf"^export (const|let|class|(async )?function) {offered}\b", part, re.MULTILINE
            )


def test_nothing_is_fetched_from_elsewhere():
    everything = [*(file.read_text() for file in STATIC.iterdir())]
    assert not any(
        re.search(r"https?:|fetch\(|@import|url\(\s*['\"]?[^d#\s]", s) for s in everything
    )


def test_style_sheets_are_joined():
    both = css("gallery.css", "matrix.css")
    assert both == f"{css('gallery.css')}\n{css('matrix.css')}"
    assert both.count("{") == both.count("}")
