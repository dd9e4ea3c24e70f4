"""A development server: TensorFlow Serving's protocol in one Python process.

```
gRPC, REST -> admission -> request checked -> batch -> SavedModel -> answer
```

For development, tests and small deployments; TensorFlow Serving itself is for
production, and any client of one is a client of the other.
"""
