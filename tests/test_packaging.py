"""What `pip install .` installs."""

from __future__ import annotations

import configparser

from support import ROOT


def test_every_package_is_installed() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    named = settings["options"]["packages"].split()
    folders = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("a2c_tf", "export", "serving")
        for file in (ROOT / top).rglob("__init__.py")
    }
    assert len(folders) > 5
    assert sorted(named) == sorted(folders | {"a2c_tf.configs"})
