"""Tier schemes in the admin: versions and drafts, the editor, previews, the adviser, and who is about to move."""
