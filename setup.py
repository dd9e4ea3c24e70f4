"""Ships the mapped folders inside the wheel; the rest is in pyproject.toml.

`datasets/` and `export/` lie at the top of the checkout, where people look for
them, and are no packages: a top-level package called `datasets` would shadow
others. The wheel carries them below `sfcl_tf/`, where `sfcl_tf.system.resources` looks.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("datasets", "export")


class BuildWithFolders(build_py):
    """Copies the mapped folders into the built package."""

    def run(self):
        super().run()
        if self.editable_mode:
            return  # sfcl_tf.system.resources finds them beside the package
        for folder in FOLDERS:
            target = Path(self.build_lib, "sfcl_tf", folder)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target)


setup(cmdclass={"build_py": BuildWithFolders})
