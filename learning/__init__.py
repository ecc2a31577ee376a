"""The model in the clear: bins, exact scores, residuals, optimisers, stopping, quality.

Numbers in, numbers out: no event, key or file is known here, and no other room is imported.
"""
