"""export/serving_cli.py; its commands run in test_main.py"""

import argparse

import pytest

from export.repository.configs import ServingOptions
from export.serving_cli import add_serving_options, serving_options


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    add_serving_options(parser)
    return serving_options(parser.parse_args(arguments))


def test_defaults_are_the_configs():
    """Without options the configs are those that are checked in."""
    assert parsed() == ServingOptions()


def test_every_option():
    """Each option lands in its field."""
    arguments = [
        "--instances",
        "3",
        "--batch-sizes",
        "2,4",
        "--queue-delay-us",
        "5",
        "--threads",
        "1",
        "--gpus",
        "0,1",
        "--lookup-instances",
        "2",
        "--jpeg-instances",
        "6",
        "--jpeg-device",
        "gpu",
        "--frames-in-network",
    ]
    assert parsed(*arguments) == ServingOptions(
        instances=3,
        batch_sizes=(2, 4),
        queue_delay_us=5,
        threads=1,
        gpus=(0, 1),
        lookup_instances=2,
        jpeg_instances=6,
        jpeg_device="gpu",
        frames_in_network=True,
    )


@pytest.mark.parametrize("resident", [False, True])
def test_the_faces_stay_where_they_are(resident):
    """Without a word about them, the faces stay in the lookup or in the network; with one, they are where it says."""

    def place(*arguments):
        parser = argparse.ArgumentParser()
        add_serving_options(parser)
        return serving_options(parser.parse_args(arguments), "tensorrt", resident).frames_in_network

    assert place() == resident
    assert place("--frames-in-network")
    assert not place("--no-frames-in-network")


@pytest.mark.parametrize(
    "option",
    [
        "--instances 0",
        "--queue-delay-us -5",
        "--threads -1",
        "--batch-sizes 2,0",
        "--lookup-instances 0",
        "--jpeg-instances 0",
    ],
)
def test_numbers_out_of_range(option, capsys):
    """A number that no config can hold is refused at once, not by Triton."""
    with pytest.raises(SystemExit):
        parsed(*option.split())
    assert f"argument {option.split()[0]}: expected an integer of" in capsys.readouterr().err
