"""What the package does as a whole, for programs and for the command line alike.

```
prepare -> train -> calibrate -> evaluate -> export
```
Functions of typed arguments that raise errors of `sfcl_tf.system.errors` and print
nothing: what they have to say on their way they tell a
`sfcl_tf.workflow.progress.Progress`.
"""
