"""The box-constrained solver against scipy's and against the optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from lifemask.tracking._bounded import minimise_in_box
from lifemask.tracking._products import gram, product


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_scipy(seed):
    random = np.random.default_rng(seed)
    rows, right = random.standard_normal((60, 25)), random.standard_normal(60) * 3
    low, high = -random.uniform(0, 0.3, 25), random.uniform(0, 0.3, 25)
    ours = minimise_in_box(rows.T @ rows, -rows.T @ right, low, high)
    theirs = lsq_linear(rows, right, bounds=(low, high), tol=1e-14).x
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_ill_conditioned_problems_satisfy_the_conditions(seed):
    random = np.random.default_rng(100 + seed)
    rows = random.standard_normal((40, 30)) @ np.diag(np.logspace(0, -2.5, 30))
    hessian = rows.T @ rows + 1e-6 * np.eye(30)
    gradient = random.standard_normal(30)
    low, high = np.zeros(30), np.ones(30)
    x = minimise_in_box(hessian, gradient, low, high)
    slope = hessian @ x + gradient
    assert np.all(slope[x <= low] >= -1e-6)
    assert np.all(slope[x >= high] <= 1e-6)
    inside = (x > low) & (x < high)
    np.testing.assert_allclose(slope[inside], 0, atol=1e-6)


def test_unbounded_variables_are_solved_freely():
    hessian = np.array([[2.0, 0.5], [0.5, 1.0]])
    gradient = np.array([-1.0, 2.0])
    free = np.full(2, np.inf)
    x = minimise_in_box(hessian, gradient, -free, free)
    np.testing.assert_allclose(hessian @ x, -gradient)


@pytest.mark.parametrize(("count", "width"), [(7, 3), (982, 49), (982, 131), (3, 600)])
def test_products_in_blocks_are_the_products(count, width):
    random = np.random.default_rng(count + width)
    rows, right = random.standard_normal((count, width)), random.standard_normal(count)
    squared, projected = gram(rows, right)
    np.testing.assert_allclose(squared, rows.T @ rows, atol=1e-9)
    np.testing.assert_allclose(projected, rows.T @ right, atol=1e-9)
    np.testing.assert_allclose(product(rows, squared), rows @ (rows.T @ rows), atol=1e-8)
