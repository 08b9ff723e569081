"""The floors and the other rules of the house, held over every module."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Every module or package of the two roots, from the lowest floor to the highest. A unit imports only from lower floors.
FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(floor.split())
    for floor in (
        "darkroom_server",
        "darkroom.decoder darkroom.uris darkroom.model_tasks darkroom.spelling darkroom.file_systems",
        "darkroom.errors darkroom.predictions darkroom.images darkroom.charges darkroom.secrets_in_inputs",
        "darkroom.progress darkroom.request_ids darkroom.processes darkroom.key_store darkroom.setting_folders",
        "darkroom.registry darkroom.settings_sources",
        "darkroom.sandbox_entry",
        "darkroom.pricing darkroom.gateways",
        "darkroom.team_settings",
        "darkroom.journal darkroom.outputs darkroom.live_models",
        "darkroom.reports",
        "darkroom.work",
        "darkroom.darkroom_options",
        "darkroom.darkroom",
        "darkroom.settings",
        "darkroom.like",
        "darkroom.input_facts",
        "darkroom.spending_limits",
        "darkroom.model_choice",
        "darkroom.alike",
        "darkroom.failures darkroom.list_predictions darkroom.cancelling darkroom.list_models darkroom.gateway_models"
        " darkroom.model_check darkroom.repeats"
        " darkroom.quotes darkroom.joining",
        "darkroom.get_prediction darkroom.second_tries",
        "darkroom.generate_image darkroom.dry_run darkroom.models darkroom.python_arguments",
        "darkroom.room",
        "darkroom.blocking",
        "darkroom",
        "darkroom_server.sandbox darkroom_server.strange_json darkroom_server.deadline darkroom_server.tool_arguments"
        " darkroom_server.wire darkroom_server.shell_commands"
        " darkroom_server.hangup darkroom_server.bodies",
        "darkroom_server.content darkroom_server.gallery darkroom_server.prompts darkroom_server.output_schema"
        " darkroom_server.batches",
        "darkroom_server.opener darkroom_server.install darkroom_server.consent darkroom_server.open_calls"
        " darkroom_server.instructions",
        "darkroom_server.answers",
        "darkroom_server.calls",
        "darkroom_server.rooms",
        "darkroom_server.app_tools darkroom_server.model_calls",
        "darkroom_server.mcp_server darkroom_server.resources",
        "darkroom_server.tools",
        "darkroom_server.app darkroom_server.page",
        "darkroom_server.team",
        "darkroom_server.stdio darkroom_server.http",
        "darkroom_server.cli",
        "darkroom_server.__main__",
    )
)
FLOOR_OF = {unit: number for number, floor in enumerate(FLOORS) for unit in floor}
# The sandbox is an outsider: sharing a class with the client would hide a wrong field on both sides.
OPEN_TO_THE_SANDBOX = frozenset({"darkroom.registry", "darkroom_server.sandbox", "darkroom_server"})

BANNED_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "manager", "handler", "misc"})
# Programs that run in a process of their own, with a stdout of their own.
CHILD_PROGRAMS = frozenset({"darkroom.decoder.program"})
# They read no setting: they give a child process a bare environment, without any key.
PARENTS = frozenset({"darkroom.outputs.decoder_process"})
# It reads none either: it tells pydantic how to start.
STARTERS = frozenset({"darkroom_server.cli"})
NAMES_OF_THE_HOUSE = frozenset({"http"})  # house words that the standard library has too
LONGEST_FILE = 300


@dataclass(frozen=True)
class Module:
    """One source file; `name` is dotted, `unit` its first two parts."""

    path: Path
    name: str
    tree: ast.Module

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @property
    def unit(self) -> str:
        return ".".join(self.name.split(".")[:2])

    def our_modules(self) -> set[str]:
        """Our modules that it needs; `from a import b` needs the module a.b where there is one, else a."""
        needed: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                needed |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                needed |= inner if inner <= _names() else {str(node.module)} | inner & _names()
        return (needed & _names()) - {self.name}

    def imports(self) -> Iterator[str]:
        """Dotted names, also of imports inside functions; `from a import b` gives `a.b` too, as b may be a module."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: imports are absolute"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _modules() -> list[Module]:
    found: list[Module] = []
    for root, package in (("tools", "darkroom"), ("server", "darkroom_server")):
        for path in sorted((ROOT / root / package).rglob("*.py")):
            parts = path.relative_to(ROOT / root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(path, name, ast.parse(path.read_text(encoding="utf-8"))))
    return found


@cache
def _names() -> frozenset[str]:
    return frozenset(module.name for module in _modules())


def _our_units(module: Module) -> set[str]:
    ours = {name for name in module.imports() if name.split(".")[0] in ("darkroom", "darkroom_server")}
    return {_unit(name) for name in ours} - {module.unit}


def _unit(name: str) -> str:
    """`darkroom.journal.records.Intent` -> `darkroom.journal`; `darkroom_server.__version__` -> `darkroom_server`."""
    unit = ".".join(name.split(".")[:2])
    return unit.split(".")[0] if unit.endswith("__") else unit


def _roots(module: Module) -> set[str]:
    return {name.split(".")[0] for name in module.imports()}


def _attributes(module: Module, owner: str) -> set[str]:
    """Names that are looked up on the module `owner`."""
    nodes = (node for node in module.nodes if isinstance(node, ast.Attribute))
    return {node.attr for node in nodes if isinstance(node.value, ast.Name) and node.value.id == owner}


