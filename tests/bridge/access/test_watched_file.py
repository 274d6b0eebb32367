"""bridge/access/watched_file.py"""

import logging

import pytest

from bridge.access.watched_file import Watched
from bridge.errors import ConfigError


def reading(path):
    """Return what reads a file, and refuses one that is empty."""

    def read():
        if not (text := path.read_text()):
            raise ConfigError("key", "text", "none")
        return text

    return read


def test_a_file_that_changes(tmp_path, caplog):
    """What is new is read; where it is no good, or gone, what was read before goes on, and the log says so once."""
    path = tmp_path / "file"
    path.write_text("one")
    watched = Watched([str(path)], reading(path))
    assert watched.value == "one"
    path.write_text("three")
    assert watched.value == "three"
    with caplog.at_level(logging.ERROR):
        path.write_text("")
        assert [watched.value, watched.value] == ["three", "three"]
        path.unlink()
        assert [watched.value, watched.value] == ["three", "three"]
    assert len(caplog.records) == 2
    assert "what was read before goes on, for: key: expected text, got 'none'" in caplog.messages[0]
    path.write_text("four")
    assert watched.value == "four"


def test_a_link_to_another_file(tmp_path):
    """A link that leads to another file, as mounted secrets do, is a change."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    link = tmp_path / "link"
    link.symlink_to("one")
    watched = Watched([str(link)], link.read_text)
    assert watched.value == "one"
    link.unlink()
    link.symlink_to("two")
    assert watched.value == "two"


def test_a_file_that_is_no_good_at_the_start(tmp_path):
    """At the start there is nothing to go on with."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        Watched([str(tmp_path / "file")], reading(tmp_path / "file"))
