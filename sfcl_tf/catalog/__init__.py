"""Which videos a data set holds, with labels and splits; the demo's own."""
