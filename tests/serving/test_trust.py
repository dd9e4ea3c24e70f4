"""A SavedModel that does more than compute is refused before it does."""

import re
import shutil

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry
from tensorflow.python.trackable.resource import CapturableResource

from sfcl_tf.cli import main
from sfcl_tf.config import load_config, to_toml
from sfcl_tf.detect import Detector
from sfcl_tf.models import build_model
from sfcl_tf.models.registry import BACKBONES, DETECTORS
from sfcl_tf.serving import export_savedmodel
from sfcl_tf.serving.dev_server.batching import Batching
from sfcl_tf.serving.dev_server.store import ModelStore
from sfcl_tf.serving.known_ops import KNOWN_OPS, RESTORING, SAVING
from sfcl_tf.serving.trust import load_savedmodel, read_savedmodel
from sfcl_tf.system.errors import ModelError
from sfcl_tf.workflow.export import export
from sfcl_tf.workflow.progress import Progress

SPEC = tf.TensorSpec((), tf.float32, name="x")


def save(path, forward, module=None):
    """Writes a SavedModel of one signature."""
    module = module or tf.Module()
    module.forward = tf.function(forward, input_signature=[SPEC], autograph=False)
    signature = module.forward.get_concrete_function()
    tf.saved_model.save(module, str(path), signatures={"serving_default": signature})
    return path


def edited(path, change):
    """Lets `change` have the meta graph of a SavedModel in its hands."""
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(saved.meta_graphs[0])
    file.write_bytes(saved.SerializeToString())
    return path


def ask(loaded):
    return loaded.signatures["serving_default"](x=tf.constant(1.0))


class Initialised(CapturableResource):
    """A resource whose initialiser writes a file, at loading."""

    def __init__(self, canary):
        super().__init__()
        self._canary = canary

    def _create_resource(self):
        return tf.constant(0)

    def _initialize(self):
        tf.io.write_file(self._canary, "loaded")
        return tf.constant(1)


def writing(canary):
    def forward(x):
        with tf.control_dependencies([tf.io.write_file(canary, "asked")]):
            return {"y": tf.identity(x)}

    return forward


def printing(canary):
    def forward(x):
        with tf.control_dependencies(
            [tf.print("asked", output_stream=f"file://{canary}")]
        ):
            return {"y": tf.identity(x)}

    return forward


def saving(canary):
    def forward(x):
        saved = tf.raw_ops.SaveV2(
            prefix=canary, tensor_names=["x"], shape_and_slices=[""], tensors=[x]
        )
        with tf.control_dependencies([saved]):
            return {"y": tf.identity(x)}

    return forward


def in_a_loop(canary):
    def body(x):
        with tf.control_dependencies([tf.io.write_file(canary, "asked")]):
            return (x + 1,)

    def forward(x):
        return {"y": tf.while_loop(lambda x: x < 3, body, (x,))[0]}

    return forward


def in_a_dataset(canary):
    def write(x):
        with tf.control_dependencies([tf.io.write_file(canary, "asked")]):
            return tf.identity(x)

    def forward(x):
        made = tf.data.Dataset.from_tensors(x).map(write, num_parallel_calls=1)
        return {"y": made.get_single_element()}

    return forward


