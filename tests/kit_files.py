"""Reads the files of a serving kit as those would who get them."""

import re
from types import SimpleNamespace

import yaml
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from sfcl_tf.serving.kit import KitSettings, write_kit

OWN = KitSettings(
    model="faces.v2",
    models="/srv/models",
    image=f"registry.example:5000/tf/serving:2.20@sha256:{'0' * 64}",
    grpc_port=9500,
    rest_port=9501,
    cpus=8,
    memory_gib=24,
    storage_gib=33,
    min_replicas=3,
    max_replicas=21,
    batching=False,
    max_batch_size=11,
    batch_timeout_micros=1234,
    tls=True,
)
SETTINGS = {"default": KitSettings(), "own": OWN}
# Messages of the server that tensorflow-serving-api leaves out.
MESSAGES = {
    "BatchingParameters": {
        "max_batch_size": ".google.protobuf.Int64Value",
        "batch_timeout_micros": ".google.protobuf.Int64Value",
        "max_enqueued_batches": ".google.protobuf.Int64Value",
        "num_batch_threads": ".google.protobuf.Int64Value",
    },
    "PrometheusConfig": {"enable": "BOOL", "path": "STRING"},
    "MonitoringConfig": {"prometheus_config": ".kit.PrometheusConfig"},
    "SSLConfig": {
        "server_key": "STRING",
        "server_cert": "STRING",
        "custom_ca": "STRING",
        "client_verify": "BOOL",
    },
}


def written(folder, settings):
    return SimpleNamespace(
        folder=folder, settings=settings, files=write_kit(folder, settings)
    )


def parse(name, text):
    """A text protobuf as one of `MESSAGES`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="kit.proto",
        package="kit",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    field = descriptor_pb2.FieldDescriptorProto
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for number, (key, kind) in enumerate(fields.items(), 1):
            entry = described.field.add(name=key, number=number)
            entry.label = field.LABEL_OPTIONAL
            if kind.startswith("."):
                entry.type, entry.type_name = field.TYPE_MESSAGE, kind
            else:
                entry.type = getattr(field, f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    described = pool.FindMessageTypeByName(f"kit.{name}")
    return text_format.Parse(text, message_factory.GetMessageClass(described)())


def documents(folder):
    """The Kubernetes objects, by kind and name."""
    found = {}
    for path in sorted((folder / "k8s").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            found[document["kind"], document["metadata"]["name"]] = document
    return found


def pod(folder):
    return documents(folder)["Deployment", "sfcl"]["spec"]["template"]


def container(folder):
    return pod(folder)["spec"]["containers"][0]


def compose(folder):
    """docker-compose.yml with the values of .env, as Compose puts them in."""
    lines = (folder / ".env").read_text("utf-8").splitlines()
    values = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))

    def value(match):
        name, operator = match[1], match[2]
        assert values[name] or operator == "-", name
        return values[name]

    text = (folder / "docker-compose.yml").read_text("utf-8")
    text, count = re.subn(r"\$\{(\w+)(-|:\?[^}]*)\}", value, text)
    assert count
    assert "$" not in text
    return yaml.safe_load(text)


def flags(arguments):
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
