"""What orders and acts earn. Pure: no database, no settings, no clock. docs/rules.md explains it with worked tables."""
