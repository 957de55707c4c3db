"""The order of rows: all of them, by chance, each class alike where it is asked for."""

from __future__ import annotations

import numpy as np

from palio.train.deep.order import Order, a_few

RARE = np.repeat([0, 1, 2], [900, 90, 10])


def rows_of(order: Order, epoch: int) -> np.ndarray:
    return np.concatenate([order.rows(epoch, place) for place in range(order.n_steps(epoch))])


def test_an_epoch_takes_each_row_once_in_another_order() -> None:
    order = Order(RARE, batch=50, seed=1)
    first, second = rows_of(order, 0), rows_of(order, 1)
    assert sorted(first) == sorted(second) == list(range(1000))
    assert list(first) != list(second)
    assert list(rows_of(Order(RARE, batch=50, seed=1), 1)) == list(second)


def test_balanced_epochs_take_as_many_rows_of_each_class() -> None:
    order = Order(RARE, batch=1, seed=1, n_balanced=2)
    counts = np.bincount(RARE[rows_of(order, 1)])
    assert counts.max() - counts.min() <= 1
    assert list(np.bincount(RARE[rows_of(order, 2)])) == [900, 90, 10]


def test_a_batch_is_no_larger_than_the_rows() -> None:
    order = Order(np.zeros(3, np.int64), batch=64, seed=0)
    assert order.n_steps(0) == 1
    assert len(order.rows(0, 0)) == 3


def test_a_few_rows_hold_every_class() -> None:
    assert set(RARE[a_few(RARE, 6, seed=0)]) == {0, 1, 2}
    assert len(a_few(np.linspace(0, 1, 40), 16, seed=0)) == 16
