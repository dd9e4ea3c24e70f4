"""Scores face crops by REST: python client_rest.py [--server URL] IMAGE ..."""

import argparse
import base64
from pathlib import Path

import requests

BATCH = 16  # crops in a request: at most the server's max_batch_size, and a few MB

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", default="http://127.0.0.1:8501")
parser.add_argument("--model", default="sfcl")
parser.add_argument("--timeout", type=float, default=30.0, help="seconds a request")
parser.add_argument("images", nargs="+", type=Path)
args = parser.parse_args()

url = f"{args.server}/v1/models/{args.model}:predict"
with requests.Session() as session:
    for start in range(0, len(args.images), BATCH):
        paths = args.images[start : start + BATCH]
        crops = [base64.b64encode(path.read_bytes()).decode() for path in paths]
        body = {"instances": [{"image_bytes": {"b64": crop}} for crop in crops]}
        reply = session.post(url, json=body, timeout=args.timeout)
        if not reply.ok:
            raise SystemExit(f"{url} answered {reply.status_code}: {reply.text}")
        for path, row in zip(paths, reply.json()["predictions"], strict=True):
            score, verdict, status = row["score"], row["verdict"], row["status"]
            print(path, f"{score:.4f}", verdict, status, sep="\t")
