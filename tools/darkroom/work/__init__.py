"""The life of one create: sent once (creating), found again after a lost answer (reconciling), polled to its end
(following), its images brought home (image_fetching). The Darkroom owns these; a tool call only waits for them.
"""
