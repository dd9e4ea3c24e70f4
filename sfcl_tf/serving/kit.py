"""The serving kit: `export/` written to a folder of one's own, filled in."""

import re
from dataclasses import dataclass
from pathlib import Path

from sfcl_tf.system import resources
from sfcl_tf.system.errors import UsageError
from sfcl_tf.system.output import explain_write_errors, write_text

MODELS = "models"  # beside the kit's files: where docker-compose.yml looks by default
MOST_ROWS = 32  # of as many boxes as a frame may have, the SavedModel takes in a call
_IMAGE = re.compile(
    r"(?P<name>[\w.-]+(:\d+)?(/[\w.-]+)*):(?P<tag>\w[\w.-]*(@sha256:[0-9a-f]{64})?)"
)


@dataclass(frozen=True, kw_only=True)
class KitSettings:
    """What can be set in a kit; the defaults are what `export/` holds.

    Attributes:
        model: Name under which the model is served. Its versions lie in
            `<models>/<model>/<version>/`.
        models: Folder on the host, absolute or relative to the kit, that
            docker-compose.yml mounts.
        image: TensorFlow Serving's image with its tag, and `@sha256:...` if pinned.
        grpc_port: Port of gRPC on the host (compose).
        rest_port: Port of REST on the host (compose).
        cpus: Whole cores for a server, and threads for TensorFlow.
        memory_gib: Memory of a server in GiB.
        storage_gib: Size of the volume with the models in GiB (Kubernetes).
        min_replicas: Servers that always run (Kubernetes).
        max_replicas: Servers at most (Kubernetes).
        batching: Whether the server joins requests that arrive together.
        max_batch_size: Rows in a batch at most, 1 to 32.
        batch_timeout_micros: How long a batch waits to be filled, in microseconds.
        tls: Whether gRPC is encrypted. Certificates are not part of the kit.

    Raises:
        UsageError: For a value that cannot be.
    """

    model: str = "sfcl"
    models: str = f"./{MODELS}"
    image: str = "tensorflow/serving:2.21.0"
    grpc_port: int = 8500
    rest_port: int = 8501
    cpus: int = 2
    memory_gib: int = 8
    storage_gib: int = 10
    min_replicas: int = 2
    max_replicas: int = 8
    batching: bool = True
    max_batch_size: int = 32
    batch_timeout_micros: int = 5000
    tls: bool = False

    def __post_init__(self):
        _expect(
            re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.model, re.ASCII),
            "a model name of letters, digits, '_', '.' and '-'",
            f"model={self.model!r}",
        )
        _expect(
            re.fullmatch(r"(\.{0,2}|~)/[^\s'\"$#:\\]*", self.models),
            "a folder that begins with ./, ../, ~/ or /, without blanks, quotes, "
            "'$', '#', ':' and '\\'",
            f"models={self.models!r}",
        )
        _expect(
            _IMAGE.fullmatch(self.image),
            "an image with a tag, such as tensorflow/serving:2.21.0, and its digest "
            "(@sha256:...) behind it if you wish",
            f"image={self.image!r}",
        )
        for name in (
            "cpus",
            "memory_gib",
            "storage_gib",
            "min_replicas",
            "max_replicas",
            "max_batch_size",
            "batch_timeout_micros",
        ):
            value = getattr(self, name)
            _expect(
                type(value) is int and value >= 1,
                f"{name} to be a whole number of at least 1",
                repr(value),
            )
        _expect(
            self.max_batch_size <= MOST_ROWS,
            f"max_batch_size of at most {MOST_ROWS}, so that no batch is too large",
            f"{self.max_batch_size}",
        )
        _expect(
            self.min_replicas <= self.max_replicas,
            "min_replicas of at most max_replicas",
            f"min_replicas={self.min_replicas}, max_replicas={self.max_replicas}",
        )
        ports = (self.grpc_port, self.rest_port)
        _expect(
            all(type(port) is int and 1 <= port <= 65535 for port in ports)
            and self.grpc_port != self.rest_port,
            "two different ports in 1..65535",
            f"grpc_port={self.grpc_port!r}, rest_port={self.rest_port!r}",
        )


