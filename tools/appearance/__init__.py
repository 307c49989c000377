"""Pictures that show what the appearance stage does."""
