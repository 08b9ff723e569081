import os
import re
from pathlib import Path

import pytest
import systems

from darkroom.errors import SettingsError
from darkroom.gateways import choice
from darkroom.setting_words import table
from darkroom.settings import GATEWAY_SETTINGS, Settings, described, variable_of

NOTHING: dict[str, str] = {}


def test_without_any_variable_everything_has_its_default() -> None:
    settings = Settings.read(NOTHING)
    assert settings.wait_seconds == 25
    assert settings.previews == "on"
    assert settings.max_usd_per_call is None
    assert settings.problem is None


@pytest.mark.parametrize("text", ["", "   ", "${user_config.gateway}", "${input:key}"])
def test_a_variable_that_the_host_left_unfilled_counts_as_unset(text: str) -> None:
    settings = Settings.read({"DARKROOM_GATEWAY": text, "DARKROOM_API_KEY": text, "DARKROOM_MAX_USD_PER_DAY": text})
    assert settings.max_usd_per_day is None
    assert settings.choice.gateway.is_sandbox


def test_the_folder_names_of_desktop_hosts_are_expanded(tmp_path: Path) -> None:
    settings = Settings.read({"HOME": str(tmp_path), "DARKROOM_OUTPUT_DIR": "${HOME}/Pictures/Darkroom"})
    assert settings.output_location == str(tmp_path / "Pictures" / "Darkroom")


@pytest.mark.parametrize("word", ["${DESKTOP}", "${DOCUMENTS}", "${DOWNLOADS}"])
def test_every_folder_name_of_desktop_hosts_becomes_an_absolute_path(word: str) -> None:
    location = Settings.read({"DARKROOM_OUTPUT_DIR": word + "/made"}).output_location
    assert Path(location).is_absolute()
    assert "$" not in location


def test_a_tilde_is_the_home_folder(tmp_path: Path) -> None:
    settings = Settings.read({"HOME": str(tmp_path), "DARKROOM_DATA_DIR": "~/data"})
    assert settings.data_path == tmp_path / "data"


@systems.posix_names
@pytest.mark.parametrize("home", ["mine", "./mine", "~"])
def test_a_relative_home_is_refused_and_not_replaced_by_the_accounts_own(home: str) -> None:
    problem = Settings.read_or_problem({"HOME": home}).problem
    assert problem and f"HOME is '{home}'" in problem.message and "absolute" in problem.message


def test_an_object_url_stays_as_it_is() -> None:
    settings = Settings.read({"DARKROOM_OUTPUT_DIR": "s3://bucket/pictures"})
    assert settings.output_location == "s3://bucket/pictures"
    assert all(path.is_absolute() for path in settings.input_paths)


def test_several_input_folders_are_told_apart_by_the_path_separator() -> None:
    settings = Settings.read({"DARKROOM_INPUT_DIRS": f"/a{os.pathsep}/b c{os.pathsep}"})
    assert settings.input_paths[:2] == (Path("/a").absolute(), Path("/b c").absolute())


def test_named_input_folders_take_the_place_of_the_default_ones_but_for_the_output_folder(tmp_path: Path) -> None:
    named = {"DARKROOM_INPUT_DIRS": str(tmp_path / "in")}
    settings = Settings.read({**named, "DARKROOM_OUTPUT_DIR": str(tmp_path / "out")})
    assert settings.input_paths == (tmp_path / "in", tmp_path / "out")
    assert Settings.read({**named, "DARKROOM_OUTPUT_DIR": "s3://bucket"}).input_paths == (tmp_path / "in",)
    # Nobody opens the whole home folder by keeping pictures in it.
    assert Settings.read({**named, "DARKROOM_OUTPUT_DIR": str(Path.home())}).input_paths == (tmp_path / "in",)


def test_images_may_be_read_from_the_output_folder_where_no_input_folder_is_named(tmp_path: Path) -> None:
    settings = Settings.read({"DARKROOM_OUTPUT_DIR": str(tmp_path)})
    assert settings.input_paths[0] == tmp_path
    assert len(settings.input_paths) == 4


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("false", False), ("1", True), ("no", False)])
def test_flags_are_read_as_hosts_write_them(text: str, flag: bool) -> None:
    assert Settings.read({"DARKROOM_KEEP_METADATA": text}).keep_metadata is flag


def test_a_setting_of_an_earlier_version_is_no_fault_and_is_named_as_gone() -> None:
    settings = Settings.read({"DARKROOM_CANCEL_TOOL": "true"})
    assert settings.problem is None
    assert settings.gone == ("DARKROOM_CANCEL_TOOL is gone: get_prediction(id, cancel=true) does it now.",)
    assert Settings.read({}).gone == ()


