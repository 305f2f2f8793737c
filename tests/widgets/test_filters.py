import numpy as np
import pandas as pd
import pytest

from peta_viz.agreement import Flag, flag_components, measure_components
from peta_viz.errors import InvalidDataError
from peta_viz.widgets.catalogue import Catalogue
from peta_viz.widgets.filters import (
    Filters,
    component_order,
    image_mask,
    image_order,
    result_names,
)

NAMES = [
    "two words",
    "<b>q\"'&</b>",
    "\N{FOX FACE}",
    "שלום",
    "is",
    "size>3",
    "1st",
    "a.b",
    "c(d",
    "e++",
]


@pytest.fixture
def catalogue(small):
    components = flag_components(measure_components(small), Flag(absolute=0.1))
    results = {
        "A": pd.DataFrame(
            {"first": [True, False, pd.NA], "second": [True, True, pd.NA]},
            index=[10, 20, 30],
            dtype="boolean",
        ),
        "exp, 2": pd.DataFrame(
            {"first": [False, True], "second": [True, True]}, index=[10, 20], dtype="boolean"
        ),
    }
    return Catalogue.of(small, components, results={"A": results["A"], "C": results["exp, 2"]})


def shown(catalogue, **filters):
    return "".join(catalogue.ids[image_mask(catalogue, Filters(**filters))])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "abcdefg"),
        ({"label": "y"}, "acde"),
        ({"label": "y", "label_state": "absent"}, "bg"),
        ({"label": "y", "label_state": "unknown"}, "f"),
        ({"label": "y", "label_state": "contested"}, "abc"),
        ({"label": "z", "label_state": "contested"}, ""),
        ({"head": "first"}, "abc"),
        ({"head": "second"}, ""),
        ({"flag": "is_bad_component_disagreement_abs0.10"}, "abc"),
        ({"flag": "contested"}, "abc"),
        ({"min_size": 2}, "abcde"),
        ({"max_size": 2}, "defg"),
        ({"min_size": 2, "max_size": 2}, "de"),
        ({"min_size": 3, "max_size": 2}, ""),
        ({"subset": "s"}, "abf"),
        ({"result": "A right"}, "abc"),
        ({"result": "A wrong"}, "de"),
        ({"result": "A wrong", "head": "second"}, ""),
        ({"result": "A right", "head": "second"}, "abcde"),
        ({"result": "A right, C wrong"}, "abc"),
        ({"result": "C right, A wrong"}, "de"),
        ({"query": "  "}, "abcdefg"),
        ({"query": "blur >= 2 and y"}, "ade"),
        ({"query": "size == 1 or x"}, "abfg"),
        ({"query": "not x"}, "cdeg"),
        ({"query": "image_id in ['a', 'g'] and size > 1"}, "a"),
        ({"query": "image_id == 'b'"}, "b"),
        ({"query": "image_id.str.contains('[ac]')"}, "ac"),
        ({"query": "kind == 'a' and subset == 't'"}, "dg"),
        ({"query": "component_id == 20"}, "de"),
        ({"label": "x", "subset": "s", "min_size": 2, "query": "blur < 2"}, "b"),
        ({"head": "first", "flag": "contested", "label": "y", "subset": "t"}, "c"),
    ],
)
def test_filters(catalogue, filters, expected):
    assert shown(catalogue, **filters) == expected


def test_random_combinations_are_the_intersection(random_set):
    rng = np.random.default_rng(0)
    for seed in range(10):
        catalogue = Catalogue.of(random_set(seed))
        every = {
            "label": rng.choice(catalogue.names),
            "head": rng.choice(["colour", "worn"]),
            "flag": "contested",
            "min_size": int(rng.integers(1, 4)),
            "max_size": int(rng.integers(3, 7)),
            "subset": rng.choice(["s", "t"]),
            "query": "blur > 1",
        }
        expected = np.ones(len(catalogue), dtype=bool)
        for name, value in every.items():
            expected &= image_mask(catalogue, Filters(**{name: value}))
        assert image_mask(catalogue, Filters(**every)).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"label": "Y", "label_state": "carried"}, "there is no label 'Y'"),
        ({"label_state": "contest"}, "did you mean contested"),
        ({"head": "frst"}, "did you mean first"),
        ({"flag": "contest"}, "did you mean contested"),
        ({"flag": "size"}, "there is no flag 'size'"),
        ({"subset": "u"}, "there is no subset 'u'"),
        ({"result": "A rigth"}, "did you mean A right"),
        ({"result": "A right, A wrong"}, "there is no result"),
        ({"label": 3}, "there is no label 3"),
    ],
)
def test_wrong_names_are_refused_with_a_hint(catalogue, filters, words):
    with pytest.raises(InvalidDataError, match=words):
        image_mask(catalogue, Filters(**filters))


