"""The serving kit's files, held against schemas and against each other."""

import re
import shutil
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
import yamllint.config
import yamllint.linter
from google.protobuf import text_format
from kit_files import (
    SETTINGS,
    compose,
    container,
    documents,
    flags,
    parse,
    pod,
    written,
)
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from sfcl_tf.inputs.preprocess import MIN_SIDE
from sfcl_tf.serving.decode import MAX_PIXELS
from sfcl_tf.serving.signatures import MAX_BOXES, MAX_FACES, MAX_SIDE

KUBERNETES = ("1.30", "1.34")
YAMLLINT = """
extends: default
rules:
  document-start: disable
  line-length: {max: 88, allow-non-breakable-inline-mappings: true}
"""
# Of those that `tensorflow_model_server --help` lists.
FLAGS = {
    "port",
    "rest_api_port",
    "rest_api_timeout_in_ms",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "allow_version_labels_for_unavailable_models",
    "enable_batching",
    "batching_parameters_file",
    "monitoring_config_file",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
    "grpc_channel_arguments",
    "ssl_config_file",
}
# As the server registers them; a histogram has three names and `le`.
METRICS = {
    "up": {"job"},
    ":tensorflow:serving:request_count": {"model_name", "status"},
    ":tensorflow:serving:request_latency_bucket": {"API", "entrypoint"},
    ":tensorflow:serving:batching_session:queuing_latency_bucket": {"thread_pool_name"},
    ":tensorflow:cc:saved_model:load_attempt_count": {"model_path", "status"},
}


@pytest.fixture(scope="module", params=SETTINGS.values(), ids=SETTINGS)
def kit(request, tmp_path_factory):
    return written(tmp_path_factory.mktemp("kit"), request.param)


def test_models_config_is_the_servers_message(kit):
    text = (kit.folder / "config/models.config").read_text("utf-8")
    (model,) = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    assert model.name == kit.settings.model
    assert model.base_path == f"/models/{model.name}"
    assert model.model_platform == "tensorflow"
    assert model.model_version_policy.latest.num_versions == 1


def test_versions_and_labels_can_be_put_in_by_uncommenting(kit):
    text = (kit.folder / "config/models.config").read_text("utf-8")
    text = re.sub(r"model_version_policy \{ latest .*", "", text)
    text = re.sub(r"# {3}(?=model_version_policy|version_labels)", "", text)
    (model,) = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [1, 2]
    assert model.version_labels == {"stable": 1, "canary": 2}


