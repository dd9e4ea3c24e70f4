"""How TensorFlow Serving's own server is started, shown on a stand-in.

The stand-in is a script of that name which prints its options. No server of
TensorFlow's runs here: this holds the start alone, so that the contract's tests need no
repair on the day when one is on the `PATH`.
"""

import os
import sys

import pytest

pytest.importorskip("tensorflow_serving")

from . import servers

STAND_IN = """#!{python}
import sys
print(*sys.argv[1:], sep="\\n", flush=True)
print("Exporting HTTP/REST API at:localhost:0 ...", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows runs no script by its first line")
def test_tensorflow_serving_is_started_with_its_own_options(tmp_path, monkeypatch):
    program = tmp_path / servers.TF_SERVING
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    base = tmp_path / "model"
    with servers.run("tf_serving", base, "toy") as server:
        lines = list(server.lines)
    assert lines[:4] == [
        f"--port={server.address.split(':')[1]}",
        f"--rest_api_port={server.rest_port}",
        "--model_name=toy",
        f"--model_base_path={base}",
    ]
    assert server.process.returncode is not None
