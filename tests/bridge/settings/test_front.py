"""bridge/settings/front.py"""

from bridge.config import GRPC_OFF, load_config


def test_grpc_can_be_switched_off():
    """-1 switches the gRPC service off."""
    assert load_config(["--grpc-port", "-1"], {}).grpc_port == GRPC_OFF
