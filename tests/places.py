"""Where tests find the checkout and what lies in it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
