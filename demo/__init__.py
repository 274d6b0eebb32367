"""The drawn demo character: how it is drawn and speaks, its trained networks, and how well its lips follow."""
