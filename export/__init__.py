"""What a person brings, to what Triton serves: footage, networks and the model repository, with commands on top."""
