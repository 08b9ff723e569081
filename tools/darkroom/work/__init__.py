"""The life of one create: sent once (create), found again after a lost answer (reconcile), polled to its end (watch),
its images brought home (image_fetching). The Darkroom owns these; a tool call only waits for them.
"""
