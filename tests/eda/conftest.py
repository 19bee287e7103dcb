import pytest

from fmnist.data.dataset import FashionMNIST
from fmnist.eda.run import explore
from fmnist.results.eda import Exploration
from fmnist.system.progress import Steps


@pytest.fixture(scope="package")
def explored(data: FashionMNIST) -> Exploration:
    """Results for the small dataset, with 300 images in the t-SNE embedding."""
    return explore(data, tsne_rows=300, perplexity=10, seed=0, steps=Steps())
