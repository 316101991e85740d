"""The inputs of models: sensor columns or physics computed from them, scaled on training rows."""
