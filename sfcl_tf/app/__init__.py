"""`sfcl app`: a page in the browser of this machine, in Gradio."""
