"""Posters that a seller puts into parcels, group chats and his shop's pages: one template, as SVG and as PNG."""
