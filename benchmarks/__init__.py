"""Speed against named references, each measured beside ours in one process."""
