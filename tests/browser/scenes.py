"""Image sets to look at: few tiny pictures, and whatever number of rows."""

import numpy as np
import pandas as pd
from PIL import Image

from peta_viz.imageset import Head, ImageSet

AGE = Head("age", ("ageYoung", "ageOld"), "exclusive")
CLOTHES = Head("clothes", ("hat", "bag", "coat"))
LABELS = [*AGE.labels, *CLOTHES.labels]
SIZES = [14, 6, 3, 3, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1]
MADE_AT = 0.8


def colour(number):
    return (40 + 11 * number % 200, 30 + 37 * number % 210, 20 + 61 * number % 220)


def pictures(folder, count):
    """Write `count` pictures, each of one colour."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", (24 + number % 5 * 4, 48), colour(number)).save(path)
    return [str(path) for path in paths]


def image_set(paths, components=None, labels=None, known=None, heads=(AGE, CLOTHES), **columns):
    """One row per path; ids are `i0`, `i1`, … unless `image_id` names them."""
    count = len(paths)
    names = [label for head in heads for label in head.labels]
    ids = columns.pop("image_id", [f"i{n}" for n in range(count)])
    index = pd.Index(ids, name="image_id", dtype="str")
    if labels is None:
        labels = np.random.default_rng(0).random((count, len(names))) < 0.4
    known = np.ones_like(labels) if known is None else known
    images = pd.DataFrame(
        {"path": paths, "subset": "one", "person_id": ids, "width": 24, "height": 48}, index=index
    ).assign(problem="")
    images = images.assign(**columns)
    if components is not None:
        images["component_id"] = components
    return ImageSet(
        images,
        pd.DataFrame(labels & known, index, names),
        pd.DataFrame(known, index, names),
        tuple(heads),
    )


def street(folder):
    """Forty-nine images of two subsets, in eleven components and nine singletons."""
    components = np.repeat(np.arange(len(SIZES)), SIZES)
    rng = np.random.default_rng(1)
    labels = (rng.random((len(SIZES), len(LABELS))) < 0.4)[components]
    labels[:, 0] = components % 2 == 0
    labels[:, 1] = ~labels[:, 0]
    labels[[1, 3, 5], 2] = ~labels[[0], 2]  # the first component contests hat
    labels[15, 3] = ~labels[14, 3]  # the second one contests bag
    known = np.ones_like(labels)
    known[20:23, 4] = False
    return image_set(
        pictures(folder, len(components)),
        components,
        labels,
        known,
        subset=np.where(components < 10, "here", "there"),
        person_id=[f"p{one}" for one in components],
        blur=np.arange(len(components), dtype=float),
    )


def pairs_of(imageset):
    """Chains inside the components, and weaker pairs from each component to the next."""
    components = imageset.images["component_id"].to_numpy()
    ids = imageset.images.index.to_numpy()
    inside = components[:-1] == components[1:]
    place = np.arange(len(inside))
    similarity = np.where(inside, 0.99 - place % 14 * 0.01, 0.7 + 0.002 * place)
    similarity[2] = 0.82  # the weakest link of the first component
    return pd.DataFrame({"first": ids[:-1], "second": ids[1:], "similarity": similarity})


def doubts_of(imageset, reason="none of 3 near-copies have it"):
    """Doubts about the street: hat and bag of the first component, two single images."""
    labels = imageset.labels
    rows = [
        (1, "hat", 0.05, reason),
        (5, "hat", 0.1, "2 of 13 near-copies have it"),
        (3, "hat", 0.2, "2 of 13 near-copies have it"),
        (2, "coat", 0.9, "it is likely right"),
        (40, "coat", 0.45, reason),
        *((row, "bag", 0.4, "its other labels and looks make it 12% likely") for row in range(14)),
    ]
    carried = [bool(labels[label].iloc[row]) for row, label, *_ in rows]
    own = pd.DataFrame(
        {
            "image_id": [labels.index[row] for row, *_ in rows],
            "label": [label for _, label, *_ in rows],
            "value": np.where(carried, "yes", "no"),
            "suggested": np.where(carried, "no", "yes"),
            "score": np.array([score for *_, score, _ in rows], dtype=np.float32),
            "reason": [words for *_, words in rows],
        }
    )
    of_class = {"image_id": labels.index[41], "label": "age", "value": "ageYoung"}
    of_class |= {"suggested": "ageOld", "score": np.float32(0.3), "reason": reason}
    return pd.concat([own, pd.DataFrame([of_class])], ignore_index=True)


def predictions_of(imageset, names=("A", "B")):
    """What experiments said of each component: B is right more often than A."""
    components = imageset.images["component_id"]
    first = ~components.duplicated()
    truth, known = imageset.labels[first], imageset.known[first]
    sizes = components.value_counts()
    ids, values = components[first].to_numpy(), truth.to_numpy()
    rows = []
    for place, name in enumerate(names):
        for number, component in enumerate(ids):
            wrong = number % (2 + 3 * place) == 0
            for column, label in enumerate(truth.columns):
                yes = bool(values[number, column])
                said = 0.9 if yes != wrong else 0.1
                true = yes if known.iloc[number, column] else pd.NA
                rows.append((name, component, sizes[component], label, said, true))
    columns = ["experiment", "component_id", "size", "label", "probability", "truth"]
    kinds = {"experiment": "str", "label": "str", "probability": "float32", "truth": "boolean"}
    return pd.DataFrame(rows, columns=columns).astype(kinds)


def narrow(folder, count, size=(48, 120)):
    """Two components of `count` narrow images each, which contest most labels."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.png" for number in range(2 * count)]
    for number, path in enumerate(paths):
        Image.new("RGB", size, colour(number)).save(path)
    labels = np.random.default_rng(5).random((2 * count, len(LABELS))) < 0.4
    imageset = image_set(list(map(str, paths)), np.repeat([0, 1], count), labels)
    return imageset.with_columns(width=size[0], height=size[1])
