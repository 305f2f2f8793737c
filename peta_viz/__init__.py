"""See where the labels of near-identical images contradict each other, and clean them.

The public names are loaded when first used: importing the package loads neither pandas, nor
torch, nor fastdup.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from peta_viz.agreement import Flag, flag_components, measure_components
    from peta_viz.cleaning import Cleaning, clean
    from peta_viz.components import cluster
    from peta_viz.curation.decisions import Decisions
    from peta_viz.curation.log import DecisionLog
    from peta_viz.embedding import embed
    from peta_viz.experiments import run_experiments, train_models
    from peta_viz.imageset import Head, ImageSet
    from peta_viz.intervals import compare_experiments, score_experiments
    from peta_viz.loader import ImageLoader
    from peta_viz.peta import read_peta
    from peta_viz.pruning import parse_strategy
    from peta_viz.quality.audit import audit
    from peta_viz.quality.scores import label_quality
    from peta_viz.sample import make_sample
    from peta_viz.splitting import split
    from peta_viz.streaming import clean_folder, measure_folder
    from peta_viz.widgets.confusion import ConfusionMatrix
    from peta_viz.widgets.curator import Curator
    from peta_viz.widgets.gallery import Gallery

__version__ = "0.1.0"

_MODULES = {
    "Cleaning": "cleaning",
    "ConfusionMatrix": "widgets.confusion",
    "Curator": "widgets.curator",
    "DecisionLog": "curation.log",
    "Decisions": "curation.decisions",
    "Flag": "agreement",
    "Gallery": "widgets.gallery",
    "Head": "imageset",
    "ImageLoader": "loader",
    "ImageSet": "imageset",
    "audit": "quality.audit",
    "clean": "cleaning",
    "clean_folder": "streaming",
    "cluster": "components",
    "compare_experiments": "intervals",
    "embed": "embedding",
    "flag_components": "agreement",
    "label_quality": "quality.scores",
    "make_sample": "sample",
    "measure_components": "agreement",
    "measure_folder": "streaming",
    "parse_strategy": "pruning",
    "read_peta": "peta",
    "run_experiments": "experiments",
    "score_experiments": "intervals",
    "split": "splitting",
    "train_models": "experiments",
}

__all__ = [
    "Cleaning",
    "ConfusionMatrix",
    "Curator",
    "DecisionLog",
    "Decisions",
    "Flag",
    "Gallery",
    "Head",
    "ImageLoader",
    "ImageSet",
    "audit",
    "clean",
    "clean_folder",
    "cluster",
    "compare_experiments",
    "embed",
    "flag_components",
    "label_quality",
    "make_sample",
    "measure_components",
    "measure_folder",
    "parse_strategy",
    "read_peta",
    "run_experiments",
    "score_experiments",
    "split",
    "train_models",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
