import numpy as np
import pandas as pd
import pytest

from peta_viz.components import find_pairs, near_pairs
from peta_viz.distributed import work
from peta_viz.distributed.engine import _prepare, _search_for
from peta_viz.distributed.store import Store
from peta_viz.embedding import embed


@pytest.mark.parametrize("where", ["{}", "file://{}", "memory://{}"])
def test_shards_and_blocks_give_what_one_machine_finds(imageset, networks, tmp_path, where):
    store = Store.at(where.format(tmp_path / "work"))
    vectors = embed(imageset, networks[0], progress=False)
    expected, pairs = find_pairs(imageset, vectors=vectors, backend="exact", neighbours=3)
    plan = _prepare(imageset, networks[0], store, 20)
    stamps = [work.embed_shard(plan, number) for number in plan.shards]
    search = _search_for(stamps, 3, 0.9)
    assert (len(plan.shards), len(plan.blocks)) == (5, 2)
    for number in plan.blocks:
        work.search_block(plan, search, number)
    results = plan.store.inside(search.folder)
    for folder, wanted in (
        ("nearest", pairs),
        ("near", near_pairs(expected, pairs, 0.9, vectors)),
    ):
        read = [results.inside(folder).read_table(work.shard_name(n)) for n in plan.blocks]
        rows = pd.concat([table.to_pandas() for table in read])[["first", "second"]].to_numpy()
        found = {frozenset(imageset.images.index[list(pair)]) for pair in rows}
        assert found == set(map(frozenset, wanted[["first", "second"]].to_numpy()))


def test_a_block_that_is_there_is_not_searched_again(imageset, networks, tmp_path, monkeypatch):
    plan = _prepare(imageset, networks[0], Store.at(tmp_path), 20)
    search = _search_for([work.embed_shard(plan, n) for n in plan.shards], 3, None)
    work.search_block(plan, search, 0)
    monkeypatch.setattr(work, "Nearest", None)
    work.search_block(plan, search, 0)
    with pytest.raises(TypeError):
        work.search_block(plan, search, 1)


def test_the_next_is_read_ahead_in_order():
    assert list(work._ahead(lambda n: n * n, range(5))) == [0, 1, 4, 9, 16]
    assert list(work._ahead(str, [])) == []


def test_vectors_do_not_depend_on_the_threads(imageset, networks):
    paths = imageset.images["path"].tolist()
    one = work.infer(work.load_network(networks[0], 16, threads=1), paths, 16)
    np.testing.assert_array_equal(one, embed(imageset, networks[0], progress=False))
