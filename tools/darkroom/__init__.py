"""The work: predictions, registry, gateways, journal, outputs and the three tools. Knows nothing of MCP."""
