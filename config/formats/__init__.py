"""How dates and numbers are written, where Django's own formats are too long for a table or read two ways."""
