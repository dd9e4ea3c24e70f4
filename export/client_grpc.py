"""Scores face crops by gRPC: python client_grpc.py [--server HOST:PORT] IMAGE ..."""

import argparse
from pathlib import Path

import grpc
import tensorflow as tf  # comes with tensorflow-serving-api
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

BATCH = 16  # crops in a request: at most the server's max_batch_size, and a few MB
CHANNEL = [("grpc.lb_policy_name", "round_robin")]  # over all that a name resolves to

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", default="127.0.0.1:8500")
parser.add_argument("--model", default="sfcl")
parser.add_argument("--timeout", type=float, default=30.0, help="seconds a request")
parser.add_argument("--ca", type=Path, help="TLS: PEM file of who signed the server")
parser.add_argument("--key", type=Path, help="client's private key, if it is asked for")
parser.add_argument("--cert", type=Path, help="client's certificate, likewise")
parser.add_argument("images", nargs="+", type=Path)
args = parser.parse_args()

pems = [path.read_bytes() if path else None for path in (args.ca, args.key, args.cert)]
if args.ca:
    tls = grpc.ssl_channel_credentials(*pems)
    channel = grpc.secure_channel(args.server, tls, CHANNEL)
else:
    channel = grpc.insecure_channel(args.server, CHANNEL)
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
for start in range(0, len(args.images), BATCH):
    paths = args.images[start : start + BATCH]
    request = predict_pb2.PredictRequest(model_spec={"name": args.model})
    crops = tf.make_tensor_proto([path.read_bytes() for path in paths], tf.string)
    request.inputs["image_bytes"].CopyFrom(crops)
    outputs = stub.Predict(request, timeout=args.timeout).outputs
    columns = [tf.make_ndarray(outputs[k]) for k in ("score", "verdict", "status")]
    for path, score, verdict, status in zip(paths, *columns, strict=True):
        print(path, f"{score:.4f}", verdict.decode(), status.decode(), sep="\t")
