"""The only door from the restricted folders to what may be shown: disclosure control, and nothing beside it."""