@pytest.mark.parametrize(("text", "word"), [("off", "off"), ("false", "off"), ("ON", "on"), ("true", "on")])
def test_previews_are_on_or_off_in_any_spelling(text: str, word: str) -> None:
    assert Settings.read({"DARKROOM_PREVIEWS": text}).previews == word


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("DARKROOM_MAX_USD_PER_CALL", "$2", "US dollars"),
        ("DARKROOM_MAX_USD_PER_DAY", "-1", "US dollars"),
        ("DARKROOM_MAX_USD_PER_DAY", "nan", "US dollars"),
        ("DARKROOM_CONFIRM_USD", "inf", "US dollars"),
        ("DARKROOM_WAIT_SECONDS", "900", "0 to 600"),
        ("DARKROOM_PREVIEWS", "small", "on or off"),
        ("DARKROOM_KEEP_METADATA", "maybe", "true or false"),
        ("DARKROOM_LOG_LEVEL", "loud", "WARNING"),
    ],
)
def test_a_wrong_value_is_refused_with_the_variable_and_what_is_allowed(variable: str, text: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read({variable: text})
    assert f"{variable} is {text!r}" in caught.value.message
    assert allowed in caught.value.message
    assert len(caught.value.message) <= 300


def test_a_misspelt_variable_is_refused_with_the_closest_one() -> None:
    with pytest.raises(SettingsError, match="DARKROOM_MAX_USD_DAY is no setting.*DARKROOM_MAX_USD_PER_DAY"):
        Settings.read({"DARKROOM_MAX_USD_DAY": "1"})


def test_a_wrong_value_is_carried_as_a_problem_and_the_rest_is_kept() -> None:
    settings = Settings.read_or_problem({"DARKROOM_WAIT_SECONDS": "soon", "DARKROOM_PREVIEWS": "off"})
    assert settings.problem is not None
    assert "DARKROOM_WAIT_SECONDS" in settings.problem.message
    assert (settings.wait_seconds, settings.previews) == (25, "off")
    with pytest.raises(SettingsError, match="DARKROOM_WAIT_SECONDS"):
        settings.options()


def test_an_unknown_gateway_is_carried_as_a_problem() -> None:
    settings = Settings.read_or_problem({"DARKROOM_GATEWAY": "nowhere"})
    assert settings.problem is not None
    assert "nowhere" in settings.problem.message


def test_the_key_is_not_shown_by_the_settings() -> None:
    settings = Settings.read({"DARKROOM_GATEWAY": "replicate", "DARKROOM_API_KEY": "canary-key-1234567890"})
    assert "canary" not in f"{settings!r} {settings} {settings.choice!r} {settings.model_dump()}"


def test_the_sandbox_is_embedded_unless_a_base_url_names_another(tmp_path: Path) -> None:
    folders = {"DARKROOM_DATA_DIR": str(tmp_path), "DARKROOM_OUTPUT_DIR": str(tmp_path)}
    assert Settings.read(folders).options().app is not None
    elsewhere = {**folders, "DARKROOM_GATEWAY": "sandbox", "DARKROOM_BASE_URL": "http://127.0.0.1:9"}
    assert Settings.read(elsewhere).options().app is None


def test_the_options_carry_what_was_set(tmp_path: Path) -> None:
    options = Settings.read(
        {
            "DARKROOM_DATA_DIR": str(tmp_path),
            "DARKROOM_OUTPUT_DIR": str(tmp_path / "out"),
            "DARKROOM_MAX_USD_PER_DAY": "1.5",
        }
    ).options()
    assert options.data_dir == tmp_path
    assert options.output_dir == str(tmp_path / "out")
    assert options.max_usd_per_day == 1.5


def test_every_setting_has_a_reader() -> None:
    """Those of the gateway are read by name where the gateway is chosen, the others as an attribute of the settings."""
    sources = Path(choice.__file__).read_text(encoding="utf-8")
    assert {name for name in GATEWAY_SETTINGS if f'"{variable_of(name)}"' not in sources} == set()
    root = Path(__file__).resolve().parent.parent
    readers = [root / "tools" / "darkroom" / "settings.py", *(root / "server" / "darkroom_server").rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in readers)
    read = set(re.findall(r"(?<=settings\.)\w+|(?<=self\.)\w+", code))
    assert set(Settings.model_fields) - read == set()


def test_the_table_names_every_setting_with_its_default() -> None:
    words = table(described())
    assert all(f"| `{variable_of(name)}` |" in words for name in described())
    assert "| `DARKROOM_WAIT_SECONDS` | `25` | How long a call waits" in words
