"""Foreign exports become the kit's tables: read, mapped, checked, refused with reasons."""
