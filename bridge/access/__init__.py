"""Who may ask the bridge: under which name, from which page, with which token, and how much at once."""
