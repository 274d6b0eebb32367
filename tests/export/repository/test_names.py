"""export/repository/names.py"""

import json

import pytest

from export.errors import NameTaken
from export.repository.names import check_free
from tests.export.repository.test_avatar import DESCRIPTION

ORIGIN = "client's package anna"


@pytest.fixture
def avatar(tmp_path):
    """An avatar that was made of a package of a client's, and its model."""
    folder = tmp_path / "avatars" / "anna"
    folder.mkdir(parents=True)
    (folder / "avatar.json").write_text(json.dumps({**DESCRIPTION, "name": "anna", "source": ORIGIN}))
    (tmp_path / "models" / "anna_frames").mkdir(parents=True)
    return folder


def test_a_free_name(tmp_path):
    """A name that nothing has is free."""
    check_free(tmp_path / "avatars" / "anna", tmp_path / "models", None)


def test_the_same_package(avatar, tmp_path):
    """An avatar of the same package may be made anew; one of another, or made by hand, may not."""
    check_free(avatar, tmp_path / "models", ORIGIN)
    for origin in ("client's package other", None):
        with pytest.raises(NameTaken) as caught:
            check_free(avatar, tmp_path / "models", origin)
        assert str(caught.value) == (
            f"{avatar}: expected a name that is free, or this package's already, got one of {ORIGIN}"
        )


@pytest.mark.parametrize("model", ["", "_frames", "_unet", "_speech", "_live"])
def test_a_model_without_an_avatar(tmp_path, model):
    """A model's name is taken, too, where nobody knows what it was made of."""
    (tmp_path / "models" / f"demo{model}").mkdir(parents=True)
    with pytest.raises(NameTaken, match=r"got one of unknown origin$"):
        check_free(tmp_path / "avatars" / "demo", tmp_path / "models", ORIGIN)