def write_kit(folder: Path, settings: KitSettings | None = None) -> list[Path]:
    """Writes the kit, filled in, without replacing what somebody else wrote.

    A folder that holds this kit already may be written to again: files that are as
    they would be written stay, and so does what is not of the kit (models, keys).

    Args:
        folder: Where to; made if it is missing.
        settings: What is filled in.

    Returns:
        The kit's files, sorted.

    Raises:
        UsageError: If a file of the kit is there with another content, or if the
            folder holds other things and no kit; nothing is written then.
    """
    kit = _filled(settings or KitSettings())
    _expect(folder.is_dir() or not folder.exists(), "a folder for the kit", f"{folder}")
    there = [path for path in kit if (folder / path).exists()]
    changed = [path for path in there if not _holds(folder / path, kit[path])]
    if changed:
        raise UsageError(
            f"Expected the kit's files in {folder} to be as they would be written. "
            f"Received: {', '.join(changed)} of another content. For a new version "
            f"of the model alone: sfcl export RUN --to {folder / MODELS}/NAME "
            "--version N. For a new kit, name another folder, or remove those files."
        )
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    others = sorted(names - {MODELS})
    if others and not there:
        raise UsageError(
            f"Expected {folder} to be empty, or to hold a kit. Received: a folder "
            f"with {others[0]} in it. Name another folder."
        )
    for path, text in kit.items():
        target = folder / path
        if path not in there:
            with explain_write_errors(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, text)
    return [folder / path for path in kit]


def _filled(settings):
    source = resources.path("export")
    kit = {
        path.relative_to(source).as_posix(): path.read_text("utf-8")
        for path in sorted(source.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    for path, values in _values(settings).items():
        for key, value in values.items():
            # The shipped files hold the defaults, so that they work as they are and
            # keep their comments: what follows the key is replaced.
            kit[path], count = re.subn(
                rf'(?<![\w-]){re.escape(key)}[^\s"]*',
                f"{key}{value}".replace("\\", r"\\"),
                kit[path],
            )
            if not count:
                raise ValueError(f"Expected {key!r} in {path}. Received: none.")
    return kit


def _values(settings):
    """By file, then by the key before it: what `settings` put there."""
    match = _IMAGE.fullmatch(settings.image)
    image = match.groupdict() if match else {}
    flags = {
        "--enable_batching=": str(settings.batching).lower(),
        # The server does not start with parameters for what is off.
        "--batching_parameters_file=": "/config/batching.config"
        if settings.batching
        else "",
    }
    return {
        ".env": {
            "SFCL_IMAGE=": settings.image,
            "SFCL_MODEL=": settings.model,
            "SFCL_MODELS=": settings.models,
            "SFCL_GRPC_PORT=": settings.grpc_port,
            "SFCL_REST_PORT=": settings.rest_port,
            "SFCL_CPUS=": settings.cpus,
            "SFCL_MEMORY=": f"{settings.memory_gib}g",
            "SFCL_SSL_CONFIG_FILE=": "/tls/ssl.config" if settings.tls else "",
        },
        "config/models.config": {
            'name: "': settings.model,
            'base_path: "': f"/models/{settings.model}",
        },
        "config/batching.config": {
            "max_batch_size { value: ": settings.max_batch_size,
            "batch_timeout_micros { value: ": settings.batch_timeout_micros,
            "num_batch_threads { value: ": settings.cpus,
        },
        "kustomization.yaml": {
            "newName: ": image["name"],
            'newTag: "': image["tag"],
            "components: ": "[tls]" if settings.tls else "[]",
        },
        "docker-compose.yml": flags,
        "k8s/deployment.yaml": flags
        | {
            "path: /v1/models/": settings.model,
            "cpu: ": settings.cpus,
            "memory: ": f"{settings.memory_gib}Gi",
        },
        "k8s/autoscaling.yaml": {
            "minReplicas: ": settings.min_replicas,
            "maxReplicas: ": settings.max_replicas,
        },
        "k8s/storage.yaml": {"storage: ": f"{settings.storage_gib}Gi"},
        "client_grpc.py": {
            '"--server", default="127.0.0.1:': settings.grpc_port,
            '"--model", default="': settings.model,
        },
        "client_rest.py": {
            '"--server", default="http://127.0.0.1:': settings.rest_port,
            '"--model", default="': settings.model,
        },
    }


def _holds(path, text):
    return path.is_file() and path.read_bytes() == text.encode()


def _expect(condition, expected, received):
    if not condition:
        raise UsageError(f"Expected {expected}. Received: {received}.")
