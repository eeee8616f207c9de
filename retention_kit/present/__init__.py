"""Results become something a reader sees: figures, tables, sentences, and a machine-readable twin."""
