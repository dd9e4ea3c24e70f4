"""From pictures to the faces in them."""
