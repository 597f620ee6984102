"""What several tests of decoders share."""

import pytest
import toys

from transcribe_cli.lm.model import LanguageModel


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return toys.load(toys.CAT, tmp_path_factory.mktemp("lm"))
