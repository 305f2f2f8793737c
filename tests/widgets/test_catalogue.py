import numpy as np
import pandas as pd
import pytest

from peta_viz.agreement import Flag, count_labels, flag_components, measure_components
from peta_viz.errors import InvalidDataError
from peta_viz.links import Links
from peta_viz.widgets.catalogue import Catalogue, at_threshold, threshold_of


def partition(codes):
    """Write a grouping as a set of sets, whatever the numbers."""
    return {frozenset(np.flatnonzero(codes == code)) for code in np.unique(codes)}


def test_images_are_grouped_by_component(small):
    catalogue = Catalogue.of(small)
    assert len(catalogue) == 7
    assert catalogue.components.index.tolist() == [10, 20, 30, 40]
    assert [catalogue.members(code).tolist() for code in range(4)] == [[0, 1, 2], [3, 4], [5], [6]]
    assert catalogue.components["size"].tolist() == [3, 2, 1, 1]
    assert catalogue.names == ["x", "y", "z"]
    assert catalogue.subsets == ["s", "t"]


def test_random_members_and_counts_are_those_of_pandas(random_set):
    for seed in range(5):
        imageset = random_set(seed)
        catalogue = Catalogue.of(imageset)
        groups = imageset.images.reset_index().groupby("component_id").groups
        for code, component in enumerate(catalogue.components.index):
            assert catalogue.members(code).tolist() == groups[component].tolist()
        counts = count_labels(imageset)
        for label in imageset.labels.columns:
            carried, known = catalogue.carried(label)
            assert carried.tolist() == counts.carried[label].tolist()
            assert known.tolist() == counts.known[label].tolist()
            assert catalogue.contested([label]).tolist() == counts.contested[label].tolist()
        any_worn = counts.contested[["hat", "coat", "bag"]].any(axis=1)
        assert catalogue.contested(["hat", "coat", "bag"]).tolist() == any_worn.tolist()


def test_without_component_id_each_image_is_on_its_own(make_set):
    catalogue = Catalogue.of(make_set({"b": "x", "a": "y"}))
    assert not catalogue.grouped
    assert catalogue.codes.tolist() == [0, 1]
    assert catalogue.components["size"].tolist() == [1, 1]


def test_texts_as_component_ids(make_set):
    catalogue = Catalogue.of(make_set({"a": "x", "b": "x", "c": "y"}, components=["q", "p", "q"]))
    assert catalogue.components.index.tolist() == ["p", "q"]
    assert catalogue.members(1).tolist() == [0, 2]


def test_an_empty_component_id_is_refused(small):
    odd = small.with_columns(component_id=[10, 10, 10, None, 20, 30, 40])
    with pytest.raises(InvalidDataError, match="component_id is empty in 1 row"):
        Catalogue.of(odd)


def test_components_may_have_more_and_fewer_rows_and_columns(small):
    given = pd.DataFrame(
        {"size": [99, 99, 99], "own": [1.5, 2.5, 3.5], "is_bad_component_q": [True, False, True]},
        index=[20, 77, 10],
    )
    catalogue = Catalogue.of(small, given)
    assert catalogue.components.index.tolist() == [10, 20, 30, 40]
    assert catalogue.components["own"].tolist()[:2] == [3.5, 1.5]
    assert catalogue.components["own"].isna().tolist() == [False, False, True, True]
    assert catalogue.components["size"].tolist() == [3, 2, 1, 1]
    assert catalogue.flags == ["is_bad_component_q"]
    assert catalogue.components["is_bad_component_q"].tolist() == [True, True, False, False]


def test_nothing_of_the_given_frame_is_changed(small):
    given = flag_components(measure_components(small), Flag(absolute=0.1))
    before = given.copy()
    Catalogue.of(small, given)
    pd.testing.assert_frame_equal(given, before)


def test_an_empty_frame_of_components_will_do(small):
    catalogue = Catalogue.of(small, measure_components(small).iloc[:0])
    assert catalogue.components["size"].tolist() == [3, 2, 1, 1]
    assert catalogue.components["disagreement"].isna().all()


def test_a_nullable_flag_is_no_where_it_is_missing(small):
    flag = pd.array([True, None, False, None], dtype="boolean")
    given = measure_components(small).assign(odd=flag)
    assert Catalogue.of(small, given).components["odd"].tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("index", "columns", "words"),
    [
        (["10", "20"], ["own"], "such as 10, but holds such as '10'"),
        ([10, 10], ["own"], "component_id, the index, must be unique, but 10"),
        ([10, 20], ["own", "own"], "columns must be unique, but 'own'"),
    ],
)
def test_components_of_something_else_are_refused(small, index, columns, words):
    given = pd.DataFrame(np.ones((2, len(columns))), index=index, columns=columns)
    with pytest.raises(InvalidDataError, match=words):
        Catalogue.of(small, given)


def test_columns_that_are_not_named_by_text(small):
    labels, known = (frame.set_axis([1, 2, 3], axis=1) for frame in (small.labels, small.known))
    images = small.images.assign(**{"7": 0}).rename(columns={"7": 7, "blur": 8})
    odd = type(small)(images, labels, known, ())
    catalogue = Catalogue.of(odd, pd.DataFrame({9: [1.0]}, index=[20]))
    assert catalogue.names == ["1", "2", "3"]
    assert catalogue.column("1").tolist() == small.labels["x"].tolist()
    assert catalogue.column("7").tolist() == [0] * 7
    assert catalogue.column("9").tolist()[3:5] == [1.0, 1.0]
    with pytest.raises(KeyError):
        catalogue.column("10")


