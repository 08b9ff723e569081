"""The exposure: MCP, transports, command line, sandbox. Imports `darkroom`; never the other way."""

__version__ = "0.2.0"
