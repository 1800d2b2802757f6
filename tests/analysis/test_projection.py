import sys

import numpy as np
import pytest
import torch

from seqlab.analysis.labelled_points import draw_points
from seqlab.analysis.projection import principal_components, project
from seqlab.errors import UserError


def test_principal_components_are_those_of_the_covariance() -> None:
    vectors = torch.randn(30, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([5.0, 1, 2, 1, 1])
    points, shares = principal_components(vectors)
    values, directions = np.linalg.eigh(np.cov(vectors.double().numpy().T))
    assert shares == pytest.approx(values[::-1][:2] / values.sum(), rel=1e-5)
    expected = (vectors - vectors.mean(0)).double().numpy() @ directions[:, ::-1][:, :2]
    np.testing.assert_allclose(points.abs(), np.abs(expected), atol=1e-4)
    assert (points.gather(0, points.abs().argmax(0, keepdim=True)) > 0).all()


def test_vectors_on_a_line_and_vectors_that_are_equal() -> None:
    points, shares = principal_components(torch.tensor([[0.0, 0], [1, 1], [2, 2]]))
    assert shares == pytest.approx((1.0, 0.0))
    torch.testing.assert_close(points[:, 1], torch.zeros(3), atol=1e-6, rtol=0)
    assert principal_components(torch.ones(2, 3))[1] == (0.0, 0.0)
    assert principal_components(torch.ones(3, 1))[0].shape == (3, 2)


def test_axes_say_what_they_explain() -> None:
    found = project(torch.tensor([[0.0, 0], [3, 0], [0, 1], [3, 1]]))
    assert found.axes == (
        "principal component 1 (90.0% of the variance)",
        "principal component 2 (10.0% of the variance)",
    )


def test_tsne_keeps_groups_together_and_is_the_same_every_time() -> None:
    pytest.importorskip("sklearn")
    groups = torch.randn(3, 1, 10, generator=torch.Generator().manual_seed(0)) * 5
    vectors = (groups + torch.randn(3, 6, 10, generator=torch.Generator().manual_seed(1))).flatten(0, 1)
    found = project(vectors, "tsne")
    assert found.axes == ("t-SNE 1", "t-SNE 2")
    torch.testing.assert_close(found.points, project(vectors, "tsne").points)
    distances = torch.cdist(found.points, found.points).fill_diagonal_(torch.inf)
    assert (distances.argmin(1) // 6 == torch.arange(18) // 6).all()


def test_tsne_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="needs at least 4 vectors and there are 3; give --projection pca"):
        project(torch.eye(3), "tsne")
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(UserError, match=r"pip install 'seqlab\[tsne\]', or give --projection pca"):
        project(torch.eye(5), "tsne")


def test_no_label_covers_another() -> None:
    points = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
    figure = draw_points(project(points), [f"the word {number}" for number in range(40)], "words")
    (axes,) = figure.axes
    assert axes.get_title() == "words"
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == 40
    covered = [(a, b) for k, a in enumerate(boxes) for b in boxes[:k] if a.overlaps(b)]
    assert not covered
    outside = [box for box in boxes if box.x0 < axes.bbox.x0 - 1 or box.x1 > axes.bbox.x1 + 1]
    assert not outside
