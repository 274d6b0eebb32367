import subprocess
import sys

import pytest

from demo.__main__ import main


def test_command_writes_a_clip(tmp_path):
    """The command draws the clip and says so in one line; away from a terminal it draws no progress bar."""
    target = tmp_path / "clip"
    command = [sys.executable, "-m", "demo", str(target), "--frames", "25", "--size", "256"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout == f"wrote {target}: 25 frames, 256x256\n"
    assert done.stderr == ""
    assert (target / "landmarks" / "24.lms").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--frames", "3"), "frames must be 25 to 3000, got 3"),
        (("--size", "100"), "size must be an even number of pixels, 256 to 1024, got 100"),
    ],
)
def test_bad_number_is_one_sentence(tmp_path, capsys, options, sentence):
    """A number outside its range is said in one sentence, with status 2, and nothing is written."""
    assert main([str(tmp_path / "clip"), *options]) == 2
    assert capsys.readouterr().err == f"python -m demo: {sentence}\n"
    assert list(tmp_path.iterdir()) == []


def test_word_for_a_number_is_refused(tmp_path, capsys):
    """Argument errors have status 2 and name the argument."""
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path / "clip"), "--frames", "many"])
    assert stopped.value.code == 2
    assert "--frames: invalid int value: 'many'" in capsys.readouterr().err


def test_existing_folder_is_one_sentence(tmp_path, capsys):
    """A folder already there is said in one sentence, with status 1."""
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"python -m demo: expected a folder yet to be made, but {tmp_path} exists\n"
    )


def test_unwritable_place_is_one_sentence(tmp_path, capsys):
    """A place that cannot be written is said in one sentence, with status 1."""
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file" / "clip")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"python -m demo: could not write the clip {tmp_path / 'file' / 'clip'}: ")
    assert error.count("\n") == 1
