"""Short messages with a code: through the HTTP interface of a provider, or onto the console."""