def test_the_servers_other_files_parse(kit):
    text = (kit.folder / "config/batching.config").read_text("utf-8")
    batching = parse("BatchingParameters", text)
    assert batching.max_batch_size.value == kit.settings.max_batch_size
    assert batching.batch_timeout_micros.value == kit.settings.batch_timeout_micros
    assert batching.num_batch_threads.value == kit.settings.cpus
    assert batching.max_enqueued_batches.value > 0
    text = (kit.folder / "config/monitoring.config").read_text("utf-8")
    assert parse("MonitoringConfig", text).prometheus_config.enable
    text = (kit.folder / "tls/ssl.config.example").read_text("utf-8")
    example = parse("SSLConfig", text)
    assert example.client_verify
    assert example.server_key.startswith("-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(kit, version):
    found = documents(kit.folder)
    assert {kind for kind, _ in found} == {
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Pod",
    }
    for document in found.values():
        assert kubernetes_validate.validate(document, version, strict=True) == version


def test_kubernetes_objects_refer_to_each_other(kit):
    found = documents(kit.folder)
    labels = pod(kit.folder)["metadata"]["labels"].items()
    selectors = [
        found["Service", "sfcl"]["spec"]["selector"],
        found["Service", "sfcl-headless"]["spec"]["selector"],
        found["Deployment", "sfcl"]["spec"]["selector"]["matchLabels"],
        found["PodDisruptionBudget", "sfcl"]["spec"]["selector"]["matchLabels"],
        found["NetworkPolicy", "sfcl"]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels
    scaler = found["HorizontalPodAutoscaler", "sfcl"]["spec"]
    target = scaler["scaleTargetRef"]
    assert (target["kind"], target["name"]) in found
    assert target["apiVersion"] == found["Deployment", "sfcl"]["apiVersion"]
    assert scaler["minReplicas"] == kit.settings.min_replicas
    assert scaler["maxReplicas"] == kit.settings.max_replicas
    assert "replicas" not in found["Deployment", "sfcl"]["spec"]
    for spec in (pod(kit.folder)["spec"], found["Pod", "sfcl-upload"]["spec"]):
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        claim = volumes["models"]["persistentVolumeClaim"]["claimName"]
        assert ("PersistentVolumeClaim", claim) in found
        for mount in spec["containers"][0]["volumeMounts"]:
            assert mount["name"] in volumes
    storage = found["PersistentVolumeClaim", "sfcl-models"]["spec"]["resources"]
    assert storage["requests"]["storage"] == f"{kit.settings.storage_gib}Gi"


def test_ports_are_those_that_the_server_opens(kit):
    spec = container(kit.folder)
    ports = {port["name"]: port["containerPort"] for port in spec["ports"]}
    given = flags(spec["args"])
    assert ports == {"grpc": int(given["port"]), "rest": int(given["rest_api_port"])}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        get = spec[probe]["httpGet"]
        assert get == {"path": f"/v1/models/{kit.settings.model}", "port": "rest"}
    found = documents(kit.folder)
    for name in ("sfcl", "sfcl-headless"):
        for port in found["Service", name]["spec"]["ports"]:
            assert port["port"] == ports[port["targetPort"]]
    for rule in found["NetworkPolicy", "sfcl"]["spec"]["ingress"]:
        assert {port["port"] for port in rule["ports"]} <= set(ports)
    serving = compose(kit.folder)["services"]["serving"]
    given = flags(serving["command"])
    assert serving["ports"] == [
        f"127.0.0.1:{kit.settings.grpc_port}:{given['port']}",
        f"127.0.0.1:{kit.settings.rest_port}:{given['rest_api_port']}",
    ]


def test_flags_are_the_servers_and_name_mounted_files(kit):
    serving = compose(kit.folder)["services"]["serving"]
    mounts = dict(volume.split(":")[1::-1] for volume in serving["volumes"])
    assert mounts.pop("/models") == kit.settings.models
    assert all(volume.endswith(":ro") for volume in serving["volumes"])
    (generated,) = yaml.safe_load((kit.folder / "kustomization.yaml").read_text())[
        "configMapGenerator"
    ]
    spec = pod(kit.folder)["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    inside = {
        m["mountPath"]: volumes[m["name"]]
        for m in container(kit.folder)["volumeMounts"]
    }
    assert inside["/config"]["configMap"]["name"] == generated["name"]
    for given in (flags(serving["command"]), flags(container(kit.folder)["args"])):
        assert set(given) <= FLAGS
        files = {k: v for k, v in given.items() if k.endswith("_file") and v}
        assert ("batching_parameters_file" in files) is kit.settings.batching
        assert given["enable_batching"] == str(kit.settings.batching).lower()
        for key, path in files.items():
            if key != "ssl_config_file":
                name = path.removeprefix("/config/")
                assert (kit.folder / mounts["/config"] / name).is_file()
                assert f"config/{name}" in generated["files"]
    tls = flags(serving["command"])["ssl_config_file"]
    assert tls == ("/tls/ssl.config" if kit.settings.tls else "")
    assert (kit.folder / mounts["/tls"] / "ssl_config.sh").is_file()


def test_no_call_is_left_when_a_pod_ends(kit):
    given = flags(container(kit.folder)["args"])["grpc_channel_arguments"]
    given = dict(argument.split("=") for argument in given.split(","))
    age = int(given["grpc.max_connection_age_ms"]) / 1000
    grace = int(given["grpc.max_connection_age_grace_ms"]) / 1000
    sleep = container(kit.folder)["lifecycle"]["preStop"]["sleep"]["seconds"]
    # gRPC spreads the age by 10 %.
    assert 1.1 * age + grace < sleep
    assert sleep < pod(kit.folder)["spec"]["terminationGracePeriodSeconds"]
    rollout = documents(kit.folder)["Deployment", "sfcl"]["spec"]["strategy"]
    assert rollout["rollingUpdate"]["maxUnavailable"] == 0
    timeout = int(flags(container(kit.folder)["args"])["rest_api_timeout_in_ms"])
    assert timeout / 1000 <= grace


def test_containers_may_do_no_more_than_they_need(kit):
    for name, service in compose(kit.folder)["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert re.search(r":v?\d+\.\d+", service["image"])
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    found = documents(kit.folder)
    for spec in (pod(kit.folder)["spec"], found["Pod", "sfcl-upload"]["spec"]):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"]
        (each,) = spec["containers"]
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} == set(each["resources"]["limits"])


def test_compose_file_follows_its_specification(kit, tmp_path):
    filled = tmp_path / "docker-compose.yml"
    filled.write_text(yaml.safe_dump(compose(kit.folder)))
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema", "--builtin-schema"),
            *("vendor.compose-spec", filled, kit.folder / "docker-compose.yml"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_yaml_is_free_of_lint(kit):
    config = yamllint.config.YamlLintConfig(YAMLLINT)
    paths = [path for path in kit.files if path.suffix in (".yml", ".yaml")]
    assert len(paths) > 8
    for path in paths:
        problems = list(yamllint.linter.run(path.read_text("utf-8"), config))
        assert not problems, (path, problems)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
def test_kustomize_puts_everything_together(kit):
    built = subprocess.run(
        ["kubectl", "kustomize", kit.folder],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    found = {}
    for document in yaml.safe_load_all(built.stdout):
        kubernetes_validate.validate(document, KUBERNETES[-1], strict=True)
        found[document["kind"], document["metadata"]["name"]] = document
    spec = found["Deployment", "sfcl"]["spec"]["template"]["spec"]
    for each in (*spec["containers"], *spec.get("initContainers", [])):
        assert each["image"] == kit.settings.image
    for volume in spec["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in found
    given = flags(spec["containers"][0]["args"])
    assert ("/tls/ssl.config" in given.values()) is kit.settings.tls
    service = found["Service", "sfcl"]["spec"]["ports"]
    clients = found["NetworkPolicy", "sfcl"]["spec"]["ingress"][0]["ports"]
    # REST has no TLS.
    exposed = ["grpc"] if kit.settings.tls else ["grpc", "rest"]
    assert [port["name"] for port in service] == exposed
    assert [port["port"] for port in clients] == exposed


def test_prometheus_reads_what_the_server_exports(kit):
    text = (kit.folder / "config/monitoring.config").read_text("utf-8")
    path = parse("MonitoringConfig", text).prometheus_config.path
    folder = kit.folder / "prometheus"
    scraped = yaml.safe_load((folder / "prometheus.yml").read_text("utf-8"))
    in_cluster = yaml.safe_load((folder / "kubernetes.yml").read_text("utf-8"))
    for (job,) in (scraped["scrape_configs"], in_cluster["scrape_configs"]):
        assert job["job_name"] == "sfcl"
        assert job["metrics_path"] == path
    (job,) = scraped["scrape_configs"]
    host, port = job["static_configs"][0]["targets"][0].split(":")
    serving = compose(kit.folder)["services"][host]
    assert flags(serving["command"])["rest_api_port"] == port
    assert scraped["rule_files"] == ["alerts.yml"]
    (job,) = in_cluster["scrape_configs"]
    label = job["kubernetes_sd_configs"][0]["selectors"][0]["label"].split("=")
    assert tuple(label) in pod(kit.folder)["metadata"]["labels"].items()


def test_alerts_are_on_metrics_that_exist(kit):
    text = (kit.folder / "prometheus/alerts.yml").read_text("utf-8")
    (group,) = yaml.safe_load(text)["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names) > 4
    readme = (kit.folder / "README.md").read_text("utf-8")
    for rule in group["rules"]:
        assert rule["alert"] in readme
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        expression = rule["expr"]
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing)
        used = re.findall(r"(up|:tensorflow:[\w:]+)(?:\{([^}]*)\})?", expression)
        assert used, expression
        for metric, matchers in used:
            assert metric in METRICS, metric
            assert set(re.findall(r"(\w+)[!=]", matchers)) <= METRICS[metric]


def test_readme_points_at_what_there_is(kit):
    text = (kit.folder / "README.md").read_text("utf-8")
    headings = re.findall(r"^## (.+)$", text, re.M)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        else:
            assert (kit.folder / link).exists(), link
    for number in (MAX_FACES, MAX_BOXES, MAX_SIDE, MAX_PIXELS, MIN_SIDE):
        assert re.search(rf"\b{number}(\b|x)", text.partition("## Limits")[2])
    kinds = {path.name for path in kit.folder.iterdir()} - {"README.md"}
    assert all(f"({kind}" in text for kind in kinds), kinds