def test_a_column_is_looked_for_among_images_then_components_then_labels(small):
    given = measure_components(small).assign(blur=-1.0, y=7.0)
    catalogue = Catalogue.of(small, given)
    assert catalogue.column("blur").iloc[0] == 3.0
    assert catalogue.column("y").tolist() == [7.0] * 7
    assert catalogue.column("x").tolist() == small.labels["x"].tolist()
    assert catalogue.column("size").tolist() == [3, 3, 3, 2, 2, 1, 1]
    assert catalogue.column("size").index.equals(small.images.index)
    assert set(catalogue.columns) >= {"path", "blur", "size", "disagreement", "x", "y", "z"}
    assert len(set(catalogue.columns)) == len(catalogue.columns)


def test_subsets_become_a_column_of_components_only_if_there_are_several(small):
    assert Catalogue.of(small).components["subset"].tolist() == ["s", "t", "s", "t"]
    one = small.with_columns(subset="s")
    assert "subset" not in Catalogue.of(one).components


def test_what_has_an_order(small):
    with_objects = small.with_columns(odd=pd.Series([[]] * 7, small.images.index, dtype=object))
    catalogue = Catalogue.of(with_objects)
    assert "odd" not in catalogue.sortable_images
    assert {"blur", "path", "size", "disagreement"} <= set(catalogue.sortable_images)
    assert "size" in catalogue.sortable
    assert "blur" not in catalogue.sortable


def test_aspects_of_unreadable_and_extreme_images(make_set):
    imageset = make_set(
        dict.fromkeys("abcd", "x"), width=[10, 0, 20000, 1], height=[20, 0, 1, 20000]
    )
    assert Catalogue.of(imageset).aspects.tolist() == [0.5, 0.8, 2.0, 0.05]


def test_the_weakest_link_of_each_component(small, chain):
    catalogue = Catalogue.of(small, links=Links.of(small.images.index, chain))
    weakest = catalogue.components["weakest_link"]
    assert weakest.tolist()[:2] == pytest.approx([0.8, 0.7])
    assert weakest.isna().tolist() == [False, False, True, True]
    assert Catalogue.of(small).weakest is None


def test_a_lower_threshold_merges_and_a_higher_one_parts(small, chain):
    base = Catalogue.of(small, links=Links.of(small.images.index, chain))
    low = at_threshold(base, 0.5)
    assert partition(low.codes) == {frozenset(range(5)), frozenset({5}), frozenset({6})}
    assert low.components["merged"].tolist() == [True, False, False]
    assert low.components["parted"].tolist() == [False, False, False]
    assert low.change(0) == "merged from 2: 10, 20"
    assert low.change(1) == ""
    high = at_threshold(base, 0.85)
    assert partition(high.codes) == {frozenset({0, 1}), *(frozenset({n}) for n in range(2, 7))}
    assert high.components["parted"].tolist() == [True, True, True, True, False, False]
    assert not high.components["merged"].any()
    assert high.change(0) == "2 of the 3 images of 10"
    assert high.change(2) == "1 of the 2 images of 20"
    assert high.change(4) == ""


def test_the_words_name_only_some_of_many(make_set):
    names = [f"{n}" for n in range(9)]
    imageset = make_set(dict.fromkeys(names, "x"), components=range(9))
    pairs = pd.DataFrame({"first": names[:-1], "second": names[1:], "similarity": 0.5})
    base = Catalogue.of(imageset, links=Links.of(imageset.images.index, pairs))
    assert at_threshold(base, 0.4).change(0) == "merged from 9: 0, 1, 2, 3, 4, …"


def test_random_thresholds_against_set_logic(random_set, random_links):
    for seed in range(6):
        imageset = random_set(seed)
        links = random_links(imageset, seed)
        if seed % 2:  # else they were made in another way
            imageset = imageset.with_columns(component_id=links.components(0.7))
        base = Catalogue.of(imageset, links=links)
        for threshold in (0.3, 0.6, 0.7, 0.75, 0.9):
            found = at_threshold(base, threshold)
            assert partition(found.codes) == partition(links.components(threshold))
            assert not found.results
            for code in range(len(found.components)):
                members = set(found.members(code))
                homes = [part for part in partition(base.codes) if part & members]
                row = found.components.iloc[code]
                assert row["merged"] == (len(homes) > 1)
                assert row["parted"] == (len(homes) == 1 and homes[0] != members)
                assert (found.change(code) != "") == (row["merged"] or row["parted"])


def test_threshold_of_gives_back_the_components(random_set, random_links):
    for seed in range(10):
        imageset = random_set(seed)
        links = random_links(imageset, seed)
        for made_at in (0.35, 0.5, 0.71, 0.9):
            codes = links.components(made_at)
            found = threshold_of(links, codes)
            assert 0 <= found <= 1
            assert partition(links.components(found)) == partition(codes)


@pytest.mark.parametrize(
    ("inside", "apart", "expected"),
    [
        (0.9, 0.43, 0.5),
        (0.46, 0.441, 0.45),
        (0.9, None, 0.0),
        (None, 0.42, 0.5),
        (0.9, -0.2, 0.0),
        (0.5, 0.42, 0.42),
    ],
)
def test_the_roundest_threshold(inside, apart, expected):
    rows = [("a", "b", inside), ("c", "d", apart)]
    pairs = pd.DataFrame(
        [row for row in rows if row[2] is not None], columns=["first", "second", "similarity"]
    )
    links = Links.of(pd.Index(list("abcd")), pairs)
    assert threshold_of(links, np.array([0, 0, 1, 2])) == pytest.approx(expected)


def test_similarities_beyond_one_still_give_a_threshold():
    pairs = pd.DataFrame({"first": ["a"], "second": ["b"], "similarity": [1.0000002]})
    links = Links.of(pd.Index(["a", "b"]), pairs)
    assert threshold_of(links, np.array([0, 1])) == 1.0