def test_all_wrong_names_are_told_at_once(catalogue):
    with pytest.raises(InvalidDataError) as raised:
        image_mask(catalogue, Filters(label="no", head="no", flag="no", subset="no", result="no"))
    assert len(raised.value.problems) == 5


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("szie > 1", "no column 'szie'; did you mean size"),
        ("nothing_like_it", "there is no column 'nothing_like_it'$"),
        ("size >", "cannot be understood"),
        ("(", "cannot be understood"),
        ("size", "yes or no for every image"),
        ("True", "yes or no for every image"),
        ("1 == 1", "yes or no for every image"),
        ("q = size > 1", "cannot be understood"),
        ("size > 1\nsize > 2", "cannot be understood"),
        ("size > 1; size", "cannot be understood"),
        ("path > 3", "cannot be understood"),
        ("size.no_such()", "cannot be understood"),
    ],
)
def test_queries_that_cannot_be_understood(catalogue, query, words):
    with pytest.raises(InvalidDataError, match=words):
        image_mask(catalogue, Filters(query=query))


@pytest.mark.parametrize(
    "name", ["catalogue", "text", "frame", "columns", "np", "pd", "re", "self", "size", "NAMES"]
)
def test_a_query_reaches_no_variable(catalogue, name):
    for query in (f"@{name}", f"size > @{name}", f"@{name}.x"):
        with pytest.raises(InvalidDataError, match=r"cannot be understood"):
            image_mask(catalogue, Filters(query=query))


@pytest.mark.parametrize(
    "query", ["@__import__('os')", "__import__('os')", "open('x')", "exec('')"]
)
def test_a_query_reaches_no_function(catalogue, query):
    with pytest.raises(InvalidDataError):
        image_mask(catalogue, Filters(query=query))


@pytest.mark.parametrize(
    "query",
    [
        "{column}.to_csv({file!r})",
        "{column}.to_pickle({file!r})",
        "({column} == 1).to_json({file!r})",
        "{column}.str.lower().to_csv({file!r}) or {column} == '`'",
        "subset == '`' or {column}.to_csv({file!r}) or subset == '`'",
        'subset == "\\"`" or {column}.to_csv({file!r}) or subset == \'`\'',
        "`subset` == 's' or `kind`.to_csv({file!r})",
        "{column}.map('{{0.__class__.__mro__}}'.format) == ''",
        "{column}.__class__.__init__.__globals__ == 1",
        "{column}.str.__class__ == 1",
        "{column}.apply(list)",
        "{column}.pipe(list)",
        "Timestamp.fromisoformat('2020-01-01') == 1",
    ],
)
def test_a_query_calls_nothing_that_does_more_than_tell(catalogue, tmp_path, query):
    file = tmp_path / "written"
    with pytest.raises(InvalidDataError, match=r"there is no |backtick|cannot be understood"):
        image_mask(catalogue, Filters(query=query.format(column="subset", file=str(file))))
    assert not file.exists()


def test_a_query_changes_nothing(catalogue):
    before = catalogue.labels.copy()
    with pytest.raises(InvalidDataError):
        image_mask(catalogue, Filters(query="x.mask(x, inplace=True)"))
    assert (catalogue.labels == before).all()


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_in_backticks(make_set, name):
    imageset = make_set({"a": "", "b": "", "c": ""}, labels=NAMES)
    labels = imageset.labels.copy()
    labels[name] = [True, False, True]
    catalogue = Catalogue.of(imageset.with_labels(labels, imageset.known))
    assert shown(catalogue, query=f"`{name}`") == "ac"
    assert shown(catalogue, query=f"not `{name}` and size == 1") == "b"
    assert shown(catalogue, label=name) == "ac"


def test_a_nullable_column_is_no_where_it_is_missing(small):
    catalogue = Catalogue.of(
        small.with_columns(
            sure=pd.array([True, None, False, None, True, False, None], dtype="boolean"),
            many=pd.array([1, None, 3, 4, None, 6, 7], dtype="Int64"),
        )
    )
    assert shown(catalogue, query="sure") == "ae"
    assert shown(catalogue, query="many > 3") == "dfg"