HOSTILE = {
    "WriteFile in __inference_": writing,
    "PrintV2 in __inference_": printing,
    "SaveV2 in __inference_": saving,
    "WriteFile in .*body": in_a_loop,
    "WriteFile in .*write": in_a_dataset,
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_a_signature_that_writes_is_refused(tmp_path, reason):
    canary = tmp_path / "canary"
    path = save(tmp_path / "1", HOSTILE[reason](str(canary)))
    with pytest.raises(ModelError, match=f"Received: .*{reason}") as caught:
        load_savedmodel(path)
    assert "--trust" in str(caught.value)
    assert not [*tmp_path.glob("canary*")]
    ask(load_savedmodel(path, trust=True))
    assert [*tmp_path.glob("canary*")]  # so it would have


def test_an_initialiser_that_writes_is_refused(tmp_path):
    canary = tmp_path / "canary"
    module = tf.Module()
    module.resource = Initialised(str(canary))
    path = save(tmp_path / "1", lambda x: {"y": x + 1}, module)
    canary.unlink(missing_ok=True)
    with pytest.raises(ModelError, match="Received: WriteFile in "):
        load_savedmodel(path)
    assert not canary.exists()
    load_savedmodel(path, trust=True)
    assert canary.read_text("utf-8") == "loaded"


def saver_function(meta, op):
    """Returns the function of the saver that an operation stands in."""
    return next(
        function.signature.name
        for function in meta.graph_def.library.function
        if op in {node.op for node in function.node_def}
    )


def ask_for_saver(meta):
    (output,) = meta.signature_def["serving_default"].outputs.values()
    output.name = meta.saver_def.save_tensor_name


def start_with_saver(meta):
    info = meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"]
    info.name = meta.saver_def.save_tensor_name


def restore_by_saving(meta):
    meta.saver_def.restore_op_name = meta.saver_def.save_tensor_name.split(":")[0]


def call_saver(meta):
    for node in meta.graph_def.node:
        if node.op == "StatefulPartitionedCall" and "serving" in str(node.input):
            node.attr["f"].func.name = saver_function(meta, "SaveV2")


def give_to_object(meta):
    name = saver_function(meta, "SaveV2")
    concrete = meta.object_graph_def.concrete_functions
    concrete[name].CopyFrom(next(iter(concrete.values())))


def restore_elsewhere(meta):
    node = meta.graph_def.node.add(name="more", op="StatefulPartitionedCall")
    node.attr["f"].func.name = saver_function(meta, "RestoreV2")


@pytest.mark.parametrize(
    "change",
    [
        ask_for_saver,
        start_with_saver,
        restore_by_saving,
        call_saver,
        give_to_object,
        restore_elsewhere,
    ],
)
def test_nothing_but_the_saver_goes_the_savers_way(tmp_path, change):
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    path = save(tmp_path / "1", lambda x: {"y": x * module.weight}, module)
    read_savedmodel(path)
    with pytest.raises(ModelError, match="beside the saver"):
        read_savedmodel(edited(path, change))


def a_function_that_is_missing(meta):
    node = meta.graph_def.node.add(name="more", op="StatefulPartitionedCall")
    node.attr["f"].func.name = "__inference_of_another_model"


def a_call_by_name(meta):
    function = meta.graph_def.library.function.add()
    function.signature.name = "WriteFile"
    meta.graph_def.node.add(name="more", op="WriteFile")


def a_graph_in_a_constant(meta):
    node = meta.graph_def.node.add(name="more", op="Const")
    node.attr["value"].tensor.variant_val.add(type_name="x")


def two_functions_of_a_name(meta):
    library = meta.graph_def.library
    library.function.add().CopyFrom(library.function[0])


def a_graph_of_before(meta):
    meta.ClearField("object_graph_def")


def a_class_of_this_process(meta):
    meta.object_graph_def.nodes[0].registered_name = "mine.Class"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (a_function_that_is_missing, "which is missing, in the main graph"),
        (a_call_by_name, "WriteFile in the main graph"),
        (a_graph_in_a_constant, "a constant of another kind"),
        (two_functions_of_a_name, "two parts of one name"),
        (a_graph_of_before, "a graph of TensorFlow 1"),
        (a_class_of_this_process, r"an object of the class mine\.Class"),
    ],
)
def test_what_would_go_round_the_check_is_refused(tmp_path, change, reason):
    path = edited(save(tmp_path / "1", lambda x: {"y": x + 1}), change)
    with pytest.raises(ModelError, match=reason):
        read_savedmodel(path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 99, None])
def test_what_is_no_savedmodel_is_told(tmp_path, content):
    if content is not None:
        (tmp_path / "saved_model.pb").write_bytes(content)
    for trust in (False, True):
        with pytest.raises(ModelError, match="Expected a SavedModel at"):
            load_savedmodel(tmp_path, trust=trust)


