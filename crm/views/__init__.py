"""Pages of the ground floor that are not the admin's."""
