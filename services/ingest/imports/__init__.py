"""How saved pages become articles. Each format is a pure module; `command` writes what they read."""