def test_known_operations_name_no_file_and_no_address():
    harmless = {
        "RegexFullMatch": "pattern",
        "RegexReplace": "pattern",
        "StaticRegexFullMatch": "pattern",
        "StaticRegexReplace": "pattern",
        "InTopK": "targets",
        "InTopKV2": "targets",
        "TensorSliceDataset": "is_files",  # tells of what the elements are
        "VarHandleOp": "allowed_devices",
    }
    telling = re.compile(
        "file|path|url|address|stream|device|library|target|prefix|pattern|host|token"
    )
    for name in KNOWN_OPS:
        op = op_def_registry.get(name)
        assert op is not None, name
        named = [each.name for each in (*op.input_arg, *op.attr)]
        found = [each for each in named if telling.search(each.lower())]
        assert found == ([harmless[name]] if name in harmless else []), name
    assert not KNOWN_OPS & (SAVING | RESTORING)


def test_exports_have_known_operations_alone(served):
    saved = read_savedmodel(served.path)
    assert saved.meta_graphs[0].signature_def


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DETECTORS, *BACKBONES])
def test_exports_of_every_model_have_known_operations_alone(tmp_path, name):
    if name in BACKBONES:
        overrides = [f"model.spatial={name}"]
    else:
        overrides = [f"model.name={name}"]
    size = DETECTORS[name].only_size if name in DETECTORS else None
    config = load_config(
        preset="tiny",
        overrides=[
            *overrides,
            "model.spatial_weights=none",
            "model.frequency_weights=none",
            f"model.image_size={size or 96}",
        ],
    )
    export_savedmodel(build_model(config), config, tmp_path / "1")
    read_savedmodel(tmp_path / "1")


@pytest.fixture
def hostile(served, tmp_path):
    """A folder of versions: 1 is good; 2 would write a file, and is an export."""
    folder = tmp_path / "model"
    canary = tmp_path / "canary"
    shutil.copytree(served.path, folder / "1")
    save(folder / "2", writing(str(canary)))
    return folder, canary


def test_a_server_passes_over_a_version_that_is_not_trusted(hostile, monkeypatch):
    monkeypatch.setattr("sfcl_tf.serving.dev_server.store._SETTLED", 0.0)
    folder, canary = hostile
    told = []
    store = ModelStore(folder, "model", Batching(), told.append)
    store.load()
    assert store.get("model").number == 1
    assert any("WriteFile in " in line and "passed over" in line for line in told)
    store.watch(0.05)
    store.stop()
    assert store.get("model").number == 1
    trusting = ModelStore(folder, "model", Batching(), trust=True)
    trusting.load()
    assert trusting.get("model").number == 2
    assert not canary.exists()


def test_commands_refuse_what_is_not_trusted(served, hostile, tmp_path, capsys):
    folder, canary = hostile
    (folder / "2/assets.extra").mkdir()
    (folder / "2/assets.extra/config.toml").write_text(to_toml(served.config), "utf-8")
    picture = tmp_path / "x.png"
    picture.write_bytes(tf.io.encode_png(tf.zeros((64, 64, 3), tf.uint8)).numpy())
    assert main(["detect", str(picture), "--model", str(folder)]) == 4
    assert "WriteFile in " in capsys.readouterr().err
    with pytest.raises(ModelError, match="WriteFile"):
        Detector.load(folder)
    # Trusted, it is loaded, and found to lack the signatures of an export.
    with pytest.raises(ModelError, match="the signatures"):
        Detector.load(folder, trust=True)
    assert main(["detect", "--trust", str(picture), "--server", "127.0.0.1:1"]) == 2
    assert not canary.exists()


def test_an_export_that_will_need_trust_says_so(run, tmp_path, monkeypatch):
    told = []
    progress = Progress()
    progress.say = told.append
    export(run, to=tmp_path / "good", progress=progress)
    assert not any("--trust" in line for line in told)
    monkeypatch.setattr("sfcl_tf.serving.trust.KNOWN_OPS", KNOWN_OPS - {"Conv2D"})
    export(run, to=tmp_path / "odd", progress=progress)
    assert any("--trust alone" in line and "Conv2D in " in line for line in told)
