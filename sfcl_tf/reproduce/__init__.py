"""The paper's tables and figures, on whatever data there is."""
