"""Vectors in two dimensions."""

from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seqlab.errors import UserError

Method = Literal["pca", "tsne"]
PERPLEXITY = 30.0
"""Perplexity of t-SNE (its number of neighbours), if there are enough vectors."""
LEAST = 4
"""Fewest vectors for t-SNE."""


class Projection(NamedTuple):
    """Vectors as points.

    Args:
        points: ``(vectors, 2)`` float32.
        axes: Names of the two axes.
    """

    points: Tensor
    axes: tuple[str, str]


@torch.no_grad()
def project(vectors: Tensor, method: Method = "pca") -> Projection:
    """Vectors projected to two dimensions by PCA or t-SNE.

    Args:
        vectors: ``(vectors, size)``.
        method: pca, or tsne (van der Maaten & Hinton 2008, JMLR 9), which starts from PCA and is not random.

    Raises:
        UserError: t-SNE has fewer than four vectors, or is not installed.
    """
    points, shares = principal_components(vectors)
    if method == "pca":
        names = (f"principal component {k} ({share:.1%} of the variance)" for k, share in enumerate(shares, 1))
        return Projection(points, (next(names), next(names)))
    if len(vectors) < LEAST:
        raise UserError(f"t-SNE needs at least {LEAST} vectors and there are {len(vectors)}; give --projection pca")
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise UserError(
            "t-SNE needs scikit-learn, which is not installed; pip install 'seqlab[tsne]', or give --projection pca"
        ) from None
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    begun = points.double().numpy() * 1e-4 / max(float(points[:, 0].std()), 1e-12)
    found = TSNE(perplexity=perplexity, init=begun, random_state=0).fit_transform(vectors.double().numpy())
    return Projection(torch.from_numpy(np.asarray(found, dtype=np.float32)), ("t-SNE 1", "t-SNE 2"))


def principal_components(vectors: Tensor) -> tuple[Tensor, tuple[float, float]]:
    """The first two principal components.

    The signs make the largest entry of each column positive.

    Args:
        vectors: ``(vectors, size)``.

    Returns:
        Points ``(vectors, 2)`` float32, and the share of the variance of each column; 0 without variance.
    """
    centred = (vectors - vectors.mean(0)).double()
    u, s, _ = torch.linalg.svd(centred, full_matrices=False)
    found = torch.zeros(len(vectors), 2, dtype=torch.float64)
    kept = min(2, len(s))
    found[:, :kept] = u[:, :kept] * s[:kept]
    largest = found.gather(0, found.abs().argmax(0, keepdim=True))
    found *= torch.where(largest < 0, -1.0, 1.0)
    total = float(s.square().sum()) or 1.0
    first, second = (float(one) / total for one in (*s[:kept].square(), 0.0, 0.0)[:2])
    return found.float(), (first, second)
