"""Putting darkroom into the programs that can start it: their entries, their settings files, their one-click links.

Pure but for `writing`, `removing`, `launching` and `starting`: where the person's folders are and what time it is come
in as arguments.
"""
