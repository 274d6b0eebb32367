"""export/footage/private_copy.py"""

import os

import pytest

from export.errors import BadSource
from export.footage import private_copy as module
from export.footage.private_copy import check_links, private_copy
from tests.export.sources import tree


@pytest.fixture
def root(tmp_path):
    """A folder with the package ``anna`` in it."""
    package = tmp_path / "packages" / "anna"
    (package / "cache").mkdir(parents=True)
    (package / "package_info.json").write_text("{}")
    (package / "cache" / "a.bin").write_bytes(bytes(3 << 20))
    return tmp_path / "packages"


def refusal(root, name="anna"):
    target = root.parent / "avatars" / "may"
    with pytest.raises(BadSource) as caught, private_copy(root, root / name, target):
        pass
    assert caught.value.path == root / name
    assert not target.parent.exists()
    return str(caught.value).removeprefix(f"{root / name}: expected ")


def test_a_copy(root):
    """The copy has the package's name and files, and is gone afterwards, whatever happens to the package."""
    whole = tree(root / "anna")
    target = root.parent / "avatars" / "may"
    with private_copy(root, root / "anna", target) as copy:
        (root / "anna" / "package_info.json").unlink()
        (root / "anna" / "package_info.json").symlink_to("/etc/passwd")
        assert (copy.name, tree(copy)) == ("anna", whole)
    assert list(target.parent.iterdir()) == []


def test_what_is_said_of_the_copy(root):
    """An error names the package's file, not the copy's."""
    with (
        pytest.raises(BadSource) as caught,
        private_copy(root, root / "anna", root.parent / "avatars" / "may") as copy,
    ):
        raise BadSource(copy / "cache" / "a.bin", "b", "c")
    assert str(caught.value) == f"{root / 'anna' / 'cache' / 'a.bin'}: expected b, got c"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("place", ["anna/link", "anna/cache/link", "link"])
def test_links(root, place):
    """A link in the package, or on the way to it, is refused when it is opened: nothing was looked at before."""
    (root / place).symlink_to(root / "anna" / "cache")
    assert refusal(root, place.split("/")[0]) == "plain files and folders, and no links, got 'link' in it"


def test_a_link_on_the_way(root):
    """A folder on the way to the package that is swapped for a link is not followed."""
    (root / "deep").symlink_to(root)
    assert refusal(root, "deep/anna") == "plain files and folders, and no links, got 'deep' in it"


def test_pipes(root):
    """A pipe, whose reading may never end, is refused."""
    os.mkfifo(root / "anna" / "aud_ave.npy")
    assert refusal(root) == "plain files and folders, and no links, got 'aud_ave.npy' in it"


def test_places(root):
    """What is not there, is a file, or lies elsewhere is no package."""
    (root / "file").touch()
    assert refusal(root, "absent") == "a package's folder, got nothing there"
    assert refusal(root, "file") == "a package's folder, got a file"
    assert refusal(root, "..").endswith("got another")
    assert refusal(root, ".").endswith("got another")


@pytest.mark.parametrize(
    ("name", "most", "said"),
    [
        ("PACKAGE_FILES", 2, "up to 2 files and folders, got more"),
        ("PACKAGE_BYTES", 2 << 20, "up to 0 GiB in all, got more"),
        ("PACKAGE_DEPTH", 1, "folders at most 1 deep, got deeper ones"),
    ],
)
def test_bounds(root, monkeypatch, name, most, said):
    """A package of too many files, bytes or folders is refused, and its copy goes."""
    monkeypatch.setattr(module, name, most)
    assert refusal(root) == said


def test_links_that_lead_out(root):
    """Of a package that the user names himself, links may lead to its own files, and to no others."""
    package = root / "anna"
    (package / "own").symlink_to("cache/a.bin")
    check_links(package)
    for target in ("/etc/passwd", "../..", "circle"):
        (package / "circle").symlink_to(target)
        with pytest.raises(
            BadSource, match="expected links within the package, got 'circle', which leads out"
        ):
            check_links(package)
        (package / "circle").unlink()
