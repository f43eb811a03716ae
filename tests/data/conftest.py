"""Real models for the tests of bertie.data."""

from tests.data.models import e5_file, e5_folder, minilm_folder

__all__ = ["e5_file", "e5_folder", "minilm_folder"]
