"""From a collection of videos to `tf.data` batches of `{image, sida}`."""
