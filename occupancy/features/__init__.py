"""What models see: sensor columns or physics made of them, scaled on training rows."""
