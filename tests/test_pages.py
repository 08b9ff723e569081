"""Every page holds: its commands run or parse, its links resolve, and what it names exists."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import DOCS, PAGES, README, ROOT, Page, run_each

from darkroom.gateways import load_gateways
from darkroom.settings import Settings, described, variable_of
from darkroom.team_settings import described_for_teams
from darkroom.work.runtime import CrashPoint
from darkroom_server.cli.commands import run
from darkroom_server.install.clients import CLIENTS
from darkroom_server.sandbox import WEATHER

EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
CHANGELOG = Page("CHANGELOG.md")
# Their commands need a database, and other programs: they are parsed, not run.
TEAMS = [Page(f"server/docs/{name}.md") for name in ("teams", "teams-tenants", "teams-operations")]
# These go on until somebody ends them.
LASTING = ("serve", "sandbox", "gallery")
# Options of programs beside ours that the pages name.
OTHERS_OPTIONS = {"--extra", "--group", "--system-certs", "--native-tls", "--prefix", "--compile-bytecode"}
# Variables beside our settings and the gateways' keys.
OTHERS_VARIABLES = {"HTTPS_PROXY", "SSL_CERT_FILE", "DARKROOM_HOST"}  # the last one is of the compose file
# Words of PostgreSQL, and of Prometheus for what we name with dots.
OTHERS_NAMES = {"pg_dump", "pg_restore", "synchronous_commit", "synchronous_standby_names"}
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "server/darkroom_server").rglob("*.py"))
STORE_A_KEY = ["key", "set", "replicate"]


def commands_to_run() -> Iterator[tuple[str, list[str]]]:
    """Each page's name and the words of a command, in the order of the pages; no entry of a client is started."""
    for page in (README, *DOCS):
        for words in page.commands():
            if page in TEAMS or words[0] in LASTING:
                continue
            is_unseen = words[0] == "install" and "--list" not in words and "--print" not in words
            yield page.name, [*words, "--no-check"] if is_unseen else [each for each in words if each != "--check"]


def test_the_commands_of_the_pages_run(tmp_path: Path) -> None:
    """All in one home, as somebody who reads on. That an entry starts is held in test_install_start.py."""
    named = [each for each in commands_to_run() if each[1] != STORE_A_KEY]
    assert len(named) >= 25
    answers = run_each([words for _, words in named], tmp_path)
    for (page, words), (code, said) in zip(named, answers, strict=True):
        assert code == 0, (page, words, said)
        assert said.strip(), (page, words)


def test_the_command_that_stores_a_key_takes_it_from_stdin(tmp_path: Path) -> None:
    """In a home of its own: with a key the commands above would ask a real gateway."""
    assert STORE_A_KEY in README.commands()
    [(code, said)] = run_each([STORE_A_KEY], tmp_path, stdin="made-up-key\n")
    assert code == 0 and "is kept in" in said and "made-up-key" not in said


def test_each_client_is_installed_by_a_command_of_its_page() -> None:
    named = [words[1] for words in Page("server/docs/clients.md").commands() if words[0] == "install"]
    assert {client.name for client in CLIENTS} <= set(named)


@pytest.mark.parametrize("page", [*PAGES, CHANGELOG], ids=lambda page: page.name)
def test_the_commands_in_sentences_parse(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for words in (*page.named_commands(), *page.commands()):
        if words[0].startswith("-"):
            continue  # --version, --install-completion
        assert run([*words, "--help"]) == 0, (words, capsys.readouterr().err)


@pytest.mark.parametrize("page", [*PAGES, CHANGELOG], ids=lambda page: page.name)
def test_the_links_of_a_page_resolve(page: Page) -> None:
    for link in page.links():
        name, _, anchor = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.exists() and target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in Page(target.relative_to(ROOT).as_posix()).anchors(), link


def test_every_page_is_found_from_the_readme() -> None:
    listed = {link.partition("#")[0] for link in README.links()}
    assert {page.name for page in PAGES if page != README} <= listed


@EACH_PAGE
def test_the_settings_that_a_page_names_exist(page: Page) -> None:
    known = {variable_of(name) for name in (*described(), *described_for_teams())} | OTHERS_VARIABLES
    known |= {variable for gateway in load_gateways().values() for variable in gateway.key_variables}
    named = set(re.findall(r"\b(?:DARKROOM_[A-Z_]*[A-Z]|[A-Z_]+_(?:KEY|TOKEN|PROXY|FILE))\b", page.text))
    assert {name for name in named - known if page not in TEAMS or name not in SOURCE} == set()


@EACH_PAGE
def test_the_options_that_a_page_names_exist(page: Page) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.text)) - OTHERS_OPTIONS
    if page in TEAMS:
        return  # it names those of other programs; its own commands are parsed above
    assert {name for name in named if f'"{name}' not in SOURCE and f"/{name}" not in SOURCE} <= options_of_typer()


def options_of_typer() -> set[str]:
    """Those that typer makes of an argument's name, or gives by itself."""
    names = re.findall(r"^    (\w+): [^\n]*", SOURCE, re.MULTILINE)
    return {f"--{name.replace('_', '-')}" for name in names} | {"--install-completion", "--show-completion", "--help"}


