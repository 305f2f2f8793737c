import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from peta_viz.imageset import Head
from peta_viz.training.config import TrainConfig
from peta_viz.training.data import Targets
from peta_viz.training.losses import HeadTruth, total_loss

HEADS = (Head("age", ("a", "b"), "exclusive"), Head("rest", ("x", "y")))
PLAIN = TrainConfig(weights=None)


def _targets(values, known=None):
    values = pd.DataFrame(values, columns=list("abxy"), dtype=bool)
    known = values | True if known is None else pd.DataFrame(known, columns=list("abxy"))
    return Targets(values, known, pd.Series(2, index=values.index))


def _loss(targets, logits, config=PLAIN):
    truths = [HeadTruth.of(targets, head, config) for head in HEADS]
    rows = torch.arange(len(targets.values))
    return total_loss(truths, [torch.tensor(part) for part in logits], rows, config).item()


def test_it_is_cross_entropy_and_its_binary_kin():
    targets = _targets([[1, 0, 1, 0], [0, 1, 0, 0]])
    logits = [[[2.0, 0.0], [1.0, 0.0]], [[1.0, -1.0], [0.5, 3.0]]]
    expected = functional.cross_entropy(torch.tensor(logits[0]), torch.tensor([0, 1]))
    expected += functional.binary_cross_entropy_with_logits(
        torch.tensor(logits[1]), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    )
    assert _loss(targets, logits) == pytest.approx(expected.item(), rel=1e-6)


def test_what_is_not_known_has_no_part():
    known = [[True, True, True, False], [False, True, False, True]]
    targets = _targets([[1, 0, 1, 0], [1, 0, 0, 0]], known)
    logits = [[[2.0, 0.0], [9.0, -9.0]], [[1.0, -77.0], [55.0, -1.0]]]
    expected = functional.cross_entropy(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    expected += functional.binary_cross_entropy_with_logits(
        torch.tensor([1.0, -1.0]), torch.tensor([1.0, 0.0])
    )
    assert _loss(targets, logits) == pytest.approx(expected.item(), rel=1e-6)
    nothing = _targets(np.zeros((2, 4)), np.zeros((2, 4), dtype=bool))
    assert _loss(nothing, logits) == 0
    truth = HeadTruth.of(nothing, HEADS[0], PLAIN)
    free = torch.zeros(2, 2, requires_grad=True)
    truth.loss(free, torch.arange(2), PLAIN).backward()  # a batch may be like that
    assert free.grad.tolist() == [[0, 0], [0, 0]]


def test_focal_loss_weighs_down_what_is_right():
    targets = _targets([[1, 0, 1, 0]])
    logits = [[[2.0, 0.0]], [[1.0, -1.0]]]
    focal = TrainConfig(weights=None, loss="focal")
    p = torch.softmax(torch.tensor([2.0, 0.0]), dim=0)[0]
    q = torch.sigmoid(torch.tensor(1.0))
    expected = -((1 - p) ** 2) * p.log() - (1 - q) ** 2 * q.log()
    assert _loss(targets, logits, focal) == pytest.approx(expected.item(), rel=1e-5)


def test_balanced_weights_are_the_inverse_root_of_frequency():
    targets = _targets([[1, 0, 1, 0]] * 1 + [[0, 1, 0, 0]] * 4)
    balanced = TrainConfig(weights=None, class_weights="balanced")
    age, rest = (HeadTruth.of(targets, head, balanced) for head in HEADS)
    assert age.weights.tolist() == pytest.approx([2.5**0.5, 0.625**0.5])
    assert rest.weights.tolist() == pytest.approx([2.0, 1.0])  # x: 4 to 1; y never occurs
    logits = [[[0.0, 0.0]] * 5, [[0.0, 0.0]] * 5]
    # All answers are as unsure, so weights that are a mean change nothing.
    assert _loss(targets, logits, balanced) == pytest.approx(2 * np.log(2), rel=1e-6)
