"""Figures, and the HTML pages that hold them."""