@EACH_PAGE
def test_the_files_that_a_page_names_exist(page: Page) -> None:
    named = re.findall(r"`((?:tests|server|tools|\.ci)/[\w./-]+)`", page.prose)
    named += re.findall(r"(?<=python )((?:tests|server)/[\w./-]+)", page.text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@EACH_PAGE
def test_the_extras_and_groups_that_a_page_names_exist(page: Page) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(project["project"]["optional-dependencies"])
    assert set(re.findall(r"(?:--extra |the extra `)(\w+)", page.text)) <= extras
    assert set(re.findall(r"--group (\w+)", page.text)) <= set(project["dependency-groups"])


@EACH_PAGE
def test_the_names_of_code_that_a_page_says_exist(page: Page) -> None:
    """Arguments, fields, tools: what stands in quotes and is written as code is; figures have their own test."""
    figures = set(re.findall(r"^\| `(darkroom_[a-z_]+)`", page.text, re.MULTILINE))
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", page.prose)) - OTHERS_NAMES - figures
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tools").rglob("*.py"))
    clients = (ROOT / "server/darkroom_server/install/clients.toml").read_text(encoding="utf-8")
    assert [name for name in named if name not in code + SOURCE + clients] == []


@EACH_PAGE
def test_the_bad_weather_that_a_page_names_exists(page: Page) -> None:
    assert set(re.findall(r"`sandbox:(\w+)", page.text)) <= set(WEATHER)


def test_every_prompt_and_resource_that_is_named_exists() -> None:
    from darkroom_server import resources

    text = Page("server/docs/tools.md").text
    [named] = re.findall(r"There are five prompts \((.*?)\)", text, re.DOTALL)
    module = Path(str(resources.__file__))
    prompts = tomllib.loads(module.with_name("prompts.toml").read_text(encoding="utf-8"))
    assert [prompt["title"].lower() for prompt in prompts.values()] == [
        " ".join(each.split()).lower() for each in named.split(", ")
    ]
    offered = re.findall(r'resource\(\s*"(\w+://[^"?]+)', module.read_text(encoding="utf-8"))
    shapes = {re.sub(r"\{\w+\}", "*", each) for each in offered}
    told = re.findall(r"^\| `(\w+://[^`]+)`", text, re.MULTILINE)
    assert {re.sub(r"\bID\b|\b1\b|owner|\bname\b", "*", each) for each in told} == shapes


def test_the_settings_file_of_the_page_is_read(tmp_path: Path) -> None:
    [example] = Page("server/docs/settings.md").fenced("toml")
    (tmp_path / ".config" / "darkroom").mkdir(parents=True)
    (tmp_path / ".config" / "darkroom" / "config.toml").write_text(example, encoding="utf-8")
    settings = Settings.read_or_problem({"HOME": str(tmp_path), "REPLICATE_API_TOKEN": "made-up"})
    assert settings.problem is None
    assert settings.max_usd_per_day == 2
    assert settings.sources.texts["DARKROOM_GATEWAY"] == "replicate"


def test_the_model_file_of_the_page_loads(tmp_path: Path) -> None:
    from darkroom.registry import ImageRequest, ModelRegistry, map_request

    [example] = [block for block in Page("server/docs/models.md").fenced("toml") if "acme/" in block]
    (tmp_path / "acme--painter.toml").write_text(example, encoding="utf-8")
    registry = ModelRegistry.load(tmp_path)
    request = ImageRequest(prompt="x", aspect_ratio="3:2", count=2)
    mapped = map_request(registry.get("acme/painter"), request, draw_seed=lambda: 1)
    assert not registry.problems
    assert mapped.input == {"prompt": "x", "aspect_ratio": "3:2", "num_outputs": 2}


def test_the_frameworks_of_the_page_are_those_that_are_driven() -> None:
    driven = tomllib.loads((ROOT / "tests/frameworks/clients.toml").read_text(encoding="utf-8"))
    rows = Page("server/docs/clients.md").text.partition("## Agent frameworks")[2].partition("Tried by hand")[0]
    words = re.sub(r"[^a-z]", "", rows.lower())
    names = {"typescript-sdk": "typescriptsdk", "llama-index": "llamaindex", "openai-agents": "openaiagents"}
    driven.pop("before")
    classes = set(re.findall(r"\b(?:create)?[A-Z][a-zA-Z]+(?=\()", rows))
    clients = (ROOT / "tests/frameworks/clients").iterdir()
    code = "\n".join(path.read_text(encoding="utf-8") for path in clients if path.is_file())
    assert classes and [name for name in classes if name not in code] == []
    assert [name for name in driven if names.get(name, name.replace("-", "")) not in words] == []


def test_the_figures_of_the_security_page_are_those_that_run() -> None:
    crashes = (ROOT / "tests/test_crash_matrix.py").read_text(encoding="utf-8")
    [(calls, more)] = re.findall(r"= rounds\((\d+)\), len\(CrashPoint\) \+ rounds\((\d+)\)", crashes)
    [on_postgres] = re.findall(r"requests=(\d+)", crashes)
    [inputs] = re.findall(r"rounds\((\d+)\)", (ROOT / "tests/test_pricing.py").read_text(encoding="utf-8"))
    text = " ".join(Page("server/docs/security.md").text.split())
    assert f"{calls} calls at a gateway" in text and f"killed {len(CrashPoint) + int(more)} times" in text
    assert f"{on_postgres} calls over a PostgreSQL" in text and f"{inputs} random inputs a run" in text


@EACH_PAGE
def test_a_page_names_no_machine_of_ours(page: Page) -> None:
    assert re.findall(r"(?<![\w/])/(?:tmp|work|root)\b", page.text) == []


def test_the_tools_that_the_pages_name_have_these_arguments() -> None:
    tools = json.loads((ROOT / "tests/snapshots/tools.json").read_text(encoding="utf-8"))
    known = {tool["name"]: set(tool["inputSchema"]["properties"]) for tool in tools}
    for page in PAGES:
        for name, arguments in re.findall(r"\b(generate_image|get_prediction|list_models)\(([^)]*)\)", page.text):
            given = set(re.findall(r"(\w+)=", arguments))
            assert given <= known[name], (page.name, name, given)
