"""The serving kit: written, filled in, and never over what is somebody else's."""

import re

import pytest
import yaml
from kit_files import SETTINGS, compose, container, written

from sfcl_tf.serving.kit import MOST_ROWS, KitSettings, write_kit
from sfcl_tf.serving.signatures import MAX_BOXES, MAX_FACES
from sfcl_tf.system import resources
from sfcl_tf.system.errors import UsageError


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=SETTINGS)
def kit(request, tmp_path_factory):
    return written(tmp_path_factory.mktemp("kit"), request.param)


def test_defaults_are_the_files_as_shipped(tmp_path):
    shipped = resources.path("export")
    for path in write_kit(tmp_path):
        name = path.relative_to(tmp_path)
        assert path.read_bytes() == (shipped / name).read_bytes(), name
    assert (tmp_path / ".env").is_file()


def test_values_arrive_in_both_deployments(kit):
    settings = kit.settings
    serving = compose(kit.folder)["services"]["serving"]
    assert serving["image"] == settings.image
    limits = {"cpus": settings.cpus, "memory": f"{settings.memory_gib}g"}
    assert serving["deploy"]["resources"]["limits"] == limits
    limits = {"cpu": settings.cpus, "memory": f"{settings.memory_gib}Gi"}
    resources = container(kit.folder)["resources"]
    assert resources == {"requests": limits, "limits": limits}
    kustomization = yaml.safe_load((kit.folder / "kustomization.yaml").read_text())
    (image,) = kustomization["images"]
    assert f"{image['newName']}:{image['newTag']}" == settings.image
    assert container(kit.folder)["image"].startswith(f"{image['name']}:")
    assert kustomization["components"] == (["tls"] if settings.tls else [])
    for path in kustomization["resources"]:
        assert (kit.folder / path).is_file()


def test_batches_and_requests_fit_into_what_the_model_takes():
    assert MOST_ROWS * MAX_BOXES <= MAX_FACES
    export = resources.path("export")
    for name in ("client_grpc.py", "client_rest.py"):
        rows = re.search(r"^BATCH = (\d+)", (export / name).read_text("utf-8"), re.M)
        assert int(rows[1]) <= KitSettings().max_batch_size


def test_a_kit_is_written_again_beside_models_and_keys(tmp_path):
    (tmp_path / "models/sfcl/1").mkdir(parents=True)
    first = write_kit(tmp_path)
    (tmp_path / "tls/ssl.config").write_text("secret")
    (tmp_path / "docker-compose.yml").unlink()
    assert write_kit(tmp_path) == first
    assert (tmp_path / "docker-compose.yml").is_file()
    assert (tmp_path / "tls/ssl.config").read_text() == "secret"


def test_changed_files_are_named_and_kept(tmp_path):
    write_kit(tmp_path)
    (tmp_path / ".env").write_text("SFCL_CPUS=64\n")
    (tmp_path / "kustomization.yaml").unlink()
    with pytest.raises(UsageError, match=r"Received: \.env of another content"):
        write_kit(tmp_path)
    assert (tmp_path / ".env").read_text() == "SFCL_CPUS=64\n"
    assert not (tmp_path / "kustomization.yaml").exists()
    with pytest.raises(UsageError, match=r"k8s/autoscaling\.yaml"):
        write_kit(tmp_path, KitSettings(min_replicas=1))


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(UsageError, match=r"thesis\.doc"):
        write_kit(tmp_path)
    with pytest.raises(UsageError, match="a folder for the kit"):
        write_kit(tmp_path / "thesis.doc")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


@pytest.mark.parametrize(
    "value",
    [
        {"model": "a/b"},
        {"model": ""},
        {"models": "models"},
        {"models": "/srv/my models"},
        {"image": "tensorflow/serving"},
        {"image": "tensorflow/serving@sha256:" + "0" * 64},
        {"image": "tensorflow/serving:2.21.0 "},
        {"cpus": 0},
        {"cpus": 1.5},
        {"memory_gib": True},
        {"min_replicas": 9},
        {"max_batch_size": MOST_ROWS + 1},
        {"batch_timeout_micros": -1},
        {"grpc_port": 8501},
        {"rest_port": 65536},
    ],
)
def test_settings_that_cannot_be_are_refused(value):
    with pytest.raises(UsageError, match=r"^Expected .* Received: .*\.$"):
        KitSettings(**value)
