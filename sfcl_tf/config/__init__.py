"""The configuration: frozen, locked against typos, TOML in and out."""

from sfcl_tf.config.load import (
    RETIRED,
    checked,
    from_toml,
    load_config,
    override,
    read_config,
    to_toml,
)
from sfcl_tf.config.sections import (
    AugmentConfig,
    Config,
    DataConfig,
    EvaluateConfig,
    ExportConfig,
    ModelConfig,
    TrainConfig,
)

__all__ = [
    "RETIRED",
    "AugmentConfig",
    "Config",
    "DataConfig",
    "EvaluateConfig",
    "ExportConfig",
    "ModelConfig",
    "TrainConfig",
    "checked",
    "from_toml",
    "load_config",
    "override",
    "read_config",
    "to_toml",
]
