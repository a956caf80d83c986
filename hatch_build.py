"""Make the pages' fonts while the package is built: subsets of Inter and JetBrains Mono.

Both come from the build requirements fontpkg-inter and fontpkg-jetbrains-mono (SIL Open Font
License 1.1); their licences go beside them. Where anything of it fails, the package is built
without fonts, and pages take the system's (static/css/00-tokens.css names them).
"""

from __future__ import annotations

import io
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TARGET = Path("gitdeploy/web/ui/static/fonts")
# Western Latin, punctuation and arrows; for logs the commonest box drawing, blocks and marks.
TEXT = "U+20-7E,U+A0-FF,U+2013-2014,U+2018-201E,U+2022,U+2026,U+20AC,U+2190-2193,U+2212"
LOGS = (
    "U+20-7E,U+A0-FF,U+2013-2014,U+2018-201D,U+2026,U+2190-2193,U+2500,U+2502,U+250C,U+2510"
    ",U+2514,U+2518,U+251C,U+2588,U+2591-2593,U+2713,U+2717,U+25CF"
)
FONTS = {
    "inter.woff2": (
        "fontpkg_inter",
        "Inter[opsz,wght].ttf",
        {"opsz": 14, "wght": (400, 650)},
        TEXT,
    ),
    "jetbrains-mono.woff2": (
        "fontpkg_jetbrains_mono",
        "JetBrainsMono[wght].ttf",
        {"wght": 400},
        LOGS,
    ),
}
FEATURES = ["kern", "ccmp", "locl", "tnum"]


class FontsHook(BuildHookInterface[Any]):
    """Writes `static/fonts/*.woff2` and their licences, and takes them into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = Path(self.root) / TARGET
        try:
            make(folder)
        except Exception as error:  # a font is no reason to have no package
            sys.stderr.write(f"built without fonts: {error}\n")
        if self.target_name == "wheel" and version != "editable":
            build_data["artifacts"] += [f"{TARGET}/*.woff2", f"{TARGET}/*.txt"]


def make(folder: Path) -> None:
    """Write what isn't there yet. Raises whatever the font tools raise."""
    if all((folder / name).is_file() for name in FONTS):
        return
    folder.mkdir(exist_ok=True)
    for name, (package, file, axes, characters) in FONTS.items():
        data = resources.files(package).joinpath("files", file).read_bytes()
        (folder / name).write_bytes(subset(data, axes, characters))
        (folder / f"{name.partition('.')[0]}-license.txt").write_text(licence(package), "utf-8")


def subset(data: bytes, axes: dict[str, Any], characters: str) -> bytes:
    """The characters of a variable font, within the ranges of its axes, as WOFF2."""
    from fontTools.subset import Options, Subsetter, parse_unicodes
    from fontTools.ttLib import TTFont
    from fontTools.varLib import instancer

    font = instancer.instantiateVariableFont(TTFont(io.BytesIO(data)), axes)
    between = io.BytesIO()  # saved and read again: the subsetter stumbles over a fresh instance
    font.save(between)
    between.seek(0)
    font = TTFont(between)
    options = Options(flavor="woff2", layout_features=FEATURES, hinting=False)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=parse_unicodes(characters))
    subsetter.subset(font)
    font.flavor = "woff2"
    made = io.BytesIO()
    font.save(made)
    return made.getvalue()


def licence(package: str) -> str:
    """The text of the font's licence, from its distribution."""
    distribution = metadata.distribution(package.replace("_", "-"))
    for file in distribution.files or ():
        if "LICENSE" in file.name.upper():
            return str(file.read_text())
    raise FileNotFoundError(f"{package} has no licence with it")