def test_a_comma_in_an_experiment_is_part_of_its_name(catalogue, small):
    results = {"D, cleaned": catalogue.results["A"], "A": catalogue.results["C"]}
    comma = Catalogue.of(small, catalogue.components, results=results)
    assert "D, cleaned right, A wrong" in result_names(comma)
    for asked, same in (
        ("D, cleaned right", "A right"),
        ("D, cleaned right, A wrong", "A right, C wrong"),
        ("A right, D, cleaned wrong", "C right, A wrong"),
    ):
        found = image_mask(comma, Filters(result=asked))
        assert found.tolist() == image_mask(catalogue, Filters(result=same)).tolist()


def test_results(catalogue, small):
    assert result_names(catalogue) == [
        "A right",
        "A wrong",
        "C right",
        "C wrong",
        "A right, C wrong",
        "C right, A wrong",
    ]
    assert result_names(Catalogue.of(small)) == []


def ordered(catalogue, sort_by, descending, how=image_order, **filters):
    mask = image_mask(catalogue, Filters(**filters))
    found = how(catalogue, mask, sort_by, descending=descending).tolist()
    return "".join(catalogue.ids[found]) if how is image_order else found


@pytest.mark.parametrize(
    ("sort_by", "up", "down"),
    [
        ("", "abcdefg", "abcdefg"),
        ("blur", "bdeafcg", "fadebcg"),
        ("kind", "bdgaecf", "cfaebdg"),
        ("size", "fgdeabc", "abcdefg"),
        ("x", "cdegabf", "abfcdeg"),
    ],
)
def test_images_in_order(catalogue, sort_by, up, down):
    assert ordered(catalogue, sort_by, descending=False) == up
    assert ordered(catalogue, sort_by, descending=True) == down


@pytest.mark.parametrize(
    ("sort_by", "up", "down"),
    [
        ("", [0, 1, 2, 3], [0, 1, 2, 3]),
        ("size", [2, 3, 1, 0], [0, 1, 2, 3]),
        ("disagreement", [1, 2, 3, 0], [0, 1, 2, 3]),
        ("blur", [0, 1, 2, 3], [2, 0, 1, 3]),  # as their first image; 3 has no blur
        ("kind", [0, 1, 3, 2], [0, 2, 1, 3]),
        ("x", [0, 1, 3, 2], [0, 2, 1, 3]),
    ],
)
def test_components_in_order(catalogue, sort_by, up, down):
    assert ordered(catalogue, sort_by, descending=False, how=component_order) == up
    assert ordered(catalogue, sort_by, descending=True, how=component_order) == down


def test_only_components_with_an_image_that_fits_are_ordered(catalogue):
    assert ordered(catalogue, "", descending=False, how=component_order, label="x") == [0, 2]
    # Of component 10 only b is asked about, whose blur is 1.
    options = {"how": component_order, "query": "image_id != 'a'"}
    assert ordered(catalogue, "blur", descending=True, **options) == [2, 1, 0, 3]


def test_what_is_missing_comes_last_in_columns_of_every_kind(small):
    columns = {
        "date": pd.to_datetime(["2020", None, "2019", "2021", None, "2018", "2022"]),
        "whole": pd.array([2, None, 1, 3, None, 0, 4], dtype="Int64"),
        "words": pd.array(["c", None, "b", "d", None, "a", "e"], dtype="str"),
        "group": pd.Categorical(["c", None, "b", "d", None, "a", "e"]),
    }
    catalogue = Catalogue.of(small.with_columns(**columns))
    for name in columns:
        assert ordered(catalogue, name, descending=False) == "fcadgbe"
        assert ordered(catalogue, name, descending=True) == "gdacfbe"
        assert ordered(catalogue, name, descending=False, how=component_order) == [2, 0, 1, 3]


def test_a_column_without_an_order_is_refused(small):
    mixed = pd.Series([1, "a", None, [2], 3, 4, 5], small.images.index, dtype=object)
    catalogue = Catalogue.of(small.with_columns(mixed=mixed))
    for how in (image_order, component_order):
        with pytest.raises(InvalidDataError, match="'mixed' has no order"):
            ordered(catalogue, "mixed", descending=True, how=how)


def test_random_orders_are_stable(random_set):
    for seed in range(5):
        catalogue = Catalogue.of(random_set(seed))
        blur = catalogue.column("blur").to_numpy()
        every = np.ones(len(catalogue), dtype=bool)
        for descending in (False, True):
            sign = -1 if descending else 1
            images = sorted(range(len(blur)), key=lambda row: sign * blur[row])
            assert image_order(catalogue, every, "blur", descending=descending).tolist() == images
            first = [
                (min(sign * blur[catalogue.members(code)]), code)
                for code in range(len(catalogue.components))
            ]
            codes = component_order(catalogue, every, "blur", descending=descending)
            assert codes.tolist() == [code for _, code in sorted(first)]
