from pathlib import Path

import pytest

TREES = Path(__file__).parent / "trees"


class Machine:
    """The files of a machine below a folder, and ways to change them while something reads them."""

    def __init__(self, root: Path):
        self.root = root

    def write(self, name: str, content: object) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(content))

    def remove(self, name: str) -> None:
        (self.root / name).unlink()


def files_of(name: str) -> dict[str, str]:
    files: dict[str, str] = {}
    for line in (TREES / f"{name}.txt").read_text().splitlines():
        if line.startswith("base "):
            files |= files_of(line.removeprefix("base "))
        elif not line.startswith("#"):
            path, _, content = line.partition(" = ")
            files[path] = content.replace("\\n", "\n").replace("\\0", "\0")
    return files


@pytest.fixture
def machine(tmp_path):
    """Lays out the machine of a name."""

    def lay_out(name: str) -> Machine:
        laid = Machine(tmp_path)
        for path, content in files_of(name).items():
            laid.write(path, content)
        return laid

    return lay_out