def test_every_module_has_a_floor() -> None:
    assert {module.unit for module in _modules()} - set(FLOOR_OF) == set()


def test_a_module_imports_only_from_lower_floors() -> None:
    wrong = [
        f"{module.name} imports {unit}"
        for module in _modules()
        for unit in _our_units(module)
        if FLOOR_OF.get(unit, 99) >= FLOOR_OF.get(module.unit, 0)
    ]
    assert wrong == []


def test_no_imports_run_in_a_circle() -> None:
    circle: list[str] = []
    try:
        TopologicalSorter({module.name: module.our_modules() for module in _modules()}).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


def test_the_sandbox_shares_nothing_with_the_client_but_the_registry() -> None:
    imported = {
        unit for module in _modules() if module.unit == "darkroom_server.sandbox" for unit in _our_units(module)
    }
    assert imported <= OPEN_TO_THE_SANDBOX


def test_the_tools_import_neither_mcp_nor_the_server() -> None:
    outside = {"mcp", "mcp_types", "darkroom_server"}
    assert [module.name for module in _modules() if _is_tool(module) and _roots(module) & outside] == []


def _is_tool(module: Module) -> bool:
    return module.name.split(".")[0] == "darkroom"


def test_only_the_command_line_imports_typer_and_rich() -> None:
    assert _importers({"typer", "click", "rich"}) == {"darkroom_server.cli"}


def test_only_the_gateways_import_httpx() -> None:
    assert _importers({"httpx", "httpcore", "requests", "urllib3"}) == {"darkroom.gateways"}


def test_one_persons_journal_opens_without_anything_of_a_team(tmp_path: Path) -> None:
    script = (
        "import anyio, sys; from pathlib import Path; from darkroom.journal import open_journal\n"
        "async def main():\n"
        "    async with open_journal(Path(sys.argv[1]) / 'journal.sqlite3') as journal: await journal.history()\n"
        "anyio.run(main); print(*sorted(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    loaded = answer.stdout.split()
    assert "sqlite3" in loaded and not {"psycopg", "psycopg_pool", "procrastinate"} & set(loaded)


def test_async_code_stands_on_anyio() -> None:
    assert _importers({"asyncio", "trio"}) == set()


def _importers(roots: set[str]) -> set[str]:
    return {module.unit for module in _modules() if _roots(module) & roots}


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        module.name
        for module in _modules()
        if _attributes(module, "os") & {"environ", "environb", "getenv", "putenv"}
        or set(module.imports()) & {"os.environ", "os.environb", "os.getenv"}
    }
    assert readers - PARENTS - STARTERS == {"darkroom.settings"}


def test_only_the_command_line_writes_to_stdout() -> None:
    writers = {module.name for module in _modules() if _prints(module) or "stdout" in _attributes(module, "sys")}
    assert {name for name in writers if not name.startswith("darkroom_server.cli")} <= CHILD_PROGRAMS


def _prints(module: Module) -> bool:
    calls = (node for node in module.nodes if isinstance(node, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)


def test_a_module_is_named_for_what_lives_in_it() -> None:
    names = {module.path.stem for module in _modules()} - NAMES_OF_THE_HOUSE - {"__init__"}
    assert names & (BANNED_NAMES | sys.stdlib_module_names) == set()


def test_every_module_says_what_lives_in_it() -> None:
    assert [module.name for module in _modules() if not ast.get_docstring(module.tree)] == []


def test_a_module_can_be_read_in_one_sitting() -> None:
    lengths = {module.name: len(module.path.read_text(encoding="utf-8").splitlines()) for module in _modules()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_every_silenced_check_is_named() -> None:
    blanket = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*pyright:\s*ignore(?!\[)|#\s*noqa(?!:)")
    assert [module.name for module in _modules() if blanket.search(module.path.read_text(encoding="utf-8"))] == []


def test_no_tracked_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if names.returncode:
        pytest.skip("not a clone")
    # Put together here, so that this file does not name them either.
    hosts = [f"{host}.{top}" for host, top in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    paths = [f"/{first}/{rest}" for first, rest in (("root", "."), ("Users", "runner"), ("home", "runner"))]
    banned = [word.encode() for word in (*hosts, *paths)]
    for name in filter(None, names.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in banned if word in content], name


def test_creating_the_server_loads_nothing_heavy() -> None:
    script = (
        "import sys; from darkroom.settings import Settings; from darkroom_server.app import create_server\n"
        "sys.modules['rich.console'] = None\n"
        "create_server(Settings.read_or_problem({}))\n"
        "print(*sorted(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {
        "httpx",
        "PIL",
        "resvg_py",
        "typer",
        "rich.logging",
        "obstore",
        "sqlite3",
        "darkroom.team_settings",
        "darkroom_server.team",
        "jwt",
        "psycopg",
        "procrastinate",
        "tomlkit",
        "yaml",
    }
    assert heavy & set(answer.stdout.split()) == set()


def test_a_command_loads_neither_the_protocol_nor_another_command(tmp_path: Path) -> None:
    script = (
        "import sys; from darkroom_server.cli import main\n"
        "main(['history'])\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    environ = {**os.environ, "HOME": str(tmp_path), "DARKROOM_DATA_DIR": str(tmp_path)}
    answer = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    others = {f"darkroom_server.cli.{name}" for name in ("generate", "install", "models", "doctor")}
    assert ({"mcp", "mcp_types", "PIL", "tomlkit", "yaml", *others}) & set(answer.stderr.split()) == set()
